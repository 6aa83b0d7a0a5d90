"""The driver's side of the leases: asks of the seats in, grants out, all from the job's own governor. Pure.

Seats that want units are served in turn, each of their lines (`ddbio.rate.leases_lines`) by itself, `PIECE_S` of the
rate at a time, but at least one request, and no more than `PIECES_PER_S` pieces a second. A piece is reserved with
the governor as a worker of this machine would reserve it. So schedules, percentages, `set-cap`, the budgets of
indexes and the cuts of a throttling table have their effect at once.

`LeaseDesks` has a desk for each table: this one, or that of pages (`ddbio.rate.leases_page_desk`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ddbio.messages.leases import DriverMessage, LeaseAsk, LeaseGrant, LeaseTerms, PageAsk, SeatMessage
from ddbio.rate.buckets import NOTHING, Units
from ddbio.rate.budgets import Place
from ddbio.rate.governor import Governor
from ddbio.rate.leases_page_desk import PageDesk
from ddbio.rate.leases_seats import TERMS_EVERY_S, KnownSeats

Send = Callable[[int, DriverMessage], None]

PIECE_S = 0.005  # of the rate, at most, or
SHARE_S = 0.01  # of a seat's even share of it
PIECES_PER_S = 4000
HEADS = (
    16  # pieces reserved at once if there are several budgets: one that waits for an index does not stop the others
)


class Desk(Protocol):
    """The leases of one table. serve: grants all that is due; returns the seconds until it must be called again."""

    def joined(self, seat: int) -> None: ...
    def left(self, seat: int) -> None: ...
    def serve(self) -> float: ...
    def terms(self) -> LeaseTerms: ...


Line = tuple[int, int]  # a seat, and one of its lines of requests


@dataclass(slots=True)
class _Account:
    """Of a line of a seat. wanted, granted: units in all. asked_s, heard_s: its newest ask, on the seat's clock and
    on the driver's."""

    wanted: Units
    granted: list[float]
    least: Units
    queued: bool = False
    asked_s: float = 0.0
    heard_s: float = 0.0

    def outstanding(self) -> list[float]:
        return [max(0.0, wanted - granted) for wanted, granted in zip(self.wanted, self.granted, strict=True)]


@dataclass(slots=True)
class _Head:
    """A piece that is reserved for a line."""

    line: Line
    place: Place


@dataclass(slots=True)
class _Due:
    """What a line is granted by one call of `serve`."""

    units: list[float]
    waited: bool = False


