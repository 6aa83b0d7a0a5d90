"""A batch in one go is the batch that its records make one by one, or it is left to them."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.csv import CsvLayout
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.estimates import WriteEstimates
from ddbio.sinks.fast_batch import FastBatches
from ddbio.values.items import AttributeMap
from ddbio.values.keys import key_checker
from ddbio.values.table import TableInfo
from tests.support.strategies import same_item
from tests.support.tables import table

TABLES = [
    table({"id": "S"}),
    table({"at": "N"}),
    table({"id": "S", "at": "N"}),
    table({"bin": "B"}),
    table({"id": "S"}, {"one": {"town": "S"}, "two": {"town": "S", "age": "N"}}),
    table({"id": "S", "at": "N"}, {"one": {"age": "N", "id": "S"}}),
    table({"id": "S"}, {"one": {"bin": "B"}}),
]
VALUES = {
    "id": st.sampled_from(["a", "b", "c", "", "é" * 300, 5, None]),
    "at": st.sampled_from([1, 2, -3, 10**30, 10**40, 1.5, 2.0, "7"]),
    "town": st.sampled_from(["x", "y", "", 4]),
    "age": st.sampled_from([30, 31, 0.5, "30"]),
    "bin": st.just({"$B": "AA=="}),
    "%b": st.sampled_from(["%s", 7]),
    "more": st.sampled_from(["text", 1, [1], {"$SS": []}]),
}
USUAL = {"id": st.text("abcdefgh", min_size=3, max_size=5), "at": st.integers(0, 999), "town": st.sampled_from("xy")}
RECORD = st.one_of(
    st.fixed_dictionaries({}, optional=VALUES), st.fixed_dictionaries(USUAL, optional={"age": st.integers()})
)


def expected(into: TableInfo, items: list[AttributeMap]) -> list[AttributeMap] | None:
    """The items, unless one of them has to be looked at by itself."""
    try:
        keys = [key_checker(into)(item) for item in items]
    except RecordError:
        return None
    return items if len(set(keys)) == len(keys) else None


@pytest.mark.parametrize("into", TABLES)
@given(st.lists(st.lists(RECORD, min_size=1, max_size=4), min_size=1, max_size=4))
@example([[{"id": "a", "at": 1}, {"id": "b", "at": 2}], [{"id": "a", "at": 1}, {"id": "a", "at": 1}]])
@example([[{"id": "a", "at": 1, "town": "x"}, {"id": "b", "at": 2}], [{"id": "a", "at": 1.0, "town": 5}]])
@example([[{"id": "a", "at": 10**40}], [{"id": "", "at": 1}], [{"at": 1}]])
def test_a_batch_is_what_its_records_are(into: TableInfo, batches: list[list[dict[str, object]]]) -> None:
    format = get_format(FormatSpec("json"))
    small, estimates = FastBatches(into, format, key_checker(into)), WriteEstimates(into)
    for batch in batches:
        records = [json.dumps(item).encode() for item in batch]
        puts = small.prepare(records)
        if max(map(len, records)) > format.one_unit_bytes:
            continue
        try:
            items = [format.parse(record) for record in records]
        except RecordError:
            assert puts is None
            continue
        wanted = expected(into, items)
        assert (puts is None) == (wanted is None)
        if puts is not None and wanted is not None:
            sent = [each["PutRequest"]["Item"] for each in msgspec.json.decode(b"[%b]" % puts.requests)]
            assert [same_item(item) for item in sent] == [same_item(item) for item in wanted]
            units = [estimates.of_put(item, True) for item in wanted]
            assert estimates.of_puts(len(wanted), puts.entries) == tuple(map(sum, zip(*units, strict=True)))


def test_numbers_that_are_the_same_key_in_csv_are_told_apart_from_no_other() -> None:
    small = FastBatches(
        table({"at": "N"}),
        get_format(FormatSpec("csv", CsvLayout(("at", "x"), ("N", "S")))),
        key_checker(table({"at": "N"})),
    )
    assert small.prepare([b"1,a", b"2,b"]) is not None
    assert small.prepare([b"1,a", b"01,b"]) is None
    assert small.prepare([b"1.0,a", b"1,b"]) is None
    assert small.prepare([b"-1,a", b"1,b"]) is not None


@pytest.mark.parametrize("name", ['a "b"', "a\\b", "a\nb", "100%", "%b", "é"])
def test_columns_of_csv_may_have_any_name(name: str) -> None:
    format = get_format(FormatSpec("csv", CsvLayout(("id", name), ("S", "S"))))
    small = FastBatches(table({"id": "S"}), format, key_checker(table({"id": "S"})))
    for records in ([b"a,x", b"b,y"], [b"a,x", b"b,"]):
        puts = small.prepare(records)
        assert puts is not None
        sent = [each["PutRequest"]["Item"] for each in msgspec.json.decode(b"[%b]" % puts.requests)]
        assert sent == [format.parse(record) for record in records]


def test_a_blank_record_and_a_large_one_are_left_to_their_lane() -> None:
    small = FastBatches(table({"id": "S"}), get_format("json"), key_checker(table({"id": "S"})))
    assert small.prepare([b'{"id":"a"}', b""]) is None
    assert small.prepare([b'{"id":"a"}', b" "]) is None
    assert small.prepare([b'{"id":"a"}', b'{"id":"b","x":"%b"}' % (b"x" * 900)]) is not None
    assert small.prepare([b'{"id":"a"}', b'{"id":"b","x":"%b"}' % (b"x" * 1100)]) is None


def test_a_record_with_an_empty_name_is_left_to_be_rejected_and_the_rest_stays_fast() -> None:
    puts = FastBatches(TABLES[0], get_format("json"), key_checker(TABLES[0]))
    good = [b'{"id":"k%d","n":%d}' % (number, number) for number in range(5)]
    assert puts.prepare([*good, b'{"id":"x","":1}']) is None
    assert puts.prepare(good) is not None
    assert puts.prepare([*good, b'{"id":"x","n":{"":1}}']) is None
