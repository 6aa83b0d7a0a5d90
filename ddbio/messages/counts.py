"""The list of counts: each is declared once, as a field of `Tally`, with its meaning and its side of the accounting
equation.

A position, the checkpoint, the journal's columns, the report and the table in docs/reliability.md are made from
this list, or a test holds them to it (`tests/unit/test_counts.py`). A new count is one field here, a new version of
the journal's schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TypeVar

Number = TypeVar("Number", int, float)

COUNT, EXPORT, FIND, IMPORT = "count", "export", "find", "import"
COPY, DELETE, UPDATE, REVERT = "copy", "delete", "update", "revert"
DIFF, INSPECT, SQL = "diff", "inspect", "sql"
SCANNING = (EXPORT, FIND, COUNT, COPY, DELETE, UPDATE, DIFF, INSPECT, SQL)  # verbs that scan a table
WRITING = (IMPORT, COPY, DELETE, UPDATE, REVERT)  # verbs that write to a table
TWO_TABLES = (COPY, DELETE, UPDATE, DIFF)  # verbs with a source and a target, which may be one table
VERBS = (IMPORT, REVERT, *SCANNING)


class Side(Enum):
    """The side of the accounting equation on which a count belongs: everything that came in went somewhere."""

    IN = "in"  # records and items that came in
    OUT = "out"  # their outcomes
    PART = "part"  # a part of another count, in which it is contained
    NONE = "none"  # of bytes, lines and requests


@dataclass(frozen=True, slots=True)
class Count:
    """The properties of a count. kind: int or float. meaning: a phrase for the counted things.

    verbs: for which it may be other than 0. of_lane: an import lane counts it record by record, in its position.
    """

    name: str
    kind: type[int] | type[float]
    meaning: str
    side: Side
    verbs: tuple[str, ...]
    of_lane: bool

    @property
    def of_records(self) -> bool:
        """Whether it counts records and items, and not bytes or requests."""
        return self.side is not Side.NONE


def _count(
    zero: Number, meaning: str, side: Side = Side.NONE, verbs: tuple[str, ...] = VERBS, *, of_lane: bool = False
) -> Number:
    """A field of `Tally`."""
    facts = {"kind": type(zero), "meaning": meaning, "side": side, "verbs": verbs, "of_lane": of_lane}
    return field(default=zero, metadata=facts)


@dataclass(slots=True)
class Tally:
    """Counts. Adds up field by field. reasons: causes of throttling and of repeated requests, with their counts."""

    read: int = _count(0, "records read from a source, items read from a table", Side.IN, of_lane=True)
    written: int = _count(
        0,
        "items that the service confirmed, items in finished files, items loaded for a query",
        Side.OUT,
        (*WRITING, EXPORT, FIND, SQL),
        of_lane=True,
    )
    rejected: int = _count(0, "records in the rejects file", Side.OUT, WRITING, of_lane=True)
    replaced: int = _count(
        0,
        "records superseded by a later one with the same key in the same batch",
        Side.OUT,
        (IMPORT, REVERT, COPY),
        of_lane=True,
    )
    skipped: int = _count(
        0,
        "records not inserted because the table had an item with their key, items left because they had changed",
        Side.OUT,
        WRITING,
        of_lane=True,
    )
    deleted: int = _count(0, "of those written: confirmed deletes", Side.PART, (IMPORT, REVERT, DELETE), of_lane=True)
    blank: int = _count(0, "empty lines, which are no records", Side.NONE, (IMPORT, REVERT), of_lane=True)
    added: int = _count(
        0, "items beyond the first that a transform made of one", Side.IN, (IMPORT, EXPORT, COPY), of_lane=True
    )
    dropped: int = _count(
        0,
        "records and items of which a transform made nothing, changes that were undone already, items to delete that "
        "are gone",
        Side.OUT,
        (IMPORT, REVERT, EXPORT, COPY, DELETE, UPDATE),
        of_lane=True,
    )
    left_out: int = _count(0, "items read that a filter or a limit omits", Side.OUT, SCANNING)
    counted: int = _count(0, "items that were only counted", Side.OUT, (COUNT, DIFF, INSPECT))
    only_first: int = _count(0, "of those counted: items that only the first table has", Side.PART, (DIFF,))
    only_second: int = _count(0, "of those counted: items that only the second table has", Side.PART, (DIFF,))
    changed: int = _count(0, "of those counted: items that differ between two tables", Side.PART, (DIFF,))
    bytes: int = _count(
        0, "bytes of source that are settled, bytes of finished files", Side.NONE, (IMPORT, REVERT, EXPORT, FIND, SQL)
    )
    units: float = _count(0.0, "capacity units consumed")
    target_units: float = _count(
        0.0, "of those units: consumed by the target table, in a job that also reads a source", Side.NONE, TWO_TABLES
    )
    estimated: float = _count(0.0, "of all units: not reported by the service, estimated")
    requests: int = _count(0, "requests sent, with those that failed")
    throttled: int = _count(0, "requests refused, and items sent back, for lack of capacity")
    retries: int = _count(0, "requests repeated for another reason")
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        for each in NAMES:
            setattr(self, each, getattr(self, each) + getattr(other, each))
        for reason, count in other.reasons.items():
            self.blame(reason, count)

    def minus(self, other: Tally) -> Tally:
        """The counts since `other`."""
        since = Tally(*(getattr(self, each) - getattr(other, each) for each in NAMES))
        for reason, count in self.reasons.items():
            since.blame(reason, count - other.reasons.get(reason, 0))
        return since

    def copy(self) -> Tally:
        return self.minus(Tally())

    def blame(self, reason: str, count: int = 1) -> None:
        if count:
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def spent(self) -> Tally:
        """Only the requests and what they consumed: this is true even if their results are lost."""
        return Tally(**{each: getattr(self, each) for each in SPENT}, reasons=dict(self.reasons))

    def settles(self) -> bool:
        """Whether any item was settled or any page received: retries and refusals are no progress."""
        return bool(self.units) or self.moves()

    def moves(self) -> bool:
        """Whether any record or item is counted."""
        return any(getattr(self, each) for each in OF_RECORDS)

    def unsettled(self) -> int:
        """The number of records that came in and have no outcome; 0 in the accounts of a finished run."""
        came, went = (sum(getattr(self, each) for each in names) for names in (_IN, _OUT))
        return int(came - went)


COUNTS = tuple(
    Count(each.name, **each.metadata)
    for each in fields(Tally)
    if each.metadata  # the reasons have none
)
SPENT = ("units", "target_units", "estimated", "requests", "throttled", "retries")  # counted when a request is made
NAMES = tuple(each.name for each in COUNTS)
OF_RECORDS = tuple(each.name for each in COUNTS if each.of_records)
OF_LANE = tuple(each.name for each in COUNTS if each.of_lane)  # in the order of the fields of `Position`
RECORDED = OF_LANE + tuple(
    each.name for each in COUNTS if (IMPORT in each.verbs or each.name in SPENT) and not each.of_lane
)
_IN = tuple(each.name for each in COUNTS if each.side is Side.IN)
_OUT = tuple(each.name for each in COUNTS if each.side is Side.OUT)


def equation(verb: str) -> str:
    """The accounting equation of a verb, such as `read == counted + left_out`."""
    came, went = (
        [each.name for each in COUNTS if each.side is side and verb in each.verbs] for side in (Side.IN, Side.OUT)
    )
    return f"{' + '.join(came)} == {' + '.join(went)}"
