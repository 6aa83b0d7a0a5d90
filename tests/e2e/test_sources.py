"""DDBImport.py with what is not a plain file: compressed ones, large and small, whole and broken; standard input;
disk and S3 in one run."""

from __future__ import annotations

import gzip
import json
import os
import signal
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ddbio.simulator import Simulator
from tests.endpoints import Endpoint
from tests.support.commands import IMPORT, Commands, Completed, Run, Start, assert_holds
from tests.support.items import MANIFEST, Item, as_json, contents, plain_items, rich_items
from tests.support.native_exports import change, md5, write_export

pytestmark = pytest.mark.fuller

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
    done.assert_error(3, '"', 'bad.json.gz" is truncated; the records before that were imported')
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


def test_chunks_that_are_done_are_passed_over_when_the_job_goes_on(
    start_import: Start, run_import: Run, table: Simulator, tmp_path: Path
) -> None:
    items = many(8000)
    (tmp_path / "orders.json.gz").write_bytes(gzip.compress(lines(items), 1))
    with start_import("-t", "Orders", "-s", "orders.json.gz", "-p", 1, "--lanes", 4, "-c", 4000) as command:
        command.until(lambda: table.table("Orders").item_count() > 4000)
        command.signal(signal.SIGKILL)
        command.wait()
    before = table.table("Orders").consumed("write")
    done = run_import("-t", "Orders", "-s", "orders.json.gz", "-p", 2, "--lanes", 4)
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 8000, 8000), done.err
    assert any(line.startswith("Resuming: ") for line in done.log)
    assert table.table("Orders").consumed("write") - before < 8000 - 2000
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


def test_what_is_passed_over_below_a_prefix_is_counted(run_import: Run, table: Simulator, s3: Endpoint) -> None:
    """And a manifest.json that this program did not write is data, there as on disk."""
    client = s3.client()
    client.create_bucket(Bucket="prefix")
    for key in ("in/a.json", "in/_SUCCESS", "in/_temporary/0/b.json", "in/manifest.json", "in/notes.txt"):
        client.put_object(Bucket="prefix", Key=key, Body=b'{"id": "%b"}' % key.encode())
    done = run_import("-t", "Orders", "-s", "s3://prefix/in")
    assert (done.code, done.counts["written"]) == (0, 2), done.err
    assert_holds(table, "Orders", [{"id": {"S": "in/a.json"}}, {"id": {"S": "in/manifest.json"}}])
    assert "Sources: passed over 3 files: _SUCCESS, _temporary/0/b.json, notes.txt" in done.log


# --------------------------------------------------------------------------- standard input


@pytest.fixture
def piped(commands: Commands) -> Callable[..., Completed]:
    """DDBImport.py with these bytes on its standard input."""

    def run(data: bytes, *arguments: object) -> Completed:
        reader, writer = os.pipe()
        with commands.start(IMPORT, "-t", "Orders", *arguments, stdin=reader) as command:
            os.close(reader)
            with suppress(BrokenPipeError), os.fdopen(writer, "wb") as pipe:
                pipe.write(data)
            return command.wait()

    return run


def test_csv_on_standard_input(piped: Callable[..., Completed], table: Simulator) -> None:
    done = piped(b"id,colour\na,red\nb,green\n", "-s", "-", "-p", 1)
    assert (done.code, done.counts["read"]) == (0, 2), done.err
    assert_holds(table, "Orders", [{"id": {"S": k}, "colour": {"S": v}} for k, v in (("a", "red"), ("b", "green"))])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, PACKS[".zst"]])
def test_standard_input(piped: Callable[..., Completed], table: Simulator, tmp_path: Path, pack: Pack) -> None:
    items = many(3000)
    done = piped(pack(lines(items) + b"no json\n"), "-s", "-", "-p", 2)
    assert (done.code, done.counts["read"], done.counts["rejected"]) == (1, 3001, 1), done.err
    assert done.log[0].startswith("Importing standard input into table Orders")
    reject = json.loads((tmp_path / "stdin.rejects.jsonl").read_text())
    assert (reject["source"], reject["line"]) == ("-", 3001)
    assert_holds(table, "Orders", items)


