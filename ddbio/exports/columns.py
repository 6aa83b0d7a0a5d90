"""The columns of an export to a format that has some: what was asked for, else what a survey of the table finds.

Keys come first, then the keys of indexes, then the rest by name. A job that is taken up again keeps its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ddbio.books.journal import Journal
from ddbio.dynamodb.table import TableInfo
from ddbio.errors import UsageError
from ddbio.exports.expressions import parse_names, top_names
from ddbio.exports.survey import Survey
from ddbio.formats import FormatSpec
from ddbio.formats.csv import CsvLayout
from ddbio.formats.csv.cells import TEXT
from ddbio.formats.parquet import ParquetLayout, check_installed
from ddbio.options import CSV_TYPES, STDOUT, ExportOptions

WITH_COLUMNS = ("csv", "parquet")

_SAID_OF = {
    "csv": "CSV keeps text: types come back with --csv-types; an empty cell may be an empty string, a null, or no "
    "attribute",
    "parquet": "Parquet keeps types by column, lists and maps as JSON text; in columns of one type a null comes back "
    "as no attribute",
}
Column = tuple[str, str]  # a name, and one of CSV_TYPES
_MOST_TYPES_SAID = 30


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
    columns, remarks = _named(options, table) or journal.noted("columns"), [_SAID_OF[options.format]]
    if columns is None:
        found = look()
        types = {name: found.types_of(name) - {"NULL"} for name in in_order(found.names(), table)}
        columns = [_column(each, types) for each in options.columns or types]
        journal.note(columns=columns)
        remarks.insert(0, f"{len(columns):,} columns were found for {found.tally.units:,.1f} RCU")
        remarks += _types_sentence(types, table) if options.format == "csv" else []
    return _spec(options, [(name, letter) for name, letter in columns]), remarks


def _spec(options: ExportOptions, columns: Sequence[Column]) -> FormatSpec:
    if options.format == "parquet":
        return FormatSpec("parquet", ParquetLayout(tuple(columns), options.numbers))
    return FormatSpec("csv", CsvLayout(tuple(name for name, _ in columns)))


def announcement(options: ExportOptions, table: TableInfo, journal: Journal) -> str | None:
    """What is to be said before a survey; None where there will be none."""
    if options.format not in WITH_COLUMNS or _is_named(options) or journal.noted("columns") is not None:
        return None
    return (
        f"Looking for the attributes of table {table.name} first, for which it is read twice; --columns spares that"
    )


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
        return [(name, TEXT) for name in in_order(tops, table)]
    if options.format == "csv":
        return [(name, TEXT) for name in options.columns]
    return [(name, letter) for name, _, letter in (each.rpartition(":") for each in options.columns)]


def _column(asked: str, types: Mapping[str, set[str]]) -> Column:
    if _is_typed(asked):
        name, _, letter = asked.rpartition(":")
        return name, letter
    return asked, _one_type(types.get(asked, set()))


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


def _types_sentence(types: Mapping[str, set[str]], table: TableInfo) -> list[str]:
    """How to import the files with their types again."""
    keys = {part.name for part in (*table.key, *table.index_keys)}
    pairs = []
    for name, letters in types.items():
        letters = letters - {"NULL"}
        if name not in keys and letters and letters != {"S"} and not set(name) & set(',"\n:'):
            pairs.append(f"{name}:{_csv_type(letters)}")
    if not pairs or len(pairs) > _MOST_TYPES_SAID:
        return []
    return [f"To import these files again: --csv-types {','.join(pairs)}"]


def _csv_type(letters: set[str]) -> str:
    return next(iter(letters)) if len(letters) == 1 else "S"
