"""DDBExport.py to standard output: every item once and on a whole line, whoever writes, dies or stops reading."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import EXPORT, Commands, Run, Start
from tests.support.items import READERS, Item, contents, plain_items, rich_items, write_items

pytestmark = pytest.mark.fuller

KIB = 1024


def fill(simulator: Simulator, items: list[Item]) -> None:
    simulator.create_table("Orders", "id:S").put_items(items)


def parsed(text: str, format: str = "json") -> list[Item]:
    *lines, rest = text.split("\n")
    assert rest == ""
    return [READERS[format](line) for line in lines]


@pytest.mark.parametrize("format", ["json", "dynamodb-json"])
def test_many_workers_write_whole_lines(run_export: Run, simulator: Simulator, format: str) -> None:
    items = [*rich_items(500), *plain_items(400, 500, padding=10 * KIB)]
    fill(simulator, items)
    done = run_export("-t", "Orders", "-d", "-", "-p", 4, "--segments", 16, "--format", format)
    assert done.code == 0, done.err
    assert contents(parsed(done.out, format)) == contents(items)
    assert done.log[0] == "Exporting table Orders in us-east-1 to standard output in 16 segments with 4 processes"
    assert f"900 read, 900 exported to standard output, {len(done.out.encode()):,} bytes" in done.err


@pytest.mark.parametrize("arguments", [("--columns", "id,n"), ()])
def test_csv_has_one_header(run_export: Run, simulator: Simulator, arguments: tuple[str, ...]) -> None:
    fill(simulator, plain_items(200))
    done = run_export("-t", "Orders", "-d", "-", "-p", 2, "--segments", 4, "--format", "csv", *arguments)
    assert done.code == 0, done.err
    header, *rows = done.out.splitlines()
    assert header == "id,n"
    assert sorted(rows) == [f"item-{n:06d},{n}" for n in range(200)]


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed(commands: Commands, simulator: Simulator, tmp_path: Path, compress: str) -> None:
    items = plain_items(300, padding=20 * KIB)
    fill(simulator, items)
    arguments = ("-t", "Orders", "-d", "-", "-p", 2, "--segments", 3, "--compress", compress)
    with (tmp_path / "out").open("wb") as out, commands.start(EXPORT, *arguments, stdout=out) as command:
        assert command.wait().code == 0
    data = (tmp_path / "out").read_bytes()
    if compress == "gzip":
        text = gzip.decompress(data)
    else:
        text = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    assert contents(parsed(text.decode())) == contents(items)


def test_a_worker_that_is_killed_writes_nothing_twice_and_nothing_by_half(
    start_export: Start, simulator: Simulator
) -> None:
    items = plain_items(600, padding=10 * KIB)
    fill(simulator, items)
    simulator.faults = FaultPlan(latency_s=0.05)
    with start_export("-t", "Orders", "-d", "-", "-p", 2, "--segments", 8, "-c", 400) as command:
        command.until(lambda: (command.streams / "out").stat().st_size > 500 * KIB)
        os.kill(command.workers()[0], signal.SIGKILL)
        done = command.wait()
    assert done.code == 0, done.err
    assert "was killed by SIGKILL" in done.err
    assert contents(parsed(done.out)) == contents(items)


def test_a_reader_that_goes_away_ends_it(commands: Commands, simulator: Simulator) -> None:
    fill(simulator, plain_items(600, padding=10 * KIB))
    with commands.start(EXPORT, "-t", "Orders", "-d", "-", "-p", 2, stdout=subprocess.PIPE) as command:
        assert command.process.stdout is not None
        first = command.process.stdout.readline()
        command.process.stdout.close()
        done = command.wait()
    assert READERS["json"](first.decode())
    assert (done.code, "error" in done.err, "Traceback" in done.err) == (141, False, False), done.err


def test_a_slow_reader_gets_everything(commands: Commands, simulator: Simulator) -> None:
    items = plain_items(600, padding=10 * KIB)
    fill(simulator, items)
    with commands.start(EXPORT, "-t", "Orders", "-d", "-", "-p", 2, stdout=subprocess.PIPE) as command:
        pipe: Any = command.process.stdout
        with pytest.raises(subprocess.TimeoutExpired):
            command.process.wait(1.0)  # it waits for its reader, and holds no more than its workers can
        text = pipe.read().decode()
        done = command.wait()
        pipe.close()
    assert done.code == 0, done.err
    assert contents(parsed(text)) == contents(items)


def test_a_second_interrupt_ends_it_while_nobody_reads(commands: Commands, simulator: Simulator) -> None:
    fill(simulator, plain_items(600, padding=10 * KIB))
    with commands.start(EXPORT, "-t", "Orders", "-d", "-", "-p", 2, stdout=subprocess.PIPE) as command:
        pipe: Any = command.process.stdout
        assert pipe.read(1)
        command.signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            command.process.wait(0.5)
        command.signal(signal.SIGINT)
        done = command.wait(10)
        pipe.close()
    done.assert_error(130, "what was written is not kept")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_transform_that_closes_a_stream_is_no_internal_error(
    run_import: Run, simulator: Simulator, tmp_path: Path, stream: str
) -> None:
    """Its module is loaded in the command's own process, too."""
    simulator.create_table("Orders", "id:S")
    write_items(tmp_path / "in.json", plain_items(5))
    (tmp_path / "closing.py").write_text(f"import sys\nsys.{stream}.close()\ndef f(item):\n    return item\n")
    done = run_import("-t", "Orders", "-s", "in.json", "--transform", "closing.py:f", "-p", 1)
    assert done.code == 3
    assert simulator.table("Orders").item_count() == 5
    if stream == "stdout":
        assert "cannot write to standard output: it is closed" in done.err
