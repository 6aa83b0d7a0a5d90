"""The schema that is learned from similar items: it makes them faster and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from ddbio.dynamodb.scan import ScanReply, scan_operation
from ddbio.errors import RecordError
from ddbio.formats import Format, get_format
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.csv.cells import INFER, READERS
from ddbio.formats.json_lines import JsonLines
from ddbio.formats.json_pages import JsonPages
from ddbio.messages.format_spec import FormatSpec
from ddbio.values.items import AttributeMap
from ddbio.values.row_schema import ANY, INTEGER, MOST_NAMES, LearnedSchema, RowBatch
from tests.support.strategies import ITEMS, same_item

# --------------------------------------------------------------------------- the schema


def test_a_schema_of_items_that_are_alike_stays_as_it_is() -> None:
    schema = LearnedSchema()
    assert schema.learn([{"id": "S", "n": "N"}])
    assert not schema.learn([{"n": "N", "id": "S"}] * 3)
    assert (schema.letters, schema.optional, schema.names()) == ({"id": "S", "n": "N"}, set(), ["id", "n"])


@pytest.mark.parametrize(
    ("item", "letters", "optional"),
    [
        ({"id": "S"}, {"id": "S", "n": "N"}, {"n"}),
        ({"id": "S", "n": "N", "x": "S"}, {"id": "S", "n": "N", "x": "S"}, {"x"}),
        ({"id": "S", "n": "S"}, {"id": "S", "n": ANY}, set()),
        ({}, {"id": "S", "n": "N"}, {"id", "n"}),
    ],
)
def test_a_schema_grows_until_an_item_fits(item: dict[str, str], letters: dict[str, str], optional: set[str]) -> None:
    schema = LearnedSchema()
    schema.learn([{"id": "S", "n": "N"}])
    assert schema.learn([item])
    assert (schema.letters, schema.optional) == (letters, optional)
    assert not schema.learn([item])


def test_a_name_that_came_late_is_optional_though_all_have_it_since() -> None:
    schema = LearnedSchema()
    schema.learn([{}])
    schema.learn([{"id": "S"}])
    assert schema.optional == {"id"}


def test_items_with_ever_new_names_have_no_schema() -> None:
    schema = LearnedSchema()
    assert schema.learn({str(number): "S"} for number in range(MOST_NAMES + 1))
    assert not schema.usable


# --------------------------------------------------------------------------- records to values

NAMES = st.sampled_from(["id", "at", "$x", "a b", "é", ""])
PLAIN = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([True, None, [1, "a"], {"a": 1}, {"$SS": ["a"]}, {"$SS": []}, {"$B": "AA=="}, {"$B": "%"}]),
)
RECORDS = st.lists(st.dictionaries(NAMES, PLAIN, max_size=4).map(lambda item: json.dumps(item).encode()))
BROKEN = st.sampled_from(
    [b"", b" ", b"{", b"[]", b"1", b'{"id":"a"},{"id":"b"}', b'{"id":"a"', b'"b":1}', b'{"id":1e999}']
)


def items_of(values: RowBatch) -> list[AttributeMap]:
    width = len(values.schema.names)
    rows = [values.cells[at : at + width] for at in range(0, len(values.cells), width)]
    assert values.missing or UNSET not in values.cells
    typed = {"S": lambda text: {"S": text}, "N": lambda text: {"N": text}, INTEGER: lambda each: {"N": str(each)}}
    return [
        {
            name: typed.get(kind, lambda value: value)(value)
            for name, kind, value in zip(values.schema.names, values.schema.kinds, row, strict=True)
            if value is not UNSET
        }
        for row in rows
    ]


def parsed(format: Format, records: Sequence[bytes]) -> list[AttributeMap] | None:
    """None where one of them is rejected or blank."""
    try:
        return [format.parse(record) for record in records]
    except RecordError:
        return None


def check_values(format: Any, records: Sequence[bytes]) -> bool:
    """The values are what `parse` says, or there are none. Whether there are."""
    values = format.values(records)
    if values is not None:
        assert items_of(values) == parsed(format, records)
    return values is not None


@given(
    st.lists(
        st.one_of(
            RECORDS, st.lists(st.one_of(BROKEN, RECORDS.flatmap(lambda some: st.sampled_from(some or [b"{}"]))))
        ),
        max_size=6,
    )
)
@example([[b'{"id":"a","at":1}'], [b'{"id":"b","at":1.50}'], [b'{"id":2}'], [b'{"at":-0}', b'{"id":1E3}']])
@example([[b'{"id":"a","at":[{"b":1}', b'{"c":2}]}', b'{"id":"b"},{"id":"c"}']])
@example([[b'{"id":"a'], [b'b"}', b'{"id":"\\ud800"}']])
def test_values_of_json_say_what_each_record_says(batches: list[list[bytes]]) -> None:
    format = JsonLines()
    for records in batches:
        if records:
            check_values(format, records)


def test_records_that_are_alike_have_values() -> None:
    format = JsonLines()
    assert check_values(format, [b'{"id":"a","n":1,"l":[1]}', b'{"n":22,"id":"b","l":null}'])
    assert check_values(format, [b'{"id":"a","n":1.5,"x":true}', b'{"id":"b"}'])
    values = format.values([b'{"id":"a","n":7}'])
    assert values is not None
    assert values.schema.kinds == ("S", ANY, ANY, ANY)
    assert not check_values(format, [b'{"id":"a"}', b"{}}"])


def test_records_with_ever_new_names_have_none() -> None:
    format = JsonLines()
    records = [b'{"%d":1}' % number for number in range(MOST_NAMES + 1)]
    assert not check_values(format, records)
    assert not check_values(format, [b'{"1":1}'])


CELLS = st.sampled_from(
    ["", "a", " ", "5", "007", "1.50", "-1", "1e3", "x" * 3, '"q"', '"a\nb"', '"', "true", "é", "[1]", "٣"]
)


@given(
    st.lists(st.sampled_from([*READERS]), min_size=1, max_size=3).flatmap(
        lambda types: st.tuples(
            st.just(tuple(types)),
            st.lists(st.lists(CELLS, min_size=len(types) - 1, max_size=len(types) + 1), min_size=1, max_size=4),
        )
    ),
    st.sampled_from([",", "\t"]),
    st.sampled_from(["drop", "null", "string"]),
    st.sampled_from([b"", b"\r", b"\xff"]),
    st.sampled_from(["", "a", "b"]),
)
@example((("S",), [[" "], ["a"]]), ",", "drop", b"", "")
@example((("S", "N"), [["a", "007"], ["b", ""]]), ",", "drop", b"", "")
@example((("S", INFER), [["a", "1.50"], ["b", "x"]]), ",", "drop", b"\r", "")
@example((("S", "S"), [["a", ""], ["", "b"]]), ",", "string", b"", "a")
@example((("S", "N"), [["a", ""], ["b", "1"]]), ",", "string", b"", "a")
def test_values_of_csv_say_what_each_record_says(
    given: tuple[tuple[str, ...], list[list[str]]], delimiter: str, empty: str, end: bytes, never_empty: str
) -> None:
    types, rows = given
    format = Csv(CsvLayout(tuple("abc"[: len(types)]), types, delimiter, empty, never_empty=tuple(never_empty)))
    block = b"".join(delimiter.join(row).encode() + end + b"\n" for row in rows)
    records = [record for record in format.split(block) if record.strip()]
    if records:
        check_values(format, records)


def test_rows_have_values() -> None:
    format = get_format(FormatSpec("csv", CsvLayout(("id", "n", "x"), ("S", "N", INFER))))
    assert check_values(format, [b"a,1,2", b'"b ""c""",2.50,x', b"c,,"])
    kept = get_format(FormatSpec("csv", CsvLayout(("id", "n", "x"), ("S", "N", "S"), empty="string")))
    assert check_values(kept, [b"a,1,2", b"b,,", b",,c"])


