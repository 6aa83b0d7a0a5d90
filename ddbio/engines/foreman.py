"""Assigns units to workers, and reassigns those of a dead worker. Pure: events in, decisions out.

It knows workers by their numbers, and nothing of processes and pipes (`ddbio.engines.pool` has those).

Rules:

- It remembers the units that each worker has and the last cursor of each. When a worker dies, its units are handed
  out again, from their cursors. A unit on which two workers died without getting further is a *suspect*: it is worked
  once more, alone in its worker. If that dies too, the unit is failed by name.
- A run whose workers die repeatedly ends, even if each of them makes some progress.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ddbio.errors import DdbioError, InternalError, PermanentAbortError, PermanentError
from ddbio.flow.checkpoint import LaneState
from ddbio.messages import Cursor, Tally, Unit, UnitBegun, UnitReport

UNITS_READY = 8  # that a worker has in hand at least, beside those it works on
_FEWER = "if memory is short, use fewer processes with -p"


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits on the deaths of workers.

    of_a_unit: without progress on the unit, to give it up. in_vain: in a row, without progress on any unit of the
    job, to end the run: all workers have the same fault. killed, failed: to end it in spite of progress, if workers
    are killed from outside, or end by themselves.
    """

    of_a_unit: int = 3
    in_vain: int = 6
    killed: int = 1000
    failed: int = 100


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Death:
    """how: in words. killed: from outside (memory, a person). crash: the fault of ours, if it is known."""

    how: str
    killed: bool
    crash: InternalError | None = None


@dataclass(slots=True)
class _InHand:
    """A unit that a worker has, and how far that worker got."""

    unit: Unit
    cursor: Cursor | None
    tally: Tally  # counts of it up to the cursor, by any worker
    begun: bool = False


@dataclass(slots=True)
class _Worker:
    in_hand: dict[int, _InHand] = field(default_factory=dict)
    begun: int = 0  # of those
    opened: bool = False
    finishing: bool = False


