"""The CPUs and open files that this process may use, and since when the machine runs."""

from __future__ import annotations

import math
import os
import resource
import secrets
from contextlib import suppress
from pathlib import Path

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = Path("/sys/fs/cgroup/cpu")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity, or a container's quota if that is smaller."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(allowed, math.ceil(quota)) if quota is not None else allowed)


def _cgroup_quota() -> float | None:
    """CPUs that a container may use, possibly a fraction; None if there is no limit."""
    for files in ((_CGROUP_V2,), (_CGROUP_V1 / "cpu.cfs_quota_us", _CGROUP_V1 / "cpu.cfs_period_us")):
        with suppress(OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
            quota, period = map(int, " ".join([file.read_text() for file in files]).split())
            return quota / period if quota > 0 else None  # -1: no limit
    return None


def allow_open_files() -> None:
    """Raise the soft limit of open files to the hard one: a worker has one for each lane, the parent several for each
    worker, and the usual 256 or 1,024 exist for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS reports a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def boot_id() -> str:
    """Distinguishes the times since a start of the machine: written data that was never synced survives the end of a
    process, but not that of the machine. Never the same twice where the system has no such id."""
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return secrets.token_hex(8)
