"""`csv`: how its files are detected, and the columns of an export to it.

Every file's header is read, as files may have different columns. A file whose name does not show its format is CSV if
its first row has the table's keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ddbio.errors import UsageError
from ddbio.formats import record_format
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.csv.cells import TEXT
from ddbio.formats.csv.header import DELIMITER_NAMES, Head, read_head
from ddbio.formats.declaration import COLUMN_OPTIONS, Beginning, Column, Declaration, Found, Known, Remark, named
from ddbio.formats.encoding import check_encoding
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import CsvOptions

NAME = "csv"


class CsvColumns:
    need_types = False

    def loses(self, listed: bool) -> str:
        where = " (the manifest has them)" if listed else ""
        return f"CSV is text, without types{where}; an empty cell may be an empty string, a null, or no attribute"

    def type_of(self, letters: set[str]) -> str:
        """JSON text takes values of several types, and columns that have only nulls."""
        return next(iter(letters)) if len(letters) == 1 else "JSON"

    def spec(self, columns: Sequence[Column], numbers: str) -> FormatSpec:
        names, letters = tuple(name for name, _ in columns), tuple(letter for _, letter in columns)
        return FormatSpec(NAME, CsvLayout(names, letters))


class CsvDeclaration(Declaration):
    name, label = NAME, "CSV"
    suffixes = folder_suffixes = (".csv", ".tsv")
    import_options = COLUMN_OPTIONS | {
        *("--delimiter", "--csv-types", "--infer-types", "--empty", "--csv-null", "--csv-escape", "--keep-blanks")
    }
    export_options = COLUMN_OPTIONS
    columns = CsvColumns()

    def open(self, settings: Any) -> Csv:
        return Csv(settings)

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        while b"\n" not in head.text and not (head.is_whole or head.is_long):
            head.grow()
        check_encoding(head.text, head.file.uri)
        if why is None:
            try:
                read_layout(head.file, head.text, known)
            except UsageError:
                return None
            why = f'as the first row of "{head.name}" has the keys of the table'
        if head.is_blank:
            return Found(FormatSpec(NAME, CsvLayout()), start=len(head.text))
        layout, start, trimmed = read_layout(head.file, head.text, known)
        separated = DELIMITER_NAMES.get(layout.delimiter, repr(layout.delimiter))
        return Found(
            FormatSpec(NAME, layout),
            f"{len(layout.columns)} columns between {separated}, {why}",
            start,
            head.text[:start].count(layout.line_end.encode()),
            remarks=tuple(_remarks(head.name, layout, trimmed, known)),
        )

    def check(self, found: Sequence[FormatSpec], known: Known) -> None:
        records = [record_format(each) for each in found]
        of_csv = [each for each, record in zip(found, records, strict=True) if record.name == NAME]
        if known.csv.types and known.csv.columns is None and of_csv and all(each.name != NAME for each in of_csv):
            raise UsageError(
                "--csv-types has no effect on rejected rows: each line of a rejects file has the types of its import",
                "omit it; to change types, import the source again",
            )
        if found and known.csv != CsvOptions() and not any(each.name == NAME for each in records):
            raise UsageError("the options of CSV have no effect: no source is CSV", "omit them, or add --format csv")
        columns = {name for each in found for name in getattr(each.settings, "columns", ())}
        if not columns and all(each.name == NAME for each in found):
            return  # files without anything in them
        columns |= set(map(known.changes.attribute, columns))
        unknown = [name for name, _ in known.csv.types if name not in columns]
        if unknown:
            raise UsageError(
                f"--csv-types names {unknown[0]!r}, and no file has such a column",
                f"the columns are {named(sorted(columns))}",
            )


def read_layout(file: SourceFile, text: bytes, known: Known) -> Head:
    """The layout of a file that begins with `text`. Raises UsageError if it is not CSV of this table."""
    options, listed = known.csv, known.types_of(file)
    if listed:  # the user's types come after them, and win
        options = replace(options, types=(*listed, *options.types), keep_blanks=True)
    return read_head(text, file.uri, options, known.keys, known.key_types, known.changes)


_MOST_NAMED = 5


def _remarks(file: str, layout: CsvLayout, trimmed: str | None, known: Known) -> Iterator[Remark]:
    if trimmed is not None:
        yield _trimmed_remark(file, trimmed)
    declared = {name for name, _ in known.csv.types}
    names = [
        name
        for name, letter in zip(layout.columns, layout.types, strict=True)
        if letter == TEXT and not declared & {name, known.changes.attribute(name)} and name not in layout.never_empty
    ]
    if names:
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        said = (
            f"Columns that are imported as text, as they have no type: {', '.join(names[:_MOST_NAMED])}{more} "
            f"(--csv-types {names[0]}:N gives one a type, --infer-types makes cells that look like numbers numbers)"
        )
        yield Remark(said, lambda _: said)


def _trimmed_remark(file: str, name: str) -> Remark:
    def say(more: str) -> str:
        files = f"{file} and of {more}" if more else file
        return (
            f"Blanks around names in the header of {files} were trimmed, such as those of '{name}' "
            "(--keep-blanks leaves them)"
        )

    return Remark("blanks in headers", say)


CSV = CsvDeclaration()
