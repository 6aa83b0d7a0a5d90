"""Avro: what fastavro writes is read, what we write is read by fastavro; every cut of a file gives each record once;
damage is an error in one line and takes no record before it."""

from __future__ import annotations

import datetime
import io
import itertools
import json
import struct
import sys
import uuid
import zlib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import AbortError, PermanentError, RecordError, UsageError
from ddbio.formats import get_format
from ddbio.formats.avro import Avro, AvroLayout
from ddbio.formats.avro.container import block_bytes, blocks, header_bytes, long_at, long_bytes, read_header
from ddbio.formats.avro.values import OWN_TYPES
from ddbio.formats.avro.writing import AvroWriter, decimal_bytes, field_names
from ddbio.formats.declaration import Known
from ddbio.messages.files import STDIN, SourceFile
from ddbio.options import CsvOptions
from ddbio.sources.detect import Detected, detect
from ddbio.values.items import AttributeMap, AttributeValue
from ddbio.values.names import NO_CHANGES, NameChanges
from tests.support.tables import table

TABLE = table({"id": "S"})
SYNC = bytes(range(16))
Schema = dict[str, Any]


def record(**types: Any) -> Schema:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in types.items()]}


def file_of(schema: Schema, rows: list[Any], codec: str = "null", **options: Any) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, rows, codec=codec, sync_marker=SYNC, **options)
    return out.getvalue()


def detected(content: bytes, uri: str = "in.avro", keys: dict[str, str] | None = None, **known: Any) -> Detected:
    changes = known.pop("changes", NO_CHANGES)
    described = Known.of_table(table(keys or {"id": "S"}), known.pop("format", "auto"), CsvOptions(), changes)
    return detect([SourceFile(uri, len(content), "1")], described, lambda _, start, stop: content[start:stop])


def lines(
    content: bytes, start: int | None = None, stop: int | None = None, skip: int = 0, **known: Any
) -> Iterator[bytes]:
    (source,) = detected(content, **known).sources
    stop = len(content) if stop is None else stop
    format = get_format(source.format)
    assert isinstance(format, Avro)
    for rows in format.rows_of_part(io.BytesIO(content), source.start if start is None else start, stop, skip):
        yield from rows.texts


def items(content: bytes, **known: Any) -> list[AttributeMap]:
    return [get_format("json").parse(line) for line in lines(content, **known)]


def value(kind: Any, written: Any, **options: Any) -> Any:
    """What a value of that type becomes; None for no attribute."""
    (item,) = items(file_of(record(id="string", v=kind), [{"id": "a", "v": written}], **options))
    return item.get("v")


# --------------------------------------------------------------------------- types


def fixed(size: int, **more: Any) -> Schema:
    return {"type": "fixed", "name": "F", "size": size, **more}


def logical(kind: str, name: str, **more: Any) -> Schema:
    return {"type": kind, "logicalType": name, **more}