def test_standard_input_is_imported_as_it_comes_and_cannot_be_taken_up_again(
    commands: Commands, table: Simulator
) -> None:
    items = plain_items(50)
    reader, writer = os.pipe()
    with commands.start(IMPORT, "-t", "Orders", "-s", "-", "-p", 1, stdin=reader) as command:
        os.close(reader)
        os.write(writer, lines(items[:30]))
        command.until(lambda: len(table.table("Orders").items()) == 30)
        os.write(writer, lines(items[30:]))
        command.until(lambda: len(table.table("Orders").items()) == 50)
        command.signal(signal.SIGINT)
        done = command.wait()
    os.close(writer)
    done.assert_error(130, "stopped", "standard input is not kept: run the same command again with all of it")
    assert done.counts["written"] == 50
    assert_holds(table, "Orders", items)


def test_standard_input_that_is_closed(commands: Commands, table: Simulator) -> None:
    with commands.start(IMPORT, "-t", "Orders", "-s", "-", preexec_fn=lambda: os.close(0), stdin=None) as command:
        done = command.wait()
    done.assert_one_line_error(2, "standard input cannot be read")


# --------------------------------------------------------------------------- exports by DynamoDB


def wrapped(items: list[Item]) -> list[dict[str, Any]]:
    return [{"Item": item} for item in items]


def key_of(item: Item) -> Item:
    return {"id": item["id"]}


