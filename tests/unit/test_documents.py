"""JSON that is not one object a line: exactly its records are found, in pieces of any size, and never a part of one.

Every nested object of the documents that are made here has the name `inner`, and no record has.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.documents import DocumentLayout, Scanner, scanner
from ddbio.formats.documents.detect import detect
from ddbio.messages import Reject
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.document_blocks import DocumentBlocks
from ddbio.sources.record_places import PlaceIndex
from ddbio.values.items import Deletion
from tests.support.effort import examples

MARK = b"\xef\xbb\xbf"
OBJECTS, PAGES = DocumentLayout(), DocumentLayout("pages")
REQUESTS = DocumentLayout("requests", ("Orders",))


class Found(NamedTuple):
    """A record as the scanner gives it. bytes: how long it is in the file."""

    text: bytes
    offset: int
    line: int
    fault: str
    bytes: int


def found(data: bytes, layout: DocumentLayout = OBJECTS, piece_bytes: int = 1 << 18) -> list[Found]:
    finder = Scanner(layout)

    def scanned() -> Iterator[Found]:
        pieces = [finder.feed(data[at : at + piece_bytes]) for at in range(0, len(data), piece_bytes)]
        for records in (records for piece in [*pieces, finder.finish()] for records in piece):
            for number, text in enumerate(records.texts):
                fault = records.faults.get(number)
                size = len(text) + records.left_out
                yield Found(text, records.offsets[number], records.lines[number], fault.code if fault else "", size)

    return list(scanned())


# --------------------------------------------------------------------------- documents of all kinds

TEXTS = st.sampled_from(["", "x", '"', "\\", '\\"', "}", "]}", "},\n{", '{"inner":1}', "[", "é", "\t", ",", ":"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 99), TEXTS)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXTS, inner, max_size=2).map(lambda members: {"inner": 1, **members}),
    ),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[Any], bytes, DocumentLayout]:
    """(records, the file, its layout)."""
    bodies = draw(st.lists(st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3), max_size=6))
    records = [{"id": f"{number}", **body} for number, body in enumerate(bodies)]
    indent = draw(st.sampled_from([None, None, 0, 2]))

    def text(value: Any) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans()))

    cuts = sorted(draw(st.lists(st.integers(0, len(records)), max_size=2)))
    groups = [records[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    blank = draw(st.sampled_from(["", " ", "\n", "\r\n", "\n\ufeff", " \n\n "]))
    kind = draw(st.sampled_from(["objects", "arrays", "mixed", "pages", "array of pages", "requests"]))
    if kind == "objects":
        return records, blank.join(map(text, records)).encode(), OBJECTS
    if kind in ("arrays", "mixed"):
        parts = [text(group) if kind == "arrays" or number % 2 else blank.join(map(text, group))
                 for number, group in enumerate(groups)]  # fmt: skip
        return records, blank.join([blank, *parts, blank]).encode(), OBJECTS
    if kind == "requests":
        records = [{"PutRequest": {"Item": {"inner": 1, **record}}} for record in records]
        groups = [records[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(records)], strict=True)]
        groups = [group for group in groups if group]  # DynamoDB takes no empty list
        wrapped = [{"RequestItems": {"Orders": group}} if draw(st.booleans()) else {"Orders": group}
                   for group in groups]  # fmt: skip
        return records, blank.join(map(text, wrapped)).encode(), REQUESTS
    pages = [draw(st.permutations([("Items", group), ("Count", len(group)), ("LastEvaluatedKey", {"inner": {}})]))
             for group in groups]  # fmt: skip
    if kind == "pages":
        return records, blank.join(text(dict(page)) for page in pages).encode(), PAGES
    return records, text([dict(page) for page in pages]).encode(), PAGES


def oracle(data: bytes, record: Found) -> Any:
    """What Python's own parser reads where the record stands."""
    return json.JSONDecoder().raw_decode(data[record.offset :].decode())[0]


