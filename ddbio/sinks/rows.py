"""The records of a table as rows that a format renders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from ddbio.errors import PermanentError
from ddbio.formats import Format
from ddbio.messages import Tally
from ddbio.steps.records import Record, Records
from ddbio.values.items import Addressed, AttributeMap, UnknownTypeError

_BEGINNING_CHARACTERS = 100


def taken_rows(records: Records, format: Format, tally: Tally, where: str) -> list[Any]:
    """All records as rows of the format. where: their source, for messages.

    Raises PermanentError for a record that cannot be an item: an export has no rejects, so it would be lost.
    """
    rows = records.rows()
    return rows if rows is not None else made_rows(records, format.page_items, tally, where)


@contextmanager
def known_types(where: str) -> Iterator[None]:
    """Raises PermanentError if an item has a value of an unknown type."""
    try:
        yield
    except UnknownTypeError as error:
        message = f"{where}: the service sent {error}"
        raise PermanentError(message, "check --endpoint-url; a newer ddbio may know the type") from None


def made_rows(records: Records, row_type: Any, tally: Tally, where: str) -> list[Any]:
    """The rows of transformed records, in the form that the format renders."""
    made: list[AttributeMap] = []
    for record in records.each():
        if record.error is not None:
            raise PermanentError(
                f"{where}: the transform of {_beginning(record)} failed: {record.error}",
                "fix the transform and export again",
            )
        if any(type(each) is Addressed for each in record.items):
            raise PermanentError(
                f"{where}: the transform sends {_beginning(record)} to a table", "return the item alone"
            )
        tally.added += max(0, len(record.items) - 1)
        tally.dropped += not record.items
        made += record.items
    rows: list[Any] = msgspec.json.decode(msgspec.json.encode(made), type=row_type)
    return rows


def _beginning(record: Record) -> str:
    text = record.text.decode()
    return text if len(text) <= _BEGINNING_CHARACTERS else f"{text[: _BEGINNING_CHARACTERS - 3]}..."
