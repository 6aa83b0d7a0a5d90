"""The native core against the Python code that it speeds up, on damaged and hostile input: `python -m checks.native`.

Real records and answers are mutated byte by byte and token by token. The core must return exactly the result of the
Python code, or None. The exit code is 1 at the first difference, which is printed with its seed.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from bench import shapes
from ddbio import native
from ddbio.dynamodb.operations import encode_item, put_requests
from ddbio.dynamodb.scan import ScanReply, scan_operation
from ddbio.errors import RecordError
from ddbio.formats import Format, get_format
from ddbio.formats.csv import Csv, CsvLayout, rendered_rows
from ddbio.formats.json_lines import JsonLines
from ddbio.formats.json_pages import rendered_items
from ddbio.sinks.estimates import WriteEstimates
from ddbio.sinks.fast_batch import PreparedPuts, put_encoder
from ddbio.values.capacity import Attributes, item_size_bytes, write_units
from ddbio.values.keys import key_checker
from ddbio.values.table import TableInfo

_TOKENS = [
    *rb"""  "  \  {  }  [  ]  ,  :  \u00e9  \ud83d\ude00  \ud800  \/  \u0000  \u0022  \u0024  \x  -  -0  0  1e5
    1E-130  1e999  .5  1.0  true  false  null  NaN  []  {}  ""  {"$B":"AA=="}  {"$SS":["a","b"]}  {"$NS":[1,1.0]}
    "$x":  ,  ;  |  "";  007  -0  NULL  \N  \n  \,  true  FALSE
    {"$BS":["AQ=="]}  {"$M":{"$B":1}}  {"S":"x"}  {"N":"1"}  {"N":"+1"}  {"NULL":false}  {"M":{}}
    {"L":[{"NULL":true}]}  "Item":  "hash":"a",  "hash":{"S":"a"},  "range":""".split(),
    *(b" ", b"\t", b"\r", b"\x00", b"\x1f", b"\x7f", b"\xff", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"9" * 38, b"9" * 39, b"0." + b"1" * 38, b"[" * 33, b'{"m":' * 33, b"x" * 1100),
]


_DUMPS: Sequence[Callable[[Any], str]] = (json.dumps, lambda item: json.dumps(item, separators=(",", ":")))


def reference(into: TableInfo, format: Format, records: Sequence[bytes]) -> PreparedPuts | None:
    """The puts that the Python code makes of records one by one; None if one is refused, or two have the same key."""
    estimates, key_of = WriteEstimates(into), key_checker(into)
    if any(not record or record.isspace() for record in records):
        return None  # a blank line is no record
    try:
        items = [format.parse(record) for record in records]
        keys = {key_of(item) for item in items}
        for item in items:
            estimates.of_put(item, False)  # which refuses large items
    except RecordError:
        return None
    if len(keys) < len(items):
        return None
    entries = tuple(_units([index.entry(item) for item in items]) for index in into.indexes)
    return PreparedPuts(put_requests(map(encode_item, items)), entries, _units(items))


def _units(items: Sequence[Attributes | None]) -> int:
    return sum([write_units(item_size_bytes(item)) for item in items if item is not None])


def tables() -> list[TableInfo]:
    """Of several keys, with indexes of each projection."""
    letters = {"hash": "S", "range": "S", "val_1": "N", "total": "N", "val_2": "S"}
    some = [("hash", "range"), ("val_1",), ("val_2", "total")]
    indexes = [
        _index("all", ("val_2",), {"ProjectionType": "ALL"}),
        _index("keys", ("total", "hash"), {"ProjectionType": "KEYS_ONLY"}),
        _index("some", ("val_1",), {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["lines", "hash"]}),
    ]
    return [table_of(letters, key, chosen) for key in some for chosen in ([], indexes)]


def _index(name: str, key: Sequence[str], projection: dict[str, Any]) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(key), "Projection": projection}


def _schema(key: Sequence[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(key, ("HASH", "RANGE"), strict=False)]


def table_of(letters: dict[str, str], key: Sequence[str], indexes: Sequence[dict[str, Any]] = ()) -> TableInfo:
    """letters: types of the attributes in `key` and in `indexes`."""
    definitions = [{"AttributeName": name, "AttributeType": letter} for name, letter in letters.items()]
    return TableInfo.of(
        {
            "TableName": "Orders",
            "AttributeDefinitions": definitions,
            "KeySchema": _schema(key),
            "GlobalSecondaryIndexes": [*indexes],
        }
    )


def mutated(draw: random.Random, record: bytes, other: bytes) -> bytes:
    """The record with some of its bytes removed, replaced, repeated, or mixed with those of another one."""
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
        at, length = draw.randrange(len(record) + 1), draw.choice((0, 0, 1, 1, 2, 8, 40))
        piece = draw.choice(
            (
                b"",
                draw.choice(_TOKENS),
                draw.choice(_TOKENS),
                draw.randbytes(1),
                record[at : at + draw.randrange(60)],
                other[at : at + draw.randrange(60)],
            )
        )
        record = record[:at] + piece + record[at + length :]
    return record


def reference_page(answer: bytes) -> tuple[bytes, int] | None:
    """The lines of json that the Python code makes of an answer to a Scan, and the number; None if it refuses it."""
    general = scan_operation(JsonLines.page_items)
    try:
        items = general.decode(answer).Items
        return rendered_items(items), len(items)
    except (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError):
        return None


def page_difference(answer: bytes) -> str:
    """Of the core's lines from those of the Python code; empty if there is none, or the core leaves it to Python."""
    render = native.page_renderer()
    assert render is not None
    made = render(answer)
    if made is None:
        return ""
    rest, lines, count = made
    wanted = reference_page(answer)
    decode = msgspec.json.Decoder(ScanReply).decode
    try:
        reply, whole = decode(rest), decode(answer)
    except (msgspec.MsgspecError, ValueError):
        return "" if wanted is None else f"the rest: {rest!r}"
    if wanted is None and reply.Count != count:
        return ""  # it is refused when the items are counted
    same = (reply.Count, reply.ScannedCount, reply.next_key(), reply.ConsumedCapacity)
    if same != (whole.Count, whole.ScannedCount, whole.next_key(), whole.ConsumedCapacity):
        return f"the rest: {rest!r}"
    return "" if wanted == (lines, count) else f"the core:  {lines!r}\nin Python: {wanted}"


