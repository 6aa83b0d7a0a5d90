"""The native core returns the very bytes of the Python code, or leaves the records to it."""

from __future__ import annotations

import json
import os
import shutil
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from checks.native import CELLS, answers, batches, layouts, main, page_difference, reference, tables
from ddbio import native
from ddbio.dynamodb.scan import scan_operation
from ddbio.dynamodb.signing import SigningKey
from ddbio.formats import Format, get_format
from ddbio.formats.csv import Csv, CsvLayout, rendered_rows
from ddbio.formats.json_lines import JsonLines
from ddbio.formats.json_pages import RenderedPage, rendered_items
from ddbio.formats.python_items import PythonItems, encode
from ddbio.formats.scanned import ScannedItems
from ddbio.sinks.fast_batch import FastBatches, PreparedPuts, put_encoder
from ddbio.values.items import AttributeMap
from ddbio.values.keys import key_checker
from ddbio.values.table import TableInfo
from tests.support.effort import examples
from tests.support.strategies import ITEMS, nested
from tests.support.tables import table

needs_core = pytest.mark.skipif(native.state() != native.IN_USE, reason=f"the native core is {native.state()}")
BY_ID = table({"id": "S"})
BY_NUMBER = table({"id": "S", "n": "N"})
BY_BINARY = table({"b": "B"})
INDEXED = table({"id": "S"}, {"one": {"town": "S"}, "two": {"town": "S", "age": "N"}})


def made(into: TableInfo, format: str | Format, *records: bytes) -> PreparedPuts | None:
    """The puts of the core; None if it leaves them to Python. They are those of the Python code."""
    format = get_format(format) if isinstance(format, str) else format
    encoder = put_encoder(into, format)
    assert encoder is not None
    found = encoder.encode([*records])
    if found is None:
        return None
    puts = PreparedPuts(*found)
    assert puts == reference(into, format, records)
    return puts


def typed(into: TableInfo, *items: AttributeMap) -> PreparedPuts | None:
    return made(into, "dynamodb-json", *map(orjson.dumps, items))


@pytest.mark.skipif(os.environ.get("DDBIO_REQUIRE_ENDPOINTS") != "1", reason="it is not required here")
def test_it_is_built_where_it_can_be() -> None:
    if shutil.which("cargo") and os.environ.get("DDBIO_NATIVE") != "0":
        assert native.state() == native.IN_USE


# --------------------------------------------------------------------------- one record