@settings(max_examples=examples(60), deadline=None)
@given(documents(), st.integers(1, 40), st.booleans())
def test_exactly_the_records_are_found(
    document: tuple[list[Any], bytes, DocumentLayout], piece_bytes: int, mark: bool
) -> None:
    records, data, layout = document
    data = MARK * mark + data
    all_found = found(data, layout, piece_bytes)
    assert [json.loads(each.text) for each in all_found] == records
    assert [oracle(data, each) for each in all_found] == records
    for each in all_found:
        assert each.fault == ""
        assert data[each.offset :].startswith(each.text)
        assert each.line == data.count(b"\n", 0, each.offset)
    assert found(data, layout) == all_found


@settings(max_examples=examples(60), deadline=None)
@given(documents(), st.integers(1, 40), st.randoms(use_true_random=False))
def test_of_what_is_damaged_no_part_is_a_record_and_nothing_is_silently_lost(
    document: tuple[list[Any], bytes, DocumentLayout], piece_bytes: int, random: random.Random
) -> None:
    records, data, layout = document
    cut = random.random() < 0.3
    data = data[: random.randint(0, len(data))] if cut else damaged(data, random)
    all_found = found(data, layout, piece_bytes)
    good = [value for each in all_found if (value := parsed(each)) is not None]
    assert not any("inner" in value for value in good)
    if len(good) < len(all_found):
        return
    # Nothing is said to be missing: it ends between two values at the top level, or no record needs what is missing.
    assert good == records[: len(good)] if cut else len(good) == len(records)


def damaged(data: bytes, random: random.Random) -> bytes:
    """A file that lacks a quote or a closing bracket, or has a word where a number was."""
    places = [at for at, byte in enumerate(data) if byte in b'"]}' or chr(byte).isdigit()]
    if not places:
        return data
    at = random.choice(places)
    return data[:at] + (b"nope" if chr(data[at]).isdigit() else b"") + data[at + 1 :]


def parsed(record: Found) -> dict[str, Any] | None:
    try:
        value = json.loads(record.text)
    except ValueError:
        return None
    return value if type(value) is dict and not record.fault else None


@settings(max_examples=examples(60), deadline=None)
@given(documents(), st.booleans())
def test_what_a_file_is_said_to_be_finds_the_records(
    document: tuple[list[Any], bytes, DocumentLayout], mark: bool
) -> None:
    """Whether the file has one object a line by chance or not."""
    records, data, _ = document
    if not records:
        return
    detected = detect(MARK * mark + data, ["id"], ["Orders"], whole=True, long=False)
    assert detected is not None
    if detected.layout is not None:
        assert [json.loads(each.text) for each in found(data, detected.layout)] == records
    else:
        lines = [line.strip(b" \t\r\xef\xbb\xbf") for line in data.split(b"\n")]
        assert [json.loads(line) for line in lines if line] == records


# --------------------------------------------------------------------------- one by one


