"""Both commands with S3 on the other side: objects named in every way, requests that stay small, uploads that leave
nothing behind."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import stall
from tests.endpoints import Endpoint
from tests.support.commands import Completed, Run, Start, assert_holds, descendants, is_alive, make_old, wait_until
from tests.support.items import (
    MANIFEST,
    Item,
    as_json,
    contents,
    from_dynamodb_json,
    from_json,
    plain_items,
    rich_items,
)

pytestmark = pytest.mark.fuller

MEGABYTE = 1_000_000
MIB = 1024 * 1024
PART_BYTES = 8 * MIB  # of an upload, where the file may not become so large that they must be larger


class Bucket:
    """A bucket of this test's own, looked at through boto3."""

    def __init__(self, client: Any) -> None:
        self.name = f"e2e-{uuid.uuid4().hex[:12]}"
        self.client = client
        client.create_bucket(Bucket=self.name)

    def put(self, key: str, data: bytes | list[Item]) -> None:
        body = data if isinstance(data, bytes) else "".join(f"{as_json(item)}\n" for item in data).encode()
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """The content of every object by its key without the prefix, under which all of them must be."""
        found = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            for entry in page.get("Contents", []):
                assert entry["Key"].startswith(prefix), entry["Key"]
                body = self.client.get_object(Bucket=self.name, Key=entry["Key"])["Body"].read()
                found[entry["Key"].removeprefix(prefix)] = body
        return found

    def uploads(self) -> list[str]:
        """The keys of multipart uploads that are neither complete nor aborted, and would be billed for ever."""
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]


@pytest.fixture
def bucket(s3: Endpoint) -> Bucket:
    return Bucket(s3.client())


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    """With an empty table Orders."""
    simulator.create_table("Orders", "id:S")
    return simulator


# --------------------------------------------------------------------------- how objects are written