MINE = [
    b'{"id":"a"}',
    b' { "id" : "a" ,\t"x" : [ 1 , { } , [ ] , "" ] , "y" : { "z" : null , "t" : true , "f" : false } }\r',
    '{"id":"é😀\u2028\x7f","ä":"ö"}'.encode(),
    b'{"id":"\\u00e9\\ud83d\\ude00\\u0000\\u001f\\"\\\\\\/\\b\\f\\n\\r\\t\\u0022\\u005C\\u0008\\u0009\\u000a\\u000C\\u000d"}',
    b'{"id":"a","\\u0061\\n":1}',
    b'{"id":"12345678","1234567":"123456789012345\\n","12345678":"\\t2345678"}',
    b'{"id":"a","n":[0,-1,1.0,0.50,-0.0,100,1e5,1E-80,12.5e+3,0e0,1e80]}',
    b'{"id":"a","n":%b}' % (b"9" * 38),
    b'{"id":"a","n":-0.%b}' % (b"1" * 37),
    b'{"id":"a","$SS":["x"],"$B":"?"}',  # at the top these are names
    b'{"id":"a","v":{"$B":"AP8="}}',
    b'{"id":"a","v":{"$B":""}}',
    b'{"id":"a","v":{"$SS":["x","\\u0079",""]}}',
    b'{"id":"a","v":{"$NS":[1,1.5,-1,0,10]}}',
    b'{"id":"a","v":{"$BS":["AA==","AAA="]}}',
    b'{"id":"a","v":{"$M":{"$B":"?"}}}',
    b'{"id":"a","v":{"$M":{"$M":{"$SS":["x"]}}}}',
    b'{"id":"a","v":{"a":1,"$B":2}}',
    b'{"id":"a","v":%b1%b}' % (b"[" * 32, b"]" * 32),
    b'{"id":"a","v":%b1%b}' % (b'{"m":' * 32, b"}" * 32),
    b'{"id":"%b"}' % (b"x" * 2048),
    b'{"id":"a","%b":1}' % (b"x" * 65536),
]
NOT_MINE = [
    *(b"", b" ", b"[]", b'"a"', b'{"id":"a"', b'{"id":"a"}}', b'{"id":"a"},', b'{"id":"a",}', b'{,"id":"a"}'),
    *(b'{"id" "a"}', b'{"id":"a" "b":1}', b'{"id":"a","x":[1,]}', b'{"id":"a","x":[1 2]}', b'{"id":"a","x":}'),
    *(b'{"id":"a","x":tru}', b'{"id":"a","x":nul}', b'{"id":"a","x":truee}', b'{"id":"a","x":NaN}', b"{'id':1}"),
    *(b'{"id":"a","x":01}', b'{"id":"a","x":1.}', b'{"id":"a","x":.5}', b'{"id":"a","x":+1}', b'{"id":"a","x":-}'),
    *(
        b'{"id":"a","x":1e}',
        b'{"id":"a","x":1e+}',
        b'{"id":"a","x":1-2}',
        b'{"id":"a","x":1.2.3}',
        b'{"id":"a","x":-0}',
    ),
    *(
        b'{"id":"a","x":1e81}',
        b'{"id":"a","x":1e-81}',
        b'{"id":"a","x":1e100000}',
        b'{"id":"a","x":%b}' % (b"1" * 39),
    ),
    *(b'{"id":"\xff"}', b'{"id":"\xed\xa0\x80"}', b'{"id":"a\x00"}', b'{"id":"a\nb"}', b'\xef\xbb\xbf{"id":"a"}'),
    *(b'{"id":"\\ud800"}', b'{"id":"\\ud800\\u0061"}', b'{"id":"\\udc00"}', b'{"id":"\\x"}', b'{"id":"\\u00g0"}'),
    *(
        b'{"id":"\\ud800\\n"}',
        b'{"id":"\\u00"}',
        b'{"id":"\\"}',
        b'{"id":"a","id":"b"}',
        b'{"id":"a","i\\u0064":"b"}',
    ),
    *(b'{"id":""}', b'{"id":1}', b'{"x":"a"}', b'{"id":null}', b'{"id":{"$SS":["a"]}}', b'{"id":"a","":1}'),
    *(b'{"id":"a","m":{"":1}}', b'{"id":"a","m":{"x":1,"x":2}}', b'{"id":"a","v":{"$x":1}}'),
    *(b'{"id":"a","v":{"$B":"?"}}', b'{"id":"a","v":{"$B":"AB=="}}', b'{"id":"a","v":{"$B":"AAB="}}'),
    *(b'{"id":"a","v":{"$B":"AAA"}}', b'{"id":"a","v":{"$B":"A==="}}', b'{"id":"a","v":{"$B":"=AAA"}}'),
    *(b'{"id":"a","v":{"$B":1}}', b'{"id":"a","v":{"\\u0024B":"AA=="}}', b'{"id":"a","v":{"$B":"AA==","x":1}}'),
    *(b'{"id":"a","v":{"$SS":[]}}', b'{"id":"a","v":{"$SS":["x","\\u0078"]}}', b'{"id":"a","v":{"$SS":[1]}}'),
    *(b'{"id":"a","v":{"$NS":[]}}', b'{"id":"a","v":{"$NS":[1,1.0]}}', b'{"id":"a","v":{"$NS":[0,-0.0]}}'),
    *(b'{"id":"a","v":{"$NS":["1"]}}', b'{"id":"a","v":{"$NS":[1,1e0]}}', b'{"id":"a","v":{"$BS":["AA==","AA=="]}}'),
    *(b'{"id":"a","v":{"$M":[1]}}', b'{"id":"a","v":{"$SS":["x"]', b'{"id":"a","v":%b1%b}' % (b"[" * 33, b"]" * 33)),
    *(b'{"id":"a","v":%b1%b}' % (b'{"m":' * 33, b"}" * 33), b"[" * 100_000, b'{"a":' * 100_000),
    *(b'{"id":"%b"}' % (b"x" * 2049), b'{"id":"a","%b":1}' % (b"x" * 65537)),
]