UTC = datetime.timezone.utc
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
NESTED = {"type": "record", "name": "In", "fields": [{"name": "f", "type": ["null", "float"]}]}


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("null", None, None),
        ("boolean", True, {"BOOL": True}),
        ("int", -5, {"N": "-5"}),
        ("long", 2**63 - 1, {"N": "9223372036854775807"}),
        ("float", 0.1, {"N": "0.1"}),
        ("float", 3.4028234663852886e38, {"N": "3.4028235e+38"}),
        ("float", 16777216.0, {"N": "16777216.0"}),
        ("double", 0.1, {"N": "0.1"}),
        ("double", 1e100, {"N": "1e+100"}),
        ("double", 0.10000000149011612, {"N": "0.10000000149011612"}),
        ("string", "ä\n", {"S": "ä\n"}),
        ("bytes", b"\x00\xff", {"B": "AP8="}),
        (fixed(2), b"ab", {"B": "YWI="}),
        (ENUM, "B", {"S": "B"}),
        ({"type": "array", "items": ["null", "double"]}, [1.5, None], {"L": [{"N": "1.5"}, {"NULL": True}]}),
        ({"type": "map", "values": "bytes"}, {"k": b"\x00"}, {"M": {"k": {"B": "AA=="}}}),
        ({"type": "map", "values": "string"}, {"$B": "AA=="}, {"M": {"$B": {"S": "AA=="}}}),
        (NESTED, {"f": 0.1}, {"M": {"f": {"N": "0.1"}}}),
        (NESTED, {"f": None}, {"M": {"f": {"NULL": True}}}),
        (["null", "string"], None, None),
        (["float", "double"], ("double", 0.1), {"N": "0.1"}),
        (
            ["null", logical("int", "date"), logical("long", "timestamp-micros")],
            datetime.date(2024, 1, 2),
            "2024-01-02",
        ),
        (logical("bytes", "decimal", precision=40, scale=2), Decimal("-1.50"), {"N": "-1.50"}),
        (logical("bytes", "decimal", precision=40), Decimal(10**37 + 1), {"N": f"1{'0' * 36}1"}),
        (fixed(20, logicalType="decimal", precision=38, scale=38), Decimal("1E-38"), {"N": f"0.{'0' * 37}1"}),
        (logical("int", "date"), datetime.date(1969, 12, 31), "1969-12-31"),
        (logical("int", "time-millis"), datetime.time(3, 4, 5, 678_000), "03:04:05.678"),
        (logical("long", "time-micros"), datetime.time(23, 59, 59, 999_999), "23:59:59.999999"),
        (
            logical("long", "timestamp-millis"),
            datetime.datetime(2024, 2, 29, 3, 4, 5, 678_000, tzinfo=UTC),
            "2024-02-29T03:04:05.678Z",
        ),
        (
            logical("long", "timestamp-micros"),
            datetime.datetime(1, 1, 1, tzinfo=UTC),
            "0001-01-01T00:00:00.000000Z",
        ),
        (logical("long", "timestamp-nanos"), 1, "1970-01-01T00:00:00.000000001Z"),
        (logical("long", "local-timestamp-millis"), datetime.datetime(2024, 1, 2), "2024-01-02T00:00:00.000"),
        (logical("string", "uuid"), uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (fixed(16, logicalType="uuid"), bytes(15) + b"\1", str(uuid.UUID(int=1))),
        (fixed(12, logicalType="duration"), struct.pack("<III", 1, 2, 3004), "P1M2DT3.004S"),
        (fixed(3, logicalType="uuid"), b"abc", {"B": "YWJj"}),
        (logical("string", "anything"), "x", {"S": "x"}),
        (logical("bytes", "json"), b"x", {"B": "eA=="}),
    ],
    ids=range(38),
)
def test_every_type_has_its_rule(kind: Any, written: Any, expected: Any) -> None:
    assert value(kind, written) == ({"S": expected} if isinstance(expected, str) else expected)


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_day_is_that_of_the_calendar(days: int) -> None:
    text = OWN_DATE(days)
    epoch = datetime.date(1970, 1, 1)
    if 0 < days + epoch.toordinal() <= datetime.date.max.toordinal():
        assert text == (epoch + datetime.timedelta(days)).isoformat()
    else:
        assert text[0] in "+-" or text.startswith("0000-")


def OWN_DATE(days: int) -> str:
    from ddbio.formats.avro.values import LOGICAL_TYPES

    return str(LOGICAL_TYPES["int", "date"](days, {}))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_is_the_shortest_that_stands_for_it(number: float) -> None:
    text = bytes(OWN_TYPES["float", "float"](number, {})).decode()
    assert struct.unpack("<f", struct.pack("<f", float(text)))[0] == number
    assert len(text.strip("-").partition("e")[0].replace(".", "").strip("0")) <= 9


