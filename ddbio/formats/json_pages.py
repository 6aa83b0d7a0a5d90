"""Pages of a table to lines of json, by the schema that their items have (`ddbio.values.row_schema`).

A page is first tried as rows, structs made for the schema. If it does not fit, it is decoded as any items are, and
the schema learns from it.

The attributes of a line are in the order of their names, so that it does not depend on earlier pages.

The native core, if it is there, makes lines of a whole answer without decoding it (`ddbio.native`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, overload

import msgspec
import orjson
from msgspec import UNSET

from ddbio.native import PageRenderer
from ddbio.values.items import AttributeValue, json_number, plain_value, to_plain
from ddbio.values.row_schema import ANY, LearnedSchema, field_name, line_type, row_type

_encode_lines = msgspec.json.Encoder().encode_lines  # a page at once: a call for each item costs four times as much

Item = dict[str, AttributeValue]
Row = msgspec.Struct


def _map(value: dict[str, AttributeValue]) -> Any:
    return plain_value(AttributeValue(M=value))


def _list(value: list[AttributeValue]) -> list[Any]:
    return [plain_value(element) for element in value]


# By the type of a column that has only one: how its values are decoded, and how they become plain JSON.
_DECODED: dict[str, Any] = {
    "S": str,
    "N": str,
    "BOOL": bool,
    "M": dict[str, AttributeValue],
    "L": list[AttributeValue],
}
_PLAIN: dict[str, Callable[[Any], Any]] = {"N": json_number, "M": _map, "L": _list, ANY: plain_value}
_VALUES = {
    letter: msgspec.defstruct(f"Value{letter}", [(letter, decoded)], gc=False) for letter, decoded in _DECODED.items()
}


# orjson writes texts ten times as fast as msgspec, but takes an item at a time, and a microsecond more for each.
_LONG_TEXT_CHARACTERS = 1024  # on average; from here on that is worth it


def _encode_long(items: Iterable[dict[str, Any]]) -> bytes:
    return b"".join([orjson.dumps(item, default=_fragment, option=orjson.OPT_APPEND_NEWLINE) for item in items])


def _fragment(value: Any) -> orjson.Fragment:
    return orjson.Fragment(bytes(value))  # a msgspec.Raw: the digits of a number


class RenderedPage(Sequence[bytes]):
    """The lines of a page, in place of its items. count: of the lines."""

    def __init__(self, lines: bytes, count: int) -> None:
        self.lines = lines
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> RenderedPage: ...
    def __getitem__(self, place: int | slice) -> bytes | RenderedPage:
        if isinstance(place, slice) and place.indices(self._count) == (0, self._count, 1):
            return self
        chosen = self.lines.splitlines(keepends=True)[place]
        return chosen if isinstance(chosen, bytes) else RenderedPage(b"".join(chosen), len(chosen))

    def near(self, place: int) -> bytes:
        """A line for a sample, found without splitting the page: the first that begins after the same share of the
        bytes as the place is of the lines. So a long line is not more likely than a short one."""
        begin = self.lines.find(b"\n", len(self.lines) * place // self._count) + 1
        begin = begin if begin < len(self.lines) else 0
        return self.lines[begin : self.lines.find(b"\n", begin) + 1]


class JsonPages:
    """The schema of a table's items, as learned by the lanes of a worker.

    page_items: the type to which msgspec should decode the `Items` of a page; None while there is none for them.
    lines_of: `native.page_renderer`, if there is one.
    """

    def __init__(self, lines_of: PageRenderer | None = None) -> None:
        self._schema = LearnedSchema()
        self._long_texts = False
        self._rows: dict[type[Row], _Rows] = {}  # a lane may still hold rows of a schema that has grown since
        self.page_items: Any = None
        self._lines_of = lines_of

    def rendered(self, answer: bytes | memoryview) -> tuple[bytes, RenderedPage] | None:
        """See `PageSchema`."""
        made = self._lines_of(bytes(answer)) if self._lines_of is not None else None
        if made is None:
            return None
        rest, lines, count = made
        return rest, RenderedPage(lines, count)

    def learn(self, items: list[Item]) -> bool:
        """Learn from items that did not fit. Returns whether `page_items` changed."""
        if not self._schema.usable and self._schema.letters:
            return False
        if not self._schema.learn({name: _letter(value) for name, value in item.items()} for item in items):
            return False
        texts = [len(value.S) for item in items for value in item.values() if value.S is not None]
        self._long_texts = sum(texts) > _LONG_TEXT_CHARACTERS * len(texts)
        self.page_items = None
        if self._schema.usable:
            rows = _Rows(self._schema)
            self._rows[rows.type] = rows
            self.page_items = list[rows.type]  # type: ignore[name-defined]
        return True

    def render(self, items: list[Any] | RenderedPage) -> bytes:
        """Items, rows of the present or an earlier `page_items`, or lines that are rendered already."""
        if isinstance(items, RenderedPage):
            return items.lines
        rows = self._rows.get(type(items[0])) if items else None
        if rows is not None:
            return _encode_long(rows.items(items)) if self._long_texts else _encode_lines(list(rows.lines(items)))
        plain = [to_plain(dict(sorted(item.items()))) for item in items]
        return _encode_long(plain) if self._long_texts else _encode_lines(plain)


class _Rows:
    """The decoder and the encoder for items of a schema."""

    def __init__(self, schema: LearnedSchema) -> None:
        self._names = names = schema.names()
        letters = [schema.letters[name] for name in names]
        self.type = row_type(names, [_VALUES.get(letter, AttributeValue) for letter in letters], schema.optional)
        self._new_line = line_type(names)
        self._columns = [
            _column(number, letter, name in schema.optional)
            for number, (name, letter) in enumerate(zip(names, letters, strict=True))
        ]

    def lines(self, rows: list[Row]) -> Iterator[Row]:
        """Plain items as structs."""
        return map(self._new_line, *[column(rows) for column in self._columns])

    def items(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """Plain items as dicts."""
        for values in zip(*[column(rows) for column in self._columns], strict=True):
            named = zip(self._names, values, strict=True)
            yield {name: value for name, value in named if value is not UNSET}


def _column(number: int, letter: str, optional: bool) -> Callable[[list[Row]], Iterable[Any]]:
    """A function that gives the plain values of an attribute, row by row; UNSET, which is not written, for none."""
    name, plain = field_name(number), _PLAIN.get(letter)
    if optional:
        value_of, inner = attrgetter(name), attrgetter(letter) if letter else _itself
        convert = plain or _itself
        return lambda rows: [UNSET if (each := value_of(row)) is UNSET else convert(inner(each)) for row in rows]
    get = attrgetter(f"{name}.{letter}" if letter else name)
    return (lambda rows: map(get, rows)) if plain is None else (lambda rows: map(plain, map(get, rows)))


def _itself(value: Any) -> Any:
    return value


def _letter(value: AttributeValue) -> str:
    return next((letter for letter in _DECODED if getattr(value, letter) is not None), ANY)