@needs_core
@pytest.mark.parametrize("record", MINE)
def test_ordinary_json_is_put_by_the_core(record: bytes) -> None:
    assert made(BY_ID, "json", record) is not None


@needs_core
def test_what_is_wrong_or_rare_is_left_to_python() -> None:
    assert [record for record in NOT_MINE if made(BY_ID, "json", record) is not None] == []


@needs_core
def test_dynamodb_json_is_put_by_the_core() -> None:
    value = {
        "L": [{"S": "é"}, {"N": "-1.50"}, {"BOOL": False}, {"NULL": True}, {"B": "AA=="}, {"M": {"$B": {"N": "1"}}}]
    }
    sets = {"L": [{"SS": ["a", "b"]}, {"NS": ["1", "2.0"]}, {"BS": ["AA==", ""]}]}
    item: AttributeMap = {"id": {"S": "a"}, "v": value, "Item": {"M": {"S": {"S": "x"}}}, "s": sets}
    bare, wrapped = typed(BY_ID, item), typed(BY_ID, {"Item": item})
    assert bare is not None and bare == wrapped
    assert made(BY_ID, "dynamodb-json", b' { "Item" : { "id" : { "S" : "a" } } } ') is not None
    assert made(BY_ID, "dynamodb-json", b'{"id":{"S":"a"},"v":{"BOOL": true},"n":{"NULL": true}}') is not None


@needs_core
def test_rare_dynamodb_json_is_left_to_python() -> None:
    values = [
        *(
            b'{"s":"x"}',
            b'{"S":1}',
            b'{"N":1}',
            b'{"N":"+1"}',
            b'{"N":""}',
            b'{"N":"1e99"}',
            b'{"N":"x"}',
            b'{"X":1}',
            b"{}",
        ),
        *(
            b'{"NULL":false}',
            b'{"BOOL":null}',
            b'{"BOOL":1}',
            b'{"M":[]}',
            b'{"L":{}}',
            b'{"SS":[]}',
            b'{"NS":["1","1.0"]}',
        ),
        *(b'{"S":"x","N":"1"}', b'{"B":"?"}', b'{"BS":["AA==","AA=="]}', b'{"SS":["a","a"]}', b"1", b'"x"', b"[]"),
    ]
    records = [b'{"id":{"S":"a"},"v":%b}' % value for value in values]
    records += [b'{"Item":{"S":"x"}}', b'{"Item":{"id":{"S":"a"}},"x":{"S":"y"}}', b'{"Item":{}}', b'{"Item":1}']
    assert [record for record in records if made(BY_ID, "dynamodb-json", record) is not None] == []


# --------------------------------------------------------------------------- rows of CSV


def row(record: bytes, *columns: str, **layout: Any) -> PreparedPuts | None:
    """The puts of a row. columns: `name:type`, after the column `id`."""
    names, types = zip(("id", "S"), *(column.split(":") for column in columns), strict=True)
    return made(BY_ID, Csv(CsvLayout(names, types, never_empty=("id",), **layout)), record)


