"""Whole transfers by the library, on every server: what goes in comes out again.

The rule is AWS's: an item that the service stores comes back equal, whoever reads it. Every server here
keeps every kind of item of `tests.support.items.AWKWARD`.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.engine import Engine
from ddbio.engines.inline import InlineEngine
from ddbio.engines.pool import ProcessEngine
from ddbio.simulator import Simulator
from ddbio.verbs.export_table import ExportResult
from ddbio.verbs.import_table import ImportResult
from ddbio.verbs.options import ExportOptions, ImportOptions
from tests.endpoints import REGION, Endpoint
from tests.support.items import Item, as_json, contents, plain_items, read_items, rich_items, write_items
from tests.support.transfers import export_table, import_table

pytestmark = pytest.mark.fuller

INLINE = InlineEngine()


class Tables:
    """Makes tables with a string key `id` on a server, and looks into them through boto3."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = endpoint.client()
        self.made: list[str] = []

    def create(self, index: dict[str, Any] | None = None) -> str:
        """index: a global index on `day`, a string."""
        names = ["id", "day"] if index else ["id"]
        name = f"Transfer-{uuid.uuid4().hex[:12]}"
        self._client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in names],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if index else {}),
        )
        self.made.append(name)
        self._client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        return name

    def items(self, table: str) -> list[Item]:
        pages = self._client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [{name: with_text(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def delete(self) -> None:
        for name in self.made:
            self._client.delete_table(TableName=name)


def with_text(value: dict[str, Any]) -> dict[str, Any]:
    """A value of boto3's with base64 text for its bytes."""
    ((letter, payload),) = value.items()
    if letter == "B":
        return {letter: b64encode(payload).decode()}
    if letter == "BS":
        return {letter: [b64encode(member).decode() for member in payload]}
    if letter == "L":
        return {letter: [with_text(element) for element in payload]}
    if letter == "M":
        return {letter: {name: with_text(member) for name, member in payload.items()}}
    return value


@pytest.fixture
def tables(dynamodb_endpoint: Endpoint) -> Iterator[Tables]:
    made = Tables(dynamodb_endpoint)
    yield made
    made.delete()


@pytest.fixture
def aws(dynamodb_endpoint: Endpoint) -> AwsSettings:
    return AwsSettings(region=REGION, endpoint_url=dynamodb_endpoint.url)


def do_import(
    aws: AwsSettings, table: str, source: object, rejects: Path, *, engine: Engine = INLINE, **others: Any
) -> ImportResult:
    options = ImportOptions(
        table=table, sources=(str(source),), aws=aws, processes=2, lanes=4, rejects=str(rejects), **others
    )
    return import_table(options, engine=engine)


def do_export(
    aws: AwsSettings, table: str, destination: object, *, engine: Engine = INLINE, **others: Any
) -> ExportResult:
    options = ExportOptions(table=table, destination=str(destination), aws=aws, processes=2, lanes=4, **others)
    return export_table(options, engine=engine)


def counts(result: ImportResult | ExportResult) -> tuple[int, int, int, int]:
    """Exit code, read, written, rejected."""
    return result.exit_code, result.tally.read, result.tally.written, result.tally.rejected


def there_and_back(
    tables: Tables, aws: AwsSettings, folder: Path, items: list[Item], format: str, engine: Engine
) -> None:
    first, second, rejects = tables.create(), tables.create(), folder / "rejects.jsonl"
    half = len(items) // 2
    for name, part in (("a.json", items[:half]), ("b.json", items[half:])):
        write_items(folder / "in" / name, part, format)
    expected, whole = contents(items), (0, len(items), len(items), 0)
    imported = do_import(aws, first, folder / "in", rejects, engine=engine, format=format)
    assert counts(imported) == whole, imported.error
    assert contents(tables.items(first)) == expected
    exported = do_export(aws, first, folder / "out", engine=engine, format=format, segments=3)
    assert counts(exported) == whole, exported.error
    assert contents(read_items(folder / "out", format)) == expected
    again = do_import(aws, second, folder / "out", rejects, engine=engine, format=format)
    assert counts(again) == whole, again.error
    assert contents(tables.items(second)) == expected


@pytest.mark.parametrize("format", ["json", "dynamodb-json"])
def test_a_table_with_all_types_comes_back_equal(
    tables: Tables, aws: AwsSettings, tmp_path: Path, format: str
) -> None:
    count = 500 if format == "json" else 100
    there_and_back(tables, aws, tmp_path, rich_items(count), format, INLINE)


def test_worker_processes_do_the_same(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    there_and_back(tables, aws, tmp_path, rich_items(200), "json", ProcessEngine(2))


def test_pages_that_hold_many_segments_and_files(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    """More than a page of 1 MB in a segment, more segments than lanes, empty ones among them."""
    items = plain_items(120, padding=30_000)
    table = tables.create()
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, table, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    few = do_export(aws, table, tmp_path / "few", segments=1, file_megabytes=1)
    many = do_export(aws, table, tmp_path / "many", segments=30, consistent_read=True)
    assert counts(few) == counts(many) == (0, 120, 120, 0)
    assert [each.file.name.partition("-0000-")[2] for each in few.files] == [f"{n:05}.json" for n in range(4)]
    assert contents(read_items(tmp_path / "few")) == contents(read_items(tmp_path / "many")) == contents(items)


def test_of_equal_keys_in_a_batch_the_last_one_wins(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    table = tables.create()
    lines = [{"id": f"k{n % 8}", "n": n} for n in range(25)]
    (tmp_path / "in.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = do_import(aws, table, tmp_path / "in.json", tmp_path / "rejects.jsonl")
    assert counts(result) == (0, 25, 8, 0)
    assert result.tally.replaced == 17
    assert {item["id"]["S"]: item["n"]["N"] for item in tables.items(table)} == {
        f"k{n % 8}": str(n) for n in range(17, 25)
    }


def test_equal_keys_in_different_batches_are_one_item(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    table = tables.create()
    items = plain_items(200)
    write_items(tmp_path / "in.json", [*items, *items, *items])
    result = do_import(aws, table, tmp_path / "in.json", tmp_path / "rejects.jsonl")
    assert (result.exit_code, result.tally.read, result.tally.rejected) == (0, 600, 0)
    assert result.tally.written + result.tally.replaced == 600
    assert contents(tables.items(table)) == contents(items)


def test_inserts_and_deletes(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    table, rejects = tables.create(), tmp_path / "rejects.jsonl"
    items = rich_items(60)
    older = [{"id": item["id"], "older": {"BOOL": True}} for item in items[:20]]
    write_items(tmp_path / "older.json", older)
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, table, tmp_path / "older.json", rejects)) == (0, 20, 20, 0)
    inserted = do_import(aws, table, tmp_path / "in.json", rejects, mode="insert")
    assert (counts(inserted), inserted.tally.skipped) == ((0, 60, 40, 0), 20)
    assert contents(tables.items(table)) == contents([*older, *items[20:]])
    write_items(tmp_path / "old.json", [*items[10:30], *({"id": item["id"]} for item in items[30:40])])
    deleted = do_import(aws, table, tmp_path / "old.json", rejects, mode="delete")
    assert (counts(deleted), deleted.tally.deleted) == ((0, 30, 30, 0), 30)
    assert contents(tables.items(table)) == contents([*older[:10], *items[40:]])


def test_one_source_into_several_tables(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    first, second, third = tables.create(), tables.create(), tables.create()
    write_items(tmp_path / "in.json", plain_items(60))
    (tmp_path / "shape.py").write_text(
        f"def three(item):\n    return [item, ({second!r}, {{'id': str(item['n'] % 3)}}), ({third!r}, item)]\n"
    )
    done = do_import(
        aws, first, tmp_path / "in.json", tmp_path / "rejects", more_tables=(second, third),
        transform=f"{tmp_path}/shape.py:three",
    )  # fmt: skip
    assert (done.exit_code, done.tally.read, done.tally.added) == (0, 60, 120), done.error
    assert contents(tables.items(first)) == contents(tables.items(third)) == contents(plain_items(60))
    assert sorted(item["id"]["S"] for item in tables.items(second)) == ["0", "1", "2"]


def test_parts_of_a_table(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    table, items = tables.create(), plain_items(100)
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, table, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    least = json.dumps({"n": int(items[60]["n"]["N"])})
    part = do_export(
        aws, table, tmp_path / "part", filter="n >= :n", values=least, attributes="n", segments=3, format="json"
    )
    assert counts(part) == (0, 100, 40, 0), part.error
    assert part.tally.left_out == 60
    expected = [{"n": item["n"]} for item in items[60:]]
    assert contents(read_items(tmp_path / "part"), "n") == contents(expected, "n")
    few = do_export(aws, table, tmp_path / "few", limit=7, segments=4, engine=ProcessEngine(2))
    assert (few.exit_code, few.tally.written) == (0, 7), few.error
    assert len(contents(read_items(tmp_path / "few"))) == 7


def test_a_table_is_made_as_it_was(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    """With a sort key, a global and a local index, as the server itself describes them."""
    client, first, second = tables.endpoint.client(), *(f"Made-{uuid.uuid4().hex[:12]}" for _ in range(2))
    by_role = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]
    client.create_table(
        TableName=first,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": type} for name, type in DEFINITIONS.items()],
        KeySchema=by_role,
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [by_role[0], {"AttributeName": "day", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["text"]},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            }
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 500, "WriteCapacityUnits": 500},
    )
    tables.made += [first, second]
    client.get_waiter("table_exists").wait(TableName=first, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    client.put_item(TableName=first, Item={"id": {"S": "a"}, "n": {"N": "1"}, "day": {"S": "x"}})
    assert counts(do_export(aws, first, tmp_path / "out", segments=1))[0] == 0
    made = do_import(aws, second, tmp_path / "out", tmp_path / "rejects", create_table=True, with_indexes=True)
    assert counts(made) == (0, 1, 1, 0), made.error
    assert shape(client, second) == {**shape(client, first), "provisioned": 0}
    assert contents(tables.items(second)) == contents(tables.items(first))


DEFINITIONS = {"id": "S", "n": "N", "day": "S"}


def shape(client: Any, table: str) -> dict[str, Any]:
    """What of a table's description should be the same."""
    described = client.describe_table(TableName=table)["Table"]
    indexes = described["GlobalSecondaryIndexes"] + described["LocalSecondaryIndexes"]
    return {
        "definitions": {each["AttributeName"]: each["AttributeType"] for each in described["AttributeDefinitions"]},
        "keys": described["KeySchema"],
        "indexes": [(index["IndexName"], index["KeySchema"], index["Projection"]) for index in indexes],
        "provisioned": described["ProvisionedThroughput"]["WriteCapacityUnits"],
    }


BAD = {
    "no key": '{"n": 1}',
    "key of another type": '{"id": 5}',
    "empty key": '{"id": ""}',
    "key of 2,049 bytes": json.dumps({"id": "x" * 2049}),
    "more than 400 KB": json.dumps({"id": "x", "filler": "x" * 409_600}),
    "empty set": '{"id": "x", "s": {"$SS": []}}',
    "set with a member twice": '{"id": "x", "s": {"$SS": ["a", "a"]}}',
    "set with a number twice": '{"id": "x", "s": {"$NS": [1, 1.0]}}',
    "39 digits": '{"id": "x", "n": 123456789012345678901234567890123456789}',
    "a number too large": '{"id": "x", "n": 1e126}',
    "33 levels": '{"id": "x", "deep": ' + "[" * 33 + "]" * 33 + "}",
    "no JSON": '{"id": "x"',
}


def test_bad_records_harm_nobody(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    """Each among 24 others. A predecessor lost the whole batch, and did not say which record it was."""
    table = tables.create()
    good = plain_items(24 * len(BAD))
    for number, (name, bad) in enumerate(BAD.items()):
        lines = [as_json(item) for item in good[24 * number : 24 * (number + 1)]]
        lines.insert(11, bad)
        write_lines(tmp_path / "in" / f"{name}.json", lines)
    result = do_import(aws, table, tmp_path / "in", tmp_path / "rejects.jsonl")
    assert counts(result) == (1, 25 * len(BAD), 24 * len(BAD), len(BAD)), result.error
    assert contents(tables.items(table)) == contents(good)
    told = {Path(each["source"]).stem: each for each in rejects_in(tmp_path)}
    assert {name: (each["line"], each["record"]) for name, each in told.items()} == {
        name: (12, bad) for name, bad in BAD.items()
    }


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def rejects_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]


# --------------------------------------------------------------------------- through S3


@pytest.fixture
def bucket(s3_endpoint: Endpoint) -> str:
    name = f"transfer-{uuid.uuid4().hex[:12]}"
    s3_endpoint.client().create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("engine", [INLINE, ProcessEngine(2)], ids=["inline", "processes"])
def test_a_table_comes_back_from_s3(s3_endpoint: Endpoint, bucket: str, tmp_path: Path, engine: Engine) -> None:
    """Items of all types, and enough large ones for an object in parts and one without."""
    items = [*rich_items(400), *plain_items(100, 1000, padding=100_000)]
    with Simulator() as simulator:
        simulator.create_table("Orders", "id:S").put_items(items)
        copies = simulator.create_table("Copies", "id:S")
        aws = AwsSettings(region=REGION, endpoint_url=simulator.url, s3_endpoint_url=s3_endpoint.url)
        exported = do_export(aws, "Orders", f"s3://{bucket}/out", engine=engine, segments=1, file_megabytes=9)
        assert counts(exported) == (0, 500, 500, 0), exported.error
        assert exported.manifest == f"s3://{bucket}/out/_manifest.json"
        imported = do_import(aws, "Copies", f"s3://{bucket}/out", tmp_path / "rejects.jsonl", engine=engine)
        assert counts(imported) == (0, 500, 500, 0), imported.error
        assert contents(copies.items()) == contents(items)
    client = s3_endpoint.client()
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    for each in exported.files:
        head = client.head_object(Bucket=bucket, Key=f"out/{each.file.name}", ChecksumMode="ENABLED")
        assert head["ContentLength"] == each.file.size_bytes
        kept = head.get("ChecksumSHA256")  # not every store keeps it, or the number of parts in it
        assert kept is None or digest_of(each.file.checksum) == kept.partition("-")[0]
    kinds = {each.file.checksum.partition(":")[0] for each in exported.files}
    assert kinds == {"sha256", "sha256-composite"}, "one object was put whole and one in parts"


def digest_of(checksum: str) -> str:
    """The digest in a checksum of ours as S3 writes it, in base64."""
    kind, _, text = checksum.partition(":")
    return b64encode(bytes.fromhex(text)).decode() if kind == "sha256" else text.partition("-")[0]