# --------------------------------------------------------------------------- pages to lines


def page(items: Sequence[AttributeMap]) -> bytes:
    return orjson.dumps({"Items": items, "Count": len(items)})


@given(st.lists(st.lists(ITEMS, max_size=4), max_size=6))
@example(
    [
        [{"a": {"S": "x"}, "n": {"N": "1"}}],
        [{"n": {"N": "5"}}],
        [{"a": {"N": "1.50"}}],
        [{"b": {"M": {"$x": {"N": "+5"}}}}],
    ]
)
@example(
    [
        [{"a": {"M": {}}, "l": {"L": []}, "o": {"BOOL": False}}],
        [{"a": {"M": {"b": {"S": "x"}}}, "l": {"L": [{"N": "1"}]}}],
    ]
)
@example(
    [
        [{"a": {"S": 'é"\n' * 999}, "n": {"N": "+5"}}],
        [{"a": {"S": "\\\x7f\u2028"}, "l": {"L": [{"N": "1.50"}]}}],
        [{"a": {"S": "x" * 3000}}],
    ]
)
@example([[{"a": {"NULL": True}}], [{"a": {"NULL": True}}], [{}], [{"a": {"SS": ["x"]}}]])
def test_pages_are_rendered_alike_whatever_was_learned_before(pages: list[list[AttributeMap]]) -> None:
    """So an export that is taken up by another process writes the same bytes."""
    learned = JsonPages()
    scan = scan_operation(JsonLines.page_items, learned)
    for items in pages:
        reply: ScanReply = scan.decode(page(items))
        fresh = JsonPages()
        lines = fresh.render(scan_operation(JsonLines.page_items).decode(page(items)).Items)
        assert learned.render(reply.Items) == lines
        assert [same_item(JsonLines().parse(line)) for line in lines.splitlines()] == [
            same_item(item) for item in items
        ]


def test_attributes_are_in_the_order_of_their_names() -> None:
    format = JsonPages()
    scan = scan_operation(JsonLines.page_items, format)
    items: list[AttributeMap] = [{"b": {"S": "x"}, "a": {"M": {"d": {"N": "1"}, "c": {"N": "2"}}}}]
    for _ in range(2):  # as any items, and as rows
        assert format.render(scan.decode(page(items)).Items) == b'{"a":{"d":1,"c":2},"b":"x"}\n'


def test_a_lane_renders_rows_of_a_schema_that_has_grown_since() -> None:
    format = JsonPages()
    scan = scan_operation(JsonLines.page_items, format)
    items: list[list[AttributeMap]] = [
        [{"id": {"S": "a"}}],
        [{"id": {"S": "b"}}],
        [{"id": {"N": "1"}, "x": {"BOOL": True}}],
    ]
    pages = [scan.decode(page(each)).Items for each in items]
    assert isinstance(pages[1][0], msgspec.Struct)
    assert [format.render(each) for each in pages] == [b'{"id":"a"}\n', b'{"id":"b"}\n', b'{"id":1,"x":true}\n']
    assert isinstance(scan.decode(page(items[0])).Items[0], msgspec.Struct)


def test_what_is_no_page_is_refused_as_before() -> None:
    format = JsonPages()
    scan = scan_operation(JsonLines.page_items, format)
    scan.decode(page([{"id": {"S": "a"}}]))
    for broken in (b'{"Items":[{"id":{"S":1}}]}', b'{"Items":[{"id":7}]}', b"[", b'{"Items":[{"id":{"S":"a"}}'):
        with pytest.raises(msgspec.MsgspecError):
            scan.decode(broken)