ROWS: list[tuple[bytes, str, dict[str, Any], bytes | None]] = [
    (b"a,x y", "v:S", {}, b'{"S":"x y"}'),
    (b"a,x\r", "v:S", {}, b'{"S":"x"}'),
    (b'"a","x, ""y"""', "v:S", {}, b'{"S":"x, \\"y\\""}'),
    (b'a,"""x"', "v:S", {}, b'{"S":"\\"x"}'),
    (b'a,5" pipe\\\t\x00', "v:S", {}, b'{"S":"5\\" pipe\\\\\\t\\u0000"}'),
    ("a|é,".encode(), "v:S", {"delimiter": "|"}, '{"S":"é,"}'.encode()),
    (b"a,12", "v:N", {}, b'{"N":"12"}'),
    (b"a,-0", "v:N", {}, b'{"N":"-0"}'),
    (b"a,1e5", "v:infer", {}, b'{"S":"1e5"}'),
    (b"a,-0.0", "v:infer", {}, b'{"S":"-0.0"}'),
    (b"a,-0.50", "v:infer", {}, b'{"N":"-0.50"}'),
    (b"a,007", "v:infer", {}, b'{"S":"007"}'),
    (b"a," + b"1" * 38, "v:infer", {}, b'{"N":"' + b"1" * 38 + b'"}'),
    (b"a,-" + b"1" * 38, "v:infer", {}, b'{"S":"-' + b"1" * 38 + b'"}'),
    (b"a,TRUE", "v:BOOL", {}, b'{"BOOL":true}'),
    (b"a,False", "v:BOOL", {}, b'{"BOOL":false}'),
    (b"a,AA==", "v:B", {}, b'{"B":"AA=="}'),
    (b"a,[1]", "v:JSON", {}, b'{"L":[{"N":"1"}]}'),
    (b"a,[1]", "v:L", {}, b'{"L":[{"N":"1"}]}'),
    (b'a,"{""x"":null}"', "v:M", {}, b'{"M":{"x":{"NULL":true}}}'),
    (b"a,", "v:N", {"empty": "null"}, b'{"NULL":true}'),
    (b'a,""', "v:S", {"empty": "string"}, b'{"S":""}'),
    (b"a,NULL", "v:SS", {"empty": "null", "nulls": ("x", "NULL")}, b'{"NULL":true}'),
    *((b"a," + cell, "v:S", {}, None) for cell in (b"x,y", b'"x', b'"x"y', b"x\ry", b"x\ny", b"\xff", b"x\r\r")),
    (b"a", "v:S", {}, None),
    (b",x", "v:S", {}, None),
    (b"a,x\\,y", "v:S", {"escape": "\\"}, None),
    *((b"a," + cell, "v:N", {}, None) for cell in (b"x", b" 1", b"1" * 39, b"007")),
    *((b"a,x", f"v:{kind}", {}, None) for kind in ("BOOL", "B", "JSON", "L", "M", "SS")),
    (b"a,{}", "v:L", {}, None),
    (b"a,[]", "v:M", {}, None),
    (b'a,["x"]', "v:SS", {}, None),
]


@needs_core
def test_rows_of_csv_are_put_by_the_core_or_left_to_python() -> None:
    for record, column, layout, value in ROWS:
        puts = row(record, column, **layout)
        wanted = value and b'{"PutRequest":{"Item":{"id":{"S":"a"},"v":%b}}}' % value
        assert (puts and puts.requests) == wanted, record
    missing = row(b"a,", "v:S")
    assert missing is not None and missing.requests == b'{"PutRequest":{"Item":{"id":{"S":"a"}}}}'
    assert [record for record in (b"", b"  ", b"\t\r") if row(record) is not None] == []


@needs_core
@settings(max_examples=examples(400))
@given(
    st.lists(st.lists(st.text(max_size=6) | st.sampled_from(CELLS), min_size=8, max_size=8), min_size=1, max_size=3),
    st.sampled_from(layouts()),
    st.booleans(),
)
def test_rows_of_any_cells(rows: list[list[str]], layout: CsvLayout, quoted: bool) -> None:
    records = [rendered_rows([cells], layout.delimiter, all_in_quotes=quoted)[:-1] for cells in rows]
    for into in tables():
        made(into, Csv(layout), *records)


# --------------------------------------------------------------------------- batches


@needs_core
def test_a_key_that_comes_twice_is_left_to_python() -> None:
    assert made(BY_ID, "json", b'{"id":"a"}', b'{"id":"b"}') is not None
    assert made(BY_ID, "json", b'{"id":"a"}', b'{"id":"b"}', b'{"id":"\\u0061"}') is None
    assert made(BY_NUMBER, "json", b'{"id":"a","n":1}', b'{"n":2,"id":"a"}', b'{"id":"b","n":1}') is not None
    for first, second in (("1", "1.0"), ("0", "-0.0"), ("1.50", "1.5"), ("-2", "-2.00"), ("10", "10.0")):
        records = [f'{{"id":"a","n":{number}}}'.encode() for number in (first, second)]
        assert made(BY_NUMBER, "json", *records) is None
    assert made(BY_NUMBER, "json", b'{"id":"a","n":1}', b'{"id":"a","n":-1}', b'{"id":"a","n":10}') is not None
    assert made(BY_NUMBER, "json", b'{"id":"a","n":1e1}') is None
    # The parts of a key are not run together.
    two = table({"a": "S", "b": "S"})
    assert made(two, "json", b'{"a":"xy","b":"z"}', b'{"a":"x","b":"yz"}') is not None


