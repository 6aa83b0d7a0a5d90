"""`parquet`: how its files are detected and cut, and the columns of an export to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbio.errors import TransferError, UsageError
from ddbio.formats.declaration import COLUMN_OPTIONS, Beginning, Column, Declaration, Found, Known, named
from ddbio.formats.foreign import check_stored
from ddbio.formats.parquet import Parquet, ParquetLayout, check_installed
from ddbio.formats.typed_columns import TypedColumns
from ddbio.messages.format_spec import FormatSpec

NAME = "parquet"


class ParquetColumns(TypedColumns):
    def spec(self, columns: Sequence[Column], numbers: str) -> FormatSpec:
        return FormatSpec(NAME, ParquetLayout(tuple(columns), numbers))


class ParquetDeclaration(Declaration):
    name, label = NAME, "Parquet"
    suffixes = folder_suffixes = (".parquet",)
    signature = b"PAR1"
    compressed_inside = whole_files = True
    export_options = COLUMN_OPTIONS | {"--numbers"}
    columns = ParquetColumns("Parquet")

    def open(self, settings: Any) -> Parquet:
        return Parquet(settings)

    def check_installed(self) -> None:
        check_installed()

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        """A row group is a slice."""
        check_installed(head.name)
        from ddbio.formats.parquet.reading import row_groups

        layout = ParquetLayout(key_types=tuple(known.changes.of_source(known.key_types).items()))
        try:
            columns, cuts = row_groups(head.open(), head.file.uri)
        except TransferError as error:
            check_stored(head, self.signature)
            raise UsageError(error.message, error.hint) from None
        if missing := known.changes.missing(known.keys, columns):
            raise UsageError(
                f'"{head.file.uri}" has no column {missing[0]!r}, a key of the table', f"it has {named(columns)}"
            )
        return Found(FormatSpec(NAME, layout), why or f'as "{head.name}" begins with PAR1', cuts=tuple(cuts))


PARQUET = ParquetDeclaration()
