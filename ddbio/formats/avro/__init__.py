"""`avro`: object container files, through fastavro (the extra `avro`). https://avro.apache.org/docs/1.12.0/specification/

Out, a column has one type, known beforehand, as in Parquet; the type that DynamoDB has, and a name that Avro does not
allow, are properties of the column's field, so that our own files come back as they were.

In, a file is cut at any byte: a unit has the blocks that begin in it, the first of which is found by the sync marker
before it. Its records become objects of the json format; each record that cannot be stored is rejected by itself.

declaration  how files are detected, columns
container    the header and the blocks of a file, read and written
codecs       how blocks are compressed
schema       the reader's schema for fastavro, so that values come out as the json format has them
values       how values of each type are read
reading      blocks to rows
writing      items to blocks
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from ddbio.errors import UsageError
from ddbio.formats import Rows
from ddbio.formats.json_lines import JsonObjects

NAME_KEY, TYPE_KEY = "ddbio.name", "ddbio.type"  # in a field: the attribute's name, and its type


@dataclass(frozen=True, slots=True)
class AvroLayout:
    """columns: name and type of each, of an export. numbers: `string` or `decimal`.

    schema, codec, sync: from the header of a file to import. key_types: the table's types of its keys, by their names
    in the file.
    """

    columns: tuple[tuple[str, str], ...] = ()
    numbers: str = "string"
    schema: str = ""
    codec: str = "null"
    sync: bytes = b""
    key_types: tuple[tuple[str, str], ...] = ()


class Avro(JsonObjects):
    suffix = ".avro"
    cut_anywhere = True

    def __init__(self, layout: AvroLayout | None = None) -> None:
        super().__init__()
        check_installed()
        self._layout = layout or AvroLayout()

    def new_encoder(self) -> Any:
        """A file of an export. See `AvroWriter`."""
        from ddbio.formats.avro.writing import AvroWriter

        return AvroWriter(self._layout)

    def rows_of_part(self, file: BinaryIO, start: int, stop: int, skip: int) -> Iterator[Rows]:
        """The records of the blocks that begin in bytes [start, stop)."""
        from ddbio.formats.avro.reading import rows_of_blocks

        return rows_of_blocks(file, start, stop, skip, self._layout)


def check_installed(file: str = "") -> None:
    """Raises UsageError if fastavro is missing. file: the name of one to be read; otherwise one is written."""
    try:
        import fastavro  # noqa: F401
    except ImportError:
        needing = f'"{file}" is an Avro file, which' if file else "Avro"
        other = "" if file else ", or use json"
        raise UsageError(
            f"{needing} needs the package fastavro, which is not installed", f"pip install 'ddbio[avro]'{other}"
        ) from None
