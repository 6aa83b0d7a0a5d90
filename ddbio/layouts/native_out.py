"""An export in the layout of DynamoDB's own exports, `--native-layout`, for tools that read those.

    <destination>/AWSDynamoDB/<export>/data/<Table>-<segment>-<file>.json.gz   the only files for DynamoDB's import
    <destination>/AWSDynamoDB/<export>/manifest-files.json, manifest-summary.json, each with its .checksum
    <destination>/AWSDynamoDB/<export>/_manifest.json                          this program's own

- The data files are in a separate folder, because DynamoDB's import reads every object below its prefix as data.
- One gzip member an object, one `{"Item": ...}` a line.
- The manifests omit facts that do not exist: DynamoDB made no export, so there is no ARN of one, and no ETags.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
from collections.abc import Iterator, Sequence

import orjson

from ddbio.layouts.native import FILES_NAME, SUMMARY_NAME
from ddbio.messages import ExportedFile
from ddbio.storage import join
from ddbio.values.table import TableInfo

_VERSION = "2020-06-30"  # of full exports


def new_export_id(now: datetime.datetime) -> str:
    """A unique name like those of DynamoDB: milliseconds and a random part."""
    return f"{int(now.timestamp() * 1000):014d}-{secrets.token_hex(4)}"


def folder_of(destination: str, export_id: str) -> str:
    return join(join(destination, "AWSDynamoDB"), export_id)


def data_folder_of(destination: str, export_id: str) -> str:
    return join(folder_of(destination, export_id), "data")


def manifests(
    destination: str, export_id: str, table: TableInfo, began: datetime.datetime, files: Sequence[ExportedFile]
) -> Iterator[tuple[str, bytes]]:
    """Names and contents, in the order in which to write them: the summary is last and marks a complete export."""
    bucket, prefix = _bucket_and_prefix(destination)
    below = f"{prefix}/" if prefix else ""
    folder = f"{below}AWSDynamoDB/{export_id}"
    entries = [
        {
            "itemCount": each.items,
            "md5Checksum": each.file.checksum.removeprefix("md5:"),
            "dataFileS3Key": f"{folder}/data/{each.file.name}",
        }
        for each in files
    ]
    yield from _with_checksum(
        FILES_NAME, b"".join(orjson.dumps(entry, None, orjson.OPT_APPEND_NEWLINE) for entry in entries)
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    summary = {
        "version": _VERSION,
        "exportArn": None,
        "startTime": _time(began),
        "endTime": _time(now),
        "tableArn": table.description.get("TableArn"),
        "tableId": table.description.get("TableId"),
        "exportTime": _time(began),
        "s3Bucket": bucket,
        "s3Prefix": prefix or None,
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{folder}/{FILES_NAME}",
        "billedSizeBytes": 0,
        "itemCount": sum(each.items for each in files),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    yield from _with_checksum(SUMMARY_NAME, orjson.dumps(summary))


def _with_checksum(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    yield f"{name.removesuffix('.json')}.checksum", base64.b64encode(digest)
    yield name, content


def _bucket_and_prefix(destination: str) -> tuple[str | None, str]:
    """(None, "") for a folder on disk: keys are relative to it, as if it were a bucket."""
    if not destination.lower().startswith("s3://"):
        return None, ""
    bucket, _, prefix = destination[len("s3://") :].partition("/")
    return bucket, prefix.rstrip("/")


def _time(when: datetime.datetime) -> str:
    return when.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
