"""The seats of a job, for the thread that runs it: they join, get units, report, leave, are lost.

As the parent's side of `ddbio.engines.pool`, with messages in place of pipes and silence in place of exit codes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Any, Protocol

from ddbio.aws.redaction import hide
from ddbio.cluster import messages
from ddbio.cluster.events import Joined, Lost, Received, Turned
from ddbio.cluster.hub import Hub
from ddbio.engines.engine import ABANDONED, HUNGRY_S, STOP_PATIENCE_S, TICK_S
from ddbio.engines.foreman import Death, Foreman
from ddbio.engines.keyring import KeyRing
from ddbio.errors import DdbioError, InternalError, TransferError
from ddbio.flow.checkpoint import states_in
from ddbio.messages import Event, Flushed, Notice, Tick, Trouble, UnitReport
from ddbio.system.stop import StopFlag


class Staffing(Protocol):
    """alone_s: how long to wait for a seat if there is none. why_alone: why none will come any more."""

    @property
    def alone_s(self) -> float: ...

    @property
    def why_alone(self) -> str: ...


@dataclass(slots=True)
class _Member:
    """A seat that has the job."""

    name: str
    opened: bool = False


class Roster:
    """The seats of a job, for the thread that runs it."""

    def __init__(
        self,
        staffing: Staffing,
        hub: Hub,
        job: int,
        foreman: Foreman,
        keys: KeyRing,
        stop: StopFlag,
        states: dict[int, bytes],
    ) -> None:
        self._staffing = staffing
        self._hub = hub
        self._job = job
        self._foreman = foreman
        self._keys = keys
        self._stop = stop
        self._states = states
        self._stop_sent_s: float | None = None
        self._seats: dict[int, _Member] = {}  # at work
        self._anybody = False  # has opened the job
        self._alone_since_s = time.monotonic()

    @property
    def size(self) -> int:
        return len(self._seats)

    def run(self) -> Iterator[Event]:
        while not self._is_over():
            for seat in self._foreman.finish():
                self._hub.send(seat, messages.Finish(self._job))
            happened = False
            for event in self._listen():
                happened = True
                yield event
            yield from self._look_alone()
            yield Flushed() if happened else Tick()
            yield from self._renew_keys()
            yield from self._obey_stop()
            if self._stop_sent_s is None:
                for seat, unit in self._foreman.hand_out():
                    self._hub.send(seat, messages.Give(self._job, unit))

    def dismiss(self) -> None:
        """End the job at all seats, at once, and wait until none of them works on it any more."""
        self._keys.end()
        for seat in self._seats:
            self._hub.send(seat, messages.Drop(self._job))
        while self._seats and self._stop.requests < 2:
            for each in self._heard():
                if isinstance(each, Lost) or (
                    isinstance(each, Received) and isinstance(each.message, messages.Ended)
                ):
                    self._seats.pop(each.seat, None)

    def _is_over(self) -> bool:
        if self._seats:
            return False
        return self._stop_sent_s is not None or self._foreman.is_done

    # -- what seats say

    def _heard(self) -> Iterator[Any]:
        """All that has come, after waiting for the first for a moment."""
        events, wait_s = self._hub.events, HUNGRY_S if self._foreman.hungry else TICK_S
        try:
            yield events.get(timeout=wait_s)
            while True:
                yield events.get_nowait()
        except Empty:
            return

    def _listen(self) -> Iterator[Event]:
        for each in self._heard():
            if isinstance(each, Received):
                if each.seat in self._seats:
                    yield from self._take(each.seat, self._seats[each.seat], each.message)
            elif isinstance(each, Joined):
                yield from self._join(each)
            elif isinstance(each, Lost):
                yield from self._bury(each)
            elif isinstance(each, Turned):
                yield Notice(each.reason)
            else:
                raise each

    def _take(self, seat: int, member: _Member, message: Any) -> Iterator[Event]:
        if isinstance(message, messages.Report):
            yield from self._take_report(seat, message.event)
        elif isinstance(message, messages.Begun):
            yield self._foreman.begun(seat, message.unit)
        elif isinstance(message, messages.Opened):
            member.opened = self._anybody = True
            self._foreman.opened(seat)
        elif isinstance(message, messages.RefusedJob):
            yield from self._refused(seat, member, message.error)
        elif isinstance(message, messages.Ended):
            self._ended(seat)

    def _take_report(self, seat: int, event: Event) -> Iterator[Event]:
        if isinstance(event, UnitReport):
            self._foreman.reported(seat, event)
            yield self._keys.explained(event)
        elif isinstance(event, Notice | Trouble):
            yield event

    def _refused(self, seat: int, member: _Member, error: DdbioError) -> Iterator[Event]:
        """If no seat could open the job, it is the job's fault; else that of this machine."""
        del self._seats[seat]
        if not self._anybody:
            raise error
        yield Notice(f"{member.name} cannot work on this job: {hide(str(error))}")
        yield from self._foreman.died(seat, Death("cannot open the job", killed=True), ())

    # -- seats come and go

    def _join(self, joined: Joined) -> Iterator[Event]:
        self._seats[joined.seat] = _Member(joined.name)
        self._foreman.started(joined.seat)
        if self._stop_sent_s is not None:
            self._hub.send(joined.seat, messages.Stop(self._job))
        if not joined.again:
            yield Notice(f"{joined.name} has joined ({_counted(self.size)} at work)")

    def _ended(self, seat: int) -> None:
        """No lane of it works any more. If it still has units, it is about to leave, or to join anew."""
        del self._seats[seat]
        if self._stop_sent_s is not None or self._foreman.has_finished(seat):
            self._foreman.forget(seat)
        else:
            self._foreman.left(seat)

    def _bury(self, lost: Lost) -> Iterator[Event]:
        """Its units go to others."""
        self._states[lost.seat] = lost.memory
        member = self._seats.pop(lost.seat, None)
        if member is None:
            if lost.in_order:
                yield Notice(f"{lost.name} {lost.how} ({_counted(self.size)} at work)")
            return
        if self._stop_sent_s is not None or self._foreman.has_finished(lost.seat):
            self._foreman.forget(lost.seat)
            return
        if lost.in_order:
            self._foreman.left(lost.seat)
            yield Notice(f"{lost.name} {lost.how} ({_counted(self.size)} at work)")
            return
        crash = lost.error if isinstance(lost.error, InternalError) else None
        how = f"{lost.how} ({hide(crash.message)})" if crash is not None else lost.how
        yield from self._replace(lost.seat, lost.name, Death(how, crash is None, crash), lost.memory)

    def _replace(self, seat: int, name: str, death: Death, memory: bytes) -> Iterator[Event]:
        yield Notice(f"{name} {death.how}; its work continues at others ({_counted(self.size)} at work)")
        yield from self._foreman.died(seat, death, states_in(memory))
        if (error := self._foreman.why_end(death)) is not None:
            raise error

    def _look_alone(self) -> Iterator[Event]:
        """Raises TransferError once nobody is there, and nobody will come."""
        now_s = time.monotonic()
        if self._seats:
            self._alone_since_s = now_s
            return
        patience_s = self._staffing.alone_s
        if self._staffing.why_alone:
            raise TransferError(f"no worker is left: {self._staffing.why_alone}", _AGAIN)
        if now_s - self._alone_since_s > patience_s:
            raise TransferError(f"no worker has joined for {patience_s:,.0f} s", _AGAIN)
        yield Trouble("no worker has joined")

    # -- keys and stopping

    def _renew_keys(self) -> Iterator[Event]:
        for sentence in self._keys.news():
            yield Notice(sentence)
        for role, keys in self._keys.renewed():
            for seat in self._seats:
                self._hub.send(seat, messages.NewKeys(self._job, role, keys))

    def _obey_stop(self) -> Iterator[Event]:
        if not self._stop.requests:
            return
        if self._stop_sent_s is None:
            self._stop_sent_s = time.monotonic()
            for seat in self._seats:
                self._hub.send(seat, messages.Stop(self._job))
        elif self._stop.requests > 1 or time.monotonic() - self._stop_sent_s > STOP_PATIENCE_S:
            if self._seats:
                yield Notice(ABANDONED)
            raise AbandonedError


class AbandonedError(Exception):
    """The stop takes too long: the seats are to drop the job."""


def _counted(seats: int) -> str:
    return f"{seats:,} worker{'' if seats == 1 else 's'}"


_AGAIN = "start workers and run the same command again to resume"
