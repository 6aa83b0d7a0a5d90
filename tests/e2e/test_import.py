"""DDBImport.py as a user runs it: sources, formats, keys; what it says and what is in the table afterwards."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from ddbio.simulator import Simulator, ThroughputSettings
from tests.support.commands import Run, assert_holds
from tests.support.items import Item, as_json, contents, data_files, plain_items, read_items, rich_items, write_items

SUMMARY = r"\d+\.\d s, {units} WCU consumed, [\d,.]+ WCU/s \(no cap\)"


def test_a_file(run_import: Run, simulator: Simulator, orders: list[Item], tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    done = run_import("-r", "us-east-1", "-t", "Orders", "-s", "orders.json")
    size = (tmp_path / "orders.json").stat().st_size
    assert (done.code, done.log) == (
        0,
        [
            f"Importing 1 file ({size:,} bytes) into table Orders in us-east-1 in this process",
            "Format: json, as names end in .json",
            "Cap: no cap (the table is on-demand and no -c was given)",
        ],
    )
    counts, consumption = done.out.splitlines()
    assert counts == "1,000 read, 1,000 written, 0 rejected"
    assert re.fullmatch(SUMMARY.format(units=r"1,000\.0"), consumption)
    assert_holds(simulator, "Orders", orders)
    assert simulator.table("Orders").consumed("write") == 1000
    assert simulator.requests() == {"DescribeTable": 1, "BatchWriteItem": 40}
    assert [path.name for path in tmp_path.iterdir()] == ["orders.json"]


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.fuller), 2])
def test_a_folder_with_folders_in_it(run_import: Run, simulator: Simulator, tmp_path: Path, processes: int) -> None:
    simulator.create_table("Orders", "id:S")
    items = plain_items(300)
    write_items(tmp_path / "in" / "a.json", items[:100])
    write_items(tmp_path / "in" / "deeper" / "still" / "b.jsonl", items[100:200])
    write_items(tmp_path / "in" / "deeper" / "c.JSON", items[200:])
    for other in ("notes.txt", "data.xml", "json", ".hidden.json", "_manifest.json", "in.rejects.jsonl"):
        (tmp_path / "in" / other).write_text('{"id": "not to be imported"}\n')
    done = run_import("-t", "Orders", "-s", "in", "-p", processes)
    assert (done.code, done.counts["written"]) == (0, 300)
    assert done.log[0].startswith("Importing 3 files (")
    assert done.log[0].endswith(f"with {processes} process{'es' * (processes > 1)}")
    assert_holds(simulator, "Orders", items)


def test_a_folder_with_one_file_in_it(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """A predecessor took such a folder for a file: IsADirectoryError, exit code 0, nothing imported."""
    simulator.create_table("Orders", "id:S")
    write_items(tmp_path / "in" / "only.json", plain_items(30))
    assert run_import("-t", "Orders", "-s", "in/").code == 0
    assert_holds(simulator, "Orders", plain_items(30))


def test_a_glob(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    items = plain_items(60)
    write_items(tmp_path / "part-1.json", items[:20])
    write_items(tmp_path / "part-2.txt", items[20:40])  # named by the glob, whatever its suffix
    write_items(tmp_path / "other.json", items[40:])
    assert run_import("-t", "Orders", "-s", "part-*").counts["read"] == 40
    assert_holds(simulator, "Orders", items[:40])


def test_several_sources_that_overlap_are_each_read_once(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    items = plain_items(60)
    write_items(tmp_path / "in" / "a.json", items[:20])
    write_items(tmp_path / "in" / "b.json", items[20:40])
    write_items(tmp_path / "c.txt", items[40:])
    done = run_import("-t", "Orders", "-s", "in", "-s", "in/a.json", "-s", "c.txt", "-s", "in/*.json")
    assert (done.code, done.counts["read"]) == (0, 60)
    assert_holds(simulator, "Orders", items)


def test_an_empty_file_is_a_job_that_is_done(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "empty.json").touch()
    done = run_import("-t", "Orders", "-s", "empty.json")
    assert (done.code, done.out.splitlines()[0]) == (0, "0 read, 0 written, 0 rejected")


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.fuller), 2])
@pytest.mark.parametrize("format", ["json", "dynamodb-json"])
def test_export_then_import_gives_the_same_table(
    run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path, format: str, processes: int
) -> None:
    items = rich_items(200)
    write_items(tmp_path / "in.json", items, format)
    for table in ("Orders", "Copies"):
        simulator.create_table(table, "id:S")
    common = ("--format", format, "-p", processes)
    imported = run_import("-t", "Orders", "-s", "in.json", *common)
    exported = run_export("-t", "Orders", "-d", "out", *common)
    again = run_import("-t", "Copies", "-s", "out", *common)
    assert (imported.code, exported.code, again.code) == (0, 0, 0), imported.err + exported.err + again.err
    assert_holds(simulator, "Orders", items)
    assert contents(read_items(tmp_path / "out", format)) == contents(items)
    assert_holds(simulator, "Copies", items)


def test_a_large_file_is_cut_and_no_line_is_lost_or_doubled(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    # Lines of very different lengths, so that cuts fall inside lines, and one line spans several units.
    items = [item for n in range(400) for item in plain_items(1, n, padding=n * 7 % 3000)]
    items += plain_items(1, 1000, padding=300_000)
    write_items(tmp_path / "orders.json", items)
    assert (tmp_path / "orders.json").stat().st_size > 10 * 64 * 1024
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2)
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 401, 401)
    assert_holds(simulator, "Orders", items)
    # Each write is billed as the service bills it: nothing was written twice.
    assert simulator.table("Orders").consumed("write") == units_of(done.out)


def units_of(summary: str) -> float:
    found = re.search(r"([\d,.]+) WCU consumed", summary)
    assert found is not None
    return float(found.group(1).replace(",", ""))


KEYS = {
    "number": ("id:N", [{"N": "1"}, {"N": "-2.5"}, {"N": "12345678901234567890123456789012345678"}, {"N": "1E-130"}]),
    "binary": ("id:B", [{"B": "AA=="}, {"B": "/+8="}, {"B": "AAA="}]),
    "string": ("id:S", [{"S": "1"}, {"S": "🦆"}, {"S": "x" * 2048}]),
}


@pytest.mark.parametrize("format", ["json", "dynamodb-json"])
@pytest.mark.parametrize("kind", list(KEYS))
def test_keys_of_every_type(run_import: Run, simulator: Simulator, tmp_path: Path, kind: str, format: str) -> None:
    spec, keys = KEYS[kind]
    simulator.create_table("Orders", spec)
    items: list[Item] = [{"id": key, "n": {"N": str(n)}} for n, key in enumerate(keys)]
    write_items(tmp_path / "orders.json", items, format)
    done = run_import("-t", "Orders", "-s", "orders.json", "--format", format)
    assert (done.code, done.counts["written"]) == (0, len(items))
    assert_holds(simulator, "Orders", items)


def test_partition_and_sort_key(run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "customer:S", "at:N")
    items: list[Item] = [{"customer": {"S": f"c{n % 3}"}, "at": {"N": str(n // 3)}} for n in range(90)]
    write_items(tmp_path / "orders.json", items)
    assert run_import("-t", "Orders", "-s", "orders.json").code == 0
    assert contents(simulator.table("Orders").items(), "customer", "at") == contents(items, "customer", "at")
    assert run_export("-t", "Orders", "-d", "out").code == 0
    assert contents(read_items(tmp_path / "out"), "customer", "at") == contents(items, "customer", "at")


def test_an_item_that_is_there_already_is_replaced_whole(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    table = simulator.create_table("Orders", "id:S")
    table.put_items([{"id": {"S": "a"}, "old": {"S": "x"}}, {"id": {"S": "b"}}])
    (tmp_path / "orders.json").write_text('{"id": "a", "new": 1}\n')
    assert run_import("-t", "Orders", "-s", "orders.json").code == 0
    assert_holds(simulator, "Orders", [{"id": {"S": "a"}, "new": {"N": "1"}}, {"id": {"S": "b"}}])


def test_of_records_with_one_key_in_a_batch_the_later_wins_and_the_other_is_counted(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """DynamoDB refuses a whole batch with a key twice; a predecessor lost all 25 items of it."""
    simulator.create_table("Orders", "id:S")
    lines = [{"id": f"k{n % 8}", "n": n} for n in range(20)]
    (tmp_path / "orders.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "20 read, 8 written, 0 rejected, 12 replaced by a later record with the same key",
    )
    assert_holds(simulator, "Orders", [{"id": {"S": f"k{n % 8}"}, "n": {"N": str(n)}} for n in range(12, 20)])


def test_numeric_keys_that_are_equal_are_one_key(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:N")
    (tmp_path / "orders.json").write_text('{"id": 1.0, "n": 1}\n{"id": 1e0, "n": 2}\n{"id": 1, "n": 3}\n')
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["replaced"]) == (0, 1, 2)
    assert_holds(simulator, "Orders", [{"id": {"N": "1"}, "n": {"N": "3"}}])


@pytest.mark.parametrize(
    ("before", "line_end", "last_end"),
    [("", "\n", ""), ("", "\r\n", "\r\n"), ("\ufeff", "\n", "\n"), ("\ufeff", "\r\n", "")],
    ids=["no final newline", "CRLF", "BOM", "all three"],
)
def test_files_of_other_systems(
    run_import: Run, simulator: Simulator, tmp_path: Path, before: str, line_end: str, last_end: str
) -> None:
    simulator.create_table("Orders", "id:S")
    items = plain_items(60)
    text = before + line_end.join(map(as_json, items)) + last_end
    (tmp_path / "orders.json").write_bytes(text.encode())
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.out.splitlines()[0]) == (0, "60 read, 60 written, 0 rejected")
    assert_holds(simulator, "Orders", items)


def test_a_file_of_one_format_is_not_silently_taken_for_the_other(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    write_items(tmp_path / "orders.json", plain_items(10), "dynamodb-json")
    done = run_import("-t", "Orders", "-s", "orders.json", "--format", "json")
    assert (done.code, done.counts["rejected"]) == (1, 10)
    assert simulator.table("Orders").item_count() == 0


@pytest.mark.parametrize("table", ["Orders", "arn:aws:dynamodb:us-east-1:000000000000:table/Orders"])
def test_a_table_by_its_name_or_arn(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path, table: str
) -> None:
    simulator.create_table("Orders", "id:S")
    assert run_import("-t", table, "-s", "orders.json").code == 0
    assert_holds(simulator, "Orders", orders)
    assert run_export("-t", table, "-d", "out").code == 0
    assert all(path.name.startswith("Orders-") for path in data_files(tmp_path / "out"))


def test_insert_leaves_what_is_there(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    older = [{"id": item["id"], "older": {"BOOL": True}} for item in orders[:300]]
    simulator.create_table("Orders", "id:S").put_items(older)
    done = run_import("-t", "Orders", "-s", "orders.json", "--mode", "insert", "-c", "2000")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "1,000 read, 700 written, 0 rejected, 300 skipped because their key was taken",
    )
    assert done.log[0].startswith("Inserting what is new of 1 file (")
    assert_holds(simulator, "Orders", [*older, *orders[300:]])
    assert simulator.requests() == {"DescribeTable": 1, "PutItem": 1000}
    assert simulator.table("Orders").consumed("write") == 1000
    assert "1,000.0 WCU consumed" in done.out


def test_delete_removes_what_the_records_name(
    run_import: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items([*orders, {"id": {"S": "kept"}}])
    write_items(tmp_path / "keys.json", [{"id": item["id"]} for item in orders[:500]])
    write_items(tmp_path / "whole.json", orders[500:])
    (tmp_path / "bad.json").write_text('{"n": 1}\n')
    sources = [argument for name in ("keys", "whole", "bad") for argument in ("-s", f"{name}.json")]
    done = run_import("-t", "Orders", *sources, "--mode", "delete")
    assert (done.code, done.out.splitlines()[0]) == (1, "1,001 read, 1,000 deleted, 1 rejected")
    assert done.log[0].startswith("Deleting what is in 3 files (")
    assert_holds(simulator, "Orders", [{"id": {"S": "kept"}}])
    assert simulator.requests()["BatchWriteItem"] <= 42


@pytest.mark.fuller
def test_create_table_makes_what_was_exported(run_import: Run, run_export: Run, environment: dict[str, str]) -> None:
    items = [{**item, "day": {"S": "monday"}} for item in plain_items(50)]
    with Simulator(activation_s=0.5) as simulator:
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = simulator.url
        simulator.create_table("Orders", "id:S", wcu=1000, rcu=1000, global_indexes={"byDay": ["day:S", "id:S"]})
        time.sleep(0.6)
        simulator.table("Orders").put_items(items)
        assert run_export("-t", "Orders", "-d", "out").code == 0
        done = run_import("-t", "Copy", "-s", "out", "--create-table", "--with-indexes", "-c", "500")
        assert (done.code, done.counts["written"]) == (0, 50), done.err
        assert re.fullmatch(
            r"Making table Copy, on-demand, key id:S with the index byDay \(.*out/_manifest.json\)", done.log[0]
        )
        assert re.fullmatch(r"Table Copy is ACTIVE after \d\.\d s", done.log[1])
        assert done.log[4] == "Cap: 500 WCU (-c)"
        assert_holds(simulator, "Copy", items)
        assert simulator.table("Copy").consumed("write", "byDay") == 50
        again = run_import("-t", "Copy", "-s", "out", "--create-table")
        assert (again.code, len(again.log)) == (0, 3)


@pytest.mark.fuller
def test_create_table_makes_nothing_that_cannot_work(
    run_import: Run, simulator: Simulator, orders: list[Item]
) -> None:
    simulator.create_table("Numeric", "id:N")
    command = ("-s", "orders.json", "--create-table", "--key", "id:S")
    plan = run_import("-t", "New", *command, "--plan", "-p", 1)
    assert plan.out.splitlines()[0] == "Making table New, on-demand, key id:S (--key)", plan.err
    assert "New" not in simulator.table_names()
    run_import("-t", "Numeric", *command).assert_one_line_error(2, "exists with the key id:N", "--key has id:S")
    run_import("-t", "New", *command[:3]).assert_one_line_error(2, "the keys of table", "are unknown", "--key")
    run_import("-t", "New", *command, "-s", "missing").assert_one_line_error(2, "missing")
    run_import("-t", "New", *command, "-c", "50%").assert_one_line_error(2, "50%")
    assert "CreateTable" not in simulator.requests()
    assert run_import("-t", "New", *command).code == 0
    assert_holds(simulator, "New", orders)


SHAPE = """
from decimal import Decimal

