"""Explains a throttling error: which budgets are short, whether only some keys are hot, a sentence for the user.

The service gives reasons since 2025: `TableWriteKeyRangeThroughputExceeded` and fifteen more, made of a resource, an
access and a cause, with the ARN of the table or index. Older endpoints and emulators give none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ddbio.dynamodb.errors import THROTTLED_NAMES, ThrottlingReason

UNPROCESSED = "unprocessed items"  # the service gives no reason for these
_LIMITS = ("ThroughputExceeded", "AccountLimitExceeded")  # how the service's reasons end

_HOT = "KeyRangeThroughputExceeded"

_SENTENCES = {
    _HOT: "One partition of {what} is at its limit (1,000 write or 3,000 read units per second): keys of the same "
    "range come too often. The rest of the work continues meanwhile.",
    "AccountLimitExceeded": "The account's throughput limit for {what} is reached: ask for a higher quota, or use a "
    "smaller -c.",
    "MaxOnDemandThroughputExceeded": "The configured maximum on-demand throughput of {what} is reached: raise it, or "
    "use a smaller -c.",
}
_STARVED_INDEX = (
    "{what} has too little capacity, and holds the table's writes back with it: raise the index's units, or make the "
    "index after the import."
)


@dataclass(frozen=True, slots=True)
class Throttle:
    """budget: its number; None if the service did not say. hot: only a range of keys is short. sentence: may be
    empty; shown once a run."""

    budget: int | None = None
    hot: bool = False
    sentence: str = ""


def explain(reasons: Sequence[ThrottlingReason], budgets: Sequence[str]) -> tuple[Throttle, ...]:
    """One for each different reason; a single one that names no budget if the service gave none.

    budgets: names of indexes by number, the table's (any name) first.
    """
    return tuple(dict.fromkeys(_explain_one(reason, budgets) for reason in reasons)) or (Throttle(),)


def is_throttling(reason: str) -> bool:
    """Whether a cause that is counted in a tally is one of throttling, and not of another retry."""
    return reason in THROTTLED_NAMES or reason == UNPROCESSED or reason.endswith(_LIMITS)


def _explain_one(reason: ThrottlingReason, budgets: Sequence[str]) -> Throttle:
    index = reason.resource.partition("/index/")[2]
    what = f"index {index}" if index else f"table {reason.resource.rpartition('table/')[2] or 'in use'}"
    cause = next((cause for cause in _SENTENCES if reason.reason.endswith(cause)), "")
    template = _SENTENCES.get(cause) or (_STARVED_INDEX if index else "")
    sentence = template.format(what=what[:1].upper() + what[1:] if template is _STARVED_INDEX else what)
    budget = budgets.index(index) if index in budgets else 0
    return Throttle(budget, cause == _HOT, sentence)
