"""The columns of an export to a format with columns: those the user named, else all that a first scan finds.

Keys come first, then the keys of indexes, then the rest by name. A resumed job keeps its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ddbio.errors import UsageError
from ddbio.formats import declaration_of
from ddbio.formats.csv.cells import UNTYPED
from ddbio.formats.declaration import Column, Columns
from ddbio.job.journal import Journal
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import CSV_TYPES, STDOUT
from ddbio.sources.expressions import parse_names, top_names
from ddbio.values.table import TableInfo
from ddbio.verbs.discover_columns import Discovered
from ddbio.verbs.options import ExportOptions

_MOST_TYPES_SAID, _NAMES_SAID = 30, 3


def check_columns(options: ExportOptions) -> None:
    """Raises UsageError for columns that are impossible, or impossible with the other options."""
    declared, columns = declaration_of(options.format), columns_of(options)
    declared.check_installed()
    if declared.compressed_inside and options.compress != "none":
        raise UsageError(f"{declared.label} is compressed inside", "omit --compress")
    if declared.whole_files and options.destination == STDOUT:
        raise UsageError(f"{declared.label} cannot be written to standard output", "name a folder with -d")
    if options.columns is not None and columns is None:
        raise UsageError(f"--columns are not for {options.format}", "name what to export with --attributes")
    if columns is not None and options.limit is not None and not _is_named(options, columns):
        raise UsageError(
            "--limit needs --columns: finding the columns would read the whole table",
            "name them with --columns",
        )


def columns_of(options: ExportOptions) -> Columns | None:
    """How the columns of the files are chosen; None if they have none."""
    return declaration_of(options.format).columns


def choose_format(
    options: ExportOptions, table: TableInfo, journal: Journal, look: Callable[[], Discovered]
) -> tuple[FormatSpec, list[str]]:
    """The format with its columns, and remarks on them for the user. look: finds all attributes; costs units."""
    rules = columns_of(options)
    if rules is None:
        return FormatSpec(options.format), []
    # Types that the format does not keep. Only a folder or prefix gets a manifest.
    remarks = [rules.loses(listed=options.destination != STDOUT)]
    columns = _named(options, rules, table) or journal.noted("columns")
    if columns is None:
        found = look()
        types = {name: found.types_of(name) - {"NULL"} for name in in_order(found.names(), table)}
        columns = [_column(each, types, rules.type_of) for each in options.columns or types]
        remarks.insert(0, f"{len(columns):,} columns were found for {found.tally.units:,.1f} RCU")
        remarks += _nulls_sentence(found, columns)
        remarks += _types_sentence(columns, table) if options.destination == STDOUT else []
    journal.note(columns=columns)
    columns = [(name, letter) for name, letter in columns]
    return rules.spec(columns, options.numbers), [*remarks, *_untyped_sentence(options, columns)]


def needs_look(options: ExportOptions) -> bool:
    """Whether the columns have to be found in the items of the table."""
    rules = columns_of(options)
    return rules is not None and not _is_named(options, rules)


def _is_named(options: ExportOptions, rules: Columns) -> bool:
    """Whether the options determine all columns, with their types if the format has types."""
    if rules.need_types:
        return options.columns is not None and all(map(_is_typed, options.columns))
    if options.columns is not None:
        return True
    shaped = options.transform or options.rename or options.drop or options.assign
    return options.attributes is not None and not shaped  # a transform may change the attributes


def _named(options: ExportOptions, rules: Columns, table: TableInfo) -> list[Column] | None:
    if not _is_named(options, rules):
        return None
    if options.columns is None:
        assert options.attributes is not None
        tops = top_names(options.attributes, parse_names(options.names) if options.names is not None else {})
        return [(name, _key_type(name, table)) for name in in_order(tops, table)]
    return [_typed_column(each, table) for each in options.columns]


def _column(asked: str, types: Mapping[str, set[str]], one_type: Callable[[set[str]], str]) -> Column:
    if _is_typed(asked):
        name, _, letter = asked.rpartition(":")
        return name, letter
    return asked, one_type(types.get(asked, set()))


def _typed_column(asked: str, table: TableInfo) -> Column:
    """A column as the user named it, with or without a type."""
    if _is_typed(asked):
        name, _, letter = asked.rpartition(":")
        return name, letter
    return asked, _key_type(asked, table)


def _key_type(name: str, table: TableInfo) -> str:
    """The type of a column given without one: a key has its type in the table."""
    return next((part.type for part in table.key if part.name == name), UNTYPED)


def _is_typed(column: str) -> bool:
    name, _, letter = column.rpartition(":")
    return bool(name) and letter in CSV_TYPES


def in_order(names: Iterable[str], table: TableInfo) -> list[str]:
    first = [part.name for part in (*table.key, *table.index_keys)]
    place = {name: number for number, name in enumerate(first)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def _types_sentence(columns: Sequence[Column], table: TableInfo) -> list[str]:
    """How to import the records with their types again, if there is no manifest to keep them."""
    keys = {part.name for part in (*table.key, *table.index_keys)}
    pairs = [
        f"{name}:{letter}"
        for name, letter in columns
        if name not in keys and letter != "S" and not set(name) & set(',"\n:')
    ]
    if not pairs or len(pairs) > _MOST_TYPES_SAID:
        return []
    return [f"To import these records again: --csv-types {','.join(pairs)}"]


def _nulls_sentence(found: Discovered, columns: Iterable[Column]) -> list[str]:
    lost = [name for name, letter in columns if letter != "JSON" and "NULL" in found.types_of(name)]
    if not lost:
        return []
    return [f"Nulls come back as no attribute in {_some(lost)}; {lost[0]}:JSON among --columns keeps them"]


def _untyped_sentence(options: ExportOptions, columns: Iterable[Column]) -> list[str]:
    untyped = [name for name, letter in columns if letter == UNTYPED]
    if not untyped or options.destination == STDOUT:
        return []
    return [
        f"The manifest has no type for {_some(untyped)}: their values come back as text; name types, as in "
        f"--columns {untyped[0]}:N"
    ]


def _some(names: Sequence[str]) -> str:
    """`column a`, `columns a, b, c, ...`."""
    more = ", ..." if len(names) > _NAMES_SAID else ""
    return f"column{'s' * (len(names) != 1)} {', '.join(names[:_NAMES_SAID])}{more}"
