"""The lines of a summary that verbs share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbio.job.accounts import Result
    from ddbio.job.rejects import RejectingResult
    from ddbio.messages import Tally
    from ddbio.rate.caps import Cap


def transformed(tally: Tally) -> list[str]:
    """How many items a transform added and dropped."""
    added = [f"{tally.added:,} added by the transform"] * bool(tally.added)
    return added + [f"{tally.dropped:,} dropped by the transform"] * bool(tally.dropped)


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def consumption(result: Result, cap: Cap) -> str:
    """The duration of a job and the capacity it consumed."""
    kind, tally = cap.kind, result.tally
    of_cap = "no cap" if math.isinf(cap.units_per_s) else f"cap {cap.units_per_s:,.10g}"
    of_cap = "cap by the time of day" if cap.changes else of_cap
    about = "about " if tally.estimated else ""
    estimated = f" ({tally.estimated:,.1f} of them estimated, not reported by the service)" if tally.estimated else ""
    text = (
        f"{result.seconds:.1f} s, {about}{tally.units:,.1f} {kind} consumed{estimated}, "
        f"{about}{result.units_per_s:,.1f} {kind}/s ({of_cap})"
    )
    extra = [f"{tally.throttled:,} throttled"] * bool(tally.throttled) + [f"{tally.retries:,} retries"] * bool(
        tally.retries
    )
    return ", ".join([text, *extra])


def this_run(result: Result) -> list[str]:
    """The share of the last run, if the job took several."""
    if not result.past.runs:
        return []
    tally, seconds = result.tally.minus(result.past.tally), result.seconds - result.past.seconds
    return [
        f"{tally.read:,} of them in this run (run {result.past.runs + 1} of the job), which took {seconds:.1f} s and "
        f"consumed {tally.units:,.1f}"
    ]


def rejected(result: RejectingResult, noun: str) -> list[str]:
    """The rejects by code, and where they are."""
    kinds = [kind.describe() for kind in result.reject_kinds]
    return kinds + [f"rejected {noun}, each with the reason: {result.rejects}"] * (result.rejects is not None)
