"""The part of a table to export, as plain data: attributes, a filter, an index, a number of items, a sample.

A filter or a projection does not make an export cheaper: a Scan is charged for the items that it reads, before both.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ddbio.errors import UsageError
from ddbio.messages import Cursor, ExportCursor, SegmentUnit, Unit
from ddbio.options import ScanOptions
from ddbio.sources.expressions import (
    Placeholders,
    filter_expression,
    parse_names,
    parse_values,
    projection_expression,
    top_names,
)
from ddbio.sources.plan import Remainder
from ddbio.sources.segments import MAX_SEGMENTS, segment_units
from ddbio.steps.limit import LimitNeeds
from ddbio.values.table import TableInfo

SEGMENTS_OF_A_SAMPLE = 20  # at least, so that its size is close to the percentage asked for
_MARK = re.compile(r"[#:]\w+")  # a placeholder in an expression
ITEMS_A_SEGMENT = 1000  # for a small limit: pages that are read after others used it up cost units in vain


@dataclass(frozen=True, slots=True)
class Subset:
    """The part of every Scan request that selects data. members: of the request. filters: whether items are filtered
    out, so that even a page in the middle may be empty."""

    members: dict[str, Any] = field(default_factory=dict)
    filters: bool = False

    def whole_items(self) -> Subset:
        """The same items, with all of their attributes."""
        marks = {*_MARK.findall(self.members.get("FilterExpression", ""))}
        kept = {name: part for name, part in self.members.items() if name in ("IndexName", "FilterExpression")}
        for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):  # the service refuses unused ones
            if used := {mark: value for mark, value in self.members.get(name, {}).items() if mark in marks}:
                kept[name] = used
        return Subset(kept, self.filters)


WHOLE = Subset()


def choose_subset(options: ScanOptions, table: TableInfo) -> tuple[Subset, Placeholders]:
    """The subset that the options ask for, and its placeholders. Raises UsageError if they are not valid."""
    if options.values is not None and options.filter is None:
        raise UsageError("--values are the values of a --filter", "add --filter")
    aliases = parse_names(options.names) if options.names is not None else {}
    placeholders = Placeholders(parse_values(options.values) if options.values is not None else {}, aliases)
    members: dict[str, Any] = {}
    if options.index is not None:
        _check_index(options, table)
        members["IndexName"] = options.index
    if options.filter is not None:
        members["FilterExpression"] = filter_expression(options.filter, placeholders)
    if options.attributes is not None:
        members["ProjectionExpression"] = projection_expression(options.attributes, placeholders)
    placeholders.check_all_used()
    if placeholders.names:
        members["ExpressionAttributeNames"] = placeholders.names
    if placeholders.values:
        members["ExpressionAttributeValues"] = {f":{name}": value for name, value in placeholders.values.items()}
    return Subset(members, filters=options.filter is not None), placeholders


def _check_index(options: ScanOptions, table: TableInfo) -> None:
    names = [index.name for index in table.indexes]
    if options.index not in names:
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise UsageError(f'table "{table.name}" has no index "{options.index}"', there)
    global_names = [index["IndexName"] for index in table.description.get("GlobalSecondaryIndexes", ())]
    if options.consistent_read and options.index in global_names:
        raise UsageError(
            f'index "{options.index}" is a global index, which has no consistent reads', "omit --consistent-read"
        )


def notes(options: ScanOptions, table: TableInfo, units: Sequence[Unit]) -> Iterator[str]:
    """Notes for the user about the subset."""
    if options.sample is not None:
        yield _sample_sentence(options, _segments(units))
    yield from cost_notes(options)
    if options.index is not None:
        yield "An item whose index key changes during the scan may be missed or read twice"
    if options.attributes is not None:
        tops = top_names(options.attributes, parse_names(options.names) if options.names is not None else {})
        missing = [part.name for part in table.key if part.name not in tops]
        if missing:
            yield f"Without the key ({', '.join(missing)}) these items cannot be imported into this table again"


def cost_notes(options: ScanOptions) -> Iterator[str]:
    named = [
        option
        for option, value in (("--filter", options.filter), ("--attributes", options.attributes))
        if value is not None
    ]
    if named:
        yield f"{' and '.join(named)} do{'es' * (len(named) == 1)} not lower the cost: every item is read"


# --------------------------------------------------------------------------- segments


def segments_of(options: ScanOptions, suits: int) -> int:
    """How many segments to cut the scan into. suits: the number for the whole table."""
    if options.segments is not None:
        return options.segments
    if options.sample is not None:
        suits = max(suits, math.ceil(SEGMENTS_OF_A_SAMPLE * 100 / options.sample))
    if options.limit is not None and options.filter is None and options.sample is None:
        suits = min(suits, math.ceil(options.limit / ITEMS_A_SEGMENT))
    return min(suits, MAX_SEGMENTS)


def units_of(options: ScanOptions, segments: int) -> list[SegmentUnit]:
    """The segments to scan: all, or a sample that is the same for the same `seed`."""
    units = segment_units(segments)
    if options.sample is None:
        return units
    count = max(1, round(segments * options.sample / 100))
    chosen = sorted(random.Random(options.seed).sample(units, min(count, segments)), key=lambda unit: unit.segment)
    return [replace(unit, number=number) for number, unit in enumerate(chosen)]


def _sample_sentence(options: ScanOptions, units: list[SegmentUnit]) -> str:
    """The segments of a sample, as many as fit in a line."""
    shown = [str(unit.segment) for unit in units[:20]] + ["..."] * (len(units) > 20)
    return (
        f"Sample: {len(units):,} of {units[0].total_segments:,} segments (--seed {options.seed}): {', '.join(shown)}"
    )


def _segments(units: Sequence[Unit]) -> list[SegmentUnit]:
    return [unit for unit in units if isinstance(unit, SegmentUnit)]


def expected_items(options: ScanOptions, table: TableInfo) -> float:
    """The expected number of items to read."""
    items = table.item_count * (options.sample or 100) / 100
    return min(items, options.limit or items) if options.filter is None else items


def described(options: ScanOptions, units: Sequence[Unit]) -> dict[str, Any]:
    """The manifest's description of the subset; empty for a whole table."""
    asked = {
        name: value
        for name in ("attributes", "filter", "values", "names", "index", "limit", "sample")
        if (value := getattr(options, name)) is not None
    }
    if options.sample is not None:
        asked["sampled_segments"] = [unit.segment for unit in _segments(units)]
    return asked


def limit_of(limit: int | None, left: Remainder, settled: Mapping[int, Cursor]) -> LimitNeeds | None:
    """The arguments of the job's `Limit`; None for no limit.

    settled: the last cursor of each unit that earlier runs finished.
    """
    if limit is None:
        return None
    cursors = {**settled, **{unit.number: unit.cursor for unit in left.known() if unit.cursor is not None}}
    numbers = [*settled, *(unit.number for unit in left.known())]
    taken = {number: cursor.items for number, cursor in cursors.items() if isinstance(cursor, ExportCursor)}
    return LimitNeeds(limit, max(numbers, default=0) + 1, taken)
