"""What the machine does to a run: disks that fill up, folders that cannot be written, files that change while they
are read, limits. A clear error, and nothing half-written that looks complete.

(More of it: `test_export` for file size limits and folders that go away, `test_rejects` for limits of the rejects
file, `test_usage_errors` for closed and full standard streams, `test_local` for every error a write can meet, a quota
among them.)
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.endpoints import Endpoint
from tests.support.commands import Run, Start, assert_holds, wait_until
from tests.support.items import Item, contents, data_files, from_json, plain_items, read_items, write_items

pytestmark = pytest.mark.fuller


class Disk:
    """A small file system of its own, in memory."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
        if mounted.returncode:
            pytest.skip("only root may mount, and not in every container")

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 1 MB: the folder `disk`."""
    made = Disk(tmp_path / "disk", "1m")
    yield made
    made.remove()


def assert_whole(folder: Path, items: list[Item]) -> int:
    """What is left under its name is whole files of these items, and no manifest; returns how many items."""
    assert not (folder / "_manifest.json").exists()
    texts = [path.read_text() for path in data_files(folder) if not path.name.startswith(".")]
    assert all(text.endswith("\n") for text in texts)
    left = contents([from_json(line) for text in texts for line in text.splitlines()])
    assert left.items() <= contents(items).items()
    return len(left)


# --------------------------------------------------------------------------- disks


def test_an_export_to_a_disk_that_fills_up(run_export: Run, simulator: Simulator, tmp_path: Path, disk: Disk) -> None:
    items = plain_items(100, padding=20_000)
    simulator.create_table("Orders", "id:S").put_items(items)
    done = run_export("-t", "Orders", "-d", "disk/out", "-p", 2, "--segments", 10)
    done.assert_error(3, "cannot write", "disk/out/Orders-", os.strerror(errno.ENOSPC))
    assert done.counts["exported"] == assert_whole(tmp_path / "disk" / "out", items) < 100


def test_rejects_on_a_disk_that_fills_up(run_import: Run, simulator: Simulator, tmp_path: Path, disk: Disk) -> None:
    """What is claimed is there: rejects that could be written down, and no others."""
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text("bad\n" * 50_000)
    done = run_import("-t", "Orders", "-s", "orders.json", "--rejects", "disk/bad.rejects.jsonl")
    done.assert_error(3, "cannot write the rejects file disk/bad.rejects.jsonl", os.strerror(errno.ENOSPC))
    rejects = (tmp_path / "disk" / "bad.rejects.jsonl").read_text()
    assert rejects.endswith("\n")
    assert done.counts["read"] == done.counts["rejected"] <= rejects.count("\n") < 50_000


def test_a_disk_that_becomes_read_only(start_export: Start, simulator: Simulator, tmp_path: Path, disk: Disk) -> None:
    """As a disk does that has a fault."""
    items = plain_items(300, padding=100)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.faults = FaultPlan(latency_s=0.1)
    with start_export("-t", "Orders", "-d", "disk/out", "-p", 1, "--lanes", 1, "--segments", 30) as command:
        command.until(lambda: (tmp_path / "disk" / "out").exists() and data_files(tmp_path / "disk" / "out"))
        wait_until(lambda: make_read_only(disk), 5)  # busy while a file is open for writing
        done = command.wait(10)
    done.assert_error(3, "cannot write", "disk/out/Orders-", "Read-only file system")
    assert "_manifest.json" not in [path.name for path in (tmp_path / "disk" / "out").iterdir()]


def make_read_only(disk: Disk) -> bool:
    try:
        disk.make_read_only()
    except subprocess.CalledProcessError:
        return False
    return True


def test_a_read_only_destination(run_export: Run, run_import: Run, simulator: Simulator, disk: Disk) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(10))
    write_items(disk.folder / "orders.json", plain_items(10))
    disk.make_read_only()
    done = run_export("-t", "Orders", "-d", "disk/out")
    done.assert_one_line_error(2, "cannot write to", "disk/out", "Read-only file system")
    done = run_import("-t", "Orders", "-s", "disk/orders.json", "--rejects", "disk/orders.rejects.jsonl")
    done.assert_one_line_error(2, "disk/orders.rejects.jsonl", "--rejects")
    assert run_import("-t", "Orders", "-s", "disk/orders.json").code == 0


# --------------------------------------------------------------------------- sources that change


@pytest.mark.parametrize("change", ["cut short", "replaced"])
def test_a_source_that_changes_while_it_is_read(
    start_import: Start, simulator: Simulator, tmp_path: Path, change: str
) -> None:
    """Two versions of a file are never mixed; of what was read, all is written or named."""
    table = simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)
    items = plain_items(1500, padding=300)
    path = write_items(tmp_path / "orders.json", items)
    with start_import("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1) as command:
        command.until(lambda: table.item_count() >= 100)
        if change == "cut short":
            os.truncate(path, 100_000)
        else:
            path.unlink()
            write_items(path, plain_items(1500, padding=301))
        done = command.wait()
    if change == "replaced":  # the file that is open is read on as it was, where it was open
        assert done.code in (0, 3), done.err
    else:
        done.assert_error(3, "orders.json", "changed after it was listed", "start over with --fresh")
    assert done.counts["read"] == done.counts["written"] <= table.item_count()
    assert contents(table.items()).items() <= contents(items).items()
    assert (done.code == 0) == (done.counts["written"] == len(items))


def test_an_object_that_changes_while_it_is_read(
    start_import: Start, simulator: Simulator, s3: Endpoint, tmp_path: Path
) -> None:
    table = simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)
    items = plain_items(3000, padding=1000)
    bucket = f"changing-{tmp_path.name.lower().replace('_', '-')}"[:60].rstrip("-")
    client = s3.client()
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="orders.json", Body=write_items(tmp_path / "o.json", items).read_bytes())
    with start_import("-t", "Orders", "-s", f"s3://{bucket}/orders.json", "-p", 1, "--lanes", 1) as command:
        command.until(lambda: table.item_count() >= 100)
        other = write_items(tmp_path / "o.json", plain_items(3000, padding=1001))
        client.put_object(Bucket=bucket, Key="orders.json", Body=other.read_bytes())
        done = command.wait()
    done.assert_error(3, f"s3://{bucket}/orders.json", "changed after it was listed")
    assert 0 < done.counts["read"] == done.counts["written"] <= table.item_count() < 3000
    assert contents(table.items()).items() <= contents(items).items()


# --------------------------------------------------------------------------- limits


def test_few_open_files(run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    """The soft limit is raised; where the hard one is too low, that is what the error says."""
    items = plain_items(5000, padding=900)
    write_items(tmp_path / "orders.json", items)
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)  # a worker opens connections while it waits for answers
    command = ("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 64)
    done = run_import(*command, preexec_fn=lambda: limit_open_files(40, 40))
    done.assert_error(3, "Too many open files", "--lanes", "ulimit -n")
    assert done.counts["read"] == done.counts["written"] <= simulator.table("Orders").item_count()
    done = run_import(*command, preexec_fn=lambda: limit_open_files(40, 400))
    assert (done.code, done.counts["written"]) == (0, 5000), done.err
    assert_holds(simulator, "Orders", items)


def limit_open_files(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_reader_of_the_summary_that_takes_one_line(
    start_export: Start, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """`DDBExport.py ... | head -1`: the work is whole, whatever becomes of the words about it."""
    simulator.create_table("Orders", "id:S").put_items(orders)
    with subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as head:
        assert head.stdin is not None and head.stdout is not None
        with start_export("-t", "Orders", "-d", "out", stdout=head.stdin) as command:
            head.stdin.close()
            done = command.wait()
            line = head.stdout.read().decode()
    assert (done.code in (0, 141), "Traceback" in done.err) == (True, False), done.err
    assert line.startswith("1,000 read, 1,000 exported")
    assert contents(read_items(tmp_path / "out")) == contents(orders)
