"""`avro`: how its files are detected, and the columns of an export to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbio.errors import UsageError
from ddbio.formats.avro import Avro, AvroLayout, check_installed
from ddbio.formats.avro.container import MAGIC, DamagedError, damaged, read_header
from ddbio.formats.declaration import COLUMN_OPTIONS, Beginning, Column, Declaration, Found, Known, named
from ddbio.formats.foreign import check_stored
from ddbio.formats.typed_columns import TypedColumns
from ddbio.messages.format_spec import FormatSpec

NAME = "avro"


class AvroColumns(TypedColumns):
    def spec(self, columns: Sequence[Column], numbers: str) -> FormatSpec:
        return FormatSpec(NAME, AvroLayout(tuple(columns), numbers))


class AvroDeclaration(Declaration):
    name, label = NAME, "Avro"
    suffixes = folder_suffixes = (".avro",)
    signature = MAGIC
    compressed_inside = whole_files = True
    export_options = COLUMN_OPTIONS | {"--numbers"}
    columns = AvroColumns("Avro")

    def open(self, settings: Any) -> Avro:
        return Avro(settings)

    def check_installed(self) -> None:
        check_installed()

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        check_installed(head.name)
        from ddbio.formats.avro.codecs import unpacker
        from ddbio.formats.avro.schema import item_schema

        uri = head.file.uri
        try:
            header = read_header(head.open())
            names = item_schema(header.schema).names
        except DamagedError as error:
            check_stored(head, self.signature)
            wrong = damaged(uri, error)
            raise UsageError(wrong.message, wrong.hint) from None
        unpacker(header.codec)  # it may not be installed
        if names is not None and (missing := known.changes.missing(known.keys, list(names.values()))):
            raise UsageError(
                f'"{uri}" has no field {missing[0]!r}, a key of the table', f"it has {named(list(names.values()))}"
            )
        in_file = {name: field for field, name in (names or {}).items()}
        key_types = known.changes.of_source(known.key_types).items()
        layout = AvroLayout(
            schema=header.schema,
            codec=header.codec,
            sync=header.sync,
            key_types=tuple((in_file.get(name, name), letter) for name, letter in key_types),
        )
        is_empty = header.size_bytes >= head.file.size_bytes
        return Found(
            FormatSpec(NAME, layout),
            why or f'as "{head.name}" begins with Obj',
            header.size_bytes,
            cuts=() if is_empty else None,
        )


AVRO = AvroDeclaration()
