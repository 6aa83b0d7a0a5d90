"""Keeps a unit's counts: all so far, those that are settled, and those that were reported. Nothing else does.

A lane's source and sink count in one tally. When every record taken is settled, the position is *clean*: the counts
are saved, with the source's mark and the sink's state. Only clean positions are recorded and reported. So a unit that
another worker resumes continues from a position before which every record is settled and counted, and after which
none is: records after it are repeated and counted anew.

Rejects are sent in reports only. A position that counts rejects is recorded only after they were reported.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ddbio.flow.checkpoint import LaneSlot
from ddbio.messages import Reject, Tally, Unit, UnitReport
from ddbio.messages.counts import NAMES, RECORDED, SPENT
from ddbio.sinks.sink import Sink
from ddbio.sources.source import Source
from ddbio.steps.item_sizes import ItemSizes
from ddbio.steps.records import Mark

# Requests count when they are made, everything else only when it is settled.
_SETTLED = (*(name for name in RECORDED if name not in SPENT), *(each for each in NAMES if each not in RECORDED))
_RECORDED_SETTLED = len(RECORDED) - len(SPENT)
assert (*_SETTLED[:_RECORDED_SETTLED], *SPENT) == RECORDED
settled_of: Callable[[Tally], tuple[Any, ...]] = attrgetter(*_SETTLED)
spent_of: Callable[[Tally], tuple[Any, ...]] = attrgetter(*SPENT)


class Settlement:
    """For one lane, one unit after the other.

    tally: counts of its source and sink. spent: counts of its clients.
    slot: in the checkpoint; None without one. sizes: of the items that its source reads.
    """

    def __init__(
        self, source: Source, sink: Sink, tally: Tally, spent: Tally, slot: LaneSlot | None, sizes: ItemSizes
    ) -> None:
        self._source = source
        self._sink = sink
        self._tally = tally
        self._spent = spent
        self._slot = slot
        self._sizes = sizes
        self._unit: Unit
        self._mark: Mark = ()
        self._state: Any = None  # the sink's
        self._settled: tuple[Any, ...] = ()  # the counts at the mark
        self._reported = Tally()  # the unit's totals at the last report
        self.rejects: list[Reject] = []  # not reported yet

    def begin(self, unit: Unit) -> None:
        """Start from the unit's cursor, with the counts of earlier workers up to there."""
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
        assert mark is not None, "a unit begins at a valid cursor"
        self._mark, self._settled = mark, settled_of(self._tally)
        self._reported = self._total()

    def come_clean(self, mark: Mark) -> bool:
        """All records up to this mark are settled. Returns whether rejects must be reported before it is recorded."""
        self._keep(mark)
        if self._slot is None:
            return False
        if not self.rejects:
            self._record(self._slot)
        return bool(self.rejects)

    def finish(self) -> None:
        """The whole unit is settled."""
        self._keep(self._source.end())
        if self._slot is not None:
            self._record(self._slot, done=True)

    def stop(self) -> None:
        """The lane leaves the unit before its end."""
        self._source.stopped(self._mark)
        if self._source.deleted_are_gone:
            self._settle_deleted()

    def report(self, *, done: bool = False) -> UnitReport:
        """The last clean position and the counts up to it since the last report; requests up to now."""
        before, total = self._reported, self._total()
        tally, self._reported = total.minus(before), total
        rejects = tuple(self.rejects[: tally.rejected])
        del self.rejects[: tally.rejected]
        cursor = self._source.cursor(self._mark, self._state)
        parts = {"item_sizes": self._sizes.take(), **self._sink.take_parts()}
        return UnitReport(self._unit.number, cursor, tally, rejects, done=done, **parts)

    def _keep(self, mark: Mark) -> None:
        self._mark, self._state = mark, self._sink.state()
        self._settled = settled_of(self._tally)

    def _settle_deleted(self) -> None:
        """Count the deletes after the mark, of batches that were partly unprocessed: no later run could."""
        settled = dict(zip(_SETTLED, self._settled, strict=True))
        more = self._tally.deleted - settled["deleted"]
        for name in ("read", "written", "deleted"):
            settled[name] += more
        self._settled = tuple(settled.values())

    def _record(self, slot: LaneSlot, done: bool = False) -> None:
        """Write the content of a report to the checkpoint. Called for every batch."""
        settled = self._settled[:_RECORDED_SETTLED]
        slot.write(self._unit.number, done, *self._mark, *settled, *spent_of(self._spent))

    def _total(self) -> Tally:
        total = self._spent.copy()
        for name, count in zip(_SETTLED, self._settled, strict=True):
            setattr(total, name, count)
        return total
