"""What of a unit is counted, what of that is settled, and what of that was reported: here, and nowhere else.

A lane's source and sink count in one tally, as they go. Where everything that was taken is settled, the position is
*clean*: the counts are kept, with the mark of the source and the state of the sink. Only clean positions are recorded
and reported. So a unit that changes hands is resumed from a position before which every record is settled and
counted, and after which none is: what is repeated is repeated whole.

Rejects travel in reports alone. A position that counts some is recorded only after they were reported.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ddbio.flow.checkpoint import LaneSlot
from ddbio.messages import Reject, Tally, Unit, UnitReport
from ddbio.messages.counts import NAMES, RECORDED
from ddbio.sinks.sink import Sink
from ddbio.sources.source import Source
from ddbio.steps.records import Mark

# Requests count from when they are made, everything else only where it is settled.
_SPENT = ("units", "estimated", "requests", "throttled", "retries")
_SETTLED = (*(name for name in RECORDED if name not in _SPENT), *(each for each in NAMES if each not in RECORDED))
_RECORDED_SETTLED = len(RECORDED) - len(_SPENT)
assert (*_SETTLED[:_RECORDED_SETTLED], *_SPENT) == RECORDED
settled_of: Callable[[Tally], tuple[Any, ...]] = attrgetter(*_SETTLED)
spent_of: Callable[[Tally], tuple[Any, ...]] = attrgetter(*_SPENT)


class Settlement:
    """Of one lane, a unit after the other.

    tally: what its source and its sink count. spent: what its clients count.
    slot: of the checkpoint; None where only reports count.
    """

    def __init__(self, source: Source, sink: Sink, tally: Tally, spent: Tally, slot: LaneSlot | None) -> None:
        self._source = source
        self._sink = sink
        self._tally = tally
        self._spent = spent
        self._slot = slot
        self._unit: Unit
        self._mark: Mark = ()
        self._state: Any = None  # of the sink
        self._settled: tuple[Any, ...] = ()  # the counts at the mark
        self._reported = Tally()  # all that was counted of the unit up to the last report
        self.rejects: list[Reject] = []  # that are not reported

    def begin(self, unit: Unit) -> None:
        """From its cursor, with what was counted up to there by whoever did it."""
        before = unit.before or Tally()
        for name in NAMES:
            setattr(self._tally, name, getattr(before, name))
            setattr(self._spent, name, getattr(before, name))
        self._spent.reasons = dict(before.reasons)
        self._unit = unit
        self.rejects.clear()
        self._source.begin(unit)
        self._state = self._sink.begin(unit)
        if self._slot is not None:
            self._slot.next_unit()
        mark = self._source.mark()
        assert mark is not None, "a unit begins where a cursor may be"
        self._mark, self._settled = mark, settled_of(self._tally)
        self._reported = self._total()

    def come_clean(self, mark: Mark) -> bool:
        """All that was taken is settled, up to this mark. Whether its rejects should be reported, to be recorded."""
        self._keep(mark)
        if self._slot is None:
            return False
        if not self.rejects:
            self._record(self._slot)
        return bool(self.rejects)

    def finish(self) -> None:
        """All of the unit is settled."""
        self._keep(self._source.end())
        if self._slot is not None:
            self._record(self._slot, done=True)

    def report(self, *, done: bool = False) -> UnitReport:
        """The last clean position and what was counted up to it since the last report; requests up to now."""
        before, total = self._reported, self._total()
        tally, self._reported = total.minus(before), total
        rejects = tuple(self.rejects[: tally.rejected])
        del self.rejects[: tally.rejected]
        cursor = self._source.cursor(self._mark, self._state)
        return UnitReport(self._unit.number, cursor, tally, rejects, done=done, **self._sink.take_parts())

    def _keep(self, mark: Mark) -> None:
        self._mark, self._state = mark, self._sink.state()
        self._settled = settled_of(self._tally)

    def _record(self, slot: LaneSlot, done: bool = False) -> None:
        """What a report would say now, where it survives this process. Called for every batch."""
        settled = self._settled[:_RECORDED_SETTLED]
        slot.write(self._unit.number, done, *self._mark, *settled, *spent_of(self._spent))

    def _total(self) -> Tally:
        total = self._spent.copy()
        for name, count in zip(_SETTLED, self._settled, strict=True):
            setattr(total, name, count)
        return total
