"""`json`: what goes out comes back the same item, and whatever comes in is an item or a RecordError."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.framing import most_item_bytes
from ddbio.formats.json_lines import ONE_UNIT_BYTES, JsonLines
from ddbio.values.capacity import item_size_bytes
from ddbio.values.items import AttributeMap
from tests.support.strategies import ITEMS, nested, same_item

FORMAT = JsonLines()
decode_page = msgspec.json.Decoder(FORMAT.page_items).decode


def render(*items: AttributeMap) -> bytes:
    """The lines of a page that the service sends as these attribute maps."""
    return FORMAT.render(decode_page(orjson.dumps(items)))


def rejection(record: bytes) -> RecordError:
    with pytest.raises(RecordError) as caught:
        FORMAT.parse(record)
    return caught.value


# --------------------------------------------------------------------------- out and back


@given(ITEMS)
@example({"a": {"M": {"$B": {"S": "AA=="}}}})
@example({"a": {"M": {"$M": {"M": {}}}}})
@example({"a": {"M": {"$M": {"M": {"$M": {"S": "x"}}}}}})
@example({"a": {"M": {"$x": {"NULL": True}}}})
@example({"a": {"L": [{"M": {"$NS": {"L": [{"N": "1"}]}}}]}})
@example({"$B": {"S": "AA=="}})
def test_an_item_survives_the_way_out_and_back(item: AttributeMap) -> None:
    line = render(item)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert same_item(FORMAT.parse(line[:-1])) == same_item(item)


@given(st.lists(ITEMS, max_size=5))
def test_a_page_is_a_line_an_item_in_order(page: list[AttributeMap]) -> None:
    lines = render(*page).split(b"\n")
    assert lines.pop() == b""
    assert [same_item(FORMAT.parse(line)) for line in lines] == [same_item(item) for item in page]


@given(ITEMS)
def test_lines_are_json_to_everyone(item: AttributeMap) -> None:
    value = json.loads(render(item), parse_float=Decimal)
    assert set(value) == set(item)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        ({"n": {"N": "1.10"}}, b'{"n":1.10}'),
        ({"n": {"N": "1E+2"}}, b'{"n":1E+2}'),
        ({"n": {"N": "-0.000000000000000000000000000000000001"}}, b'{"n":-0.000000000000000000000000000000000001}'),
        ({"n": {"N": "12345678901234567890123456789012345678"}}, b'{"n":12345678901234567890123456789012345678}'),
        ({"n": {"N": "0.1234567890123456789012345678901234567"}}, b'{"n":0.1234567890123456789012345678901234567}'),
        ({"s": {"S": ""}}, b'{"s":""}'),
        ({"s": {"S": 'é\n"\\\u0000'}}, '{"s":"é\\n\\"\\\\\\u0000"}'.encode()),
        ({"b": {"B": "AP8="}}, b'{"b":{"$B":"AP8="}}'),
        ({"s": {"SS": ["a", "b"]}}, b'{"s":{"$SS":["a","b"]}}'),
        ({"s": {"NS": ["1.0", "-2"]}}, b'{"s":{"$NS":[1.0,-2]}}'),
        ({"s": {"BS": ["AA=="]}}, b'{"s":{"$BS":["AA=="]}}'),
        ({"m": {"M": {"$x": {"S": "y"}}}}, b'{"m":{"$M":{"$x":"y"}}}'),
        ({"m": {"M": {"$x": {"S": "y"}, "z": {"NULL": True}}}}, b'{"m":{"$x":"y","z":null}}'),
        ({"l": {"L": [{"BOOL": False}, {"L": []}, {"M": {}}]}}, b'{"l":[false,[],{}]}'),
    ],
)
def test_what_a_line_looks_like(item: AttributeMap, line: bytes) -> None:
    assert render(item) == line + b"\n"
    assert FORMAT.parse(line) == item


@pytest.mark.parametrize("digits", ["1.10", "1E+2", "1e2", "0.10", "-1.0e-5", "100.00", "9" * 38, "1" + "0" * 125])
def test_a_number_keeps_its_own_digits_on_the_way_in(digits: str) -> None:
    assert FORMAT.parse(b'{"n":%b}' % digits.encode()) == {"n": {"N": digits}}


def test_an_empty_page_is_no_line() -> None:
    assert render() == b""


@pytest.mark.parametrize("spaced", [b' {"a" : 1} ', b'{"a":1}\r', b'\t{"a":1}\t'])
def test_space_around_a_record_is_nothing(spaced: bytes) -> None:
    assert FORMAT.parse(spaced) == {"a": {"N": "1"}}


def test_it_is_the_format_called_json() -> None:
    assert isinstance(get_format("json"), JsonLines)


# --------------------------------------------------------------------------- rejected


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (b"[1]", "not-an-object", "a JSON object is needed, not an array"),
        (b'"text"', "not-an-object", "not a string"),
        (b"1", "not-an-object", "not a number"),
        (b"1.5", "not-an-object", "not a number"),
        (b"true", "not-an-object", "not true or false"),
        (b"null", "not-an-object", "not null"),
        (b"id,name", "bad-json", "not valid JSON"),
        (b'{"a":1', "bad-json", "not valid JSON"),
        (b'{"a":1}{"b":1}', "bad-json", "not valid JSON"),
        (b'{"a":1},', "bad-json", "not valid JSON"),
        (b"{'a':1}", "bad-json", "not valid JSON"),
        (b'{"a":01}', "bad-json", "not valid JSON"),
        (b'{"a":NaN}', "not-finite", "NaN"),
        (b'{"a":-Infinity}', "not-finite", "-Infinity"),
        (b'{"a":"\xff"}', "bad-json", "byte 0xff at offset 6 is not UTF-8"),
        (b'{"\xff":1}', "bad-json", "byte 0xff at offset 2 is not UTF-8"),
        (b'{"a":"\x00"}', "bad-json", "not valid JSON"),
        (b"\x1f\x8b\x08\x00\x00", "bad-json", "not valid JSON"),
        (b'{"a":"\\ud800"}', "bad-json", "half of a surrogate pair"),
        (b'{"\\uDBFF\\n":1}', "bad-json", "half of a surrogate pair"),
        (b'{"a":"\\udc00"}', "bad-json", "surrogate pair"),
        (b'{"a":1e400}', "bad-number", "1e400 is out of DynamoDB's range"),
        (b'{"a":1E126}', "bad-number", "out of DynamoDB's range"),
        (b'{"a":1E-131}', "bad-number", "out of DynamoDB's range"),
        (b'{"a":%b}' % (b"1" * 39), "bad-number", "39 significant digits"),
        (b'{"a":0.%b}' % (b"1" * 39), "bad-number", "39 significant digits"),
        (b'{"a":%b}' % (b"1" * 4000), "bad-number", "4000 significant digits"),
        (b'{"a":%b}' % (b"1" * 5000), "bad-number", "thousands of digits"),
        (b'{"a":[-%b]}' % (b"1" * 5000), "bad-number", "thousands of digits"),
        (b'{"a":%b.5}' % (b"1" * 50_000), "bad-number", "50001 significant digits"),
        (b'{"a":{"$B":"?"}}', "bad-base64", "'?' is not base64"),
        (b'{"a":{"$SS":[]}}', "empty-set", "at least one member"),
        (b'{"a":{"$NS":[1,1.0]}}', "duplicate-member", "same member twice"),
        (b'{"a":%b1%b}' % (b"[" * 33, b"]" * 33), "too-deep", "deeper than the 32 levels"),
        (b'{"a":%b1%b}' % (b'{"m":' * 33, b"}" * 33), "too-deep", "deeper than the 32 levels"),
        (b"[" * 100_000, "too-deep", "deeper than the 32 levels"),
        (b'{"a":' * 100_000, "too-deep", "deeper than the 32 levels"),
    ],
)
def test_what_is_no_item_is_rejected_with_a_reason(record: bytes, code: str, message: str) -> None:
    error = rejection(record)
    assert (error.code, message in error.message) == (code, True), error.message


@pytest.mark.parametrize("kind", ["L", "M"])
def test_32_levels_are_an_item(kind: str) -> None:
    FORMAT.parse(orjson.dumps({"a": nested(32, kind)}))


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_an_item_or_a_record_error(record: bytes) -> None:
    parse_or_reject(record)


@given(ITEMS, st.data())
def test_a_damaged_line_is_an_item_or_a_record_error(item: AttributeMap, data: st.DataObject) -> None:
    line = render(item)[:-1]
    at = data.draw(st.integers(0, len(line)))
    cut = data.draw(st.integers(0, 3))
    damage = data.draw(
        st.one_of(
            st.sampled_from(
                [b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\\ud83d", b"-", b"1e", b"$"]
            ),
            st.sampled_from([b"null", b"true", b'{"$NS":', b'{"$B":"', b'{"$M":', b"9" * 40, b"1E999", b"\xf0\x9f"]),
            st.binary(max_size=3),
        )
    )
    parse_or_reject(line[:at] + damage + line[at + cut :])


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3)
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(st.sampled_from(["$B", "$SS", "$NS", "$BS", "$M", "$", "a"]), children, max_size=2),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=2), PLAIN, max_size=3))
def test_tags_with_anything_in_them_are_an_item_or_a_record_error(value: dict[str, Any]) -> None:
    parse_or_reject(json.dumps(value).encode())


def parse_or_reject(record: bytes) -> None:
    try:
        attributes = FORMAT.parse(record)
    except RecordError as error:
        assert error.code in CODES
        assert error.message
    else:
        orjson.dumps(attributes)  # can be sent
        item_size_bytes(attributes)  # is DynamoDB JSON


CODES = {
    "bad-json",
    "not-an-object",
    "bad-number",
    "bad-tag",
    "bad-base64",
    "empty-set",
    "duplicate-member",
    "empty-name",
    "not-finite",
    "too-deep",
}


# --------------------------------------------------------------------------- a promise of the writer


DENSE = st.recursive(
    st.sampled_from([0, 1, -1, 42, "", "x", "é", None, True, [], {}, {"a": 1}]),
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=40),
        st.dictionaries(st.text(min_size=1, max_size=1), children, max_size=3),
    ),
    max_leaves=120,
)


@given(st.dictionaries(st.text(min_size=1, max_size=1), DENSE, max_size=4))
@example({"a": [nested(30, "L")[0] for _ in range(8)]})
@example({"a": [-1] * 168})
@example({"a": [1] * 252})
@example({"a": [[]] * 168})
def test_a_short_record_is_never_more_than_one_write_unit(value: dict[str, Any]) -> None:
    record = orjson.dumps(value)
    if len(record) <= ONE_UNIT_BYTES:
        assert item_size_bytes(FORMAT.parse(record)) <= 1024


CENTS = st.integers(-9999, 9999).map(lambda number: number / 100)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9), DENSE | st.text() | CENTS | st.integers(-(10**37), 10**37), max_size=4
    )
)
@example({"a": [[-5], [[]], {"a": -5}, {}, {"a": {}}]})
@example({"\\": '"\n\u2028"'})
@example({"a": {"$SS": ["a", "b"]}, "n": {"$NS": [-1, 5]}, "b": {"$B": "AA=="}, "m": {"$M": {"$B": 1}}})
def test_an_item_is_never_larger_than_its_text_tells(value: dict[str, Any]) -> None:
    for separators in ((",", ":"), None):
        record = json.dumps(value, separators=separators).encode()
        assert item_size_bytes(FORMAT.parse(record)) <= most_item_bytes(record)


def test_a_record_of_900_bytes_is_one_unit_without_a_look_at_it() -> None:
    record = orjson.dumps({"lines": [{"sku": f"SKU-{number:08}", "quantity": number} for number in range(24)]})
    assert ONE_UNIT_BYTES < 800 < len(record) < 1024
    assert FORMAT.is_one_unit(record)
    assert not FORMAT.is_one_unit(record * 2)


def test_the_densest_record_comes_close() -> None:
    """Nested lists take the most room for their text: the limit could not be much higher."""
    densest = b'{"a":[%b]}' % b",".join([b"[" * 30 + b"1" + b"]" * 30] * 8)
    assert len(densest) <= ONE_UNIT_BYTES
    assert 900 < item_size_bytes(FORMAT.parse(densest)) <= 1024