def test_encryption_storage_class_and_acl(run_export: Run, table: Simulator, bucket: Bucket) -> None:
    """Of an object in parts, and of one in one piece: the manifest."""
    table.table("Orders").put_items([{"id": {"S": f"large {n}"}, "x": {"S": "x" * 350_000}} for n in range(30)])
    words = ["--s3-sse-kms-key-id", "alias/exports", "--s3-storage-class", "STANDARD_IA", "--s3-acl", "public-read"]
    done = run_export("-t", "Orders", "-d", f"s3://{bucket.name}/out", "--segments", 1, *words)
    assert done.code == 0, done.err
    keys = [entry["Key"] for entry in bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]]
    assert keys == ["out/Orders-0000-00000.json", "out/_manifest.json"]
    for key in keys:
        head = bucket.client.head_object(Bucket=bucket.name, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/exports")
        assert head["StorageClass"] == "STANDARD_IA"
        grants = bucket.client.get_object_acl(Bucket=bucket.name, Key=key)["Grants"]
        assert "READ" in {grant["Permission"] for grant in grants}


def test_a_key_with_an_encryption_that_takes_none(run_export: Run) -> None:
    done = run_export("-t", "Orders", "-d", "s3://b/x", "--s3-sse", "AES256", "--s3-sse-kms-key-id", "k")
    done.assert_one_line_error(2, "--s3-sse AES256 takes no KMS key")


# --------------------------------------------------------------------------- import


@pytest.fixture
def imported(run_import: Run, table: Simulator, bucket: Bucket) -> Any:
    """Import these sources, in which BUCKET stands for the bucket; the numbers of the items that arrive."""

    def run(*sources: str) -> list[int]:
        words = [word for source in sources for word in ("-s", source.replace("BUCKET", bucket.name))]
        done = run_import("-t", "Orders", "-p", 1, *words)
        assert done.code == 0, done.err
        arrived = sorted(int(item["n"]["N"]) for item in table.table("Orders").items())
        assert done.counts["read"] == done.counts["written"] == len(arrived)
        return arrived

    return run


@pytest.mark.parametrize(
    ("sources", "numbers"),
    [
        (["s3://BUCKET/in/notes.txt"], [5]),  # named outright, it is taken whatever its suffix
        (["s3://BUCKET/in"], [0, 1, 2]),
        (["s3://BUCKET"], [0, 1, 2, 3, 4]),  # a predecessor looked for a bucket without the last letter
        (["s3://BUCKET/*/[ab].json*"], [0, 1]),
        (["s3://BUCKET/in/", "s3://BUCKET/in/a.json", "s3://BUCKET/**/d*"], [0, 1, 2, 3]),  # each is read once
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_sources(imported: Any, bucket: Bucket, sources: list[str], numbers: list[int]) -> None:
    keys = ["in/a.json", "in/b.jsonl", "in/deep/c.json", "other/d.json", "e.json", "in/notes.txt"]
    for number, key in enumerate(keys):
        bucket.put(key, plain_items(1, number))
    for key in ("in/_manifest.json", "in/old.rejects.jsonl", "in/.hidden.json"):
        bucket.put(key, b'{"id": "not to be imported"}\n')
    assert imported(*sources) == numbers


def test_keys_with_odd_characters(imported: Any, bucket: Bucket) -> None:
    keys = ["a b/c+d.json", "a b/naïve%20&=?.json", "a b//double.json"]
    for number, key in enumerate(keys):
        bucket.put(key, plain_items(1, number))
    assert imported("s3://BUCKET/a b/") == [0, 1, 2]


def test_an_empty_object_is_a_job_that_is_done(imported: Any, bucket: Bucket) -> None:
    bucket.put("in/empty.json", b"")
    assert imported("s3://BUCKET/in/") == []


def test_rejects_name_the_object_and_go_to_the_current_folder(
    run_import: Run, table: Simulator, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("in/orders.json", b'{"id": "a"}\n{"id": 1}\nnot json\n{"id": "b"}\n')
    done = run_import("-t", "Orders", "-s", f"s3://{bucket.name}/in/orders.json")
    assert (done.code, done.out.splitlines()[0]) == (1, "4 read, 2 written, 2 rejected")
    (rejects,) = tmp_path.iterdir()
    assert rejects.name == "orders.rejects.jsonl"
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert {(each["source"], each["line"], each["offset"]) for each in told} == {
        (f"s3://{bucket.name}/in/orders.json", 2, 12),
        (f"s3://{bucket.name}/in/orders.json", 3, 22),
    }
    assert set(bucket.objects()) == {"in/orders.json"}, "nothing is written beside the source"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("s3://no-such-bucket-of-anyone/in/", ["no-such-bucket-of-anyone"]),
        ("s3://BUCKET/nothing/here/", ["nothing/here"]),
        ("s3://BUCKET/in/missing.json", ["in/missing.json"]),
        ("s3://BUCKET/in/*.csv", ["in/*.csv"]),
        ("s3://", ["s3://"]),
        ("s3:/BUCKET/in", ["s3:/"]),
    ],
)
def test_sources_that_will_not_do(
    run_import: Run, table: Simulator, bucket: Bucket, source: str, words: list[str]
) -> None:
    bucket.put("in/orders.json", plain_items(1))
    done = run_import("-t", "Orders", "-s", source.replace("BUCKET", bucket.name))
    done.assert_one_line_error(2, *words)
    assert "BatchWriteItem" not in table.requests()


@contextmanager
def recorded(s3: Endpoint) -> Iterator[list[dict[str, Any]]]:
    """The requests that moto gets meanwhile: method, url, headers; there when the block has ended."""
    requests: list[dict[str, Any]] = []
    for action in ("reset", "start"):
        moto_recorder(s3, action)
    try:
        yield requests
    finally:
        moto_recorder(s3, "stop")
        requests += map(json.loads, moto_recorder(s3, "download").splitlines())
        moto_recorder(s3, "reset")


def moto_recorder(s3: Endpoint, action: str) -> bytes:
    method = "GET" if action == "download" else "POST"
    request = urllib.request.Request(f"{s3.url}/moto-api/recorder/{action}-recording", method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=20) as answer:
        body: bytes = answer.read()
    return body


def test_an_object_is_read_in_ranges_and_not_over_and_over(
    run_import: Run, table: Simulator, bucket: Bucket, s3: Endpoint
) -> None:
    items = plain_items(2500, padding=2000)
    bucket.put("in/orders.json", items)
    size = len(bucket.objects()["in/orders.json"])
    assert size > 5 * MEGABYTE
    with recorded(s3) as requests:
        done = run_import("-t", "Orders", "-s", f"s3://{bucket.name}/in/", "-p", 2)
    assert done.code == 0, done.err
    assert_holds(table, "Orders", items)
    gets = [each for each in requests if each["method"] == "GET" and urlsplit(each["url"]).path.endswith(".json")]
    ranges = sorted(tuple(map(int, header(each, "range").removeprefix("bytes=").split("-"))) for each in gets)
    assert all(header(each, "if-match") for each in gets)
    assert len(ranges) >= 5
    assert max(last - first + 1 for first, last in ranges) <= MIB + 1
    assert (ranges[0][0], max(last for _, last in ranges)) == (0, size - 1)
    # A slice is read from one byte early, to see whether a line begins there, to the end of its last line.
    assert sum(last - first + 1 for first, last in ranges) < size * 1.5


def header(request: dict[str, Any], name: str) -> str:
    return next(str(value) for key, value in request["headers"].items() if key.lower() == name)


def test_json_that_is_not_one_object_a_line(imported: Any, bucket: Bucket) -> None:
    first, second, third = plain_items(1200, 0), plain_items(1200, 1200), plain_items(10, 2400)
    bucket.put("in/array.json", f"[{','.join(map(as_json, first))}]".encode())
    bucket.put("in/scan.json", json.dumps({"Items": second, "Count": 1200, "ScannedCount": 1200}, indent=4).encode())
    bucket.put("in/several-lines.json", "\n".join(f"{{\n{as_json(item)[1:]}" for item in third).encode())
    assert imported("s3://BUCKET/in/") == list(range(2410))


def test_exports_below_a_prefix(
    run_export: Run, run_import: Run, table: Simulator, bucket: Bucket, s3: Endpoint
) -> None:
    items, place = plain_items(50), f"s3://{bucket.name}"
    table.create_table("Copy", "id:S")
    table.table("Orders").put_items(items)
    assert run_export("-t", "Orders", "-d", f"{place}/all/a", "--segments", 2).code == 0
    for number in range(30):
        bucket.put(f"all/a/.more/{number}/x.json", b"{}")
    with recorded(s3) as requests:
        done = run_import("-t", "Copy", "-s", f"{place}/all")
    assert done.code == 0, done.err
    assert_holds(table, "Copy", items)
    assert len([each for each in requests if "list-type=2" in each["url"]]) < 20, "not one for each folder"
    bucket.put("all/loose.json", plain_items(1))
    run_import("-t", "Copy", "-s", f"{place}/all").assert_error(2, "all/loose.json", "all/a", "--no-verify")
    bucket.client.delete_object(Bucket=bucket.name, Key="all/loose.json")
    assert run_export("-t", "Orders", "-d", f"{place}/all/b").code == 0
    for source in ("/all", "", "/*", "/all/*/"):
        run_import("-t", "Copy", "-s", place + source).assert_error(2, "all/a", "all/b", "no increments")


def test_the_place_of_an_unfinished_export(run_import: Run, table: Simulator, bucket: Bucket) -> None:
    begun = {"Bucket": bucket.name, "Key": "out/Orders-0001-00000.json"}
    upload = bucket.client.create_multipart_upload(**begun)["UploadId"]
    source = ("-t", "Orders", "-s", f"s3://{bucket.name}/out")
    run_import(*source).assert_error(2, begun["Key"], "unfinished export", "--allow-unfinished")
    bucket.put("out/Orders-0000-00000.json", plain_items(3))
    run_import(*source).assert_error(2, begun["Key"], "unfinished export", "--allow-unfinished")
    assert table.table("Orders").item_count() == 0
    assert run_import(*source, "--allow-unfinished", "--fresh").code == 0
    bucket.client.abort_multipart_upload(**begun, UploadId=upload)
    done = run_import(*source, "--fresh")
    assert done.code == 0 and any("its folder has no manifest" in line for line in done.log), done.err


# --------------------------------------------------------------------------- export


def checksum_of(bucket: Bucket, key: str, data: bytes) -> str:
    """What the manifest must say of an object: for one that was uploaded in parts, S3's composite checksum."""
    if len(data) < PART_BYTES:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    head = bucket.client.head_object(Bucket=bucket.name, Key=key, PartNumber=1)
    count, offset, digests = head["PartsCount"], 0, b""
    for number in range(1, count + 1):
        size = bucket.client.head_object(Bucket=bucket.name, Key=key, PartNumber=number)["ContentLength"]
        digests += hashlib.sha256(data[offset : offset + size]).digest()
        offset += size
    assert offset == len(data)
    return f"sha256-composite:{b64encode(hashlib.sha256(digests).digest()).decode()}-{count}"


def assert_true_manifest(bucket: Bucket, prefix: str) -> dict[str, Any]:
    """The manifest below the prefix lists exactly the other objects there, by their real contents; returns it."""
    objects = bucket.objects(prefix)
    found: dict[str, Any] = json.loads(objects.pop(MANIFEST))
    assert [each["name"] for each in found["files"]] == sorted(objects)
    for each in found["files"]:
        data = objects[each["name"]]
        assert (each["items"], each["bytes"]) == (data.count(b"\n"), len(data))
        assert each["segment"] == int(each["name"][-15:-11])
        assert each["checksum"] == checksum_of(bucket, prefix + each["name"], data)
        assert sum(each.get("part_bytes", [len(data)])) == len(data)
        assert len(each.get("part_bytes", [])) == int(
            each["checksum"].partition("-composite")[2].rpartition("-")[2] or 0
        )
    assert found["items"] == sum(each["items"] for each in found["files"])
    assert found["bytes"] == sum(map(len, objects.values()))
    return found


def exported_items(bucket: Bucket, prefix: str, format: str = "json") -> list[Item]:
    read = {"json": from_json, "dynamodb-json": from_dynamodb_json}[format]
    files = {name: data for name, data in bucket.objects(prefix).items() if name != MANIFEST}
    return [read(line) for data in files.values() for line in data.decode().split("\n")[:-1]]


@pytest.mark.parametrize(
    ("below", "prefix", "format"),
    [("", "", "json"), ("/out/deeper/", "out/deeper/", "dynamodb-json")],
    ids=["bucket", "prefix"],
)
def test_destinations_and_the_way_back(
    run_export: Run, run_import: Run, simulator: Simulator, bucket: Bucket, below: str, prefix: str, format: str
) -> None:
    items = rich_items(150)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copies", "id:S")
    where = f"s3://{bucket.name}{below}"
    done = run_export("-t", "Orders", "-d", where, "--segments", 3, "--format", format, "-p", 1)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == f"manifest: s3://{bucket.name}/{prefix}_manifest.json"
    assert_true_manifest(bucket, prefix)
    assert contents(exported_items(bucket, prefix, format)) == contents(items)
    assert run_import("-t", "Copies", "-s", where, "--format", format, "-p", 1).code == 0
    assert_holds(simulator, "Copies", items)


def test_files_larger_than_a_part_are_streamed_in_parts(
    run_export: Run, simulator: Simulator, bucket: Bucket, s3: Endpoint
) -> None:
    items = plain_items(260, padding=100_000)
    simulator.create_table("Orders", "id:S").put_items(items)
    with recorded(s3) as requests:
        done = run_export("-t", "Orders", "-d", f"s3://{bucket.name}/out", "-s", 12, "--segments", 1)
    assert done.code == 0, done.err
    assert_true_manifest(bucket, "out/")
    sizes = {name: len(data) for name, data in bucket.objects("out/").items() if name != MANIFEST}
    assert list(sizes) == [f"Orders-0000-{n:05}.json" for n in range(3)]
    assert 12 * MEGABYTE - 101_000 < sizes["Orders-0000-00000.json"] <= 12 * MEGABYTE
    assert contents(exported_items(bucket, "out/")) == contents(items)
    assert bucket.uploads() == []
    bodies = [int(header(each, "content-length")) for each in requests if each["method"] == "PUT"]
    assert max(bodies) < PART_BYTES + 2 * MIB, "a part is what one lane holds in memory"
    assert all(header(each, "x-amz-checksum-sha256") for each in requests if each["method"] == "PUT")


def test_checksums_of_uploads_in_parts_are_verified(
    run_export: Run, run_import: Run, simulator: Simulator, bucket: Bucket
) -> None:
    items = plain_items(260, padding=100_000)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copy", "id:S")
    where = f"s3://{bucket.name}/out"
    assert run_export("-t", "Orders", "-d", where, "-s", 40, "--segments", 1, "--lanes", 1).code == 0
    data = bucket.objects("out/")["Orders-0000-00000.json"]
    bucket.put("out/Orders-0000-00000.json", data.replace(b"xxxx", b"xxyx", 1) if b"xxxx" in data else data[::-1])
    done = run_import("-t", "Copy", "-s", where, "--verify-checksums")
    done.assert_error(2, "Orders-0000-00000.json", "has the checksum sha256-composite:")
    assert simulator.table("Copy").item_count() == 0
    bucket.put("out/Orders-0000-00000.json", data)  # in one piece: the parts are those of the manifest
    assert run_import("-t", "Copy", "-s", where, "--verify-checksums").code == 0
    assert_holds(simulator, "Copy", items)


@pytest.mark.parametrize(
    "options",
    [
        ("--compress", "gzip"),
        ("--compress", "zstd"),
        ("--format", "csv", "--columns", "id,n:N"),
        ("--format", "parquet", "--columns", "id,n:N"),
        ("--format", "avro", "--columns", "id,n:N"),
    ],
    ids=lambda options: options[1],
)
@pytest.mark.parametrize("remote", [False, True], ids=["disk", "s3"])
def test_exports_of_every_format_are_held_to_their_manifests(
    run_export: Run,
    run_import: Run,
    simulator: Simulator,
    bucket: Bucket,
    tmp_path: Path,
    options: tuple[str, ...],
    remote: bool,
) -> None:
    items = [{"id": {"S": f"item {n}"}, "n": {"N": str(n)}} for n in range(90)]
    simulator.create_table("Orders", "id:S").put_items(items)
    copy = simulator.create_table("Copy", "id:S")
    where = f"s3://{bucket.name}/out" if remote else str(tmp_path / "out")
    assert run_export("-t", "Orders", "-d", where, "--segments", 3, *options).code == 0

    def put(name: str, data: bytes) -> None:
        if remote:
            bucket.put(f"out/{name}", data)
        else:
            (tmp_path / "out" / name).write_bytes(data)

    def got() -> dict[str, bytes]:
        found = bucket.objects("out/").items() if remote else ()
        return dict(found) or {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    whole = got()
    name = next(each["name"] for each in json.loads(whole[MANIFEST])["files"] if each["items"])
    command = ("-t", "Copy", "-s", where)
    put(name, whole[name][:-1])
    run_import(*command).assert_error(2, name, "bytes, but its manifest says", "--no-verify")
    put(name, whole[name][:-1] + b"?")
    run_import(*command, "--verify-checksums").assert_error(2, name, "has the checksum sha256:")
    put(name, whole[name])
    put(f"other-{name}", whole[name])
    run_import(*command).assert_error(2, f"other-{name}", "does not list")
    if remote:
        bucket.client.delete_object(Bucket=bucket.name, Key=f"out/other-{name}")
    else:
        (tmp_path / "out" / f"other-{name}").unlink()
    assert copy.item_count() == 0, "nothing was moved"
    manifest = json.loads(whole[MANIFEST])
    for each in manifest["files"]:
        each["items"] += each["name"] == name
    put(MANIFEST, json.dumps(manifest).encode())
    run_import(*command).assert_error(3, name, "items, but its manifest says")
    put(MANIFEST, whole[MANIFEST])
    done = run_import(*command, "--verify-checksums", "--fresh")
    assert (done.code, done.counts["written"]) == (0, 90), done.err
    assert_holds(simulator, "Copy", items)


def test_an_empty_table_is_a_manifest(run_export: Run, table: Simulator, bucket: Bucket) -> None:
    done = run_export("-t", "Orders", "-d", f"s3://{bucket.name}/out")
    assert (done.code, done.out.splitlines()[0]) == (0, "0 read, 0 exported to 0 files of 0 bytes")
    assert assert_true_manifest(bucket, "out/")["files"] == []
    assert list(bucket.objects()) == [f"out/{MANIFEST}"]


def test_a_bucket_that_is_not_there(run_export: Run, table: Simulator, s3: Endpoint) -> None:
    done = run_export("-t", "Orders", "-d", "s3://no-such-bucket-of-anyone/out")
    done.assert_one_line_error(2, "no-such-bucket-of-anyone")
    assert table.requests() == {"DescribeTable": 1}


def test_a_prefix_that_is_not_empty_is_left_alone(run_export: Run, table: Simulator, bucket: Bucket) -> None:
    bucket.put("out/Orders-0000-00000.json", plain_items(1))
    before = bucket.objects()
    done = run_export("-t", "Orders", "-d", f"s3://{bucket.name}/out")
    done.assert_one_line_error(2, "not empty", "Orders-0000-00000.json")
    assert bucket.objects() == before
    assert table.requests() == {"DescribeTable": 1}


def test_a_prefix_beside_it_does_not_count(run_export: Run, table: Simulator, bucket: Bucket) -> None:
    bucket.put("out-of-last-year/Orders-0000-00000.json", plain_items(1))
    assert run_export("-t", "Orders", "-d", f"s3://{bucket.name}/out").code == 0


# --------------------------------------------------------------------------- uploads that do not come to their end


@pytest.fixture
def large_table(simulator: Simulator) -> Simulator:
    """Two segments of some 18 MB each, which come in pages of 1 MB, with a pause before each."""
    simulator.create_table("Orders", "id:S").put_items(plain_items(360, padding=100_000))
    make_old(simulator, "Orders")
    simulator.faults = FaultPlan(itertools.repeat(stall(0.15)), operations=["Scan"])
    return simulator


def export_until_it_uploads(
    start_export: Start, bucket: Bucket, environment: dict[str, str], disturb: Any
) -> Completed:
    """The end of an export that is disturbed when both of its segments are uploading parts."""
    options = ("-t", "Orders", "-d", f"s3://{bucket.name}/out", "--segments", 2, "-p", 2)
    with start_export(*options) as command:
        command.until(lambda: len(bucket.uploads()) == 2)
        temporary = [path for path in Path(environment["TMPDIR"]).rglob("*") if path.is_file()]
        # The books of the run are there, which take 100 KB.
        assert sum(path.stat().st_size for path in temporary) < MEGABYTE, "nothing of the data is put on the disk"
        disturb(command)
        done = command.wait()
    assert list(Path(environment["TMPDIR"]).iterdir()) == []
    assert "manifest" not in done.out
    return done


@pytest.mark.parametrize("s3", ["moto", "seaweedfs"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_an_export_goes_on_with_its_uploads(
    start_export: Start, run_export: Run, large_table: Simulator, bucket: Bucket, number: signal.Signals
) -> None:
    """Stopped or killed in the middle of uploads in parts: no item is missing in the end, none is there twice, and
    the objects are those of an export that nothing disturbed."""
    command_line = ("-t", "Orders", "--segments", 2, "-p", 2, "-d", f"s3://{bucket.name}/out")
    with start_export(*command_line) as command:
        command.until(lambda: large_table.table("Orders").consumed("read") > 3000)  # some parts are there
        assert len(bucket.uploads()) == 2
        pids = descendants(command.pid)
        command.signal(number)
        command.wait()
        wait_until(lambda: not any(map(is_alive, pids)), 3.0)
    large_table.faults = FaultPlan()
    before = large_table.table("Orders").consumed("read")
    done = run_export(*command_line)
    assert done.code == 0, done.err
    assert any(line.startswith("Resuming: ") for line in done.log)
    assert large_table.table("Orders").consumed("read") - before < 360 * 12.5 - 500, "parts are not read again"
    assert_true_manifest(bucket, "out/")
    assert bucket.uploads() == []
    items = list(exported_items(bucket, "out/"))
    assert contents(items) == contents(large_table.table("Orders").items())
    assert done.counts["read"] == done.counts["exported"] == len(items)
    files = json.loads(bucket.objects()["out/_manifest.json"])["files"]
    undisturbed = Bucket(bucket.client)
    assert run_export(*command_line[:-1], f"s3://{undisturbed.name}/out").code == 0
    assert json.loads(undisturbed.objects()["out/_manifest.json"])["files"] == files, "checksums of parts and all"


def test_fresh_drops_the_uploads_of_an_unfinished_export(
    start_export: Start, run_export: Run, large_table: Simulator, bucket: Bucket, environment: dict[str, str]
) -> None:
    done = export_until_it_uploads(start_export, bucket, environment, lambda _: delete_table(large_table))
    done.assert_error(3, "the table was deleted", "what is done is kept")
    assert "run the same command again" not in done.err
    assert bucket.objects() == {}
    assert len(bucket.uploads()) == 2, "they are kept for who goes on"
    items = plain_items(3)
    large_table.create_table("Orders", "id:S").put_items(items)
    options = ("-t", "Orders", "-d", f"s3://{bucket.name}/out", "--segments", 2, "-p", 2)
    run_export(*options).assert_one_line_error(2, "unfinished", "table Orders", "--fresh")
    done = run_export(*options, "--fresh")
    assert done.code == 0, done.err
    assert bucket.uploads() == []
    assert contents(exported_items(bucket, "out/")) == contents(items)


def delete_table(simulator: Simulator) -> None:
    endpoint = Endpoint("simulator", "dynamodb", simulator.url)
    endpoint.client().delete_table(TableName="Orders")
    endpoint.close()


def test_a_bucket_that_is_deleted(
    start_export: Start, large_table: Simulator, bucket: Bucket, environment: dict[str, str]
) -> None:
    done = export_until_it_uploads(
        start_export, bucket, environment, lambda _: bucket.client.delete_bucket(Bucket=bucket.name)
    )
    done.assert_error(3, bucket.name)
    assert sum("error" in line for line in done.err.splitlines()) == 1, done.err


def test_workers_that_are_killed_leave_no_upload_behind(
    start_export: Start, large_table: Simulator, bucket: Bucket
) -> None:
    """Others do their segments, whether they go on with the uploads or begin again."""
    options = ("-t", "Orders", "-d", f"s3://{bucket.name}/out", "--segments", 2, "-p", 2)
    with start_export(*options) as command:
        command.until(lambda: len(bucket.uploads()) == 2)
        for pid in command.workers():
            os.kill(pid, signal.SIGKILL)
        large_table.faults = FaultPlan()
        done = command.wait()
    assert done.code == 0, done.err
    assert_true_manifest(bucket, "out/")
    assert contents(exported_items(bucket, "out/")) == contents(large_table.table("Orders").items())
    assert bucket.uploads() == []
