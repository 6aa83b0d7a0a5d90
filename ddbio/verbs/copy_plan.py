"""Looks ahead at a copy: whether its items can have the keys of the other table, the number of its segments, and its
cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

from ddbio.errors import UsageError
from ddbio.job.run import Run
from ddbio.sources.expressions import parse_names, top_names
from ddbio.sources.segments import MIB, segment_count
from ddbio.sources.subset import expected_items
from ddbio.steps.transform import TransformSpec, transform_of
from ddbio.values.capacity import write_units
from ddbio.values.table import KeyAttribute, TableInfo
from ddbio.verbs.options import CopyOptions

SEGMENT_BYTES = MIB  # at least, a page: a lane with several pages would write what many lanes could write at once
SEGMENTS_A_WORKER_UNKNOWN = 16  # if the service does not report the table's size yet
_BYTES_A_READ_UNIT = 8192  # eventually consistent


def copy_segments(run: Run) -> int:
    """How many segments suit the whole table."""
    if run.table.size_bytes == 0:
        return run.workers * min(run.lanes, SEGMENTS_A_WORKER_UNKNOWN)
    return segment_count(run.table, run.workers, run.lanes, SEGMENT_BYTES)


def expected_cost(options: CopyOptions, table: TableInfo, target: TableInfo) -> Iterator[str]:
    """A sentence, if the service knows the size of the table."""
    items = expected_items(options, table)
    if not items:
        return
    mean_bytes = table.size_bytes / table.item_count
    read = items * mean_bytes / _BYTES_A_READ_UNIT * (2 if options.consistent_read else 1)
    written = items * write_units(math.ceil(mean_bytes))
    names = ", ".join(index.name for index in target.indexes)
    indexes = f", and those of its index{'es' * (len(target.indexes) != 1)} {names}" if names else ""
    most = "at most " if options.filter is not None else ""
    yield (
        f"By the last count of the service: {items:,.0f} items, about {math.ceil(read):,} RCU and "
        f"{most}{written:,.0f} WCU{indexes}"
    )


def check_keys(options: CopyOptions, table: TableInfo, target: TableInfo) -> Iterator[str]:
    """Sentences on what the keys of the other table mean for the items.

    Raises UsageError if no item could be copied, because it lacks the key of the other table, or has it with another
    type.
    """
    spec = transform_of(options)
    if spec is not None and spec.function is not None:
        return  # it may make any key
    origins = [_origin(part, spec, target) for part in target.key]
    _check_projection(options, [each for each in origins if each is not None], target)
    types = {part.name: part.type for part in table.key}
    for part, origin in zip(target.key, origins, strict=True):
        made = spec.sets[part.name] if spec is not None and origin is None else {}
        found = types.get(origin, part.type) if origin is not None else next(iter(made))
        if found != part.type:
            _refuse(
                f"the key {part.name!r} of table {target.name!r} has the type {part.type}, and the items have {found}"
            )
    if {*types} != {*origins}:
        names = ", ".join(part.name for part in target.key)
        yield (
            f"The key of {target.name} is {names}: items without it are rejected, and of items with the same one "
            "only one is kept"
        )


def _origin(part: KeyAttribute, spec: TransformSpec | None, target: TableInfo) -> str | None:
    """The attribute of the source that becomes this key; None if `--set` makes it. Raises UsageError if none does."""
    if spec is None:
        return part.name
    if part.name in spec.sets:
        return None
    renamed = [old for old, new in spec.rename.items() if new == part.name]
    origin = renamed[-1] if renamed else part.name
    if origin in spec.drop or (not renamed and origin in spec.rename):
        _refuse(f"--drop or --rename removes {origin!r}, the key of table {target.name!r}")
    return origin


def _check_projection(options: CopyOptions, needed: list[str], target: TableInfo) -> None:
    if options.attributes is None:
        return
    names = top_names(options.attributes, parse_names(options.names) if options.names is not None else {})
    missing = [name for name in needed if name not in names]
    if missing:
        _refuse(f"--attributes lacks {', '.join(missing)}, the key of table {target.name!r}")


def _refuse(problem: str) -> NoReturn:
    raise UsageError(
        f"{problem}: no item could be copied", "name another table with --to, or make its keys with --transform"
    )
