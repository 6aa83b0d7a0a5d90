"""DDBImport.py with what is not a plain file: compressed ones, large and small, whole and broken; standard input;
disk and S3 in one run."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ddbio.simulator import Simulator
from tests.e2e.conftest import Run, Start, assert_holds
from tests.e2e.items import Item, as_json, plain_items, rich_items
from tests.endpoints import Endpoint

KIB = 1024

Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(write_checksum=True).compress}


def lines(items: list[Item]) -> bytes:
    return "".join(f"{as_json(item)}\n" for item in items).encode()


def many(count: int) -> list[Item]:
    """Items that do not compress well."""
    return [{**item, "noise": {"S": os.urandom(60).hex()}} for item in plain_items(count)]


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    """With an empty table Orders."""
    simulator.create_table("Orders", "id:S")
    return simulator


@pytest.mark.parametrize("suffix", PACKS)
def test_one_large_compressed_file(run_import: Run, table: Simulator, tmp_path: Path, suffix: str) -> None:
    """The parent unpacks it, and every worker has its share."""
    items = many(6000)
    packed = PACKS[suffix](lines(items[:2500])) + PACKS[suffix](lines(items[2500:]))
    assert len(packed) > 300 * KIB
    (tmp_path / f"orders.json{suffix}").write_bytes(packed)
    done = run_import("-t", "Orders", "-s", f"orders.json{suffix}", "-p", 2)
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 6000, 6000), done.err
    assert f"Importing 1 file ({len(packed):,} bytes) into table Orders" in done.log[0]
    assert done.log[0].endswith("with 2 processes")
    assert_holds(table, "Orders", items)


def test_a_folder_of_small_files_compressed_in_every_way(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    items, folder = rich_items(60), tmp_path / "in"
    folder.mkdir()
    (folder / "a.json.gz").write_bytes(gzip.compress(lines(items[:10])) + gzip.compress(lines(items[10:20])))
    (folder / "b.JSONL.zst").write_bytes(PACKS[".zst"](lines(items[20:30])))
    (folder / "c.json").write_bytes(lines(items[30:40]))
    (folder / "not.json.gz").write_bytes(lines(items[40:50]))  # somebody unpacked it on the way
    (folder / "packed.json").write_bytes(gzip.compress(lines(items[50:])))  # and packed this one
    (folder / "notes.txt.gz").write_bytes(gzip.compress(b"no data"))
    (folder / "empty.json.gz").write_bytes(b"")
    done = run_import("-t", "Orders", "-s", "in", "-p", 1)
    assert (done.code, done.counts["read"]) == (0, 60), done.err
    assert_holds(table, "Orders", items)


def test_a_large_compressed_file_without_a_name_that_says_so(
    run_import: Run, table: Simulator, tmp_path: Path
) -> None:
    items = many(3000)
    (tmp_path / "data").write_bytes(gzip.compress(lines(items)))
    assert run_import("-t", "Orders", "-s", "data", "-p", 1).code == 0
    assert_holds(table, "Orders", items)


@pytest.mark.parametrize("count", [300, 6000])
def test_a_file_that_breaks_off_is_imported_up_to_there_and_named(
    run_import: Run, table: Simulator, tmp_path: Path, count: int
) -> None:
    items = many(count)
    packed = gzip.compress(lines(items))
    (tmp_path / "bad.json.gz").write_bytes(packed[: len(packed) * 3 // 4])
    (tmp_path / "good.json.gz").write_bytes(gzip.compress(lines([{"id": {"S": "good"}}])))
    done = run_import("-t", "Orders", "-s", "bad.json.gz", "-s", "good.json.gz", "-p", 1)
    done.assert_error(3, '"', 'bad.json.gz" breaks off; the records before that were imported')
    read = done.counts["read"]
    assert read == done.counts["written"] > count * 0.7 - 300
    assert_holds(table, "Orders", [*items[: read - 1], {"id": {"S": "good"}}])


def test_what_is_rejected_in_a_compressed_file_has_its_place_in_what_comes_out(
    run_import: Run, table: Simulator, tmp_path: Path
) -> None:
    items = many(4000)
    text = lines(items[:3000]) + b"no json\n" + lines(items[3000:])
    (tmp_path / "orders.json.gz").write_bytes(gzip.compress(text))
    done = run_import("-t", "Orders", "-s", "orders.json.gz", "-p", 2)
    assert (done.code, done.counts["rejected"]) == (1, 1)
    reject = json.loads((tmp_path / "orders.rejects.jsonl").read_text())
    assert (reject["line"], reject["offset"], reject["record"]) == (3001, len(lines(items[:3000])), "no json")
    assert_holds(table, "Orders", items)


def test_a_worker_that_is_killed_loses_no_chunk(start_import: Start, table: Simulator, tmp_path: Path) -> None:
    items = many(12_000)
    (tmp_path / "orders.json.gz").write_bytes(gzip.compress(lines(items), 1))
    with start_import("-t", "Orders", "-s", "orders.json.gz", "-p", 2, "-c", 6000) as command:
        command.until(lambda: table.table("Orders").items() and len(command.workers()) == 2)
        os.kill(command.workers()[0], signal.SIGKILL)
        done = command.wait()
    assert (done.code, done.counts["read"]) == (0, 12_000), done.err
    assert_holds(table, "Orders", items)


def test_disk_and_s3_in_one_run(run_import: Run, table: Simulator, tmp_path: Path, s3: Endpoint) -> None:
    items, client = many(4000), s3.client()
    client.create_bucket(Bucket="both")
    client.put_object(Bucket="both", Key="in/large.json.gz", Body=gzip.compress(lines(items[:3000])))
    client.put_object(Bucket="both", Key="in/small.json.gz", Body=gzip.compress(lines(items[3000:3100])))
    client.put_object(Bucket="both", Key="in/plain.json", Body=lines(items[3100:3200]))
    (tmp_path / "here.json").write_bytes(lines(items[3200:]))
    done = run_import(
        "-t", "Orders", "-s", "here.json", "-s", "s3://both/in", "-s", "s3://both/in/plain.json", "-p", 1
    )
    assert (done.code, done.counts["read"]) == (0, 4000), done.err
    assert_holds(table, "Orders", items)