class Foreman:
    """plan: the units; None among them means "no more at the moment". workers: how many run at once.

    lanes: of each. opens_together: no unit is handed out until all workers have opened the job.
    """

    def __init__(
        self,
        plan: Iterable[Unit | None],
        *,
        workers: int,
        lanes: int,
        opens_together: bool = False,
        patience: Patience = PATIENCE,
    ) -> None:
        self.hungry = False  # the plan had no unit at the moment
        self._plan = iter(plan)
        self._planned = False  # all units there are were taken from the plan
        self._wanted = workers
        self._most_in_hand = lanes + max(2, lanes // 4)
        self._opens_together = opens_together
        self._patience = patience
        self._workers: dict[int, _Worker] = {}
        self._returned: deque[Unit] = deque()  # units of dead workers: worked next
        self._suspects: deque[Unit] = deque()  # units on which workers died again: worked last, each alone
        self._deaths: Counter[int] = Counter()  # by unit, since it got further
        self._deaths_in_vain = 0
        self._deaths_by = {True: 0, False: 0}  # by whether the worker was killed from outside

    # -- events

    def started(self, worker: int) -> None:
        self._workers[worker] = _Worker()

    def opened(self, worker: int) -> None:
        """The job is open there."""
        self._workers[worker].opened = True

    def begun(self, worker: int, unit: int) -> UnitBegun:
        """A lane has begun the unit."""
        hands = self._workers[worker]
        hands.in_hand[unit].begun = True
        hands.begun += 1
        return UnitBegun(unit, hands.in_hand[unit].unit.describe())

    def reported(self, worker: int, report: UnitReport) -> None:
        hands = self._workers[worker]
        if report.done or report.error is not None:
            self._deaths_in_vain = 0
            hands.begun -= hands.in_hand.pop(report.unit).begun
            return
        held = hands.in_hand[report.unit]
        held.tally.add(report.tally)
        if report.cursor is not None:
            held.cursor = report.cursor
        if report.tally.read or report.tally.bytes:
            self._deaths.pop(report.unit, None)
            self._deaths_in_vain = 0

    def has_finished(self, worker: int) -> bool:
        """Whether a worker that ended had no work left."""
        hands = self._workers[worker]
        return hands.finishing and not hands.in_hand

    def forget(self, worker: int) -> None:
        """It has ended and is not replaced."""
        del self._workers[worker]

    def left(self, worker: int) -> None:
        """It has reported everything, and ended: hand its units out again."""
        for held in self._workers[worker].in_hand.values():
            self._returned.append(_from_cursor(held))
        self.forget(worker)

    def died(self, worker: int, death: Death, states: Iterable[LaneState]) -> Iterator[UnitReport]:
        """Hand its units out again. Yields the reports that it did not send.

        states: the progress that its lanes had settled.
        """
        hands = self._workers[worker]
        for state in states:
            held = hands.in_hand.get(state.unit)
            if held is not None and (report := state.since(held.cursor, held.tally)) is not None:
                self.reported(worker, report)
                yield report
        for held in hands.in_hand.values():
            self._deaths[held.unit.number] += held.begun
            if self._deaths[held.unit.number] >= self._patience.of_a_unit:
                yield self._given_up(held, death)
                continue
            queue = self._suspects if self._is_suspect(held.unit.number) else self._returned
            queue.append(_from_cursor(held))
        self.forget(worker)
        self._deaths_in_vain += 1
        self._deaths_by[death.killed] += 1

    def why_end(self, death: Death) -> DdbioError | None:
        """The error to end the run with after this death, if other workers would die in the same way; else None."""
        dead, patience = self._deaths_by[death.killed], self._patience
        if dead >= max(patience.killed if death.killed else patience.failed, 4 * self._wanted):
            hint = _FEWER if death.killed else "this is a fault of ddbio: report it"
            message = f"{dead} workers of this run ended: the last one {death.how}"
            return death.crash or PermanentAbortError(message, hint)
        if self._deaths_in_vain >= max(patience.in_vain, 3 * len(self._workers)):
            times = f"{self._deaths_in_vain} workers in a row"
            message = f"{times} ended without getting any further: the last one {death.how}"
            return death.crash or PermanentAbortError(message, _FEWER)
        return None

    def _given_up(self, held: _InHand, death: Death) -> UnitReport:
        error = death.crash or PermanentError(
            f"{held.unit.describe()} was given up: {self._patience.of_a_unit} workers died on it, "
            f"the last one {death.how}",
            f"the rest of the job continued; {_FEWER}",
        )
        return UnitReport(held.unit.number, held.cursor, Tally(), error=error)

    # -- decisions

    @property
    def waits(self) -> bool:
        """Whether any worker has a unit in hand."""
        return any(hands.in_hand for hands in self._workers.values())

    @property
    def is_done(self) -> bool:
        """Whether no unit is left, in hand or not."""
        return self._planned and not (self.waits or self._returned or self._suspects)

    def hand_out(self) -> Iterator[tuple[int, Unit]]:
        """Workers and their next units: to the one that has the fewest, until all have enough; suspects to idle
        workers, each alone."""
        self.hungry = False
        if not self._all_open():
            return
        while (worker := self._with_room()) is not None:
            unit = self._returned.popleft() if self._returned else self._next_planned()
            if unit is None:
                break
            yield self._give(worker, unit)
        for worker, hands in self._workers.items():
            if self._suspects and not hands.in_hand and not hands.finishing:
                yield self._give(worker, self._suspects.popleft())

    def finish(self) -> list[int]:
        """The workers to end: all, once no unit is left to hand out, and no worker can still return one."""
        if not self.is_done:
            return []
        idle = [worker for worker, hands in self._workers.items() if not hands.finishing]
        for worker in idle:
            self._workers[worker].finishing = True
        return idle

    def _all_open(self) -> bool:
        if self._opens_together and self._workers and all(hands.opened for hands in self._workers.values()):
            self._opens_together = False
        return not self._opens_together

    def _next_planned(self) -> Unit | None:
        """The next unit of the plan, if there is one at the moment."""
        try:
            unit = next(self._plan)
        except StopIteration:
            unit, self._planned = None, True
        self.hungry = unit is None and not self._planned
        return unit

    def _with_room(self) -> int | None:
        with_room = [
            worker
            for worker, hands in self._workers.items()
            if not hands.finishing
            and len(hands.in_hand) < self._room(hands)
            and not any(map(self._is_suspect, hands.in_hand))
        ]
        return min(with_room, key=lambda worker: len(self._workers[worker].in_hand), default=None)

    def _room(self, hands: _Worker) -> int:
        """A few units beyond those that its lanes have begun: neither a lane nor a new one waits for the parent."""
        return min(self._most_in_hand, hands.begun + max(UNITS_READY, hands.begun // 2))

    def _is_suspect(self, unit: int) -> bool:
        return self._deaths[unit] >= self._patience.of_a_unit - 1

    def _give(self, worker: int, unit: Unit) -> tuple[int, Unit]:
        before = unit.before.copy() if unit.before else Tally()
        self._workers[worker].in_hand[unit.number] = _InHand(unit, unit.cursor, before)
        return worker, unit


def _from_cursor(held: _InHand) -> Unit:
    """The unit, to be continued by another worker."""
    return replace(held.unit, cursor=held.cursor, before=held.tally)  # type: ignore[arg-type]
