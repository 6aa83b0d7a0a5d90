"""The driver's side of the leases of pages, whose cost is known from their answer alone. Pure.

Pages start in the order in which they were asked for, each by its own grant, under the rules of `ddbio.rate.window`:
a page counts at its most from its grant until its cost is settled here. The seat's network is part of the distance of
the service. A page of a lost seat counts at its most for a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ddbio.messages.leases import LeaseTerms, PageAsk, PageGrant, SettledPage
from ddbio.rate.budgets import Place
from ddbio.rate.governor import Governor
from ddbio.rate.leases_seats import TERMS_EVERY_S, KnownSeats
from ddbio.rate.window import Distance, PageCost


@dataclass(frozen=True, slots=True)
class _Started:
    """A page of a seat: when it was granted, and the units reserved for it."""

    started_s: float
    reserved: float


@dataclass(slots=True)
class _Seat:
    """waiting: the expected costs of its pages, by number. started: granted ones without an answer."""

    waiting: dict[int, float] = field(default_factory=dict)
    started: dict[int, _Started] = field(default_factory=dict)
    distance: Distance = field(default_factory=Distance)


@dataclass(frozen=True, slots=True)
class _Head:
    """The next page, and its place in the governor's queue."""

    seat: int
    number: int
    place: Place


class PageDesk:
    """Leases of pages of the scanned table. most_units: the most that one page can cost."""

    def __init__(
        self,
        role: str,
        governor: Governor,
        most_units: float,
        send: Callable[[int, PageGrant], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._role = role
        self._governor = governor
        self._most_units = most_units
        self._send = send
        self._clock = clock
        self._of: dict[int, _Seat] = {}
        self._seats = KnownSeats(governor, clock)
        self._queue: dict[tuple[int, int], None] = {}  # pages that wait, by seat and number, in their order
        self._head: _Head | None = None

    def joined(self, seat: int) -> None:
        self._of[seat] = _Seat()
        self._seats.joined(seat)

    def left(self, seat: int) -> None:
        gone = self._of.pop(seat, None)
        if gone is None:
            return
        self._seats.left(seat)
        for number in gone.waiting:
            self._queue.pop((seat, number), None)

    def terms(self) -> LeaseTerms:
        return self._seats.terms(None)

    def received(self, seat: int, ask: PageAsk) -> None:
        known = self._of.get(seat)
        if known is None:  # it left
            return
        self._seats.heard(seat)
        for page in ask.settled:
            self._settle(seat, known, page)
        for wanted in ask.pages:
            known.waiting[wanted.number] = wanted.units
            self._queue[seat, wanted.number] = None
        for refusal in ask.refusals:
            self._governor.throttled(refusal.budget, hot=refusal.hot)

    def _settle(self, seat: int, known: _Seat, page: SettledPage) -> None:
        if known.waiting.pop(page.number, None) is not None:  # it was given up before its grant
            self._queue.pop((seat, page.number), None)
            return
        started = known.started.pop(page.number, None)
        now_s = self._clock()
        if started is None:  # there was no cap
            self._governor.settle_page(PageCost(now_s, 0.0, 0.0, 0.0, page.consumed, page.in_vain, page.answered))
            return
        cost = PageCost(
            *(started.started_s, self._most_units, started.reserved, known.distance.far_s),
            *(page.consumed, page.in_vain, page.answered),
        )
        self._governor.settle_page(cost)
        if page.answered:
            known.distance.answered(now_s - started.started_s - page.held_s)

    def serve(self) -> float:
        """Grant all pages that may start; returns the seconds until it must be called again."""
        granted: dict[int, list[int]] = {}
        wait_s = TERMS_EVERY_S
        while (head := self._next()) is not None:
            known = self._of.get(head.seat)
            if known is None or head.number not in known.waiting:  # given up
                self._governor.leave(head.place)
                self._head = None
                continue
            start = self._governor.start_page(head.place, self._most_units)
            if start.wait_s > 0:
                self._head = replace(head, place=start.place)
                wait_s = min(wait_s, start.wait_s)
                break
            self._head = None
            del known.waiting[head.number]
            known.started[head.number] = _Started(start.started_s, head.place.costs[0])
            granted.setdefault(head.seat, []).append(head.number)
        for seat, numbers in granted.items():
            self._send(seat, PageGrant(self._role, tuple(numbers), self._seats.terms(seat)))
        for seat in self._seats.to_inform(self._governor.rates()):
            self._send(seat, PageGrant(self._role, (), self._seats.terms(seat)))
        return wait_s

    def _next(self) -> _Head | None:
        """The page whose turn it is."""
        if self._head is None and self._queue:
            seat, number = next(iter(self._queue))
            del self._queue[seat, number]
            self._head = _Head(seat, number, Place.of(self._of[seat].waiting[number]))
        return self._head