@needs_core
def test_binary_keys() -> None:
    assert made(BY_BINARY, "json", b'{"b":{"$B":"AA=="}}', b'{"b":{"$B":"AQ=="}}') is not None
    assert made(BY_BINARY, "json", b'{"b":{"$B":"AA=="}}', b'{"b":{"$B":"AA=="}}') is None
    assert made(BY_BINARY, "json", b'{"b":{"$B":""}}') is None
    assert made(BY_BINARY, "json", b'{"b":"AA=="}') is None


@needs_core
def test_keys_of_indexes_are_checked_and_their_entries_counted() -> None:
    records = [b'{"id":"a","town":"x","age":1}', b'{"id":"b","age":2}', b'{"id":"c","town":"y"}', b'{"id":"d"}']
    puts = made(INDEXED, "json", *records)
    assert puts is not None and puts.entries == (2, 1)
    for town in (b"1", b'""', b"null", b'"%b"' % (b"x" * 2049)):
        assert made(INDEXED, "json", b'{"id":"a","town":%b}' % town) is None
    assert made(INDEXED, "json", b'{"id":"a","town":"%b"}' % (b"x" * 2048)) is not None


@needs_core
@pytest.mark.parametrize("size", [1, 1024, 1025, 2048, 400 * 1024])
def test_large_items_are_measured(size: int) -> None:
    record = b'{"id":"%b"}' % (b"x" * (size - 2)) if size < 1024 else b'{"id":"a","v":"%b"}' % (b"x" * (size - 4))
    puts = made(BY_ID, "json", record)
    assert (puts is not None and puts.units == max(1, -(-size // 1024))) or size == 1
    assert made(BY_ID, "json", b'{"id":"a","v":"%b"}' % (b"x" * (400 * 1024 - 3))) is None


@needs_core
def test_a_batch_that_would_fill_the_memory_is_left_to_python() -> None:
    records = [b'{"id":"%d","v":"%b"}' % (number, b"x" * 300_000) for number in range(14)]
    assert made(BY_ID, "json", *records[:13]) is not None
    assert made(BY_ID, "json", *records) is None


@needs_core
def test_entries_of_large_items_cost_what_they_project() -> None:
    into = tables()[1]
    record = {"hash": "h", "range": "r", "val_1": 5, "total": 1.5, "val_2": "v", "lines": "x" * 2000, "y": "y" * 3000}
    puts = made(into, "json", json.dumps(record).encode())
    assert puts is not None and (puts.units, puts.entries) == (5, (5, 1, 2))


# --------------------------------------------------------------------------- anything


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(st.sampled_from(["$B", "$SS", "$NS", "$BS", "$M", "$", "a"]), children, max_size=2),
    ),
    max_leaves=8,
)


@needs_core
@settings(max_examples=examples(400))
@given(
    st.lists(st.dictionaries(st.sampled_from(["id", "n", "x", "é"]), PLAIN), min_size=1, max_size=3), st.booleans()
)
@example([{"id": "a", "x": nested(33, "M")}], False)
def test_plain_values(items: list[dict[str, Any]], ascii: bool) -> None:
    records = [json.dumps(item, ensure_ascii=ascii).encode("utf-8", "surrogatepass") for item in items]
    for into in (BY_ID, BY_NUMBER):
        made(into, "json", *records)


@needs_core
@settings(max_examples=examples(400))
@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_items_of_all_types(items: list[AttributeMap]) -> None:
    keyed = [{"id": {"S": str(number)}, **item} for number, item in enumerate(items)]
    lines = JsonLines()
    page = msgspec.json.decode(orjson.dumps(keyed), type=lines.page_items)
    for name, records in (
        ("json", lines.render(page).splitlines()),
        ("dynamodb-json", list(map(orjson.dumps, keyed))),
    ):
        made(BY_ID, name, *records)


@needs_core
@settings(max_examples=examples(400))
@given(st.sampled_from(["json", "dynamodb-json"]), st.binary(max_size=60), st.binary(max_size=20))
def test_arbitrary_bytes(name: str, record: bytes, value: bytes) -> None:
    made(BY_ID, name, record)
    made(BY_ID, name, b'{"id":"a","x":%b}' % value)


@needs_core
@settings(max_examples=examples(100))
@given(st.randoms(use_true_random=False))
def test_damaged_records_and_answers(draw: Any) -> None:
    into, format, records = next(batches(draw))
    made(into, format, *records)
    assert page_difference(next(answers(draw))) == ""


# --------------------------------------------------------------------------- pages


def answer(*items: Any, **members: Any) -> bytes:
    return orjson.dumps({"Count": len(items), "Items": items, "ScannedCount": len(items), **members})


def lines(body: bytes) -> bytes | None:
    """The lines of the core; None if it leaves the answer to Python. They are those of the Python code."""
    render = native.page_renderer()
    assert render is not None
    assert page_difference(body) == ""
    found = render(body)
    return None if found is None else found[1]


@needs_core
def test_a_page_is_rendered_by_the_core() -> None:
    nested_map = {"M": {"z": {"NULL": True}, "a": {"L": [{"BOOL": True}, {"BOOL": False}, {"L": []}, {"M": {}}]}}}
    tags = {"M": {"$B": {"S": "x"}}}
    sets = [{"B": "AA=="}, {"SS": ["a", "a"]}, {"NS": ["1E+100", "-0.5"]}, {"BS": []}, {"SS": []}]
    item = {"z": {"S": 'é"\n'}, "n": {"N": "1E-130"}, "m": nested_map, "a": {"L": [tags, *sets]}, "": {"S": ""}}
    assert lines(answer(item, {"b": {"N": "-0"}, "a": {"S": "x"}}, {})) == (
        b'{"":"","a":[{"$M":{"$B":"x"}},{"$B":"AA=="},{"$SS":["a","a"]},{"$NS":[1E+100,-0.5]},{"$BS":[]},{"$SS":[]}],'
        b'"m":{"z":null,"a":[true,false,[],{}]},"n":1E-130,"z":"\xc3\xa9\\"\\n"}\n{"a":"x","b":-0}\n{}\n'
    )
    assert lines(answer()) == b""
    assert lines(answer({"a": {"L": [{"M": {"$x": {"S": "1"}, "y": {"S": "2"}}}]}})) is not None
    assert lines(b' { "Count" : 1 , "Items" : [ { "b" : { "BOOL" : true } , "a" : { "S" : "]}" } } ] } ') is not None


@needs_core
def test_answers_that_are_wrong_or_rare_are_left_to_python() -> None:
    values = [
        *(
            b'{"N":"+1"}',
            b'{"N":".5"}',
            b'{"N":"1."}',
            b'{"N":"007"}',
            b'{"N":""}',
            b'{"N":"1e"}',
            b'{"N":1}',
            b'{"S":1}',
        ),
        *(
            b'{"S":"x","N":"1"}',
            b"{}",
            b'{"X":"y"}',
            b'{"NULL":false}',
            b'{"BOOL":1}',
            b'{"L":{}}',
            b'{"M":[]}',
            b'"x"',
        ),
        *(b'{"M":{"x":{"S":"1"},"x":{"S":"2"}}}', b'{"S":"\\ud800"}', b'{"S":"\xff"}', b'{"S":"\n"}', b'{"SS":[1]}'),
        b'{"L":[%b]}' % (b'{"L":[' * 33 + b"]}" * 33),
    ]
    bodies = [b'{"Count":1,"Items":[{"a":%b}]}' % value for value in values]
    bodies += [b'{"Count":1,"Items":[{"a":{"S":"x"},"a":{"S":"y"}}]}', b'{"Count":1,"Items":[{"\\u0022":{"S":"x"}}]}']
    bodies += [
        b"{}",
        b"[]",
        b'{"Count":0}',
        b'{"Count":0,"Items":[]',
        b'{"Count":0,"Items":[]}}',
        b'{"Count":0,"Items":{}}',
    ]
    bodies += [
        b'{"Count":0,"Items":[],"Items":[]}',
        b'{"Count":1,"Items":[{}',
        b'{"Count":"\\',
        b'{"x":]}',
        b'{"x":,"Items":[]}',
    ]
    assert [body for body in bodies if lines(body) is not None] == []


@needs_core
def test_what_is_around_the_items_is_left_as_it_is() -> None:
    key = {"Items": {"S": "[]"}, "a": {"S": '"Items":[]\\'}}
    body = answer({"a": {"S": "x"}}, LastEvaluatedKey=key, ConsumedCapacity={"CapacityUnits": 0.5})
    decoded = scan_operation(JsonLines.page_items, JsonLines().rendered).decode(memoryview(bytearray(body)))
    assert isinstance(decoded.Items, RenderedPage)
    assert (decoded.Count, orjson.loads(decoded.next_key() or "")) == (1, key)
    assert decoded.ConsumedCapacity is not None and decoded.ConsumedCapacity.CapacityUnits == 0.5
    with pytest.raises(ValueError, match="Count is 2"):
        scan_operation(JsonLines.page_items, JsonLines().rendered).decode(b'{"Count":2,"Items":[{}]}')


def test_a_rendered_page_can_be_cut() -> None:
    page = RenderedPage(b"a\nb\nc\n", 3)
    assert (len(page), page[1], page[:2].lines, len(page[:2]), page[:0].lines) == (3, b"b\n", b"a\nb\n", 2, b"")
    assert page[:3] is page
    assert rendered_items(page) == page.lines


@needs_core
@settings(max_examples=examples(400))
@given(st.lists(ITEMS, max_size=4))
def test_pages_of_all_types(items: list[AttributeMap]) -> None:
    lines(answer(*items))


# --------------------------------------------------------------------------- where it is used


@needs_core
def test_batches_are_made_by_the_core_and_others_by_python() -> None:
    format = get_format("json")
    fast = FastBatches(BY_ID, format, key_checker(BY_ID), put_encoder(BY_ID, format))
    large = [b'{"id":"%d","x":"%b"}' % (number, b"x" * 2000) for number in range(2)]
    assert fast.prepare(large) == made(BY_ID, "json", *large)
    rare = [b'{"id":"a","n":-0}', b'{"id":"b","n":1}']
    assert made(BY_ID, "json", *rare) is None
    puts = fast.prepare(rare)
    assert puts is not None and b'"n":{"N":"0"}' in puts.requests


@pytest.mark.parametrize("format", [Csv(CsvLayout(("id",), delimiter="é")), ScannedItems()])
def test_other_records_are_not_for_the_core(format: Format) -> None:
    assert put_encoder(BY_ID, format) is None


@needs_core
@pytest.mark.parametrize("seconds", ["1", pytest.param("30", marks=pytest.mark.fuller)])
def test_the_check_finds_no_difference(
    seconds: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["native", "--seconds", seconds])
    assert main() == 0
    assert "no difference" in capsys.readouterr().out


@needs_core
def test_items_of_a_program_are_for_the_core_but_those_with_a_mark() -> None:
    fast = FastBatches(BY_ID, PythonItems(), key_checker(BY_ID), put_encoder(BY_ID, PythonItems()))
    plain: list[Any] = [{"id": "a", "$x": 1}, {"id": "b", "n": Decimal("1.50"), "f": 0.5, "t": True, "none": None}]
    for items in (plain, [*plain, {"id": "c", "set": {1}}], [{"id": "d", "$SS": ["x"]}], [{"id": "e", "$item": {}}]):
        records = encode(items).splitlines()
        marked = [record for record in records if record.startswith(b"[")]
        assert put_encoder(BY_ID, PythonItems()).encode(records) is None or not marked  # type: ignore[union-attr]
        puts = fast.prepare(records)
        assert puts is not None
        sent = [each["PutRequest"]["Item"] for each in orjson.loads(b"[%b]" % puts.requests)]
        assert sent == [PythonItems().parse(record) for record in records]
    assert fast.prepare(encode([{"id": "a"}, object()]).splitlines()) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@needs_core
@given(st.binary(max_size=64), TEXTS, TEXTS, st.binary(max_size=300))
def test_signatures(key: bytes, canonical: str, to_sign: str, body: bytes) -> None:
    core = native.signing_key(key)
    assert core is not None
    assert core.signature(canonical, to_sign, body) == SigningKey(key).signature(canonical, to_sign, body)


@needs_core
def test_a_signing_key_has_at_most_a_block() -> None:
    with pytest.raises(ValueError, match="too long"):
        native.signing_key(b"x" * 65)