def puts_difference(into: TableInfo, format: Format, records: list[bytes]) -> str:
    """The same of the puts of records of a format."""
    encoder = put_encoder(into, format)
    assert encoder is not None
    made, wanted = encoder.encode(records), reference(into, format, records)
    return "" if made is None or made == wanted else f"the core:  {made}\nin Python: {wanted}"


def layouts() -> list[CsvLayout]:
    """Of rows with the keys of `tables`, and columns of each type."""
    columns = ("hash", "range", "val_1", "val_2", "total", "lines", "tags", 'é"')
    keys = ("S", "S", "N", "S", "N")
    return [
        CsvLayout(columns, (*keys, "S", "infer", "infer"), empty="string", never_empty=columns[:5]),
        CsvLayout(columns, (*keys, "JSON", "SS", "BOOL"), "|", "null", columns[:5], nulls=("NULL", "\\N")),
        CsvLayout(columns, (*keys, "L", "M", "B"), ";", escape="\\"),
    ]


CELLS = ["", "x", "12", "-0.0", "1.50", "1e5", "007", "true", "FALSE", "AA==", '{"a":[1]}', "[1]", 'a "b"', "é,;|"]


def row_of(draw: random.Random, layout: CsvLayout) -> bytes:
    """A row of a file; two seldom have the same key."""
    cells = [f"{draw.randrange(10**6)}" for _ in layout.columns[:5]]
    cells += [draw.choice(CELLS) for _ in layout.columns[5:]]
    line_end = draw.choice((b"", b"\r"))
    return rendered_rows([cells], layout.delimiter, all_in_quotes=draw.random() < 0.2)[:-1] + line_end


def batches(draw: random.Random) -> Iterator[tuple[TableInfo, Format, list[bytes]]]:
    """Tables, formats and batches, without end."""
    plain = [item for shape in ("small", "nested") for item in shapes.items(shape, 50)]
    typed = [shapes.typed_map(item) for item in plain]
    corpus = {
        "json": [dump(item).encode() for item in plain for dump in _DUMPS],
        "dynamodb-json": [
            dump(each).encode() for item in typed for each in (item, {"Item": item}) for dump in _DUMPS
        ],
    }
    sources: list[tuple[Format, list[bytes]]] = [(get_format(name), records) for name, records in corpus.items()]
    rows = random.Random(shapes.SEED)
    sources += [(Csv(layout), [row_of(rows, layout) for _ in range(200)]) for layout in layouts()]
    into = tables()
    while True:
        format, records = draw.choice(sources)
        chosen = draw.sample(records, draw.choice((1, 1, 2, 3)))
        yield draw.choice(into), format, [mutated(draw, record, draw.choice(records)) for record in chosen]


def answer_of(items: bytes, count: int) -> bytes:
    """A usual answer to a Scan. items: a JSON array of them."""
    return (
        b'{"ConsumedCapacity":{"CapacityUnits":128.5,"TableName":"Orders"},"Count":%d,"Items":%b,'
        b'"LastEvaluatedKey":{"hash":{"S":"x"}},"ScannedCount":%d}' % (count, items, count)
    )


def answers(draw: random.Random) -> Iterator[bytes]:
    """Answers to a Scan, without end."""
    items = [shapes.typed_map(item) for shape in ("small", "nested") for item in shapes.items(shape, 50)]
    items += [{"z": {"B": "AA=="}, "b": {"NS": ["1", "2.5"]}, "a": {"BS": ["AQ=="]}, "é": {"M": {"$x": {"S": "y"}}}}]
    while True:
        page = draw.sample(items, draw.randrange(3))
        members: list[tuple[str, Any]] = [("Count", len(page)), ("Items", page), ("ScannedCount", 9)]
        members += draw.sample(
            [("ConsumedCapacity", {"CapacityUnits": 1.5}), ("LastEvaluatedKey", {"a": {"S": "x"}})], 1
        )
        draw.shuffle(members)
        answer = draw.choice(_DUMPS)(dict(members)).encode()
        yield mutated(draw, answer, draw.choice(_DUMPS)(draw.choice(items)).encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    given = parser.parse_args()
    if native.state() != native.IN_USE:
        print(f"the native core is {native.state()}")
        return 2
    draw, ends_s, tried = random.Random(given.seed), time.monotonic() + given.seconds, 0
    for (into, format, records), answer in zip(batches(draw), answers(draw), strict=False):
        for what, difference in (
            (f"{format.suffix}: {records}", puts_difference(into, format, records)),
            (f"an answer: {answer!r}", page_difference(answer)),
        ):
            if difference:
                print(f"seed {given.seed}: {what}\n{difference}")
                return 1
        tried += 1
        if time.monotonic() > ends_s:
            break
    print(f"{tried:,} batches and as many answers to a Scan, seed {given.seed}: no difference")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
