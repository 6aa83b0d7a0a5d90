"""Which part of a table an export takes, as plain data: attributes, a filter, an index, a number of items, a sample.

A filter and a projection make no export cheaper: a Scan is charged for what it reads, before both.
"""

from __future__ import annotations

import math
import random
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

SEGMENTS_OF_A_SAMPLE = 20  # at least, so that its size is near what was asked for
ITEMS_A_SEGMENT = 1000  # of a small limit: lanes that read what others have taken cost units


@dataclass(frozen=True, slots=True)
class Subset:
    """What goes into every request of the export. members: of the Scan. filters: whether a page may be left empty."""

    members: dict[str, Any] = field(default_factory=dict)
    filters: bool = False


WHOLE = Subset()


def choose_subset(options: ScanOptions, table: TableInfo) -> tuple[Subset, Placeholders]:
    """Raises UsageError for what cannot be one."""
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
            f'index "{options.index}" is a global one, which has no consistent reads', "leave out --consistent-read"
        )


def notes(options: ScanOptions, table: TableInfo, units: Sequence[Unit]) -> Iterator[str]:
    """What a user should know of the part that was asked for."""
    if options.sample is not None:
        yield _sample_sentence(options, _segments(units))
    named = [
        option
        for option, value in (("--filter", options.filter), ("--attributes", options.attributes))
        if value is not None
    ]
    if named:
        yield f"{' and '.join(named)} do{'es' * (len(named) == 1)} not lower the cost: every item is read"
    if options.index is not None:
        yield "An item whose place in the index changes while it is scanned may be missed or come twice"
    if options.attributes is not None:
        tops = top_names(options.attributes, parse_names(options.names) if options.names is not None else {})
        missing = [part.name for part in table.key if part.name not in tops]
        if missing:
            yield f"Without the key ({', '.join(missing)}) these items cannot be imported into such a table again"


# --------------------------------------------------------------------------- segments


def segments_of(options: ScanOptions, suits: int) -> int:
    """How many segments to cut the scan in. suits: what the table as a whole asks for."""
    if options.segments is not None:
        return options.segments
    if options.sample is not None:
        suits = max(suits, math.ceil(SEGMENTS_OF_A_SAMPLE * 100 / options.sample))
    if options.limit is not None and options.filter is None and options.sample is None:
        suits = min(suits, math.ceil(options.limit / ITEMS_A_SEGMENT))
    return min(suits, MAX_SEGMENTS)


def units_of(options: ScanOptions, segments: int) -> list[SegmentUnit]:
    """The segments to scan: all, or a sample, which is the same for the same `seed`."""
    units = segment_units(segments)
    if options.sample is None:
        return units
    count = max(1, round(segments * options.sample / 100))
    chosen = sorted(random.Random(options.seed).sample(units, min(count, segments)), key=lambda unit: unit.segment)
    return [replace(unit, number=number) for number, unit in enumerate(chosen)]


def _sample_sentence(options: ScanOptions, units: list[SegmentUnit]) -> str:
    """Which segments a sample is, as far as a line has room for them."""
    shown = [str(unit.segment) for unit in units[:20]] + ["..."] * (len(units) > 20)
    return (
        f"Sample: {len(units):,} of {units[0].total_segments:,} segments (--seed {options.seed}): {', '.join(shown)}"
    )


def _segments(units: Sequence[Unit]) -> list[SegmentUnit]:
    return [unit for unit in units if isinstance(unit, SegmentUnit)]


def expected_items(options: ScanOptions, table: TableInfo) -> float:
    """How many items will be read, as far as anybody knows."""
    items = table.item_count * (options.sample or 100) / 100
    return min(items, options.limit or items) if options.filter is None else items


def described(options: ScanOptions, units: Sequence[Unit]) -> dict[str, Any]:
    """What the manifest tells of the part; nothing of an export that is whole."""
    asked = {
        name: value
        for name in ("attributes", "filter", "values", "names", "index", "limit", "sample")
        if (value := getattr(options, name)) is not None
    }
    if options.sample is not None:
        asked["sampled_segments"] = [unit.segment for unit in _segments(units)]
    return asked


def limit_of(limit: int | None, left: Remainder, settled: Mapping[int, Cursor]) -> LimitNeeds | None:
    """What the lanes need for `--limit`; None for no limit.

    settled: the last cursor of each unit that earlier runs finished.
    """
    if limit is None:
        return None
    cursors = {**settled, **{unit.number: unit.cursor for unit in left.known() if unit.cursor is not None}}
    numbers = [*settled, *(unit.number for unit in left.known())]
    taken = {number: cursor.items for number, cursor in cursors.items() if isinstance(cursor, ExportCursor)}
    return LimitNeeds(limit, max(numbers, default=0) + 1, taken)