def test_what_dynamodb_cannot_store_is_rejected_one_record_at_a_time() -> None:
    bad = [float("nan"), float("inf"), -float("inf"), 1e300, 5e-324]
    content = file_of(record(id="string", v="double"), [{"id": "a", "v": each} for each in [1.0, *bad, 2.0]])
    codes = []
    for line in lines(content):
        try:
            get_format("json").parse(line)
            codes.append("")
        except RecordError as error:
            codes.append(error.code)
    assert codes == ["", "not-finite", "not-finite", "not-finite", "bad-number", "bad-number", ""]


def test_text_that_is_not_utf_8_rejects_its_record_only() -> None:
    schema = record(id="bytes", v="bytes", f="double")
    content = file_of(schema, [{"id": b"a", "v": each, "f": 0.5} for each in (b"x", b"\xff\n", b"y")])
    as_text = json.dumps(schema).encode(), json.dumps(record(id="string", v="string", f="double")).encode()
    header = read_header(io.BytesIO(content))
    body = content[header.size_bytes :]
    content = header_bytes({"avro.schema": as_text[1].decode()}, SYNC) + body
    first, second, third = lines(content)
    assert (first, third) == (b'{"id":"a","v":"x","f":0.5}', b'{"id":"a","v":"y","f":0.5}')
    with pytest.raises(RecordError, match=r"byte 0xff at offset .* is not UTF-8"):
        get_format("json").parse(second)
    assert second == b'{"id": "a", "v": "\xff\\n", "f": 0.5}'


def test_records_of_several_types_and_maps_are_items() -> None:
    union = [record(id="string"), {"type": "map", "values": "string"}, "null"]
    content = file_of(union, [("R", {"id": "a"}), {"id": "b", "x": "y"}, None])  # type: ignore[arg-type]
    found = list(lines(content))
    assert found == [b'{"id":"a"}', b'{"id":"b","x":"y"}', b"null"]
    with pytest.raises(UsageError, match="its records are of type string"):
        detected(file_of("string", ["a"]))  # type: ignore[arg-type]


def test_the_key_has_the_type_of_the_table() -> None:
    content = file_of(record(id="long", n="string"), [{"id": 5, "n": "7.50"}])
    assert items(content, keys={"id": "S", "n": "N"}) == [{"id": {"S": "5"}, "n": {"N": "7.50"}}]
    renamed = NameChanges({"key": "id"})
    assert items(file_of(record(key="long"), [{"key": 5}]), changes=renamed) == [{"key": {"S": "5"}}]


# --------------------------------------------------------------------------- cuts

ROWS = [{"id": f"k{number}", "v": "x" * (number % 50)} for number in range(3000)]
SMALL = file_of(record(id="string", v="string"), ROWS, sync_interval=500)
LARGE = file_of(record(id="string", v="string"), ROWS, codec="deflate")


@given(st.lists(st.integers(0, len(SMALL)), max_size=6))
def test_every_record_is_in_one_unit_wherever_a_file_is_cut(places: list[int]) -> None:
    (source,) = detected(SMALL).sources
    cuts = sorted({source.start, len(SMALL), *(place for place in places if place > source.start)})
    found = [line for start, stop in itertools.pairwise(cuts) for line in lines(SMALL, start, stop)]
    assert [json.loads(line) for line in found] == ROWS