@pytest.mark.parametrize(
    ("data", "layout", "records"),
    [
        (b'[1,null,"x",[{"inner":1}],{"a":1}]', OBJECTS, ["1", "null", '"x"', '[{"inner":1}]', '{"a":1}']),
        (b'[{"a":nope},{"b":1}]', OBJECTS, ['{"a":nope}', '{"b":1}']),
        (b'[{"a":1} {"b":1},,\n{"c":1},]', OBJECTS, ['{"a":1}', '{"b":1}', '{"c":1}']),
        (b'[{"a":1}] junk\n{"b":1}', OBJECTS, ['{"a":1}', "junk", '{"b":1}']),
        (b'[{"a":1}]]{"b":1}}', OBJECTS, ['{"a":1}', ']{"b":1}} bad-json']),
        (b'[{"a":[1},{"b":1}]', OBJECTS, ['{"a":[1},{"b":1}] bad-json']),
        (b'[{"a":{"inner":1},{"b":1}]{"c":1}', OBJECTS, ['{"a":{"inner":1},{"b":1}]{"c":1} bad-json']),
        (b'[{"a":[1},{"b":1}]\n{"c":1}', OBJECTS, ['{"a":[1},{"b":1}] bad-json', '{"c":1}']),
        (b'[{"a":1},"c":{"inner":1},{"b":1}]', OBJECTS, ['{"a":1}', '"c":{"inner":1},{"b":1}] bad-json']),
        (b'{"a":1}\n{"b":"\n{"c":1}\n{"d":1}', OBJECTS, ['{"a":1}', '{"b":"\n{"c":1}', '{"d":1}']),
        (b'[{"a":1},{"b":', OBJECTS, ['{"a":1}', '{"b": truncated']),
        (b'[{"a":1},', OBJECTS, ['{"a":1}', "[ truncated"]),
        (b'{"Items":[{"a":1}],"Count":1', PAGES, ['{"a":1}', "{ truncated"]),
        (b'{"Items":[{"a":1}],"Count":1}{"Items":[{"b"', PAGES, ['{"a":1}', '{"b" truncated']),
        (b'{"Items":[{"a":1}],"x":{"inner":1}}', PAGES, ['{"a":1}', '"x":{"inner":1} bad-page']),
        (b'{"x":"y","Items":[{"inner":1}]}', PAGES, ['"x":"y","Items":[{"inner":1}] bad-page']),
        (b'{"Items":{"inner":1},"Count":1}', PAGES, ['"Items":{"inner":1},"Count":1 bad-page']),
        (b'{"Count":1}', PAGES, []),
        (b'{"Items":[3, {"a":1}]} 4', PAGES, ["3", '{"a":1}', "4"]),
        (b'{"Orders":[{"a":1}],"T":[{"b":1}]}', REQUESTS, ['{"a":1}', '"T":[{"b":1}] other-table']),
        (b'{"UnprocessedItems":{"Orders":[{"a":1}]},"ConsumedCapacity":[{"inner":1}]}', REQUESTS, ['{"a":1}']),
        (b'{"a":1}' * 3, OBJECTS, ['{"a":1}'] * 3),
    ],
    ids=range(22),
)
def test_what_is_no_record_is_given_out_to_be_rejected(
    data: bytes, layout: DocumentLayout, records: list[str]
) -> None:
    for piece_bytes in (1, 2, 3, 7, 1000):
        all_found = found(data, layout, piece_bytes)
        assert [f"{each.text.decode()} {each.fault}".strip() for each in all_found] == records
        assert all(data[each.offset :].startswith(each.text) for each in all_found)


def test_nested_deeper_than_any_pattern() -> None:
    deep = {"id": "1", "a": {"inner": [{"inner": {"inner": [[{"inner": {"inner": "}]"}}]]}}]}}
    for text in (json.dumps([deep] * 3), json.dumps(deep) * 3, json.dumps({"Items": [deep] * 3})):
        layout = PAGES if "Items" in text else OBJECTS
        assert [json.loads(each.text) for each in found(text.encode(), layout, 50)] == [deep] * 3


def test_what_is_longer_than_any_record_is_not_held() -> None:
    longest = {"RECORD_LIMIT_BYTES": 4000, "HELD_BYTES": 2000, "KEPT_BYTES": 100}
    long = b'{"id":"%b","a":[\n1]}' % (b"\\\\\\n" * 5000)
    with mock.patch.multiple(scanner, **longest):
        for data in (b'[{"a":1},%b,{"b":1}]' % long, b'{"a":1}\n%b\n{"b":1}' % long):
            first, second, third = found(data, piece_bytes=500)
            assert (first.text, third.text, third.line - second.line) == (b'{"a":1}', b'{"b":1}', 1 + (data[0] != 91))
            assert (second.text, second.bytes) == (long[:100], len(long))
            assert data[second.offset :].startswith(long)
        finder, page = Scanner(PAGES), b'{"ConsumedCapacity":[%b' % (b'{"inner":1},' * 5000)
        for at in range(0, len(page), 500):
            assert list(finder.feed(page[at : at + 500])) == []
            assert len(finder._window.text) < 1000


# --------------------------------------------------------------------------- blocks


