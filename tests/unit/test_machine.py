"""How many CPUs there are to use: what the scheduler allows, less where a container's quota is smaller."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddbio.system import machine


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 CPUs; its cgroup files are in this folder, and there are none yet."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "_CGROUP_V2", tmp_path / "cpu.max")
    monkeypatch.setattr(machine, "_CGROUP_V1", tmp_path)
    return tmp_path


def test_without_cgroups_it_is_the_affinity(cgroup: Path) -> None:
    assert machine.usable_cpus() == 8


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("max 100000\n", 8),
        ("400000 100000\n", 4),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("6400000 100000\n", 8),
        # never a reason to fail
        ("", 8),
        ("max", 8),
        ("0 100000", 8),
        ("100000 0", 8),
        ("nonsense 1", 8),
    ],
)
def test_the_quota_of_a_container_counts(cgroup: Path, content: str, cpus: int) -> None:
    (cgroup / "cpu.max").write_text(content)
    assert machine.usable_cpus() == cpus


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [("-1\n", "100000\n", 8), ("200000\n", "100000\n", 2), ("", "", 8), ("x", "100000", 8)],
)
def test_older_kernels_have_two_files(cgroup: Path, quota: str, period: str, cpus: int) -> None:
    (cgroup / "cpu.cfs_quota_us").write_text(quota)
    (cgroup / "cpu.cfs_period_us").write_text(period)
    assert machine.usable_cpus() == cpus


def test_one_of_the_older_files_alone_says_nothing(cgroup: Path) -> None:
    (cgroup / "cpu.cfs_quota_us").write_text("200000")
    assert machine.usable_cpus() == 8


@pytest.mark.parametrize(("count", "cpus"), [(6, 6), (None, 1)])
def test_where_there_is_no_affinity_it_is_the_machines_count(
    cgroup: Path, monkeypatch: pytest.MonkeyPatch, count: int | None, cpus: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert machine.usable_cpus() == cpus