def shape(item):
    if item["n"] == 7:
        raise ValueError("seven is not wanted")
    if item["n"] % 10 == 0:
        return None
    return [item, {"id": item["id"] + "-copy", "half": item["n"] / 2}]
"""


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.fuller), 2])
def test_items_are_transformed_on_their_way_in_and_out(
    run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path, processes: int
) -> None:
    simulator.create_table("Orders", "id:S")
    write_items(tmp_path / "in.json", [{**item, "secret": {"S": "x"}} for item in plain_items(100)])
    (tmp_path / "shape.py").write_text(SHAPE)
    options = ("--drop", "secret", "--set", "new=true", "--transform", "shape.py:shape", "-p", processes)
    done = run_import("-t", "Orders", "-s", "in.json", *options)
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "100 read, 178 written, 1 rejected, 89 added by the transform, 10 dropped by the transform",
    )
    (reject,) = map(json.loads, (tmp_path / "in.rejects.jsonl").read_text().splitlines())
    assert (reject["code"], reject["line"]) == ("transform-failed", 8)
    assert reject["message"] == "ValueError: seven is not wanted (line 6 of shape.py)"
    kept = [item for item in plain_items(100) if int(item["n"]["N"]) % 10 and item["n"]["N"] != "7"]
    copies = [{"id": {"S": item["id"]["S"] + "-copy"}, "half": {"N": str(int(item["n"]["N"]) / 2)}} for item in kept]
    assert_holds(simulator, "Orders", [*({**item, "new": {"BOOL": True}} for item in kept), *copies])

    (tmp_path / "out.py").write_text("def only(item):\n    return item if 'half' in item else None\n")
    done = run_export(
        "-t", "Orders", "-d", "out", "--transform", "out.py:only", "--rename", "half=h", "-p", processes
    )
    assert (done.code, done.counts["exported"]) == (0, 0), done.err  # a renamed attribute has its new name by then
    done = run_export("-t", "Orders", "-d", "out2", "--transform", "out.py:only", "-p", processes)
    assert (done.code, done.counts["read"], done.counts["exported"], done.counts["dropped"]) == (0, 178, 89, 89)
    assert contents(read_items(tmp_path / "out2")) == contents(copies)


def test_a_transform_that_cannot_be_loaded(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    write_items(tmp_path / "in.json", plain_items(3))
    (tmp_path / "slip.py").write_text("def f(item)\n    return item\n")
    command = ("-t", "Orders", "-s", "in.json", "--transform")
    run_import(*command, "slip.py:f").assert_one_line_error(2, "SyntaxError", "line 1")
    run_import(*command, "missing.py:f").assert_one_line_error(2, "there is no file", "missing.py")
    assert simulator.requests() == {}


THREE = """
def three(item):
    n = int(item["n"])
    if n == 5:
        return ("Nowhere", item)
    return [item, ("ByNumber", {"n": item["n"], "id": item["id"]}), ("Few", {"group": str(n % 10), "n": item["n"]})]