def test_a_block_has_a_record_a_line_and_knows_where_it_stands() -> None:
    data = b'[\r\n{"id":\r\n"a"},\n{"id": "b",\n\n"x": nope},{"id":"c"},\n'
    blocks = DocumentBlocks(OBJECTS)
    first, last = [*blocks.feed(data), *blocks.finish()]
    assert first.data == b'{"id":\r\r"a"}\n{"id": "b",\r\r"x": nope}\n{"id":"c"}\n'
    assert (first.offset, last.offset, last.data) == (0, len(first.data), b"[\n")
    index = PlaceIndex()
    for block in (first, last):
        assert block.places is not None
        index.add(block.places, 0)

    def placed(offset: int, record: bytes) -> tuple[Any, ...]:
        places = index.at(offset)
        assert places is not None
        reject = places.placed(Reject("a.json", offset, 0, 1, "bad-json", "no", record))
        return reject.offset, reject.line_in_file, reject.code, reject.record

    lines = (first.data + last.data).split(b"\n")
    assert placed(0, lines[0]) == (3, 2, "bad-json", b'{"id":\r\n"a"}')
    assert placed(13, lines[1]) == (data.index(b'{"id": "b"'), 4, "bad-json", b'{"id": "b",\r\n"x": nope}')
    assert placed(last.offset, lines[3]) == (0, 1, "truncated", b"[")


@given(documents(), st.integers(0, 6), st.integers(1, 40))
def test_blocks_go_on_after_any_record(
    document: tuple[list[Any], bytes, DocumentLayout], done: int, piece_bytes: int
) -> None:
    _, data, layout = document

    def blocks(after: int) -> bytes:
        blocks = DocumentBlocks(layout, after)
        pieces = [blocks.feed(data[at : at + piece_bytes]) for at in range(0, len(data), piece_bytes)]
        return b"".join(block.data for piece in [*pieces, blocks.finish()] for block in piece)

    lines = blocks(0).split(b"\n")[:-1]
    settled = sum(len(line) + 1 for line in lines[:done])
    assert blocks(settled) == b"".join(line + b"\n" for line in lines[done:])


def test_a_request_puts_or_deletes() -> None:
    parse = get_format(FormatSpec("write-requests")).parse
    assert parse(b'{"PutRequest":{"Item":{"id":{"S":"a"}}}}') == {"id": {"S": "a"}}
    deletion = parse(b'{"DeleteRequest":{"Key":{"id":{"S":"a"}}}}')
    assert (type(deletion), deletion) == (Deletion, {"id": {"S": "a"}})
    for record in (
        b"{}",
        b'{"PutRequest":{"Key":{}}}',
        b'{"PutRequest":{"Item":{}},"x":1}',
        b'{"Other":{"Item":{}}}',
    ):
        with pytest.raises(RecordError) as caught:
            parse(record)
        assert caught.value.code == "bad-request"


# --------------------------------------------------------------------------- a comma that is missing


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 18])
@pytest.mark.parametrize(
    ("layout", "is_array", "indent"),
    [(OBJECTS, True, 0), (OBJECTS, True, 2), (PAGES, False, 0), (PAGES, False, 2), (OBJECTS, False, 2)],
)
def test_a_missing_comma_inside_a_record_costs_that_record_and_gives_no_part_of_it_out(
    layout: DocumentLayout, is_array: bool, indent: int, piece_bytes: int
) -> None:
    inner = {"inner": [{"inner": 1}, "x", {"inner": 2}, {"inner": 3}]}
    records = [{"id": "0"}, {"id": "1", "a": [inner, inner, 5, inner]}, {"id": "2"}]
    if layout is PAGES:
        text = json.dumps({"Items": records, "Count": 3}, indent=indent)
    elif is_array:
        text = json.dumps(records, indent=indent)
    else:
        text = "\n".join(json.dumps(record, indent=indent) for record in records)
    first, last = text.index('"inner"'), text.rindex('"inner"')
    commas = [at for at in range(first, last) if text[at : at + 2] == ",\n"]
    assert len(commas) > 10
    for at in commas:
        data = (text[:at] + text[at + 1 :]).encode()
        assert [bool(_value(each.text)) for each in found(data, layout, piece_bytes)] == [True, False, True]


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 18])
def test_a_record_that_is_cut_off_ends_where_a_line_is_not_indented_deeper(piece_bytes: int) -> None:
    data = b'{"id": "0"}\n{"id": "1", "a": [\n  {"inner": 1}\n  {"inner": 2\n' + MARK + b'{"id": "2"}\n{"id": "3"}\n'
    good = [value for each in found(data, piece_bytes=piece_bytes) if (value := _value(each.text))]
    assert good == [{"id": "0"}, {"id": "3"}]


def _value(text: bytes) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return value
