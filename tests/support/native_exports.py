"""Exports by DynamoDB itself, made by its documentation: nothing here uses ddbio.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Item = dict[str, dict[str, Any]]
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def change(keys: Item, new: Item | None = None, old: Item | None = None, micros: Any = None) -> dict[str, Any]:
    """A line of an incremental export."""
    line: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": micros or {"N": "1680109764000000"}}, "Keys": keys}
    return {**line, **({"OldImage": old} if old else {}), **({"NewImage": new} if new else {})}


def write_export(
    root: Path,
    export_id: str,
    files: Sequence[Sequence[dict[str, Any]]],
    *,
    incremental: bool = False,
    ends: str = "2026-11-20T12:00:00.000Z",
    begins: str = "2026-11-20T11:00:00.000Z",
    checksums: str | None = ".checksum",
    full_keys: bool = True,
    prefix: str = "exports",
    **summary: Any,
) -> Path:
    """An export below `root/prefix`; its folder. files: the lines of each data file, as objects.

    checksums: how the side files are called; None for none. full_keys: whether the manifest's keys have the prefix.
    """
    parent = root / prefix / "AWSDynamoDB"
    folder = parent / export_id
    data = (parent if incremental else folder) / "data"
    data.mkdir(parents=True, exist_ok=True)
    (folder / "_started").parent.mkdir(exist_ok=True)
    (folder / "_started").touch()
    entries = []
    for number, lines in enumerate(files):
        content = gzip.compress("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode())
        name = f"{export_id[-6:]}file{number}.json.gz"
        (data / name).write_bytes(content)
        key = f"AWSDynamoDB/{'' if incremental else f'{export_id}/'}data/{name}"
        entries.append(
            {
                "itemCount": len(lines),
                "md5Checksum": md5(content),
                "etag": f"{hashlib.md5(content).hexdigest()}-1",
                "dataFileS3Key": f"{prefix}/{key}" if full_keys else key,
            }
        )
    times = {"exportFromTime": begins, "exportToTime": ends} if incremental else {"exportTime": ends}
    kind = {"outputView": "NEW_AND_OLD_IMAGES", "exportType": "INCREMENTAL_EXPORT"} if incremental else {}
    manifest = {
        "version": "2023-08-01" if incremental else "2020-06-30",
        "exportArn": f"{ARN}/export/{export_id}",
        "startTime": ends,
        "endTime": ends,
        "tableArn": ARN,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        **times,
        "s3Bucket": "my-bucket",
        "s3Prefix": prefix,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{prefix}/AWSDynamoDB/{export_id}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": sum(map(len, files)),
        "outputFormat": "DYNAMODB_JSON",
        **kind,
        **summary,
    }
    _with_checksum(folder / "manifest-summary.json", json.dumps(manifest), checksums)
    _with_checksum(folder / "manifest-files.json", "".join(f"{json.dumps(entry)}\n" for entry in entries), checksums)
    return folder


def _with_checksum(path: Path, text: str, suffix: str | None) -> None:
    path.write_text(text)
    if suffix is not None:
        path.with_suffix(suffix).write_text(md5(text.encode()))
