"""The columns of an export to a format that has some: what was asked for, else what a survey of the table finds.

Keys come first, then the keys of indexes, then the rest by name. A job that is taken up again keeps its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ddbio.errors import UsageError
from ddbio.formats.csv import CsvLayout
from ddbio.formats.csv.cells import UNTYPED
from ddbio.formats.parquet import ParquetLayout, check_installed
from ddbio.job.journal import Journal
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import CSV_TYPES, STDOUT, ExportOptions
from ddbio.sources.expressions import parse_names, top_names
from ddbio.values.table import TableInfo
from ddbio.verbs.discover_columns import Survey

WITH_COLUMNS = ("csv", "parquet")

_SAID_OF = {
    "csv": "CSV is text, without types{}; an empty cell may be an empty string, a null, or no attribute",
    "parquet": "Parquet keeps types by column, lists and maps as JSON text; in columns of one type a null comes back "
    "as no attribute",
}
Column = tuple[str, str]  # a name, and one of CSV_TYPES
_MOST_TYPES_SAID, _NAMES_SAID = 30, 3


def check_columns(options: ExportOptions) -> None:
    """Raises UsageError where columns are asked for that cannot be, or not in this way."""
    if options.format == "parquet":
        check_installed()
        if options.compress != "none":
            raise UsageError("Parquet is compressed inside", "leave --compress away")
        if options.destination == STDOUT:
            raise UsageError("Parquet cannot be written to standard output", "name a folder with -d")
    if options.columns is not None and options.format not in WITH_COLUMNS:
        raise UsageError(f"--columns are not for {options.format}", "name what to export with --attributes")
    if options.format in WITH_COLUMNS and options.limit is not None and not _is_named(options):
        raise UsageError(
            "with --limit the columns must be named: to find them, all of the table would be read",
            "name them with --columns",
        )


def choose_format(
    options: ExportOptions, table: TableInfo, journal: Journal, look: Callable[[], Survey]
) -> tuple[FormatSpec, list[str]]:
    """The format with its columns, and what to say of them. look: a survey of the table, which costs units."""
    if options.format not in WITH_COLUMNS:
        return FormatSpec(options.format), []
    columns, remarks = _named(options, table) or journal.noted("columns"), [_remark(options)]
    if columns is None:
        found = look()
        types = {name: found.types_of(name) - {"NULL"} for name in in_order(found.names(), table)}
        one_type = _csv_type if options.format == "csv" else _one_type
        columns = [_column(each, types, one_type) for each in options.columns or types]
        remarks.insert(0, f"{len(columns):,} columns were found for {found.tally.units:,.1f} RCU")
        remarks += _nulls_sentence(found, columns)
        remarks += _types_sentence(columns, table) if options.destination == STDOUT else []
    journal.note(columns=columns)
    columns = [(name, letter) for name, letter in columns]
    return _spec(options, columns), [*remarks, *_untyped_sentence(options, columns)]


def _remark(options: ExportOptions) -> str:
    """What the format does not keep. Only a folder or prefix gets a manifest."""
    return _SAID_OF[options.format].format("" if options.destination == STDOUT else " (the manifest has them)")


def _spec(options: ExportOptions, columns: Sequence[Column]) -> FormatSpec:
    if options.format == "parquet":
        return FormatSpec("parquet", ParquetLayout(tuple(columns), options.numbers))
    return FormatSpec("csv", CsvLayout(tuple(name for name, _ in columns), tuple(letter for _, letter in columns)))


def announcement(options: ExportOptions, table: TableInfo, journal: Journal) -> str | None:
    """What is to be said before a survey; None where there will be none."""
    if options.format not in WITH_COLUMNS or _is_named(options) or journal.noted("columns") is not None:
        return None
    return f"Table {table.name} is read twice, the first time to find its attributes; --columns avoids that"


def _is_named(options: ExportOptions) -> bool:
    """Whether what is asked for tells all columns, with their types where the format has some."""
    if options.format == "parquet":
        return options.columns is not None and all(map(_is_typed, options.columns))
    if options.columns is not None:
        return True
    shaped = options.transform or options.rename or options.drop or options.assign
    return options.attributes is not None and not shaped  # what a transform makes of them has to be seen


def _named(options: ExportOptions, table: TableInfo) -> list[Column] | None:
    if not _is_named(options):
        return None
    if options.columns is None:
        assert options.attributes is not None
        tops = top_names(options.attributes, parse_names(options.names) if options.names is not None else {})
        return [(name, _key_type(name, table)) for name in in_order(tops, table)]
    if options.format == "csv":
        return [_typed_column(each, table) for each in options.columns]
    return [(name, letter) for name, _, letter in (each.rpartition(":") for each in options.columns)]


def _column(asked: str, types: Mapping[str, set[str]], one_type: Callable[[set[str]], str]) -> Column:
    if _is_typed(asked):
        name, _, letter = asked.rpartition(":")
        return name, letter
    return asked, one_type(types.get(asked, set()))


def _typed_column(asked: str, table: TableInfo) -> Column:
    """A column of CSV as it was asked for, with a type or without."""
    if _is_typed(asked):
        name, _, letter = asked.rpartition(":")
        return name, letter
    return asked, _key_type(asked, table)


def _key_type(name: str, table: TableInfo) -> str:
    """The type of a column that nobody said: a key has the table's."""
    return next((part.type for part in table.key if part.name == name), UNTYPED)


