"""DDBImport.py with JSON that is not one object a line: stdout, exit code and the table."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import IMPORT, Commands, Run, Running, Start, assert_holds
from tests.support.items import Item, plain_items

pytestmark = pytest.mark.fuller


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    """With an empty table Orders."""
    simulator.create_table("Orders", "id:S")
    return simulator


def typed(key: str) -> dict[str, Any]:
    return {"id": {"S": key}}


PRETTY = json.dumps({"id": "pretty-1", "m": {"id": "inner", "l": ["x", {"id": "inner"}]}}, indent=2)
SOURCES: dict[str, tuple[str, list[str]]] = {
    "array.json": ('[\n{"id":"a-1"},\n{"id":"a-2"},\n{"id":"a-3"}\n]\n', ["a-1", "a-2", "a-3"]),
    "array-on-a-line.json": ('[{"id":"b-1"},{"id":"b-2"}]', ["b-1", "b-2"]),
    "pretty.json": (f'{PRETTY}\n{json.dumps({"id": "pretty-2"}, indent=4)}\n', ["pretty-1", "pretty-2"]),
    "scan.json": (json.dumps({"Items": [typed("s-1"), typed("s-2")], "Count": 2, "ConsumedCapacity": None}, indent=4),
                  ["s-1", "s-2"]),
    "scan-lines.json": ('{"Items":[\n{"id":{"S":"l-1"}},\n{"id":{"S":"l-2"}}\n],"Count":2}\n', ["l-1", "l-2"]),
    "pages.json": ("".join(json.dumps({"Items": [typed(f"p-{n}")], "Count": 1, "ScannedCount": 1,
                                       "LastEvaluatedKey": typed("inner")}) + "\n" for n in range(3)),
                   ["p-0", "p-1", "p-2"]),
    "nested.json": ('[\n {"id":"n-1","lines":[\n{"id":"inner","q":1},\n{"id":"inner"}\n ]}\n]\n', ["n-1"]),
    "marks.json": ('{"id":"m-1"}\n\ufeff{"id":"m-2"}\n', ["m-1", "m-2"]),
    "row.json": ('{"id":"r-1",\n"v":\n{"id":"inner"}\n}{"id":"r-2"}\n', ["r-1", "r-2"]),
    "0-blank.json": ("\n\n", []),
    "0-empty.json": ("", []),
    "typed.json": ('{"Item":{"id":{"S":"t-1"}}}\n', ["t-1"]),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_all_kinds(run_import: Run, table: Simulator, tmp_path: Path, packed: bool) -> None:
    """Each file says itself what it is, and no part of a record is an item."""
    (tmp_path / "in").mkdir()
    for name, (text, _) in SOURCES.items():
        content = text.encode()
        path = tmp_path / "in" / (f"{name}.gz" if packed and content else name)
        path.write_bytes(gzip.compress(content) if packed and content else content)
    done = run_import("-t", "Orders", "-s", "in", "-p", 1)
    keys = [key for _, keys in SOURCES.values() for key in keys]
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        f"{len(keys)} read, {len(keys)} written, 0 rejected, 2 blank lines skipped",
    ), done.err
    ending = ".gz" if packed else ""
    for said in (
        f'"array-on-a-line.json{ending}" and 2 more files are read as a JSON array',
        f'"pages.json{ending}" and 2 more files are read as the items in answers to Scan or Query',
        f'"pretty.json{ending}" and 1 more file are read as JSON objects over several lines, or several on a line',
    ):
        assert said in done.log
    assert sorted(item["id"]["S"] for item in table.table("Orders").items()) == sorted(keys)


@pytest.mark.parametrize("wrapped", [False, True])
def test_write_requests(run_import: Run, table: Simulator, tmp_path: Path, wrapped: bool) -> None:
    """Items are put and deleted, and counted apart; the table is named as -t names it."""
    table.table("Orders").put_items([typed("gone"), typed("stays")])
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/Orders" if wrapped else "Orders"
    requests: Any = {
        arn: [
            {"PutRequest": {"Item": typed("a")}},
            {"PutRequest": {"Item": typed("b")}},
            {"DeleteRequest": {"Key": typed("gone")}},
        ]
    }
    text = json.dumps({"RequestItems": requests} if wrapped else requests, indent=2)
    (tmp_path / "requests.json").write_text(text)
    done = run_import("-t", "Orders", "-s", "requests.json", "-p", 1)
    assert (done.code, done.out.splitlines()[0]) == (0, "3 read, 2 written, 1 deleted, 0 rejected"), done.err
    assert '"requests.json" is read as write requests' in done.log
    assert_holds(table, "Orders", [typed(key) for key in ("a", "b", "stays")])
    (tmp_path / "others.json").write_text(text.replace("Orders", "Others"))
    done = run_import("-t", "Orders", "-s", "others.json")
    done.assert_one_line_error(2, "others.json", "Others", "'Orders'")
    done = run_import("-t", "Orders", "-s", "requests.json", "--mode", "insert")
    done.assert_one_line_error(2, "does not go with --mode insert")


def test_what_is_no_record_is_rejected_with_its_place(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    """And the file that its own rejects make can be imported after repair."""
    text = '[1,\n{"id":"a"},\n{"id": nope},{"id":"b"}\n{"id":"c"},\n {"id":"d",\n"x": '
    (tmp_path / "in.json").write_text(text)
    done = run_import("-t", "Orders", "-s", "in.json", "-p", 1)
    assert (done.code, done.out.splitlines()[0]) == (1, "6 read, 3 written, 3 rejected"), done.err
    rejects = [json.loads(line) for line in (tmp_path / "in.rejects.jsonl").read_text().splitlines()]
    assert [(reject["code"], reject["offset"], reject["line"], reject["record"]) for reject in rejects] == [
        ("not-an-object", 1, 1, "1"),
        ("bad-json", text.index('{"id": nope'), 3, '{"id": nope}'),
        ("truncated", text.index('{"id":"d"'), 5, '{"id":"d",\n"x":'),
    ]
    assert_holds(table, "Orders", [typed(key) for key in "abc"])
    mended = (tmp_path / "in.rejects.jsonl").read_text().replace("nope", '\\"mended\\"').splitlines()[1]
    (tmp_path / "mended.rejects.jsonl").write_text(mended)
    done = run_import("-t", "Orders", "-s", "mended.rejects.jsonl", "-p", 1)
    assert done.code == 0, done.err
    assert_holds(table, "Orders", [typed(key) for key in ("a", "b", "c", "mended")])


def test_other_encodings(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes('{"id":"a"}\n'.encode("utf-16"))
    done = run_import("-t", "Orders", "-s", "in.json")
    done.assert_one_line_error(2, "is UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8")


def test_a_large_array_is_cut_into_chunks_and_comes_from_standard_input_too(
    commands: Commands, run_import: Run, table: Simulator, tmp_path: Path
) -> None:
    items: list[Item] = [{**item, "noise": {"S": os.urandom(60).hex()}} for item in plain_items(4000)]
    page = json.dumps({"Items": items, "Count": len(items)}).encode()
    (tmp_path / "page.json").write_bytes(page)
    done = run_import("-t", "Orders", "-s", "page.json", "-p", 2)
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 4000, 4000), done.err
    assert done.log[0].endswith("with 2 processes")
    assert_holds(table, "Orders", items)
    table.create_table("Copies", "id:S")
    with (tmp_path / "page.json").open("rb") as stdin, commands.start(
        IMPORT, "-t", "Copies", "-s", "-", "-p", 2, stdin=stdin
    ) as command:  # fmt: skip
        done = command.wait()
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 4000, 4000), done.err
    assert '"standard input" is read as the items in answers to Scan or Query' in done.log
    assert_holds(table, "Copies", items)


def test_empty_sources(commands: Commands, run_import: Run, run_export: Run, simulator: Simulator) -> None:
    """An empty file, standard input, and an exported empty table, as a folder and by a pipe: nothing to do, which is
    done, and the table is made."""
    simulator.create_table("Empty", "id:S")
    pipe = ["-t", "FromPipe", "-s", "-", "--create-table", "--key", "id:S"]
    with commands.start(IMPORT, *pipe, stdin=subprocess.DEVNULL) as command:
        done = command.wait()
    assert (done.code, done.out.splitlines()[:1]) == (0, ["0 read, 0 written, 0 rejected"]), done.err
    assert simulator.table("FromPipe").items() == []
    assert run_export("-t", "Empty", "-d", "out").code == 0
    done = run_import("-t", "FromFolder", "-s", "out", "--create-table")
    assert (done.code, done.out.splitlines()[0]) == (0, "0 read, 0 written, 0 rejected"), done.err
    assert simulator.table("FromFolder").items() == []


MEGABYTE = 1_000_000


def write_array(path: Path, size_bytes: int) -> int:
    """One JSON array on one line, of items of 4 KB with 1,000 different keys. Returns how many items it has."""
    filler = "x" * 4000
    count = size_bytes // 4040
    with path.open("w") as file:
        for number in range(count):
            file.write(f'{"," if number else "["}{{"id":"item-{number % 1000:06d}","filler":"{filler}"}}')
        file.write("]")
    return count


def peak_megabytes(command: Running) -> dict[str, float]:
    """The largest resident memory so far of the command's parent, and of all its workers, while it still runs."""
    peaks = {}
    for pid in (command.pid, *command.workers()):
        found = re.search(r"^VmHWM:\s+(\d+) kB", _status(pid), re.MULTILINE)
        role = "parent" if pid == command.pid else "worker"
        peaks[role] = max(peaks.get(role, 0.0), int(found[1]) * 1024 / MEGABYTE if found else 0.0)
    return peaks


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def test_memory_does_not_grow_with_an_array_on_one_line(
    start_import: Start, table: Simulator, tmp_path: Path
) -> None:
    # A fixed number of lanes: each holds a block, and a busy machine would have more of them than an idle one.
    peaks: dict[int, dict[str, float]] = {}
    for size_bytes in (30 * MEGABYTE, 300 * MEGABYTE):
        count = write_array(tmp_path / "array.json", size_bytes)
        highest = {"parent": 0.0, "worker": 0.0}
        with start_import("-t", "Orders", "-s", "array.json", "-p", 1, "--lanes", 4) as command:
            while command.process.poll() is None:
                for role, megabytes in peak_megabytes(command).items():
                    highest[role] = max(highest[role], megabytes)
                time.sleep(0.02)
            done = command.wait()
        assert (done.code, done.counts["read"]) == (0, count), done.err
        peaks[size_bytes] = highest
    small, large = peaks.values()
    # Ten times the file; what a short run has not filled yet, such as the pieces between threads, is within this.
    assert large["parent"] < small["parent"] + 40 and large["worker"] < small["worker"] + 40, peaks