@pytest.mark.parametrize("skip", [0, 1, 19, 20, 21, 1500, 2999, 3000])
def test_a_unit_is_resumed_at_any_record_and_blocks_before_it_are_not_unpacked(
    skip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[bytes] = []
    monkeypatch.setattr("ddbio.formats.avro.reading.unpacker", lambda _: lambda data: unpacked.append(data) or data)
    assert [json.loads(line) for line in lines(SMALL, skip=skip)] == ROWS[skip:]
    start = read_header(io.BytesIO(SMALL)).size_bytes
    ends = list(accumulate(block.records for block in blocks(io.BytesIO(SMALL), SYNC, start, len(SMALL))))
    assert len(unpacked) == sum(end > skip for end in ends)


def test_a_file_that_is_larger_than_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.formats.avro.container.STEP_BYTES", 64)
    for content in (SMALL, LARGE):
        assert [json.loads(line) for line in lines(content)] == ROWS
        (source,) = detected(content).sources
        middle = source.start + (len(content) - source.start) // 2
        halves = [*lines(content, source.start, middle), *lines(content, middle)]
        assert [json.loads(line) for line in halves] == ROWS


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_those_of_the_specification(number: int) -> None:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "long"}, number)
    assert long_bytes(number) == out.getvalue()
    assert long_at(b"x" + out.getvalue(), 1) == (number, 1 + len(out.getvalue()))


# --------------------------------------------------------------------------- detection


def test_a_file_is_known_by_its_name_or_its_first_bytes() -> None:
    content = file_of(record(id="string"), [{"id": "a"}])
    assert detected(content).remarks == ["Format: avro, as names end in .avro"]
    assert detected(content, "data").remarks == ['Format: avro, as "data" begins with Obj']
    with pytest.raises(UsageError, match=r'"a.json" is an Avro file; import it with --format avro'):
        detected(content, "a.json")
    assert items(content, uri="a.json", format="avro") == [{"id": {"S": "a"}}]
    assert detected(file_of(record(id="string"), [])).sources == []


@pytest.mark.parametrize(
    ("content", "uri", "message"),
    [
        (b"", STDIN, "Avro cannot be read from standard input; name the file with -s"),
        (b"Obj\x01", "in.avro", '"in.avro" cannot be read as Avro: it breaks off in its header; import a whole copy'),
        (SMALL[:100], "in.avro", "it breaks off in its header"),
        (b"no avro", "in.avro", "it does not begin like an Avro file"),
        (b"%PDF-1.7", "in.avro", '"in.avro" is a PDF document'),
        (header_bytes({}, SYNC), "in.avro", "its header has no schema"),
        (header_bytes({"avro.schema": "{"}, SYNC), "in.avro", "its schema is not valid"),
        (header_bytes({"avro.schema": '{"type": "Unknown"}'}, SYNC), "in.avro", "its schema is not valid"),
        (header_bytes({"avro.schema": "[" * 5000 + "]" * 5000}, SYNC), "in.avro", "its schema is"),
        (
            header_bytes({"avro.schema": json.dumps(record(x="int"))}, SYNC),
            "in.avro",
            "\"in.avro\" has no field 'id', a key of the table; it has 'x'",
        ),
        (
            header_bytes({"avro.schema": json.dumps(record(id="int")), "avro.codec": "brotli"}, SYNC),
            "in.avro",
            "blocks that are compressed with 'brotli' cannot be read; use one of null, deflate",
        ),
        (b"Obj\x01" + b"\xff" * 30, "in.avro", "a number in it does not end"),
        (b"Obj\x01" + long_bytes(1) + long_bytes(2**40), "in.avro", "its header is damaged"),
    ],
    ids=range(13),
)
def test_what_cannot_be_read_is_refused_in_one_line(content: bytes, uri: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        detected(content, uri, format="avro")
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["fastavro", "cramjam"])
def test_a_library_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = header_bytes({"avro.schema": json.dumps(record(id="int")), "avro.codec": "snappy"}, SYNC)
    for module in (name, "cramjam", "snappy"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"needs the package {name}, which is not installed; pip install"):
        detected(content)


# --------------------------------------------------------------------------- codecs and damage


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_blocks_of_every_codec_are_read(codec: str) -> None:
    content = file_of(record(id="string", v="string"), ROWS, codec=codec, sync_interval=5000)
    assert [json.loads(line) for line in lines(content)] == ROWS


