"""DataFrames and Arrow data as items.

Anything with the Arrow stream interface is read batch by batch (pyarrow is needed, the extra `parquet`); a DataFrame
of pandas is read row by row. The rules:

- A missing value (null, None, NaN in a column of pandas, NaT) is no attribute of the item.
- Integers, floats and decimals are numbers; strings, booleans, binary, lists, structs and maps keep their types.
- Dates, times and timestamps are their ISO 8601 text, with the zone if they have one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ddbio.errors import UsageError

BATCH_ROWS = 4096


def as_items(data: Any) -> Iterable[Any]:
    """The items of a frame; an iterable of dicts is returned as it is. Raises UsageError for anything else."""
    if isinstance(data, Mapping | str | bytes):
        raise UsageError(f"items is one {type(data).__name__}, and several items are meant", "give a list of dicts")
    if _is_pandas(data):
        return _of_pandas(data)
    if hasattr(data, "__arrow_c_stream__"):
        return _of_arrow(data)
    if isinstance(data, Iterable):
        return data
    raise UsageError(
        f"items is a {type(data).__name__}",
        "give an iterable of dicts, a DataFrame, or an Arrow stream",
    )


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "itertuples")


def _of_pandas(frame: Any) -> Iterator[dict[str, Any]]:
    names = list(map(str, frame.columns))
    _check_names(names)
    for row in frame.itertuples(index=False, name=None):
        yield {name: value for name, value in zip(names, row, strict=True) if not _is_missing(value)}


def _check_names(names: Sequence[str]) -> None:
    """Raise UsageError if two columns have one name: an item would have the values of the last only."""
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"items has two columns called {name!r}", "rename or drop one of them")


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT, or the missing value of pandas, of which no comparison is true or false."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, str | bytes | int | list | dict | set):
        return False
    return type(value).__name__ in ("NAType", "NaTType")


def _of_arrow(data: Any) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow
    except ImportError:
        raise UsageError("Arrow data needs pyarrow", "run: pip install 'ddbio[parquet]'") from None
    reader = pyarrow.RecordBatchReader.from_stream(data)
    _check_names(reader.schema.names)
    for batch in reader:
        yield from rows_of(batch)


def rows_of(batch: Any) -> Iterator[dict[str, Any]]:
    """The items of a record batch of pyarrow."""
    with_maps = [field for field in batch.schema if "map<" in str(field.type)]
    for start in range(0, batch.num_rows, BATCH_ROWS):
        for row in batch.slice(start, BATCH_ROWS).to_pylist():
            for field in with_maps:
                row[field.name] = _with_maps(row[field.name], field.type)
            yield {name: value for name, value in row.items() if value is not None}


def _with_maps(value: Any, kind: Any) -> Any:
    """A value of an Arrow type in which maps are dicts: pyarrow makes lists of pairs of them."""
    from pyarrow import types

    if value is None:
        return None
    if types.is_map(kind):
        return {name: _with_maps(each, kind.item_type) for name, each in value}
    if types.is_struct(kind):
        return {field.name: _with_maps(value[field.name], field.type) for field in kind}
    if types.is_list(kind) or types.is_large_list(kind):
        return [_with_maps(each, kind.value_type) for each in value]
    return value
