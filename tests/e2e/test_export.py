"""DDBExport.py as a user runs it, to disk: its files, its manifest, its cap, and what it leaves when it fails."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import resource
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.simulator import FaultPlan, Simulator, TableView, administration
from ddbio.simulator.descriptions import describe
from ddbio.simulator.faults import stall
from tests.support.commands import Completed, Run, Running, Start, assert_holds, make_old
from tests.support.items import (
    MANIFEST,
    Item,
    contents,
    data_files,
    from_json,
    plain_items,
    read_items,
    rich_items,
    text_of,
    write_items,
)

MEGABYTE = 1_000_000
FILE_NAME = re.compile(r"(.+)-(\d{4})-(\d{5})\.json")


def fill(simulator: Simulator, items: list[Item], name: str = "Orders", **rates: float) -> TableView:
    """A table with these items, which nobody was charged for."""
    table = simulator.create_table(name, "id:S", **rates)
    table.put_items(items)
    return table


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return found


def assert_true_manifest(folder: Path) -> dict[str, Any]:
    """The manifest lists exactly the files that are there, by their real contents; returns it."""
    found = manifest_of(folder)
    files = [
        {
            "name": path.name,
            "segment": int(path.name.split("-")[-2]),
            "items": text_of(path).count("\n"),
            "bytes": path.stat().st_size,
            "checksum": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
        }
        for path in data_files(folder)
    ]
    assert found["files"] == files
    assert found["items"] == sum(each["items"] for each in files)
    assert found["bytes"] == sum(each["bytes"] for each in files)
    return found


def by_segment(folder: Path) -> dict[int, list[Path]]:
    """The files of each segment, in order."""
    found: dict[int, list[Path]] = {}
    for path in data_files(folder):
        match = FILE_NAME.fullmatch(path.name)
        assert match is not None, path.name
        found.setdefault(int(match[2]), []).append(path)
    return found


def busiest_second(table: TableView) -> float:
    """The most read units in any ten steps of a tenth of a second that follow each other."""
    steps = {round(at_s * 10): units for at_s, units in table.consumption("read")}
    return max(sum(steps.get(first + step, 0.0) for step in range(10)) for first in steps)


# --------------------------------------------------------------------------- files and manifest


def test_what_it_says_and_writes(run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path) -> None:
    table = fill(simulator, orders)
    done = run_export("-r", "us-east-1", "-t", "Orders", "-d", "out", "-p", 1, "--segments", 2)
    size = sum(path.stat().st_size for path in data_files(tmp_path / "out"))
    assert (done.code, done.log) == (
        0,
        [
            "Exporting table Orders in us-east-1 to out in 2 segments with 1 process",
            "Cap: no cap (the table is on-demand and no -c was given)",
        ],
    )
    counts, consumption, where = done.out.splitlines()
    assert counts == f"1,000 read, 1,000 exported to 2 files of {size:,} bytes"
    assert re.fullmatch(r"\d+\.\d s, [\d.]+ RCU consumed, [\d,.]+ RCU/s \(no cap\)", consumption)
    assert f"{table.consumed('read'):,.1f} RCU consumed" in consumption
    assert where == "manifest: out/_manifest.json"
    assert [path.name for path in data_files(tmp_path / "out")] == [
        "Orders-0000-00000.json",
        "Orders-0001-00000.json",
    ]
    assert contents(read_items(tmp_path / "out")) == contents(orders)


def test_the_manifest_has_the_table_the_totals_and_the_run(
    run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    table = fill(simulator, rich_items(300), rcu=5000, wcu=50)
    assert run_export("-t", "Orders", "-d", "out", "--segments", 5).code == 0
    found = assert_true_manifest(tmp_path / "out")
    assert (found["version"], found["format"], found["consistent_read"]) == (1, "json", False)
    assert (found["segments"], found["items"]) == (5, 300)
    assert re.fullmatch(r"ddbio \d+\.\d+\.\d+", found["tool"])
    assert found["read_units"] == table.consumed("read")
    began, ended = found["exported_at"], found["completed_at"]
    assert began <= ended and began.endswith("Z") and ended.endswith("Z")
    description = found["table"]
    assert (description["TableName"], description["ItemCount"]) == ("Orders", 300)
    assert description["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert description["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    assert description["ProvisionedThroughput"]["ReadCapacityUnits"] == 5000


@pytest.mark.parametrize(("compress", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_compressed_files(run_export: Run, simulator: Simulator, tmp_path: Path, compress: str, suffix: str) -> None:
    items = rich_items(3000)
    fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "out", "--compress", compress, "--segments", 2, "-s", 1)
    assert done.code == 0, done.err
    found = assert_true_manifest(tmp_path / "out")
    assert (found["compression"], found["items"]) == (compress, 3000)
    assert all(path.name.endswith(f".json{suffix}") for path in data_files(tmp_path / "out"))
    assert contents(read_items(tmp_path / "out")) == contents(items)


@pytest.mark.parametrize(("segments", "format"), [(1, "json"), (7, "dynamodb-json"), (40, "json")])
def test_segments(run_export: Run, simulator: Simulator, tmp_path: Path, segments: int, format: str) -> None:
    items = rich_items(300)
    fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "out", "--segments", segments, "--format", format, "-p", 2)
    assert done.code == 0, done.err
    assert f" in {segments} segment{'s' * (segments > 1)} with " in done.log[0]
    found = assert_true_manifest(tmp_path / "out")
    assert (found["segments"], found["format"], found["items"]) == (segments, format, 300)
    assert set(by_segment(tmp_path / "out")) == set(range(segments))
    assert contents(read_items(tmp_path / "out", format)) == contents(items)
    assert simulator.requests()["Scan"] == segments


@pytest.mark.parametrize("segments", [1, 3])
def test_a_file_is_closed_only_because_the_next_line_would_not_fit(
    run_export: Run, simulator: Simulator, tmp_path: Path, segments: int
) -> None:
    """A predecessor counted pages instead of megabytes."""
    # Lines from 30 bytes to 9 kB, and some of 300 kB: pages of 1 MB and files of 1 MB end in different places.
    items = [item for n in range(1200) for item in plain_items(1, n, padding=n * 37 % 9000)]
    items += [item for n in range(2000, 2006) for item in plain_items(1, n, padding=300_000)]
    fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "out", "-s", 1, "--segments", segments, "-p", 2)
    assert done.code == 0, done.err
    assert_true_manifest(tmp_path / "out")
    assert contents(read_items(tmp_path / "out")) == contents(items)
    for segment, files in by_segment(tmp_path / "out").items():
        assert [path.name for path in files] == [f"Orders-{segment:04}-{n:05}.json" for n in range(len(files))]
        assert len(files) > 1
        assert max(path.stat().st_size for path in files) <= MEGABYTE
        for path, successor in itertools.pairwise(files):
            next_line = successor.read_bytes().partition(b"\n")[0] + b"\n"
            assert path.stat().st_size + len(next_line) > MEGABYTE


def test_an_item_whose_line_is_longer_than_a_file_gets_one_of_its_own(
    run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """400 KB of control characters are 2.4 MB of JSON: the only way past `-s`, and no reason to fail."""
    items = [*plain_items(400, padding=5_000), {"id": {"S": "item-huge"}, "control": {"S": "\u0001" * 390_000}}]
    fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "out", "-s", 1, "--segments", 1)
    assert done.code == 0, done.err
    assert_true_manifest(tmp_path / "out")
    large = [path for path in data_files(tmp_path / "out") if path.stat().st_size > MEGABYTE]
    assert [path.read_bytes().count(b"\n") for path in large] == [1]
    assert contents(read_items(tmp_path / "out")) == contents(items)


def test_a_new_file_begins_at_256_megabytes_unless_told_otherwise(
    run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    fill(simulator, plain_items(300, padding=10_000))
    assert run_export("-t", "Orders", "-d", "out", "--segments", 1).code == 0
    (only,) = data_files(tmp_path / "out")
    assert only.stat().st_size > 3 * MEGABYTE


def test_an_empty_table_is_an_export_without_files(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    done = run_export("-t", "Orders", "-d", "out")
    assert (done.code, done.out.splitlines()[0]) == (0, "0 read, 0 exported to 0 files of 0 bytes")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MANIFEST]
    found = assert_true_manifest(tmp_path / "out")
    assert (found["files"], found["items"], found["bytes"]) == ([], 0, 0)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("my.Orders-2024_x", "my.Orders-2024_x"),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/a.b-0001", "a.b-0001"),
    ],
    ids=["name", "arn"],
)
@pytest.mark.fuller
def test_names_that_look_like_parts_of_file_names(
    run_export: Run, simulator: Simulator, tmp_path: Path, table: str, name: str
) -> None:
    fill(simulator, plain_items(20), name)
    done = run_export("-t", table, "-d", "out", "--segments", 1)
    assert done.code == 0, done.err
    assert [path.name for path in data_files(tmp_path / "out")] == [f"{name}-0000-00000.json"]
    assert_true_manifest(tmp_path / "out")


@pytest.mark.usefixtures("both_paths")
def test_an_import_of_the_folder_reads_all_but_the_manifest(
    run_export: Run, run_import: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    fill(simulator, orders)
    simulator.create_table("Copies", "id:S")
    assert run_export("-t", "Orders", "-d", "out", "--segments", 3).code == 0
    done = run_import("-t", "Copies", "-s", "out")
    assert (done.code, done.out.splitlines()[0]) == (0, "1,000 read, 1,000 written, 0 rejected")
    assert done.log[0].startswith("Importing 3 files (")
    assert_holds(simulator, "Copies", orders)


# --------------------------------------------------------------------------- what it consumes


def test_consistent_reads_cost_twice(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    table = fill(simulator, plain_items(500, padding=3000))
    assert run_export("-t", "Orders", "-d", "eventual", "--segments", 3).code == 0
    eventual = table.consumed("read")
    done = run_export("-t", "Orders", "-d", "consistent", "--segments", 3, "--consistent-read")
    assert done.code == 0
    assert table.consumed("read") - eventual == 2 * eventual
    assert f"{2 * eventual:,.1f} RCU consumed" in done.out
    assert assert_true_manifest(tmp_path / "consistent")["consistent_read"] is True


@pytest.mark.parametrize(
    ("cap", "count", "padding", "segments", "largest_page"),
    [
        (400, 150, 40_000, 3, 128.5),  # a full page is less than a second of it
        (20, 400, 1000, 4, 5.5),  # a full page would be six seconds of it: pages are made small by Limit
        (2, 40, 100, 2, 1.0),
    ],
    ids=["pages", "small pages", "two units"],
)
def test_the_cap_holds_in_every_second(
    run_export: Run,
    simulator: Simulator,
    tmp_path: Path,
    cap: float,
    count: int,
    padding: int,
    segments: int,
    largest_page: float,
) -> None:
    items = plain_items(count, padding=padding)
    table = fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "out", "-p", 2, "-c", cap, "--segments", segments)
    assert done.code == 0, done.err
    assert f"Cap: {cap:,} RCU (-c)" in done.log
    assert f"(cap {cap:,})" in done.out
    assert contents(read_items(tmp_path / "out")) == contents(items)
    # Within one second of the server's log, the cap and one page more: that log knows when a page was answered,
    # which the wire may have delayed, not when it was asked for.
    assert busiest_second(table) <= cap * 1.02 + largest_page


@pytest.fixture
def unknown_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are described as empty, as the service describes them for six hours after they are filled."""

    def described(*arguments: Any) -> dict[str, Any]:
        return {**describe(*arguments), "ItemCount": 0, "TableSizeBytes": 0}

    monkeypatch.setattr(administration, "describe", described)


