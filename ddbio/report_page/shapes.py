"""The two shapes of a chart, as plain numbers: curves over time, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """values: one an interval or bar; None for none. dashed: a limit, and not a measurement."""

    name: str
    values: Sequence[float | None]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines over the working time of a job. ends_s: of the intervals, in seconds from its begin; each begins where
    the one before ended. marks_s: where a run begins that resumes the job. stacked: the values add up."""

    ends_s: Sequence[float]
    lines: Sequence[Line]
    marks_s: Sequence[float] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """names: of the bars. series: a number for each of them."""

    names: Sequence[str]
    series: Sequence[Line]
