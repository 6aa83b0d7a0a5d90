"""The units of a job, made as they are asked for, and what is left of them after earlier runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from ddbio.messages import ImportUnit, SegmentUnit, Unit
from ddbio.sources.prefetch import Ahead

UNITS_AHEAD = 8  # that lie ready while the workers have enough; each of them may have its bytes with it


class Plan:
    """The units of a job, made as they are asked for. To be iterated once; None stands for "no more at the moment".

    units: those made so far, without the bytes of those that have some. complete: whether these are all.
    then: makes the plan of what may only begin when all these units are settled; called with how many they are. Where
    one of them failed, there it ends.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        more: Iterable[ImportUnit] | None = None,
        then: Callable[[int], Plan] | None = None,
    ) -> None:
        self.units = list(units)
        self.complete = more is None and then is None
        self._more = Ahead(more, UNITS_AHEAD) if more is not None else None
        self._then = then
        self._following: Plan | None = None
        self._settled: Container[int] = ()
        self._failed: Container[int] = ()

    def watch(self, settled: Container[int], failed: Container[int]) -> None:
        """Where to see, at any time, which units came to which end, by their numbers."""
        self._settled, self._failed = settled, failed

    def __iter__(self) -> Iterator[Unit | None]:
        yield from tuple(self.units)
        yield from self._kept(self._more or ())
        if self._then is not None:
            yield from self._until_settled()
            if self._following is None:
                return
            yield from self._kept(self._following)
        self.complete = self._following is None or self._following.complete

    def close(self) -> None:
        """Nobody wants any more."""
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
    """What is left of a plan after earlier runs. To be iterated once, in the manner of the plan.

    go_on: the unit as it is to be worked, from its cursor; None where it is done.
    """

    def __init__(self, plan: Plan, go_on: Callable[[Unit], Unit | None]) -> None:
        self._plan = plan
        self._go_on = go_on

    @property
    def is_known(self) -> bool:
        """Whether `known` is all."""
        return self._plan.complete

    def watch(self, settled: Container[int], failed: Container[int]) -> None:
        """See `Plan.watch`."""
        self._plan.watch(settled, failed)

    def known(self) -> list[Unit]:
        """Those that are planned already."""
        return [left for unit in self._plan.units if (left := self._go_on(unit)) is not None]

    def __iter__(self) -> Iterator[Unit | None]:
        for unit in self._plan:
            if unit is None:
                yield None
            elif (left := self._go_on(unit)) is not None:
                yield left