@pytest.mark.usefixtures("unknown_sizes")
@pytest.mark.fuller
def test_a_small_cap_holds_for_a_table_of_unknown_size(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    table = fill(simulator, plain_items(1000, padding=1000))
    done = run_export("-t", "Orders", "-d", "out", "-p", 1, "-c", 60, "--segments", 2)
    assert done.code == 0, done.err
    assert busiest_second(table) <= 60 * 1.02 + 15.5


# --------------------------------------------------------------------------- destinations that will not do


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("occupant", ["Orders-0000-00000.json", MANIFEST, "notes.txt"])
def test_a_folder_that_is_not_empty_is_left_alone(
    run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path, occupant: str
) -> None:
    fill(simulator, orders)
    write_items(tmp_path / "out" / occupant, plain_items(1))
    before = snapshot(tmp_path / "out")
    done = run_export("-t", "Orders", "-d", "out")
    done.assert_one_line_error(2, '"out" is not empty', occupant, "-d")
    assert snapshot(tmp_path / "out") == before
    assert simulator.requests() == {"DescribeTable": 1}


def test_hidden_files_do_not_make_a_folder_full(
    run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    fill(simulator, orders)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".DS_Store").write_text("of the file manager")
    assert run_export("-t", "Orders", "-d", "out").code == 0
    assert (tmp_path / "out" / ".DS_Store").read_text() == "of the file manager"


def test_folders_are_made(run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path) -> None:
    fill(simulator, orders)
    assert run_export("-t", "Orders", "-d", "one/two/three/").code == 0
    assert contents(read_items(tmp_path / "one" / "two" / "three")) == contents(orders)


def test_a_file_is_no_folder(run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path) -> None:
    fill(simulator, orders)
    before = (tmp_path / "orders.json").read_bytes()
    run_export("-t", "Orders", "-d", "orders.json").assert_one_line_error(2, "orders.json", "is not a folder")
    assert (tmp_path / "orders.json").read_bytes() == before
    assert "Scan" not in simulator.requests()


# --------------------------------------------------------------------------- when it fails on the way


# Less than the largest of 7 segments of 60 items of 60 KB; far more than the journal, which is limited, too.
ROOM_BYTES = 510_000


def limit_files(command: Running, size_bytes: int) -> None:
    """No process of the command can make a file larger than that, as on a disk that is full. Its workers, which it
    has not started yet, inherit that."""
    resource.prlimit(command.pid, resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def complete_lines(paths: Iterable[Path]) -> list[Item]:
    """The items of files that must be whole: every line of them ends and parses."""
    texts = [path.read_bytes().decode() for path in paths]
    assert all(text.endswith("\n") for text in texts)
    return [from_json(line) for text in texts for line in text.split("\n")[:-1]]


def assert_failed_in_order(done: Completed, *words: str) -> None:
    done.assert_error(3, *words)
    assert sum("error" in line for line in done.err.splitlines()) == 1, done.err


def test_a_disk_that_is_full_from_the_beginning(start_export: Start, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator, plain_items(100, padding=10_000))
    with start_export("-t", "Orders", "-d", "out", "-p", 2, "--segments", 2) as command:
        limit_files(command, 100_000)
        done = command.wait()
    assert_failed_in_order(done, "cannot write", "out/Orders-000", "File too large", "ulimit")
    assert done.out.splitlines()[0] == "0 read, 0 exported to 0 files of 0 bytes"
    assert "manifest" not in done.out
    assert visible(tmp_path / "out") == []


def visible(folder: Path) -> list[Path]:
    """The files that are complete: what is being written has a hidden name, and stays for who goes on with it."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


@pytest.mark.fuller
def test_a_disk_that_is_full_on_the_way_leaves_whole_files_only(
    start_export: Start, simulator: Simulator, tmp_path: Path
) -> None:
    """Some of the segments fit. What is left is whole, and without a manifest it is no export."""
    items = plain_items(60, padding=60_000)
    fill(simulator, items)
    with start_export("-t", "Orders", "-d", "out", "-p", 2, "--segments", 7) as command:
        limit_files(command, ROOM_BYTES)
        done = command.wait()
    assert_failed_in_order(done, "cannot write", "File too large")
    files = visible(tmp_path / "out")
    assert 0 < len(files) < 7
    assert all(FILE_NAME.fullmatch(path.name) for path in files), files
    left = complete_lines(files)
    assert contents(left).items() <= contents(items).items()
    assert f" {len(left)} exported to {len(files)} files of " in done.out.splitlines()[0]
    assert "manifest" not in done.out


@pytest.mark.fuller
def test_a_failed_export_goes_on_when_there_is_room(
    start_export: Start, run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    items = plain_items(60, padding=60_000)
    fill(simulator, items)
    command_line = ("-t", "Orders", "-d", "out", "-p", 2, "--segments", 7)
    with start_export(*command_line) as command:
        limit_files(command, ROOM_BYTES)
        failed = command.wait()
    failed.assert_error(3, "run the same command again")
    again = run_export(*command_line)
    assert again.code == 0, again.err
    assert any(line.startswith("Resuming: ") for line in again.log)
    assert contents(read_items(tmp_path / "out")) == contents(items)


@pytest.mark.fuller
def test_the_rest_of_a_failed_export_was_thrown_away(
    start_export: Start, run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    items = plain_items(60, padding=60_000)
    fill(simulator, items)
    command_line = ("-t", "Orders", "-d", "out", "-p", 2, "--segments", 7)
    with start_export(*command_line) as command:
        limit_files(command, ROOM_BYTES)
        assert command.wait().code == 3
    shutil.rmtree(tmp_path / "out")
    run_export(*command_line).assert_one_line_error(2, "is missing or changed", "--fresh")
    again = run_export(*command_line, "--fresh")
    assert again.code == 0, again.err
    assert contents(read_items(tmp_path / "out")) == contents(items)


def slow_pages(simulator: Simulator) -> None:
    """The first pages of a scan come at once, the others half a second apart."""
    simulator.faults = FaultPlan([None] * 3 + [stall(0.5)] * 1000, operations=["Scan"])


def is_writing(folder: Path) -> Callable[[], bool]:
    """Whether a file has grown."""
    return lambda: any(path.name.endswith(".part") and path.stat().st_size for path in folder.glob(".*"))


def test_a_folder_that_is_taken_away(start_export: Start, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator, plain_items(800, padding=10_000))
    slow_pages(simulator)
    with start_export("-t", "Orders", "-d", "out", "-s", 2, "--segments", 2, "-p", 2) as command:
        command.until(is_writing(tmp_path / "out"))
        (tmp_path / "out").rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone")
        done = command.wait()
    assert_failed_in_order(done, "cannot write", "out/Orders-", "the folder was removed")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "gone").exists()


def test_a_table_that_is_deleted(start_export: Start, simulator: Simulator, tmp_path: Path) -> None:
    items = plain_items(800, padding=10_000)
    fill(simulator, items)
    make_old(simulator, "Orders")
    slow_pages(simulator)
    with start_export("-t", "Orders", "-d", "out", "-s", 1, "--segments", 2, "-p", 2) as command:
        command.until(is_writing(tmp_path / "out"))
        delete_table(simulator, "Orders")
        done = command.wait()
    assert_failed_in_order(done, 'Scan on table "Orders" was refused', "the table was deleted")
    assert_left_whole(tmp_path / "out", items)


def delete_table(simulator: Simulator, name: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=simulator.url)
    client.delete_table(TableName=name)
    client.close()


def assert_left_whole(folder: Path, items: list[Item]) -> None:
    """No manifest; what is there under its name is whole and right."""
    files = visible(folder)
    assert all(FILE_NAME.fullmatch(path.name) for path in files), files
    assert contents(complete_lines(files)).items() <= contents(items).items()


@pytest.mark.usefixtures("both_paths")
def test_the_lines_are_compact_json(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    """An object a line, as Athena, Glue and DuckDB read it: text not escaped without need."""
    fill(simulator, [{"id": {"S": "a"}, "n": {"N": "-12.5"}, "s": {"S": "naïve"}, "colours": {"SS": ["red"]}}])
    assert run_export("-t", "Orders", "-d", "out", "--segments", 1).code == 0
    (only,) = data_files(tmp_path / "out")
    line = only.read_text()
    assert line.endswith("}\n") and " " not in line
    assert json.loads(line) == {"id": "a", "n": -12.5, "s": "naïve", "colours": {"$SS": ["red"]}}
    assert "naïve" in line


# --------------------------------------------------------------------------- a part of the table


def numbered(count: int) -> list[Item]:
    return [
        {"id": {"S": f"i{number:04}"}, "n": {"N": str(number)}, "status": {"S": "open" if number % 4 else "closed"}}
        for number in range(count)
    ]


def test_a_filter_that_the_service_refuses(run_export: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S")
    done = run_export("-t", "Orders", "-d", "out", "--filter", "price >")
    done.assert_one_line_error(2, "Invalid FilterExpression", "docs/shaping.md")


def test_a_filter_and_attributes(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator, numbered(400))
    command = ("--filter", "status = :s AND n < :n", "--values", '{"s": "closed", "n": 100}', "--attributes", "id,n")
    done = run_export("-t", "Orders", "-d", "out", *command, "-c", "500")
    expected = [{"id": item["id"], "n": item["n"]} for item in numbered(100)[::4]]
    assert done.code == 0, done.err
    assert contents(read_items(tmp_path / "out")) == contents(expected)
    assert re.match(
        r"400 read, 25 exported to \d+ files? of [\d,]+ bytes, 375 filtered out$", done.out.splitlines()[0]
    )
    assert "--filter and --attributes do not lower the cost: every item is read" in done.log
    told = re.search(r"([\d.]+) RCU consumed", done.out)
    assert told is not None
    assert simulator.table("Orders").consumed("read") == float(told[1]) + 0.5  # of the item the request was tried on
    manifest = assert_true_manifest(tmp_path / "out")
    assert manifest["subset"] == {"attributes": "id,n", "filter": command[1], "values": command[3]}


@pytest.mark.parametrize(("processes", "filter"), [(1, []), (2, ["--filter", "n >= :n", "--values", '{"n": 1000}'])])
def test_a_limit_is_exact_over_all_workers(
    run_export: Run, simulator: Simulator, tmp_path: Path, processes: int, filter: list[str]
) -> None:
    fill(simulator, numbered(3000))
    done = run_export("-t", "Orders", "-d", "out", "--limit", 777, "--segments", 16, "-p", processes, *filter)
    assert (done.code, done.counts["exported"]) == (0, 777), done.err
    assert done.counts["read"] == 777 + done.counts.get("filtered", 0)
    exported = list(read_items(tmp_path / "out"))
    assert len({item["id"]["S"] for item in exported}) == 777
    assert all(int(item["n"]["N"]) >= 1000 for item in exported) or not filter
    assert assert_true_manifest(tmp_path / "out")["items"] == 777


def test_a_limit_above_what_there_is(run_export: Run, simulator: Simulator) -> None:
    fill(simulator, numbered(10))
    done = run_export("-t", "Orders", "-d", "out", "--limit", 1000)
    assert (done.code, done.counts["exported"], "filtered out" in done.out) == (0, 10, False)


def test_a_small_limit_costs_little(run_export: Run, simulator: Simulator) -> None:
    table = fill(simulator, numbered(3000))
    assert run_export("-t", "Orders", "-d", "out", "--limit", 5).counts["exported"] == 5
    assert table.consumed("read") <= 1.0


def test_a_sample_of_the_segments(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator, numbered(2000))
    first = run_export("-t", "Orders", "-d", "first", "--sample", "10%")
    other = run_export("-t", "Orders", "-d", "other", "--sample", "10%", "--seed", "1")
    assert 120 < first.counts["exported"] < 280
    assert contents(read_items(tmp_path / "first")) != contents(read_items(tmp_path / "other"))
    sentence = next(line for line in first.log if line.startswith("Sample: 20 of 200 segments (--seed 0): "))
    assert sentence not in other.log
    chosen = manifest_of(tmp_path / "first")["subset"]["sampled_segments"]
    assert sentence.endswith(", ".join(map(str, chosen)))


def test_an_index(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    table = simulator.create_table(
        "Orders", "id:S", wcu=100, rcu=100, global_indexes={"byDay": ["day:S"]}, index_rates={"byDay": (40, 100)}
    )
    table.put_items(numbered(50))
    in_index = [{**item, "day": {"S": "monday"}} for item in numbered(30)]
    table.put_items(in_index)
    done = run_export("-t", "Orders", "-d", "out", "--index", "byDay", "-c", "50%")
    assert done.code == 0, done.err
    assert contents(read_items(tmp_path / "out")) == contents(in_index)
    assert "Cap: 20 RCU (50% of the index's provisioned units of 40)" in done.log
    assert (table.consumed("read"), table.consumed("read", "byDay") > 0) == (0, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--filter", "n >"], "Invalid FilterExpression"),
        (["--attributes", "deep,deep.b"], "overlap"),
        (["--filter", "n = :v"], "--values has no 'v'"),
        (["--index", "byNight"], 'no index "byNight"; it has none'),
        (["--values", "{}"], "add --filter"),
    ],
)
def test_a_part_that_cannot_be_is_said_before_anything_is_made(
    run_export: Run, simulator: Simulator, tmp_path: Path, options: list[str], says: str
) -> None:
    fill(simulator, numbered(3))
    run_export("-t", "Orders", "-d", "out", *options).assert_one_line_error(2, says)
    assert list(tmp_path.iterdir()) == []
