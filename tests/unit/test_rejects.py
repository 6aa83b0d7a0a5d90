"""The rejects file: every rejected record, whole, with its line, on disk the moment it is known."""

from __future__ import annotations

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import TransferError
from ddbio.formats import get_format
from ddbio.formats.csv import CsvLayout
from ddbio.formats.rejected import are_rejects, of_rejects
from ddbio.messages import ImportCursor, Reject, SliceUnit
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.rejects import RejectsFile, lines_before

ONE, TWO = SourceFile("one.json", 300, "1"), SourceFile("two.json", 100, "1")
UNITS = [
    SliceUnit(2, ONE, 200, 300),
    SliceUnit(0, ONE, 0, 100),
    SliceUnit(3, TWO, 0, 100),
    SliceUnit(1, ONE, 100, 200),
]


def reject(
    record: bytes = b"{}", *, unit: int = 0, line: int = 1, source: str = "one.json", offset: int = 0
) -> Reject:
    return Reject(source, offset, unit, line, "bad-json", "not valid JSON", record)


def contents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.rejects.jsonl"


# --------------------------------------------------------------------------- its content


def test_a_reject_says_where_and_why(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([Reject("one.json", 2341, 1, 12, "missing-key", "the key 'id' is missing", b'{"a":1}')])
    rejects.finish(lines_before(UNITS, {0: ImportCursor(100, 30), 1: ImportCursor(200, 20)}))
    assert contents(path) == [
        {
            "source": "one.json",
            "offset": 2341,
            "line": 42,
            "code": "missing-key",
            "message": "the key 'id' is missing",
            "record": '{"a":1}',
        }
    ]


@given(st.binary(max_size=30))
def test_the_record_is_kept_whole(tmp_path_factory: pytest.TempPathFactory, record: bytes) -> None:
    path = tmp_path_factory.mktemp("rejects") / "x.jsonl"
    rejects = RejectsFile(path)
    rejects.add([reject(record)])
    rejects.finish(lines_before(UNITS, {}))
    (line,) = contents(path)
    kept = base64.b64decode(line["record_base64"]) if "record_base64" in line else line["record"].encode()
    assert kept == record


def test_a_record_that_is_no_text_is_kept_in_base64(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([reject(b'{"a":"\xff"}')])
    rejects.finish(lines_before(UNITS, {}))
    (line,) = contents(path)
    assert base64.b64decode(line["record_base64"]) == b'{"a":"\xff"}'
    assert "record" not in line


def test_a_crash_before_the_end_leaves_readable_lines(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([reject(b"one"), reject(b"two")])
    rejects.add([reject(b"three")])
    assert [line["record"] for line in contents(path)] == ["one", "two", "three"]  # neither finished nor closed
    assert [line["line"] for line in contents(path)] == [None, None, None]


def test_a_full_disk_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rejects = RejectsFile(path)
    rejects.add([reject(b"one")])
    write, calls = os.write, []

    def full(fd: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(fd, data[:10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TransferError, match="No space left on device"):
        rejects.add([reject(b"two")])
    assert [line["record"] for line in contents(path)] == ["one"]
    assert rejects.count == 1
    monkeypatch.undo()
    rejects.add([reject(b"three")])
    rejects.finish(lines_before(UNITS, {}))
    assert [line["record"] for line in contents(path)] == ["one", "three"]


def test_without_rejects_there_is_no_file(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([])
    rejects.finish(lines_before(UNITS, {}))
    assert (rejects.count, path.exists()) == (0, False)


@pytest.mark.parametrize("there_before", [False, True])
def test_the_file_is_private(path: Path, there_before: bool) -> None:
    if there_before:
        path.write_text("old")
        path.chmod(0o644)
    rejects = RejectsFile(path)
    rejects.add([reject()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rejects.finish(lines_before(UNITS, {}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(contents(path)) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_went_away_is_told(path: Path) -> None:
    with pytest.raises(TransferError, match="cannot write the rejects file"):
        RejectsFile(path / "gone" / "x.jsonl").add([reject()])


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link.jsonl", tmp_path / "target.jsonl"
    target.write_text("")
    link.symlink_to(target)
    rejects = RejectsFile(link)
    rejects.add([reject(b"one")])
    rejects.finish(lines_before(UNITS, {}))
    assert link.is_symlink()
    assert [line["record"] for line in contents(target)] == ["one"]


# --------------------------------------------------------------------------- line numbers


def test_lines_are_counted_through_all_slices_of_a_source() -> None:
    settled = {0: ImportCursor(105, 3), 1: ImportCursor(205, 4), 2: ImportCursor(300, 5), 3: ImportCursor(100, 6)}
    assert lines_before(UNITS, settled) == {
        ("one.json", 0): 0,
        ("one.json", 1): 3,
        ("one.json", 2): 7,
        ("two.json", 3): 0,
    }


def test_behind_a_slice_that_was_not_settled_lines_are_not_known() -> None:
    assert lines_before(UNITS, {0: ImportCursor(105, 3), 2: ImportCursor(300, 5)}) == {
        ("one.json", 0): 0,
        ("one.json", 1): 3,
        ("two.json", 3): 0,
    }


def test_rejects_get_their_lines_at_the_end(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([reject(unit=2, line=1), reject(unit=0, line=2)])
    rejects.add([reject(unit=3, line=9, source="two.json"), reject(unit=1, line=4)])
    rejects.finish(lines_before(UNITS, {0: ImportCursor(105, 3), 3: ImportCursor(100, 6)}))
    assert [line["line"] for line in contents(path)] == [None, 2, 9, 3 + 4]
    assert all(set(line) == {"source", "offset", "line", "code", "message", "record"} for line in contents(path))


def test_a_file_that_somebody_else_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """By another import, or since the job was last worked on: names that are chosen here never collide."""
    path = tmp_path / "orders.rejects.jsonl"
    one, two, three = (RejectsFile(path, ours=True) for _ in range(3))
    for number, rejects in enumerate((one, two, three)):
        rejects.add([reject(b"%d" % number)])
        rejects.add([reject(b"more")])
    names = [rejects.path.name for rejects in (one, two, three)]
    assert names == ["orders.rejects.jsonl", "orders.2.rejects.jsonl", "orders.3.rejects.jsonl"]
    for number, rejects in enumerate((one, two, three)):
        assert [line["record"] for line in contents(rejects.path)] == [str(number), "more"]
        assert rejects.state() == (str(rejects.path), 2, rejects.path.stat().st_size, True)
        rejects.close()


# --------------------------------------------------------------------------- by code


def coded(code: str, offset: int, *, source: str = "/data/one.json", unit: int = 0, line: int = 1) -> Reject:
    return Reject(source, offset, unit, line, code, f"message of\n{offset}", b"{}")


def test_rejects_are_counted_by_code_with_the_first_in_the_sources(path: Path) -> None:
    """Not the first that was reported: lanes find them in any order."""
    rejects = RejectsFile(path)
    rejects.add([coded("missing-key", 700, unit=1, line=4), coded("bad-json", 5, source="/data/two.json", line=2)])
    rejects.add([coded("missing-key", 30, line=3), coded("missing-key", 1, source="/data/two.json")])
    before = {("/data/one.json", 0): 1, ("/data/two.json", 0): 0}
    assert [kind.describe() for kind in rejects.kinds(before)] == [
        "missing-key 3, first: one.json line 4: message of 30",
        "bad-json 1, first: two.json line 2: message of 5",
    ]
    assert [kind.line for kind in rejects.kinds({})] == [None, None]
    assert rejects.kinds({})[1].describe() == "bad-json 1, first: two.json byte 5: message of 5"
    first = {"source": "/data/one.json", "offset": 30, "line": 4, "message": "message of 30"}
    assert rejects.kinds(before)[0].as_json() == {"count": 3, "first": first}


CODES = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 99)), max_size=20)


@given(CODES, CODES, st.booleans())
def test_the_counts_by_code_survive_a_crash_at_any_moment(
    tmp_path_factory: pytest.TempPathFactory,
    known: list[tuple[str, int]],
    lost: list[tuple[str, int]],
    finished: bool,
) -> None:
    """What the journal does not know is not counted; it is found again."""
    path = tmp_path_factory.mktemp("rejects") / "x.jsonl"
    rejects = RejectsFile(path)
    rejects.add([coded(code, offset) for code, offset in known])
    before, state = {("/data/one.json", 0): 10}, rejects.state()
    expected = rejects.kinds(before)
    if finished:
        rejects.finish(before)
    else:
        rejects.add([coded(code, offset) for code, offset in lost])
    again = RejectsFile(Path(state[0]), *state[1:])
    assert again.kinds(before) == expected
    assert sum(kind.count for kind in expected) == again.count == len(known)
    for each in (rejects, again):
        each.close()


def test_long_messages_of_the_service_are_cut(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([Reject("-", 0, 0, 1, "ValidationException", "x" * 5000, b"{}")])
    (kind,) = rejects.kinds({("-", 0): 0})
    assert kind.describe() == f"ValidationException 1, first: standard input line 1: {'x' * 200}..."


# --------------------------------------------------------------------------- items of a table

ITEM = {"id": {"N": "7"}, "json": {"S": "a"}}
OF_TABLE = Reject(
    "Orders", 0, 3, 1, "item-too-large", "too large", json.dumps(ITEM).encode(), segment=5, key={"id": {"N": "7"}}
)


def test_an_item_of_a_table_has_its_segment_and_key(path: Path) -> None:
    rejects = RejectsFile(path)
    rejects.add([OF_TABLE, replace(OF_TABLE, segment=2, key={"id": {"N": "8"}})])
    rejects.finish({})
    first, _ = contents(path)
    reasons = {"code": "item-too-large", "message": "too large"}
    assert first == {
        "source": "Orders",
        "segment": 5,
        "key": {"id": {"N": "7"}},
        **reasons,
        "record": json.dumps(ITEM),
    }
    assert are_rejects(path.read_bytes())
    (kind,) = rejects.kinds({})
    assert kind.describe() == 'item-too-large 2, first: Orders {"id":{"N":"8"}}: too large', "of the lowest segment"
    where = {"source": "Orders", "segment": 2, "key": {"id": {"N": "8"}}, "message": "too large"}
    assert kind.as_json() == {"count": 2, "first": where}


@pytest.mark.parametrize("numbered", [True, False])
def test_a_file_of_items_is_resumed(path: Path, numbered: bool) -> None:
    rejects = RejectsFile(path)
    rejects.add([OF_TABLE])
    state = rejects.state()
    rejects.add([OF_TABLE])  # the journal does not count it
    rejects.close()
    resumed = RejectsFile(Path(state[0]), *state[1:])
    resumed.add([replace(OF_TABLE, code="second")])
    if numbered:
        resumed.finish({})
    assert [each["code"] for each in contents(path)] == ["item-too-large", "second"]
    assert {kind.code: kind.count for kind in resumed.kinds({})} == {"item-too-large": 1, "second": 1}


@pytest.mark.parametrize("format", ["json", "dynamodb-json", "csv"])
def test_an_item_of_a_table_is_dynamodb_json_whatever_the_format_of_the_import(path: Path, format: str) -> None:
    rejects = RejectsFile(path)
    rejects.add([OF_TABLE])
    rejects.finish({})
    line = path.read_bytes().strip()
    spec = FormatSpec(format, CsvLayout(("id",), ("S",))) if format == "csv" else FormatSpec(format)
    assert get_format(of_rejects(spec)).parse(line) == ITEM
    again = RejectsFile(path.with_name("again.rejects.jsonl"))
    again.add([Reject("x.jsonl", 100, 5, 6, "two", "second", line, format=of_rejects(spec))])
    again.finish({})
    (kept,) = contents(again.path)
    assert kept == {**json.loads(line), "code": "two", "message": "second"}
