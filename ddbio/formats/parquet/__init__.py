"""`parquet`: columns instead of records, through pyarrow (the extra `parquet`).

Out, a column has one type, known beforehand; values without a type in Parquet (maps, lists, columns of several types)
are JSON text. Each column's metadata has its DynamoDB type, so that our own files come back unchanged.

In, a row group is a unit. Its rows become objects of the json format; each row that cannot be stored is rejected by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from ddbio.errors import UsageError
from ddbio.formats import Rows
from ddbio.formats.json_lines import JsonObjects

TYPE_KEY = b"ddbio.type"  # in the metadata of a column


@dataclass(frozen=True, slots=True)
class ParquetLayout:
    """columns: name and type of each, of an export. numbers: `string` or `decimal`.
    key_types: the table's types of its keys, for an import."""

    columns: tuple[tuple[str, str], ...] = ()
    numbers: str = "string"
    key_types: tuple[tuple[str, str], ...] = ()


class Parquet(JsonObjects):
    suffix = ".parquet"
    cut_anywhere = False

    def __init__(self, layout: ParquetLayout | None = None) -> None:
        super().__init__()
        check_installed()
        self._layout = layout or ParquetLayout()

    def new_encoder(self) -> Any:
        """A file of an export. See `ColumnsWriter`."""
        from ddbio.formats.parquet.writing import ColumnsWriter

        return ColumnsWriter(self._layout)

    def rows_of_part(self, file: BinaryIO, start: int, stop: int, skip: int) -> Iterator[Rows]:
        """The rows of the row group that begins at byte `start`."""
        from ddbio.formats.parquet.reading import rows_of_row_group

        return rows_of_row_group(file, start, stop, skip, dict(self._layout.key_types))


def check_installed(file: str = "") -> None:
    """Raises UsageError if pyarrow is missing. file: the name of one to be read; otherwise one is written."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        needing = f'"{file}" is a Parquet file, which' if file else "Parquet"
        other = "" if file else ", or use json"
        raise UsageError(
            f"{needing} needs the package pyarrow, which is not installed", f"pip install 'ddbio[parquet]'{other}"
        ) from None
