"""The units of a job, made on demand, and the remainder after earlier runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from ddbio.messages import ImportUnit, SegmentUnit, Unit
from ddbio.sources.prefetch import Prefetch

UNITS_AHEAD = 8  # prefetched while the workers are busy; each may carry its bytes


class Plan:
    """The units of a job, made on demand. To be iterated once; None means "no more at the moment".

    units: those made so far, without the bytes that they carry. complete: whether these are all.
    prefetch: whether `more` is iterated in a thread, ahead of the workers; else in that of the run, on demand.
    then: makes the next plan, whose units start only when all of these are settled; called with their number. If one
        of these fails, the plan ends without it.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        more: Iterable[ImportUnit] | None = None,
        then: Callable[[int], Plan] | None = None,
        *,
        prefetch: bool = True,
    ) -> None:
        self.units = list(units)
        self.complete = more is None and then is None
        self._more = Prefetch(more, UNITS_AHEAD) if more is not None and prefetch else None
        self._direct = () if more is None or prefetch else more
        self._then = then
        self._following: Plan | None = None
        self._settled: Container[int] = ()
        self._failed: Container[int] = ()

    def watch(self, settled: Container[int], failed: Container[int]) -> None:
        """settled, failed: the numbers of units that ended so; both may grow at any time."""
        self._settled, self._failed = settled, failed

    def __iter__(self) -> Iterator[Unit | None]:
        yield from tuple(self.units)
        yield from self._kept(self._more or self._direct)
        if self._then is not None:
            yield from self._until_settled()
            if self._following is None:
                return
            yield from self._kept(self._following)
        self.complete = self._following is None or self._following.complete

    def close(self) -> None:
        """Stop making units."""
        for each in (self._more, self._following):
            if each is not None:
                each.close()

    def _kept(self, units: Iterable[Unit | None]) -> Iterator[Unit | None]:
        for unit in units:
            if unit is not None:
                self.units.append(unit if isinstance(unit, SegmentUnit) else unit.without_data())
            yield unit

    def _until_settled(self) -> Iterator[None]:
        waiting = deque(unit.number for unit in self.units)
        while waiting:
            if waiting[0] in self._failed:
                return
            if waiting[0] in self._settled:
                waiting.popleft()
            else:
                yield None
        assert self._then is not None
        self._following = self._then(len(self.units))
        self._following.watch(self._settled, self._failed)


class Remainder:
    """The remainder of a plan after earlier runs. To be iterated once, like the plan.

    resumed: the unit, to be worked from its cursor; None if it is done.
    """

    def __init__(self, plan: Plan, resumed: Callable[[Unit], Unit | None]) -> None:
        self._plan = plan
        self._resumed = resumed

    @property
    def is_known(self) -> bool:
        """Whether `known` returns all units."""
        return self._plan.complete

    def watch(self, settled: Container[int], failed: Container[int]) -> None:
        """See `Plan.watch`."""
        self._plan.watch(settled, failed)

    def known(self) -> list[Unit]:
        """The units that are planned already."""
        return [left for unit in self._plan.units if (left := self._resumed(unit)) is not None]

    def __iter__(self) -> Iterator[Unit | None]:
        for unit in self._plan:
            if unit is None:
                yield None
            elif (left := self._resumed(unit)) is not None:
                yield left
