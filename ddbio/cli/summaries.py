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
    tally = result.tally
    return _line(result, _units(result, tally.units, cap, tally.estimated))


def consumption_of_two(result: Result, cap: Cap, target_cap: Cap) -> str:
    """The same of a job that reads one table and writes another one."""
    tally = result.tally
    read = _units(result, tally.units - tally.target_units, cap, tally.estimated, mention=False)
    return _line(result, f"{read}, {_units(result, tally.target_units, target_cap, tally.estimated)}")


def _line(result: Result, units: str) -> str:
    tally = result.tally
    extra = [f"{tally.throttled:,} throttled"] * bool(tally.throttled)
    extra += [f"{tally.retries:,} retries"] * bool(tally.retries)
    return ", ".join([f"{result.seconds:.1f} s", units, *extra])


def _units(result: Result, units: float, cap: Cap, estimated: float, *, mention: bool = True) -> str:
    """The units of one table. estimated: those that the service did not report; mention: whether to say how many."""
    of_cap = "no cap" if math.isinf(cap.units_per_s) else f"cap {cap.units_per_s:,.10g}"
    of_cap = "cap changed during the run" if cap.kind in result.caps_changed else of_cap
    of_cap = "cap by the time of day" if cap.changes else of_cap
    apart = bool(result.indexes_apart) and cap.kind == "WCU" and of_cap.startswith("cap ")
    of_cap, with_indexes = (f"{of_cap}, of the table alone", " with indexes") if apart else (of_cap, "")
    about = "about " if estimated else ""
    of_them = f" ({estimated:,.1f} of them estimated, not reported by the service)" if estimated and mention else ""
    per_s = units / result.seconds if result.seconds else 0.0
    return (
        f"{about}{units:,.1f} {cap.kind} consumed{with_indexes}{of_them}, {about}{per_s:,.1f} {cap.kind}/s ({of_cap})"
    )


def this_run(result: Result) -> list[str]:
    """The share of the last run, if the job took several."""
    if not result.past.runs:
        return []
    tally, seconds = result.tally.minus(result.past.tally), result.seconds - result.past.seconds
    return [
        f"{tally.read:,} of them in this run (run {result.past.runs + 1} of the job), which took {seconds:.1f} s and "
        f"consumed {tally.units:,.1f} capacity units"
    ]


def rejected(result: RejectingResult, noun: str) -> list[str]:
    """The rejects by code, and where they are."""
    kinds = [kind.describe() for kind in result.reject_kinds]
    return kinds + [f"rejected {noun}, each with the reason: {result.rejects}"] * (result.rejects is not None)
