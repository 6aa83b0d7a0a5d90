"""The manifest: what an importer, or a person next year, needs to know of an export."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from dateutil.tz import tzlocal, tzoffset

from ddbio import __version__
from ddbio.layouts.own import Description, manifest
from ddbio.messages import ExportedFile, Tally
from ddbio.messages.files import WrittenFile

BEGAN = datetime.datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=datetime.timezone.utc)
FILES = [
    ExportedFile(1, WrittenFile("Orders-0001-00000.json", 20, "sha256:22"), 2),
    ExportedFile(0, WrittenFile("Orders-0000-00001.json", 300, "sha256:11"), 30),
    ExportedFile(0, WrittenFile("Orders-0000-00000.json", 1000, "sha256:00"), 100),
]


def made(**members: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "table": {"TableName": "Orders"},
        "format": "json",
        "compression": "gzip",
        "consistent_read": True,
        "segments": 2,
        "began": BEGAN,
    }
    tally, files = members.pop("tally", Tally(units=12.5)), members.pop("files", FILES)
    text = manifest(Description(**{**arguments, **members}), tally, files)
    assert text.endswith(b"\n")
    content: dict[str, Any] = json.loads(text)
    return content


def test_what_was_exported_and_how() -> None:
    content = made()
    completed = datetime.datetime.fromisoformat(content.pop("completed_at").replace("Z", "+00:00"))
    assert content.pop("files")
    assert content == {
        "version": 1,
        "tool": f"ddbio {__version__}",
        "format": "json",
        "compression": "gzip",
        "table": {"TableName": "Orders"},
        "exported_at": "2026-11-21T12:00:00.250000Z",
        "consistent_read": True,
        "segments": 2,
        "items": 132,
        "bytes": 1320,
        "read_units": 12.5,
    }
    assert completed.tzinfo is not None


def test_it_is_completed_after_it_began() -> None:
    began = datetime.datetime.now(datetime.timezone.utc)
    completed = datetime.datetime.fromisoformat(made(began=began)["completed_at"].replace("Z", "+00:00"))
    assert completed >= began


def test_files_are_listed_by_name() -> None:
    assert made()["files"] == [
        {"name": "Orders-0000-00000.json", "segment": 0, "items": 100, "bytes": 1000, "checksum": "sha256:00"},
        {"name": "Orders-0000-00001.json", "segment": 0, "items": 30, "bytes": 300, "checksum": "sha256:11"},
        {"name": "Orders-0001-00000.json", "segment": 1, "items": 2, "bytes": 20, "checksum": "sha256:22"},
    ]


def test_a_file_that_was_uploaded_in_parts_has_their_sizes() -> None:
    file = WrittenFile("Orders-0000-00000.json", 30, "sha256-composite:x-2", (20, 10))
    (listed,) = made(files=[ExportedFile(0, file, 1)])["files"]
    assert (listed["checksum"], listed["part_bytes"]) == ("sha256-composite:x-2", [20, 10])


def test_an_empty_table_has_no_files() -> None:
    content = made(files=[], tally=Tally())
    assert (content["items"], content["bytes"], content["files"]) == (0, 0, [])


@pytest.mark.parametrize("zone", [tzlocal(), tzoffset(None, 3600), datetime.timezone.utc])
def test_the_table_is_kept_as_boto3_describes_it(zone: datetime.tzinfo) -> None:
    created = datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=zone)
    table = {
        "CreationDateTime": created,
        "ItemCount": 10**12,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": created},
        "DeletionProtectionEnabled": False,
    }
    kept = made(table=table)["table"]
    assert datetime.datetime.fromisoformat(kept["CreationDateTime"].replace("Z", "+00:00")) == created
    assert (kept["ItemCount"], kept["DeletionProtectionEnabled"]) == (10**12, False)