def test_a_full_export_and_what_changed_since(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    """The changes are written after what they change, however the sources are given."""
    items = many(2000)
    full = write_export(
        tmp_path, "01-aaaaaa", [wrapped(items[:1500]), wrapped(items[1500:])], ends="2026-11-20T10:00Z"
    )
    new = [{**item, "n": {"N": "-1"}} for item in items[500:1000]]
    first = [*[change(key_of(item)) for item in items[:500]], *[change(key_of(item), item) for item in new]]
    hour: dict[str, Any] = {"incremental": True, "begins": "2026-11-20T10:00Z", "ends": "2026-11-20T11:00Z"}
    one = write_export(tmp_path, "02-bbbbbb", [first[::2], first[1::2]], **hour)
    back = [change(key_of(item), item) for item in items[:100]] + [change(key_of(item)) for item in new[:100]]
    hour = {"incremental": True, "begins": "2026-11-20T11:00Z", "ends": "2026-11-20T12:00Z"}
    two = write_export(tmp_path, "03-cccccc", [back], **hour)
    done = run_import("-t", "Orders", "-s", two, "-s", full, "-s", one, "-p", 2)
    assert done.code == 0, done.err
    assert (done.counts["read"], done.counts["deleted"], done.counts["rejected"]) == (3200, 600, 0)
    assert sum("is an export of DynamoDB (incremental, " in line for line in done.log) == 2
    assert_holds(table, "Orders", [*items[:100], *new[100:], *items[1000:]])


@pytest.mark.parametrize("count", [50, 3000])
def test_a_flipped_byte_is_caught_by_its_md5(run_import: Run, table: Simulator, tmp_path: Path, count: int) -> None:
    """In a header that nothing else guards: every item is right, and still it is not the file that was exported."""
    folder = write_export(tmp_path, "01-aaaaaa", [wrapped(many(count)), wrapped(plain_items(10, 5000))])
    data = bytearray((folder / "data" / "aaaaaafile0.json.gz").read_bytes())
    data[4] ^= 1
    (folder / "data" / "aaaaaafile0.json.gz").write_bytes(data)
    done = run_import("-t", "Orders", "-s", folder, "-p", 1)
    done.assert_error(3, 'aaaaaafile0.json.gz" differs from the export: it has the MD5 ', "manifest says")
    assert done.counts["read"] == count + 10


def test_an_export_on_s3(run_import: Run, table: Simulator, tmp_path: Path, s3: Endpoint) -> None:
    items, client = many(100), s3.client()
    write_export(tmp_path, "01-aaaaaa", [wrapped(items[:60]), wrapped(items[60:]), []], full_keys=False)
    client.create_bucket(Bucket="native")
    for path in (path for path in (tmp_path / "exports").rglob("*") if path.is_file()):
        client.put_object(Bucket="native", Key=str(path.relative_to(tmp_path)), Body=path.read_bytes())
    done = run_import("-t", "Orders", "-s", "s3://native/exports/AWSDynamoDB/01-aaaaaa", "-p", 1)
    assert (done.code, done.counts["read"]) == (0, 100), done.err
    assert_holds(table, "Orders", items)


def test_an_export_that_cannot_be_imported(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    ion = write_export(tmp_path, "01-aaaaaa", [wrapped(plain_items(1))], outputFormat="ION")
    run_import("-t", "Orders", "-s", ion).assert_one_line_error(2, "in the format ION, which is not supported")
    changes = write_export(tmp_path, "02-bbbbbb", [[change({"id": {"S": "a"}})]], incremental=True)
    done = run_import("-t", "Orders", "-s", changes, "--mode", "insert")
    done.assert_one_line_error(2, "it does not go with --mode insert")


# --------------------------------------------------------------------------- their layout, by us


def assert_is_an_export(folder: Path, root: Path, items: list[Item]) -> None:
    """By the documentation: data apart from all else, one gzip member an object, manifests that say what is so."""
    beside = {path.name for path in folder.iterdir() if path.is_file()}
    assert beside == {f"manifest-{n}.{s}" for n in ("files", "summary") for s in ("json", "checksum")} | {MANIFEST}
    for name in ("files", "summary"):
        content = (folder / f"manifest-{name}.json").read_bytes()
        assert (folder / f"manifest-{name}.checksum").read_text() == md5(content)
    summary = json.loads((folder / "manifest-summary.json").read_text())
    assert (summary["itemCount"], summary["outputFormat"]) == (len(items), "DYNAMODB_JSON")
    entries = [json.loads(line) for line in (folder / "manifest-files.json").read_text().splitlines()]
    files = [root / entry["dataFileS3Key"] for entry in entries]
    assert sorted(files) == sorted((folder / "data").iterdir()) and len(files) > 2
    found: list[Item] = []
    for entry, path in zip(entries, files, strict=True):
        data = path.read_bytes()
        member = zlib.decompressobj(31)
        text = member.decompress(data).decode()
        assert (member.eof, member.unused_data, md5(data)) == (True, b"", entry["md5Checksum"])
        assert text.count("\n") == entry["itemCount"]
        found += [json.loads(line)["Item"] for line in text.split("\n")[:-1]]
    assert contents(found) == contents(items)


def test_an_export_in_their_layout_is_read_back(
    run_export: Run, run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    items = [{**item, "noise": {"S": os.urandom(2000).hex()}} for item in rich_items(1200)]
    simulator.create_table("Orders", "id:S").put_items(items)
    done = run_export("-t", "Orders", "-d", "out", "--native-layout", "--segments", 2, "-s", 1, "-p", 2)
    assert done.code == 0, done.err
    (folder,) = (tmp_path / "out" / "AWSDynamoDB").iterdir()
    assert_is_an_export(folder, tmp_path / "out", items)
    simulator.create_table("Copy", "id:S")
    done = run_import("-t", "Copy", "-s", folder, "-p", 1)
    assert (done.code, done.counts["read"]) == (0, 1200), done.err
    assert "is an export of DynamoDB (full, " in done.log[1]
    assert_holds(simulator, "Copy", items)


def test_an_export_in_their_layout_on_s3(
    run_export: Run, run_import: Run, simulator: Simulator, s3: Endpoint, tmp_path: Path
) -> None:
    items, client = plain_items(500, padding=3000), s3.client()
    simulator.create_table("Orders", "id:S").put_items(items)
    client.create_bucket(Bucket="layout")
    done = run_export("-t", "Orders", "-d", "s3://layout/deep/er", "--native-layout", "--segments", 3, "-p", 1)
    assert done.code == 0, done.err
    for entry in client.list_objects_v2(Bucket="layout")["Contents"]:
        path = tmp_path / "bucket" / entry["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket="layout", Key=entry["Key"])["Body"].read())
    (folder,) = (tmp_path / "bucket" / "deep" / "er" / "AWSDynamoDB").iterdir()
    assert_is_an_export(folder, tmp_path / "bucket", items)
    simulator.create_table("Copy", "id:S")
    done = run_import("-t", "Copy", "-s", f"s3://layout/deep/er/AWSDynamoDB/{folder.name}/", "-p", 1)
    assert done.code == 0, done.err
    assert_holds(simulator, "Copy", items)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "-"], "is a layout of files"),
        (["-d", "out", "--format", "csv", "--columns", "id"], "is dynamodb-json, compressed with gzip"),
        (["-d", "out", "--compress", "zstd"], "is dynamodb-json, compressed with gzip"),
    ],
)
def test_what_their_layout_excludes(run_export: Run, table: Simulator, arguments: list[str], words: str) -> None:
    run_export("-t", "Orders", "--native-layout", *arguments).assert_one_line_error(2, words)