class UnitDesk:
    """Leases of units, for requests whose cost is known before they are sent."""

    def __init__(
        self, role: str, governor: Governor, send: Send, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._role = role
        self._governor = governor
        self._send = send
        self._clock = clock
        self._nothing = (0.0,) * len(governor.rates())
        self._accounts: dict[int, dict[int, _Account]] = {}  # by seat and line
        self._seats = KnownSeats(governor, clock)
        self._queue: deque[Line] = deque()
        self._heads: list[_Head] = []
        self._most_heads = 1 if len(self._nothing) == 1 else HEADS
        self._awaited = list(
            self._nothing
        )  # units of the heads that wait: as many returned ones may be granted again

    def joined(self, seat: int) -> None:
        self._accounts[seat] = {}
        self._seats.joined(seat)

    def left(self, seat: int) -> None:
        """Its leases are lost: it may have spent them."""
        if self._accounts.pop(seat, None) is not None:
            self._seats.left(seat)

    def terms(self) -> LeaseTerms:
        return self._seats.terms(None)

    def received(self, seat: int, ask: LeaseAsk) -> None:
        if seat not in self._accounts:  # it left
            return
        account = self._accounts[seat].get(ask.line)
        if account is None:
            account = _Account(self._nothing, list(self._nothing), self._nothing)
            self._accounts[seat][ask.line] = account
        self._seats.heard(seat)
        account.wanted, account.least = ask.wanted, ask.least
        account.asked_s, account.heard_s = ask.sent_s, self._clock()
        if not account.queued and max(account.outstanding()) > NOTHING:
            account.queued = True
            self._queue.append((seat, ask.line))
        if ask.consumed or ask.progressed:
            self._governor.settle(self._nothing, ask.consumed or self._nothing, progress=ask.progressed)
        for refusal in ask.refusals:
            self._governor.throttled(refusal.budget, hot=refusal.hot)
        if ask.returned:
            self._give_back(ask.returned)

    def serve(self) -> float:
        due: dict[Line, _Due] = {}
        rates = self._governor.rates()
        wait_s = self._serve_heads(due)
        while self._queue and len(self._heads) < self._most_heads:
            line = self._queue.popleft()
            account = self._account(line)
            if account is None:
                continue
            units = self._piece(account, len(self._accounts[line[0]]), rates)
            if not any(units):
                account.queued = False
            else:
                start = self._governor.start(Place.of(*units))
                if start.wait_s > 0:
                    self._heads.append(_Head(line, start.place))
                    wait_s = min(wait_s, start.wait_s)
                else:
                    self._grant(due, line, account, units)
        self._awaited = [sum(head.place.costs[budget] for head in self._heads) for budget in range(len(rates))]
        for (seat, name), grant in due.items():
            self._seats.granted(seat, grant.units, rates)
            account, terms = self._accounts[seat][name], self._seats.terms(seat)
            since_s = self._clock() - account.heard_s
            units = tuple(grant.units)
            self._send(seat, LeaseGrant(self._role, units, terms, grant.waited, account.asked_s, since_s, name))
        for seat in self._seats.to_inform(rates):
            self._send(seat, LeaseGrant(self._role, (), self._seats.terms(seat)))
        return min(wait_s, TERMS_EVERY_S)

    def _account(self, line: Line) -> _Account | None:
        """None if the seat left."""
        seat, name = line
        return self._accounts.get(seat, {}).get(name)

    def _serve_heads(self, due: dict[Line, _Due]) -> float:
        """Grant reserved pieces that may start; returns the seconds until the next one may."""
        waiting, wait_s = [], math.inf
        for head in self._heads:
            account = self._account(head.line)
            if account is None:
                self._governor.leave(head.place)
            elif (start := self._governor.start(head.place)).wait_s > 0:
                waiting.append(_Head(head.line, start.place))
                wait_s = min(wait_s, start.wait_s)
            else:
                self._grant(due, head.line, account, head.place.costs, waited=True)
        self._heads = waiting
        return wait_s

    def _grant(
        self, due: dict[Line, _Due], line: Line, account: _Account, units: Units, *, waited: bool = False
    ) -> None:
        """Grant a piece. The line waits for its next one at the end of the queue."""
        grant = due.setdefault(line, _Due(list(self._nothing)))
        for budget, each in enumerate(units):
            grant.units[budget] += each
            account.granted[budget] += each
        grant.waited |= waited
        account.queued = max(account.outstanding()) > NOTHING
        if account.queued:
            self._queue.append(line)

    def _piece(self, account: _Account, lines: int, rates: Units) -> Units:
        """All that the line wants, or a part of it that is a piece in every budget, but at least its next request.
        lines: of its seat, which share what the seat may hold."""
        piece_s = max(1 / PIECES_PER_S, min(PIECE_S, SHARE_S / self._seats.at_work()) / lines)
        outstanding, part = account.outstanding(), 1.0
        for wanted, least, rate in zip(outstanding, account.least, rates, strict=True):
            if wanted > least and rate * piece_s < wanted:
                part = min(part, max(0.0, rate * piece_s - least) / (wanted - least))
        if part == 1.0:
            return tuple(outstanding)
        return tuple(
            [
                min(wanted, least + part * max(0.0, wanted - least))
                for wanted, least in zip(outstanding, account.least, strict=True)
            ]
        )

    def _give_back(self, units: Units) -> None:
        """Returned units go to seats that wait; if none does, they are lost, as the allowance of idle time is."""
        back = [min(each, awaited) for each, awaited in zip(units, self._awaited, strict=True)]
        self._awaited = [awaited - each for awaited, each in zip(self._awaited, back, strict=True)]
        if any(back):
            self._governor.settle(tuple(back), self._nothing, progress=False)


@dataclass(frozen=True, slots=True)
class LeasedTable:
    """A table whose units are leased. most_page_units: the most that one page can cost, if it is scanned."""

    governor: Governor
    most_page_units: float | None = None


@dataclass(slots=True)
class LeaseDesks:
    """The desks of a job, by role. Not thread-safe; the governors may be used by other threads meanwhile."""

    tables: Mapping[str, LeasedTable]
    send: Send
    clock: Callable[[], float] = time.monotonic
    _units: dict[str, UnitDesk] = field(init=False, default_factory=dict)
    _pages: dict[str, PageDesk] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for role, table in self.tables.items():
            if table.most_page_units is None:
                self._units[role] = UnitDesk(role, table.governor, self.send, self.clock)
            else:
                self._pages[role] = PageDesk(role, table.governor, table.most_page_units, self.send, self.clock)

    def _desks(self) -> list[Desk]:
        return [*self._units.values(), *self._pages.values()]

    def terms(self) -> dict[str, LeaseTerms]:
        return {
            **{role: desk.terms() for role, desk in self._units.items()},
            **{role: desk.terms() for role, desk in self._pages.items()},
        }

    def joined(self, seat: int) -> None:
        for desk in self._desks():
            desk.joined(seat)

    def left(self, seat: int) -> None:
        for desk in self._desks():
            desk.left(seat)

    def received(self, seat: int, message: SeatMessage) -> None:
        if isinstance(message, PageAsk):
            self._pages[message.role].received(seat, message)
        else:
            self._units[message.role].received(seat, message)

    def serve(self) -> float:
        """Send all grants that are due; returns the seconds until it must be called again."""
        return min((desk.serve() for desk in self._desks()), default=TERMS_EVERY_S)


class LeaseTimer:
    """Calls `serve` of the desks on an event loop: soon after each event, and when time has passed."""

    def __init__(self, desks: LeaseDesks, loop: asyncio.AbstractEventLoop) -> None:
        self._desks = desks
        self._loop = loop
        self._soon = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def soon(self) -> None:
        """Something was received; several events in a row are served together."""
        if not self._soon and not self._closed:
            self._soon = True
            self._loop.call_soon(self._serve)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._soon = False
        if not self._closed:
            self._timer = self._loop.call_later(self._desks.serve(), self._serve)
