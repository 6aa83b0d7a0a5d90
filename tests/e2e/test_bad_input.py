"""Bad input: what becomes of each kind of it, one table for all; its neighbours are written.

The predecessors lost the rest of a file, or the whole batch of 25, for one bad line, and exited with 0.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import resource
import tarfile
import zipfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator, batch_writes
from ddbio.simulator.errors import invalid
from ddbio.simulator.values import Item as SimulatorItem
from ddbio.simulator.values import check_item
from tests.support.commands import Run, assert_holds
from tests.support.items import Item, as_json, plain_items, write_items

pytestmark = pytest.mark.fuller

MARK = b"\xef\xbb\xbf"


def lists(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


# What each line is refused for, and a word of the message that says so.
BAD: dict[str, tuple[bytes, str, str]] = {
    "cut off": (b'{"id": "cut", "n":', "bad-json", "not valid JSON"),
    "no JSON": (b"not json at all", "bad-json", "not valid JSON"),
    "two objects": (b'{"id": "two"} {"id": "objects"}', "bad-json", "not valid JSON"),
    "NaN": (b'{"id": "nan", "n": NaN}', "not-finite", "NaN"),
    "Infinity": (b'{"id": "inf", "n": [1, -Infinity]}', "not-finite", "-Infinity"),
    "NaN in what is no JSON": (b'{"id": "nan", "n": NaN', "bad-json", "not valid JSON"),
    "NaN in a string of what is no JSON": (b'{"id": "NaN",}', "bad-json", "not valid JSON"),
    "an attribute without a name": (b'{"id": "nameless", "": 1}', "empty-name", "empty name"),
    "a member of a map without a name": (b'{"id": "nameless", "m": [{"": 1}]}', "empty-name", "empty name"),
    "a quote": (b"{'id': 'single quotes'}", "bad-json", "not valid JSON"),
    "no UTF-8": (b'{"id": "latin-1 \xe9"}', "bad-json", "not valid JSON"),
    "no UTF-8 at all": (b"\xff\xfe\x00{", "bad-json", "not valid JSON"),
    "a lone surrogate": (b'{"id": "half a pair \\ud800"}', "bad-json", "surrogate"),
    "a lone low surrogate": (b'{"id": "half a pair \\udc00"}', "bad-json", "surrogate"),
    "NUL bytes": (b"\x00\x01\x02", "bad-json", "not valid JSON"),
    "NUL in a string": (b'{"id": "a\x00b"}', "bad-json", "not valid JSON"),
    "an array": (b"[1, 2, 3]", "not-an-object", "an array"),
    "a string": (b'"text"', "not-an-object", "a string"),
    "a number": (b"17", "not-an-object", "a number"),
    "null": (b"null", "not-an-object", "null"),
    "no key": (b"{}", "missing-key", "'id'"),
    "the wrong case": (b'{"ID": "x"}', "missing-key", "'id'"),
    "an empty key": (b'{"id": ""}', "empty-key", "'id'"),
    "a number for a key": (b'{"id": 1}', "wrong-key-type", "wants a string"),
    "null for a key": (b'{"id": null}', "wrong-key-type", "null"),
    "a map for a key": (b'{"id": {"S": "typed"}}', "wrong-key-type", "a map"),
    "a long key": (b'{"id": "' + b"k" * 2049 + b'"}', "key-too-long", "2,048"),
    "an index key of another type": (b'{"id": "i", "date": "1"}', "wrong-key-type", "'date'"),
    "an empty index key": (b'{"id": "i", "place": ""}', "empty-key", "'place'"),
    "a long index key": (b'{"id": "i", "place": "' + b"p" * 1025 + b'"}', "key-too-long", "1,024"),
    "over 400 KB": (b'{"id": "large", "v": "' + b"x" * 409_600 + b'"}', "item-too-large", "409,600"),
    "a long name": (b'{"id": "name", "' + b"n" * 65_537 + b'": 1}', "name-too-long", "65,536"),
    "39 digits": (b'{"id": "n", "n": 123456789012345678901234567890123456789}', "bad-number", "38"),
    "39 decimals": (b'{"id": "n", "n": 0.123456789012345678901234567890123456789}', "bad-number", "38"),
    "1E126": (b'{"id": "n", "n": 1E+126}', "bad-number", "range"),
    "1E-131": (b'{"id": "n", "n": 1E-131}', "bad-number", "range"),
    "a huge exponent": (b'{"id": "n", "n": 1e99999999999999999999}', "bad-number", "range"),
    "5,000 digits": (b'{"id": "n", "n": ' + b"9" * 5000 + b"}", "bad-number", "38"),
    "an empty set": (b'{"id": "s", "v": {"$SS": []}}', "empty-set", "at least one member"),
    "a member twice": (b'{"id": "s", "v": {"$SS": ["a", "a"]}}', "duplicate-member", "twice"),
    "a number twice": (b'{"id": "s", "v": {"$NS": [1, 1.0]}}', "duplicate-member", "twice"),
    "bytes twice": (b'{"id": "s", "v": {"$BS": ["AA==", "AA=="]}}', "duplicate-member", "twice"),
    "no set": (b'{"id": "s", "v": {"$SS": "a"}}', "bad-tag", "array"),
    "no base64": (b'{"id": "b", "v": {"$B": "%%%"}}', "bad-base64", "%%%"),
    "33 levels": (b'{"id": "deep", "v": ' + lists(33) + b"}", "too-deep", "32"),
    "100,000 levels": (b'{"id": "deep", "v": ' + lists(100_000) + b"}", "too-deep", "32"),
}

# What is odd and an item all the same, and the item that it is.
GOOD: dict[str, tuple[bytes, Item]] = {
    "white space": (b' \t{ "id" : "spaces" }  ', {"id": {"S": "spaces"}}),
    "a mark in mid-file": (MARK + b'{"id": "marked"}', {"id": {"S": "marked"}}),
    "a carriage return": (b'{"id": "crlf"}\r', {"id": {"S": "crlf"}}),
    "an escaped NUL": (b'{"id": "a\\u0000b"}', {"id": {"S": "a\0b"}}),
    "a surrogate pair": (b'{"id": "\\ud83e\\udd86"}', {"id": {"S": "🦆"}}),
    "a name twice: the last value counts": (b'{"id": "dup", "v": 1, "v": 2}', {"id": {"S": "dup"}, "v": {"N": "2"}}),
    "an empty string": (b'{"id": "empty", "v": ""}', {"id": {"S": "empty"}, "v": {"S": ""}}),
    "the longest key": (b'{"id": "' + b"k" * 2048 + b'"}', {"id": {"S": "k" * 2048}}),
    "38 digits": (b'{"id": "38", "n": 1%s}' % (b"2" * 37), {"id": {"S": "38"}, "n": {"N": "1" + "2" * 37}}),
    "9E125": (b'{"id": "9E125", "n": 9E125}', {"id": {"S": "9E125"}, "n": {"N": "9" + "0" * 125}}),
    "32 levels": (b'{"id": "deep", "v": ' + lists(32) + b"}", {"id": {"S": "deep"}, "v": json.loads(
        '{"L": [' * 31 + '{"L": []}' + "]}" * 31)}),
}  # fmt: skip


def rejects_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record_of(reject: dict[str, Any]) -> bytes:
    return b64decode(reject["record_base64"]) if "record_base64" in reject else reject["record"].encode()


@pytest.fixture
def orders_table(simulator: Simulator) -> Simulator:
    simulator.create_table("Orders", "id:S", global_indexes={"byDate": ["date:N"], "byPlace": ["id:S", "place:S"]})
    return simulator


def test_every_kind_of_bad_line_is_named_and_its_neighbours_are_written(
    run_import: Run, orders_table: Simulator, tmp_path: Path
) -> None:
    """Each among 24 good ones and blank lines, in a file with a byte order mark and without a last line end."""
    good = iter(plain_items(24 * len(BAD)))
    lines: list[bytes] = []
    expected = {}
    for bad, code, says in BAD.values():
        lines += [as_json(next(good)).encode() for _ in range(12)]
        lines += [b"", b"   \t", b"\r"]
        expected[len(lines) + 1] = (len(MARK) + sum(len(line) + 1 for line in lines), code, says, bad)
        lines.append(bad)
        lines += [as_json(next(good)).encode() for _ in range(12)]
    lines += [line for line, _ in GOOD.values()]
    source = tmp_path / "orders.json"
    source.write_bytes(MARK + b"\n".join(lines))

    done = run_import("-t", "Orders", "-s", "orders.json")

    items = [*plain_items(24 * len(BAD)), *(item for _, item in GOOD.values())]
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        f"{len(items) + len(BAD):,} read, {len(items):,} written, {len(BAD)} rejected, "
        f"{3 * len(BAD)} blank lines skipped",
    )
    assert done.out.splitlines()[-2:] == [
        "rejected records, each with the reason: orders.rejects.jsonl",
        "fix them there, then import that file: -s orders.rejects.jsonl",
    ]
    assert_holds(orders_table, "Orders", items)
    rejects = rejects_in(tmp_path / "orders.rejects.jsonl")
    found = {each["line"]: (each["offset"], each["code"], record_of(each)) for each in rejects}
    assert found == {line: (offset, code, bad) for line, (offset, code, _, bad) in expected.items()}
    assert [each["message"] for each in rejects if expected[each["line"]][2] not in each["message"]] == []
    assert {reject["source"] for reject in rejects} == {str(source)}
    members = {"source", "offset", "line", "code", "message"}
    assert all(reject.keys() - {"record", "record_base64"} == members for reject in rejects)


BAD_TYPED = {
    "a number without quotes": ('{"Item": {"id": {"S": "a"}, "v": {"N": 1}}}', "bad-value"),
    "a type that is none": ('{"Item": {"id": {"S": "a"}, "v": {"X": "1"}}}', "bad-value"),
    "two types": ('{"Item": {"id": {"S": "a"}, "v": {"S": "1", "N": "1"}}}', "bad-value"),
    "a false null": ('{"Item": {"id": {"S": "a"}, "v": {"NULL": false}}}', "bad-value"),
    "a plain value": ('{"Item": {"id": {"S": "a"}, "v": "plain"}}', "bad-value"),
    "no item": ('{"Item": null}', "bad-value"),
    "no number": ('{"Item": {"id": {"S": "a"}, "v": {"N": "one"}}}', "bad-number"),
    "39 digits": ('{"Item": {"id": {"S": "a"}, "v": {"N": "' + "1" * 39 + '"}}}', "bad-number"),
    "NaN": ('{"Item": {"id": {"S": "a"}, "v": {"N": "NaN"}}}', "not-finite"),
    "no name": ('{"Item": {"id": {"S": "a"}, "": {"N": "1"}}}', "empty-name"),
    "an empty set": ('{"Item": {"id": {"S": "a"}, "v": {"NS": []}}}', "empty-set"),
    "a member twice": ('{"Item": {"id": {"S": "a"}, "v": {"NS": ["1", "1.0"]}}}', "duplicate-member"),
    "no base64": ('{"Item": {"id": {"S": "a"}, "v": {"B": "?"}}}', "bad-base64"),
    "33 levels": ('{"Item": {"id": {"S": "a"}, "v": ' + '{"L": [' * 33 + "]}" * 33 + "}}", "too-deep"),
    "no key": ('{"Item": {"v": {"S": "a"}}}', "missing-key"),
}


def test_bad_values_of_dynamodb_json(run_import: Run, orders_table: Simulator, tmp_path: Path) -> None:
    lines = ['{"Item": {"id": {"S": "good"}}}', *(line for line, _ in BAD_TYPED.values()), '{"id": {"S": "bare"}}']
    (tmp_path / "orders.json").write_text("\n".join(lines))
    done = run_import("-t", "Orders", "-s", "orders.json", "--format", "dynamodb-json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2, len(BAD_TYPED))
    assert_holds(orders_table, "Orders", [{"id": {"S": "good"}}, {"id": {"S": "bare"}}])
    found = {record_of(each).decode(): each["code"] for each in rejects_in(tmp_path / "orders.rejects.jsonl")}
    assert found == dict(BAD_TYPED.values())


def test_bad_keys_of_every_type(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """Partition key a number, sort key binary."""
    simulator.create_table("Orders", "n:N", "b:B")
    bad = {
        '{"n": "1", "b": {"$B": "AA=="}}': "wrong-key-type",
        '{"n": 1, "b": "AA=="}': "wrong-key-type",
        '{"n": 1, "b": {"$B": ""}}': "empty-key",
        '{"n": 1}': "missing-key",
        '{"b": {"$B": "AA=="}}': "missing-key",
        '{"n": 1, "b": {"$B": "' + "A" * 1368 + '"}}': "key-too-long",  # 1,026 bytes
        '{"n": {"$NS": [1]}, "b": {"$B": "AA=="}}': "wrong-key-type",
    }
    good = ['{"n": 1, "b": {"$B": "AA=="}}', '{"n": 1.0, "b": {"$B": "AQ=="}}', '{"n": 1E0, "b": {"$B": "AQ=="}}']
    (tmp_path / "orders.json").write_text("\n".join([good[0], *bad, *good[1:]]))
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2, len(bad))
    assert simulator.table("Orders").item_count() == 2
    assert {record_of(each).decode(): each["code"] for each in rejects_in(tmp_path / "orders.rejects.jsonl")} == bad


# Bad lines and blank lines of files that have nothing else in them.
EMPTY: dict[str, tuple[bytes, int, int]] = {
    "no byte": (b"", 0, 0),
    "a mark": (MARK, 0, 0),
    "a line end": (b"\n", 0, 1),
    "blank lines": (b"\r\n \n\t\r\n", 0, 3),
    "one bad line": (b"bad", 1, 0),
    "only bad lines": (b"bad\n" * 1000, 1000, 0),
}


def test_files_with_nothing_good_in_them(run_import: Run, orders_table: Simulator, tmp_path: Path) -> None:
    """Each is read to its end. (A folder with nothing in it is a usage error: see `test_usage_errors`.)"""
    expected = []
    for name, (content, bad, _) in EMPTY.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.json").write_bytes(content)
        expected += [(name, line) for line in range(1, bad + 1)]
    done = run_import("-t", "Orders", "-s", "in")
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "1,001 read, 0 written, 1,001 rejected, 4 blank lines skipped",
    ), done.err
    assert_holds(orders_table, "Orders", [])
    rejects = rejects_in(tmp_path / "in.rejects.jsonl")
    assert sorted((Path(each["source"]).stem, each["line"]) for each in rejects) == sorted(expected)


# --------------------------------------------------------------------------- where it stood


def test_line_numbers_count_from_the_start_of_a_file_that_was_cut(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    expected = {}
    good: list[Item] = []
    for name in ("a.json", "b.json"):
        lines = []
        for n in range(1, 1001):
            if n % 50 == 0:
                lines.append("" if n % 100 else f"bad {name} {n}")
                if n % 100 == 0:
                    expected[name, n] = (sum(len(line) + 1 for line in lines[:-1]), f"bad {name} {n}")
            else:
                item: Item = {"id": {"S": f"{name} {n}"}, "filler": {"S": "x" * (n % 400)}}
                good.append(item)
                lines.append(as_json(item))
        (tmp_path / name).write_text("\n".join(lines))
    assert (tmp_path / "a.json").stat().st_size > 3 * 64 * 1024
    done = run_import("-t", "Orders", "-s", "a.json", "-s", "b.json", "-p", 2, "--rejects", "bad.jsonl")
    assert (done.code, done.counts["rejected"]) == (1, len(expected))
    assert_holds(simulator, "Orders", good)
    found = {
        (Path(reject["source"]).name, reject["line"]): (reject["offset"], reject["record"])
        for reject in rejects_in(tmp_path / "bad.jsonl")
    }
    assert found == expected


def test_a_crlf_line_is_rejected_with_its_own_offset(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n\r\nbad\r\n{"id": "b"}\r\n')
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["blank"]) == (1, 2, 1)
    (reject,) = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert (reject["line"], reject["offset"], reject["record"].rstrip("\r")) == (3, 18, "bad")


def test_a_line_of_100_mb(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """It is rejected with its beginning and where the rest is; what stands around it is written, in little memory."""
    simulator.create_table("Orders", "id:S")
    items = plain_items(2000)
    lines = [as_json(item).encode() + b"\n" for item in items]
    before, after = b"".join(lines[:1000]), b"".join(lines[1000:])
    long = b'{"id": "long", "v": "' + b"x" * 100_000_000 + b'"}'
    (tmp_path / "orders.json").write_bytes(before + long + b"\nbad\n" + after)
    done = run_import(
        "-t", "Orders", "-s", "orders.json", preexec_fn=lambda: limit(resource.RLIMIT_DATA, 300_000_000)
    )
    assert (done.code, done.out.splitlines()[0]) == (1, "2,002 read, 2,000 written, 2 rejected"), done.err
    assert_holds(simulator, "Orders", items)
    rejects = sorted(rejects_in(tmp_path / "orders.rejects.jsonl"), key=lambda each: int(each["offset"]))
    assert [(each["offset"], each["line"], each["code"]) for each in rejects] == [
        (len(before), 1001, "line-too-long"),
        (len(before) + len(long) + 1, 1002, "bad-json"),
    ]
    assert (rejects[0]["record_bytes"], rejects[0]["record"]) == (len(long), long[:1024].decode())


def limit(what: int, amount: int) -> None:
    resource.setrlimit(what, (amount, amount))


# --------------------------------------------------------------------------- what only the service can judge


def test_an_item_that_only_the_service_can_judge_is_found_in_its_batch(
    run_import: Run, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(item: SimulatorItem) -> None:
        if item["n"]["N"] in ("7", "8", "33"):
            raise invalid("The service does not like it")
        check_item(item)

    monkeypatch.setattr(batch_writes, "check_item", check)
    simulator.create_table("Orders", "id:S")
    items = plain_items(60)
    write_items(tmp_path / "orders.json", items)
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 57, 3)
    assert_holds(simulator, "Orders", [item for item in items if item["n"]["N"] not in ("7", "8", "33")])
    rejects = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert sorted((reject["line"], reject["code"]) for reject in rejects) == [
        (8, "ValidationException"),
        (9, "ValidationException"),
        (34, "ValidationException"),
    ]
    assert {reject["message"] for reject in rejects} == {"The service does not like it"}
    # Bisecting costs about 2 log2(25) requests for one bad item, and no item is sent on its own without need.
    assert simulator.requests()["BatchWriteItem"] < 40


def test_keys_that_come_again(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """In a batch the service would refuse all of it: the later one is sent, the other counted as replaced. In a later
    batch it is a write like any other: both are counted as written, and the later one is in the table."""
    simulator.create_table("Orders", "id:S")
    keys = [0] * 10 + [n % 30 for n in range(90)]
    lines = [{"id": f"{key}", "n": n} for n, key in enumerate(keys)]
    (tmp_path / "orders.json").write_text("\n".join(map(json.dumps, lines)))
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 1)
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "100 read, 90 written, 0 rejected, 10 replaced by a later record with the same key",
    )
    assert_holds(simulator, "Orders", [{"id": {"S": f"{n}"}, "n": {"N": f"{70 + n}"}} for n in range(30)])


KEYLESS, BROKEN, LONG = '{"key": "x"}', "no JSON", '{"id": "n", "n": 1e999}'


def test_rejects_are_told_by_code_in_the_summary_and_in_the_report(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "in").mkdir()
    good = [as_json(item) for item in plain_items(2000)]
    (tmp_path / "in" / "a.json").write_text("\n".join([good[0], KEYLESS, *good[1:], *[KEYLESS] * 2000, BROKEN]))
    (tmp_path / "in" / "b.json").write_text("\n".join([LONG, *[BROKEN] * 30]))
    done = run_import("-t", "Orders", "-s", "in", "-p", 2, "--report", "report.json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2000, 2033), done.err
    assert done.out.splitlines()[2:5] == [
        "missing-key 2,001, first: a.json line 2: the key 'id' is missing",
        "bad-json 31, first: a.json line 4002: not valid JSON: " + done.out.splitlines()[3].rpartition("JSON: ")[2],
        "bad-number 1, first: b.json line 1: 1e999 is out of DynamoDB's range (1E-130 to 9.99...E+125)",
    ]
    report = json.loads((tmp_path / "report.json").read_text())["rejects_by_code"]
    assert {code: kind["count"] for code, kind in report.items()} == {
        "missing-key": 2001,
        "bad-json": 31,
        "bad-number": 1,
    }
    first = {**report["missing-key"]["first"], "source": Path(report["missing-key"]["first"]["source"]).name}
    assert first == {"source": "a.json", "offset": len(good[0]) + 1, "line": 2, "message": "the key 'id' is missing"}
    assert len(rejects_in(tmp_path / "in.rejects.jsonl")) == 2033


@pytest.mark.parametrize("refused_by", ["the import", "the service"])
def test_an_import_stops_within_a_batch_a_lane_of_the_limit(
    run_import: Run, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_by: str
) -> None:
    """However fast the bad records come; and the error has the numbers of the summary."""
    simulator.create_table("Orders", "id:S")
    bad = KEYLESS if refused_by == "the import" else None
    lines = [bad or as_json(item) for item in plain_items(20_000)]
    (tmp_path / "in.json").write_text("\n".join(lines))
    if bad is None:

        def refuse_all(item: SimulatorItem) -> None:
            raise invalid("refused")

        monkeypatch.setattr(batch_writes, "check_item", refuse_all)
    options = ("-t", "Orders", "-s", "in.json", "-p", 2, "--lanes", 2)
    done = run_import(*options, "--max-errors", 100, "--report", "report.json")
    rejected, read = done.counts["rejected"], done.counts["read"]
    done.assert_error(3, f"{rejected:,} of the {read:,} records read so far were rejected: more than --max-errors")
    assert 100 < rejected <= 100 + 2 * 2 * 25
    assert len(rejects_in(tmp_path / "in.rejects.jsonl")) == rejected
    report = json.loads((tmp_path / "report.json").read_text())
    assert sum(kind["count"] for kind in report["rejects_by_code"].values()) == rejected
    assert f" {rejected:,}, first: in.json " in done.out
    monkeypatch.undo()
    again = run_import(*options, "--max-errors", "100%")
    assert (again.counts["read"], again.counts["rejected"]) == (20_000, 20_000 if bad else rejected), again.err
    total = 20_000 if bad else rejected
    assert f" {total:,}, first: in.json line 1: " in again.out or bad is None


def test_files_of_other_programs_are_named_and_nothing_is_moved(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """Whatever their names say, alone and packed, large ones beside good files too."""
    simulator.create_table("Orders", "id:S")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.json"), io.BytesIO())
    with zipfile.ZipFile(tmp_path / "in.json", "w") as zipped:
        zipped.writestr("xl/workbook.xml", "<workbook/>")
    (tmp_path / "data").write_bytes(bz2.compress(b'{"id": "a"}\n'))
    (tmp_path / "in.csv").write_bytes(b"SQLite format 3\0\x10\0")
    (tmp_path / "in.parquet").write_bytes(b"Obj\x01\x04\x14avro.codec")
    (tmp_path / "in.json.gz").write_bytes(gzip.compress(tar.getvalue()))
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a.json").write_text('{"id": "a"}\n')
    (tmp_path / "many" / "b.json").write_bytes(b"\xfd7zXZ\0" + bytes(100_000))
    for source, kind, advice in (
        ("in.json", "an Excel workbook", "CSV"),
        ("data", "a bzip2 file", "bzip2 -dc"),
        ("in.csv", "an SQLite database", "sqlite3"),
        ("in.parquet", "an Avro file", "--format avro"),
        ("in.json.gz", "a tar archive", "unpack it"),
        ("many", "an xz file", "xz -dc"),
    ):
        run_import("-t", "Orders", "-s", source).assert_one_line_error(2, kind, advice)
    assert simulator.table("Orders").item_count() == 0