def test_blocks_of_zstandard_are_read() -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = zstandard.ZstdCompressor().compress(long_bytes(1) + b"a")
    head = header_bytes({"avro.schema": json.dumps(record(id="string")), "avro.codec": "zstandard"}, SYNC)
    assert list(lines(head + block_bytes(1, packed, SYNC))) == [b'{"id":"a"}']


class Snappy:
    """As the library: the block is not compressed at all, and its checksum follows."""

    @staticmethod
    def decompress_raw(data: bytes) -> bytes:
        return bytes(data)


def test_blocks_of_snappy_are_read_and_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    library = type(sys)("cramjam")
    library.snappy = Snappy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cramjam", library)
    head = header_bytes({"avro.schema": json.dumps(record(id="string")), "avro.codec": "snappy"}, SYNC)
    data = long_bytes(1) + b"a"
    checksum = zlib.crc32(data).to_bytes(4, "big")
    assert list(lines(head + block_bytes(1, data + checksum, SYNC))) == [b'{"id":"a"}']
    with pytest.raises(PermanentError, match="its checksum is another one"):
        list(lines(head + block_bytes(1, data + b"abcd", SYNC)))


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["null", "deflate"])
@given(data=st.data())
def test_damage_is_an_error_and_takes_no_record_before_it(content: bytes, data: st.DataObject) -> None:
    start = read_header(io.BytesIO(content)).size_bytes
    kind = data.draw(st.sampled_from(["cut", "change"]))
    at = data.draw(st.integers(start, len(content) - 1))
    damaged = content[:at] if kind == "cut" else content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
    layout = detected(content).sources[0].format.settings
    before = sum(
        each.records for each in blocks(io.BytesIO(content), SYNC, start, len(content)) if each_ends(each, at)
    )
    found: list[bytes] = []
    error = None
    try:
        for rows in Avro(layout).rows_of_part(io.BytesIO(damaged), start, len(damaged), 0):  # type: ignore[arg-type]
            found += rows.texts
    except PermanentError as raised:
        error = raised
        assert "\n" not in str(error)
    assert [json.loads(line) for line in found[:before]] == ROWS[:before]
    # A byte that changed inside of a text, and a file that ends between two blocks, nothing can tell.
    assert error is not None or kind == "change" or len(found) == before


def each_ends(block: Any, at: int) -> bool:
    head = len(long_bytes(block.records)) + len(long_bytes(len(block.data)))
    return bool(block.offset + head + len(block.data) + 16 <= at)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (block_bytes(10**12, b"", SYNC), "1,000,000,000,000 records in 0 bytes"),
        (block_bytes(-1, b"", SYNC), "is damaged"),
        (block_bytes(1, long_bytes(1) + b"ab", SYNC), "it has more bytes than its records"),
        (block_bytes(2, long_bytes(1) + b"a", SYNC), "record 2 of it is none"),
        (block_bytes(1, long_bytes(-5) + b"a", SYNC), "record 1 of it is none"),
    ],
)
def test_a_block_is_what_it_says(block: bytes, message: str) -> None:
    head = header_bytes({"avro.schema": json.dumps(record(id="string"))}, SYNC)
    with pytest.raises(PermanentError, match=message):
        list(lines(head + block))


# --------------------------------------------------------------------------- out

COLUMNS = (
    ("id", "S"),
    ("n", "N"),
    ("b", "B"),
    ("ok", "BOOL"),
    ("ss", "SS"),
    ("ns", "NS"),
    ("bs", "BS"),
    ("j", "JSON"),
)
ITEM: dict[str, AttributeValue] = {
    "id": AttributeValue(S="a"),
    "n": AttributeValue(N="1.50"),
    "b": AttributeValue(B="AAE="),
    "ok": AttributeValue(BOOL=False),
    "ss": AttributeValue(SS=["x"]),
    "ns": AttributeValue(NS=["1", "2.5"]),
    "bs": AttributeValue(BS=["AA=="]),
    "j": AttributeValue(M={"$B": AttributeValue(L=[AttributeValue(NULL=True)])}),
}


