"""Blocks of a file to rows: objects of json."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

import fastavro
import msgspec

from ddbio.formats import Rows
from ddbio.formats.avro import AvroLayout
from ddbio.formats.avro.codecs import unpacker
from ddbio.formats.avro.container import Block, DamagedError, blocks, damaged
from ddbio.formats.avro.schema import ItemSchema, item_schema
from ddbio.formats.avro.values import number

MOST_ROWS = 1000  # in memory as values at once
_ENCODER = msgspec.json.Encoder()
# fastavro raises these for bytes that are not of the schema.
_DECODE_ERRORS = (ValueError, EOFError, IndexError, KeyError, TypeError, ArithmeticError, RecursionError)
_RAW = re.compile('"\ue000(.*?)\ue001"')

compiled_schema = lru_cache(maxsize=64)(item_schema)


def rows_of_blocks(file: BinaryIO, start: int, stop: int, skip: int, layout: AvroLayout) -> Iterator[Rows]:
    """The records from the number `skip` on: blocks that end before it are not decompressed.

    Raises PermanentError for a damaged file, after the records before the damage.
    """
    schema, unpack = compiled_schema(layout.schema), unpacker(layout.codec)
    decoder = _Decoder(schema, dict(layout.key_types))
    try:
        for block in blocks(file, layout.sync, start, stop):
            if skip >= block.records:
                skip -= block.records
                continue
            for texts in decoder.texts(block, _unpacked(block, unpack)):
                if len(texts) > skip:
                    yield Rows(block.offset, texts[skip:])
                skip = max(0, skip - len(texts))
    except DamagedError as error:
        raise damaged(getattr(file, "name", "the file"), error) from None


def _unpacked(block: Block, unpack: Any) -> bytes:
    try:
        data: bytes = unpack(block.data)
    except DamagedError as error:
        raise DamagedError(f"the block at byte {block.offset:,} is damaged: {error}") from None
    return data


class _Decoder:
    """Decodes records of one schema."""

    def __init__(self, schema: ItemSchema, key_types: dict[str, str]) -> None:
        self._parsed = schema.parsed
        self._renamed = {old: new for old, new in (schema.names or {}).items() if old != new}
        self._key_types = key_types

    def texts(self, block: Block, data: bytes) -> Iterator[list[bytes]]:
        file, read, parsed = io.BytesIO(data), fastavro.schemaless_reader, self._parsed
        left = block.records
        if left > len(data) + 1:  # no record without bytes is an item
            raise self._damaged(block, f"it says that it has {left:,} records in {len(data):,} bytes")
        while left:
            rows, error = [], None
            try:
                for _ in range(min(left, MOST_ROWS)):
                    rows.append(read(file, parsed, None, handle_unicode_errors="surrogateescape"))
            except _DECODE_ERRORS as raised:
                error = raised
            if rows:
                yield [_text_of(self._item(row)) for row in rows]
            if error is not None:
                raise self._damaged(block, f"record {block.records - left + len(rows) + 1:,} of it is none")
            left -= len(rows)
        if file.tell() != len(data):
            raise self._damaged(block, "it has more bytes than its records")

    def _damaged(self, block: Block, what: str) -> DamagedError:
        return DamagedError(f"the block at byte {block.offset:,} is damaged: {what}")

    def _item(self, row: Any) -> Any:
        if type(row) is not dict:
            return row  # a branch of a union that is no item: it is rejected
        item = {name: value for name, value in row.items() if value is not None}
        for name, letter in self._key_types.items():
            if name in item:
                item[name] = _as_key(item[name], letter)
        for old, new in self._renamed.items():
            if old in item:
                item[new] = item.pop(old)
        return item


def _as_key(value: Any, letter: str) -> Any:
    """A number that is text in the table, or text that is a number there."""
    if letter == "S" and type(value) is int:
        return str(value)
    if letter == "S" and type(value) is msgspec.Raw:
        return bytes(value).decode()
    return number(value) if letter == "N" and type(value) is str else value


def _text_of(row: Any) -> bytes:
    """Text that is not UTF-8 stays bytes, so that its record is rejected."""
    try:
        return _ENCODER.encode(row)
    except UnicodeEncodeError:
        text = json.dumps(row, ensure_ascii=False, default=lambda value: f"\ue000{bytes(value).decode()}\ue001")
        return _RAW.sub(r"\1", text).encode(errors="surrogateescape")