"""


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.fuller), 2])
def test_one_source_into_three_tables_with_keys_of_their_own(
    run_import: Run, simulator: Simulator, tmp_path: Path, processes: int
) -> None:
    simulator.create_table("Orders", "id:S", wcu=5000, rcu=1)
    short = ThroughputSettings(burst_s=1)  # some items are left unprocessed
    simulator.create_table("ByNumber", "n:N", "id:S", wcu=200, rcu=1, throughput=short)
    few = simulator.create_table("Few", "group:S", wcu=5000, rcu=1)
    items = plain_items(400)
    write_items(tmp_path / "in.json", items)
    (tmp_path / "shape.py").write_text(THREE)
    tables = ("-t", "Orders", "-t", "ByNumber", "-t", "Few")
    done = run_import(*tables, "-s", "in.json", "--transform", "shape.py:three", "-p", processes)
    assert done.code == 1, done.err
    assert "into tables Orders, ByNumber and Few in us-east-1" in done.log[0]
    assert "Cap: 10,200 WCU (the table's provisioned units; -c sets another)" in done.log
    kept = [item for item in items if item["n"]["N"] != "5"]
    assert_holds(simulator, "Orders", kept)
    assert contents(simulator.table("ByNumber").items(), "n") == contents(kept, "n")
    assert few.item_count() == 10
    counts = done.counts
    assert (counts["read"], counts["added"], counts["rejected"]) == (400, 2 * 399, 1)
    assert counts["written"] + counts.get("replaced", 0) == 3 * 399
    assert counts["throttled"] > 0
    (reject,) = map(json.loads, (tmp_path / "in.rejects.jsonl").read_text().splitlines())
    assert (reject["code"], reject["line"]) == ("unknown-table", 6)
    consumed = sum(simulator.table(name).consumed("write") for name in ("Orders", "ByNumber", "Few"))
    assert f"{consumed:,.1f} WCU consumed" in done.out


def test_several_tables_need_to_be_told_apart(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    command = ("-t", "Orders", "-t", "Copies", "-s", "orders.json")
    run_import(*command).assert_one_line_error(2, "several tables need a --transform", "FILE.py:FUNCTION")
    run_import(*command, "--transform", "json:loads", "--create-table").assert_one_line_error(2, "a single table")
    run_import(*command, "--transform", "json:loads", "--mode", "insert").assert_one_line_error(2, "but puts")
    run_import(*command, "--transform", "json:loads").assert_one_line_error(2, "Copies", "does not exist")
    assert "BatchWriteItem" not in simulator.requests()