def _is_typed(column: str) -> bool:
    name, _, letter = column.rpartition(":")
    return bool(name) and letter in CSV_TYPES


def _one_type(letters: set[str]) -> str:
    """The type of a column: JSON text takes values of several types, and what Parquet has no type for."""
    (letter,) = letters if len(letters) == 1 else ("JSON",)
    return "JSON" if letter in ("L", "M") else letter


def in_order(names: Iterable[str], table: TableInfo) -> list[str]:
    first = [part.name for part in (*table.key, *table.index_keys)]
    place = {name: number for number, name in enumerate(first)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def _csv_type(letters: set[str]) -> str:
    """The type of a column of CSV: JSON text takes values of several types, and nulls that are all there is."""
    return next(iter(letters)) if len(letters) == 1 else "JSON"


def _types_sentence(columns: Sequence[Column], table: TableInfo) -> list[str]:
    """How to import the records with their types again, where there is no manifest to keep them."""
    keys = {part.name for part in (*table.key, *table.index_keys)}
    pairs = [
        f"{name}:{letter}"
        for name, letter in columns
        if name not in keys and letter != "S" and not set(name) & set(',"\n:')
    ]
    if not pairs or len(pairs) > _MOST_TYPES_SAID:
        return []
    return [f"To import these records again: --csv-types {','.join(pairs)}"]


def _nulls_sentence(found: Survey, columns: Iterable[Column]) -> list[str]:
    lost = [name for name, letter in columns if letter != "JSON" and "NULL" in found.types_of(name)]
    if not lost:
        return []
    return [f"Nulls come back as no attribute in {_some(lost)}; {lost[0]}:JSON among --columns keeps them"]


def _untyped_sentence(options: ExportOptions, columns: Iterable[Column]) -> list[str]:
    untyped = [name for name, letter in columns if letter == UNTYPED]
    if not untyped or options.destination == STDOUT:
        return []
    return [
        f"The manifest has no type for {_some(untyped)}: what is no text comes back as text; name types, as in "
        f"--columns {untyped[0]}:N"
    ]


def _some(names: Sequence[str]) -> str:
    """`column a`, `columns a, b, c, ...`."""
    more = ", ..." if len(names) > _NAMES_SAID else ""
    return f"column{'s' * (len(names) != 1)} {', '.join(names[:_NAMES_SAID])}{more}"
