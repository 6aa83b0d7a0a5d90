"""The columns of an export to a format that has some: what was asked for, else what a survey of the table finds.

Keys come first, then the keys of indexes, then the rest by name. A job that is taken up again keeps its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ddbio.dynamodb.table import TableInfo
from ddbio.errors import UsageError
from ddbio.expressions import parse_names, top_names
from ddbio.formats import FormatSpec
from ddbio.formats.csv import CsvLayout
from ddbio.journal import Journal
from ddbio.options import ExportOptions
from ddbio.survey import Survey

WITH_COLUMNS = ("csv",)

_SAID_OF_CSV = (
    "CSV keeps text: types come back with --csv-types; an empty cell may be an empty string, a null, or no attribute"
)
_MOST_TYPES_SAID = 30


def check_columns(options: ExportOptions) -> None:
    """Raises UsageError where columns are asked for that cannot be, or not in this way."""
    if options.columns is not None and options.format not in WITH_COLUMNS:
        raise UsageError(f"--columns are not for {options.format}", "name what to export with --attributes")
    if options.format in WITH_COLUMNS and options.limit is not None and _named(options) is None:
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
    named, remarks = _named(options), [_SAID_OF_CSV]
    columns = named or journal.noted("columns")
    if columns is None:
        found = look()
        columns = in_order({name for name, _ in found.attributes}, table)
        journal.note(columns=columns)
        types = _types_sentence({name: found.types_of(name) for name in columns}, table)
        remarks = [f"{len(columns):,} columns were found for {found.tally.units:,.1f} RCU", *remarks, *types]
    return FormatSpec("csv", CsvLayout(tuple(columns))), remarks


def announcement(options: ExportOptions, table: TableInfo, journal: Journal) -> str | None:
    """What is to be said before a survey; None where there will be none."""
    if options.format not in WITH_COLUMNS or _named(options) is not None or journal.noted("columns") is not None:
        return None
    return (
        f"Looking for the attributes of table {table.name} first, for which it is read twice; --columns spares that"
    )


def _named(options: ExportOptions) -> tuple[str, ...] | None:
    if options.columns is not None:
        return options.columns
    if options.attributes is None or options.transform or options.rename or options.drop or options.assign:
        return None  # what a transform makes of them has to be seen
    return tuple(sorted(top_names(options.attributes, parse_names(options.names) if options.names else {})))


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
