"""`manifest.json`: what an export wrote, beside what it wrote.

{
  "version": 1, "tool": "ddbio 0.1.0", "format": "json", "compression": "none",
  "table": {DescribeTable's answer}, "exported_at": "...", "completed_at": "...", "consistent_read": false,
  "segments": 16, "items": 100000, "bytes": 1234, "read_units": 12.5,
  "files": [{"name": "Orders-0000-00000.json", "segment": 0, "items": 10, "bytes": 99, "checksum": "sha256:..."}]
}

An export of a part of the table has `"subset": {"filter": "...", "limit": 10}` too, whatever was asked for.

It is written last: an export without one is not complete.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import orjson

from ddbio import __version__
from ddbio.units import ExportedFile, Tally

MANIFEST_NAME = "manifest.json"


def manifest(
    *,
    table: dict[str, Any],
    format: str,
    compression: str,
    consistent_read: bool,
    segments: int,
    began: datetime.datetime,
    tally: Tally,
    files: Iterable[ExportedFile],
    subset: dict[str, Any] | None = None,
) -> bytes:
    """The manifest as JSON text. table: DescribeTable's answer. subset: what a part was chosen by. began: an aware
    time."""
    listed = sorted(files, key=lambda each: each.file.name)
    return orjson.dumps(
        {
            "version": 1,
            "tool": f"ddbio {__version__}",
            "format": format,
            "compression": compression,
            "table": table,
            "exported_at": began,
            "completed_at": datetime.datetime.now(datetime.timezone.utc),
            "consistent_read": consistent_read,
            "segments": segments,
            **({"subset": subset} if subset else {}),
            "items": sum(each.items for each in listed),
            "bytes": sum(each.file.size_bytes for each in listed),
            "read_units": tally.units,
            "files": [
                {
                    "name": each.file.name,
                    "segment": each.segment,
                    "items": each.items,
                    "bytes": each.file.size_bytes,
                    "checksum": each.file.checksum,
                }
                for each in listed
            ],
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
    )