def written(rows: list[dict[str, AttributeValue]], columns: Any = COLUMNS, numbers: str = "string") -> bytes:
    writer = AvroWriter(AvroLayout(columns, numbers))
    return writer.add(rows) + writer.finish()


@pytest.mark.parametrize("numbers", ["string", "decimal"])
def test_what_is_written_is_read_by_fastavro_and_comes_back(numbers: str) -> None:
    content = written([ITEM, {"id": AttributeValue(S="b")}], numbers=numbers)
    as_number = str if numbers == "string" else Decimal
    first, second = fastavro.reader(io.BytesIO(content))
    assert first == {
        "id": "a",
        "n": as_number("1.50"),
        "b": b"\0\1",
        "ok": False,
        "ss": ["x"],
        "ns": [as_number("1"), as_number("2.5")],
        "bs": [b"\0"],
        "j": '{"$M":{"$B":[null]}}',
    }
    assert second == dict.fromkeys(first) | {"id": "b"}
    back = items(content)
    expected: AttributeMap = {
        "id": {"S": "a"},
        "n": {"N": "1.50"},
        "b": {"B": "AAE="},
        "ok": {"BOOL": False},
        "ss": {"SS": ["x"]},
        "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": ["AA=="]},
        "j": {"M": {"$B": {"L": [{"NULL": True}]}}},
    }
    if numbers == "decimal":
        expected |= {"n": {"N": "1.500000000"}, "ns": {"NS": ["1.000000000", "2.500000000"]}}
    assert back == [expected, {"id": {"S": "b"}}]


@given(st.lists(st.text(max_size=3), unique=True, max_size=8))
def test_names_that_avro_does_not_allow_come_back(names: list[str]) -> None:
    attributes = ["id", *(name for name in names if name not in ("", "id"))]
    fields = field_names(attributes)
    assert len({*fields}) == len(fields)
    content = written(
        [{name: AttributeValue(S="v") for name in attributes}], tuple((name, "S") for name in attributes)
    )
    (row,) = fastavro.reader(io.BytesIO(content))
    assert row == dict.fromkeys(fields, "v")
    assert items(content) == [{name: {"S": "v"} for name in attributes}]


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_exact_or_refused(number: Decimal) -> None:
    try:
        data = decimal_bytes(str(number))
    except ArithmeticError:
        assert number.adjusted() >= 29 or (Fraction(number) * 10**9).denominator != 1
        return
    assert Fraction(int.from_bytes(data, "big", signed=True), 10**9) == Fraction(number)


def test_a_decimal_of_more_digits_than_a_context_has_is_refused() -> None:
    with pytest.raises(ArithmeticError):
        decimal_bytes("7028705899689113305135043.2095000007251424649")
    with pytest.raises(ArithmeticError):
        decimal_bytes("1E29")


def test_blocks_are_written_as_they_fill_and_values_of_other_types_are_refused() -> None:
    writer = AvroWriter(AvroLayout((("id", "S"),)))
    rows = [{"id": AttributeValue(S=f"{number:0100d}")} for number in range(2000)]
    data = writer.add(rows)
    assert len(data) > 1000 and 0 < writer.pending_bytes < 64 * 1024
    data += writer.finish()
    assert len(list(blocks(io.BytesIO(data), read_header(io.BytesIO(data)).sync, 0, len(data)))) > 2
    assert len(list(fastavro.reader(io.BytesIO(data)))) == 2000
    with pytest.raises(AbortError, match=r"'id' is of type N in one item, and its column of type S"):
        written([{"id": AttributeValue(N="1")}], (("id", "S"),))
    with pytest.raises(AbortError, match=r"'n' does not fit into decimal\(38, 9\).*has more than 9 places"):
        written([{"n": AttributeValue(N="1E-10")}], (("n", "N"),), "decimal")
