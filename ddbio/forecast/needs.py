"""What a job needs of the machine: processes, memory, disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ddbio.forecast.forecast import Amount

PARENT_BYTES = 75_000_000
WORKER_BYTES = 45_000_000
PAGE_LANE_BYTES = 3 * 1024 * 1024  # a page of 1 MB and its text
SOURCE_LANE_BYTES = 128 * 1024
REMOTE_SOURCE_LANE_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024  # of an upload to S3, for each lane


def memory_of(workers: int, lanes: int, lane_bytes: int) -> Amount:
    """workers: 0 if the parent has the lanes itself. lanes: the most of a process; it has as many as the service and
    the cap keep busy."""
    processes, busy = PARENT_BYTES + workers * WORKER_BYTES, max(workers, 1)
    return Amount(processes + busy * lane_bytes, processes, processes + busy * lanes * lane_bytes)


def disk_warnings(folder: Path, needed: Amount | None) -> Iterator[str]:
    """folder: it need not exist yet."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if needed is None or there is None:
        return
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < needed.high:
        yield (
            f"The disk of {there} has {free_bytes / 1e6:,.0f} MB free, and this job needs about "
            f"{needed.likely / 1e6:,.0f} MB, at most {needed.high / 1e6:,.0f} MB"
        )
