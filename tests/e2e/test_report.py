"""`--report`: it harms nothing that is there, and nothing about it changes what a run came to."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import Run, Start, assert_holds
from tests.support.items import Item, contents, plain_items, read_items, write_items

pytestmark = pytest.mark.fuller


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    simulator.create_table("Orders", "id:S")
    return simulator


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("orders.json", "one of the sources"),
        ("link.json", "one of the sources"),
        ("notes.txt", "is not a report"),
        ("bad.jsonl", "where rejects go"),
        ("in/report.json", "next import"),
        ("in", "not a file"),
        ("pipe", "not a file"),
        ("gone/report.json", "no folder"),
        ("s3://bucket/report.json", "no path"),
    ],
)
def test_a_report_that_would_harm_something_is_refused_before_anything_is_moved(
    run_import: Run, table: Simulator, orders: list[Item], tmp_path: Path, place: str, word: str
) -> None:
    (tmp_path / "in").mkdir()
    write_items(tmp_path / "in" / "more.json", plain_items(1))
    (tmp_path / "link.json").symlink_to("orders.json")
    (tmp_path / "notes.txt").write_text("mine")
    os.mkfifo(tmp_path / "pipe")  # stands for a device: one must not even be named here
    before = (tmp_path / "orders.json").read_bytes()
    command = ("-t", "Orders", "-s", "orders.json", "-s", "in", "--rejects", "bad.jsonl", "--report", place)
    run_import(*command).assert_one_line_error(2, place, word, "--report")
    assert (tmp_path / "orders.json").read_bytes() == before
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert table.table("Orders").item_count() == 0


def test_a_report_on_standard_output_is_alone_there(
    run_import: Run, run_export: Run, table: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    done = run_import("-t", "Orders", "-s", "orders.json", "--report", "-")
    assert (done.code, json.loads(done.out)["counts"]["written"]) == (0, 1000), done.err
    assert any(line.startswith("1,000 read, 1,000 written") for line in done.err.splitlines())
    done = run_export("-t", "Orders", "-d", "out", "--report", "-")
    assert (done.code, json.loads(done.out)["counts"]["written"]) == (0, 1000), done.err
    done = run_import("-t", "Orders", "-s", "nowhere.json", "--report", "-")
    assert (done.code, json.loads(done.out)["exit_code"]) == (2, 2)
    done.assert_error(2, "nowhere.json")
    run_export("-t", "Orders", "-d", "-", "--report", "-").assert_one_line_error(2, "-d -", "--report -")
    with Path("/dev/full").open("w") as full:
        done = run_import("-t", "Orders", "-s", "orders.json", "--report", "-", stdout=full)
    done.assert_error(3, "standard output")
    assert any(line.startswith("1,000 read, 1,000 written") for line in done.err.splitlines())


def test_an_export_is_not_added_to(run_export: Run, table: Simulator, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run_export("-t", "Orders", "-d", "out", "--report", "out/report.json").assert_one_line_error(
        2, "inside the destination", "--report"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_report_that_cannot_be_written_in_the_end_leaves_the_job_finished(
    start_import: Start,
    start_export: Start,
    slow: Simulator,
    many: list[Item],
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    state = Path(environment["HOME"], ".local/state/ddbio")
    for number, start, command in (
        (0, start_import, ("-t", "Orders", "-s", "orders.json", "-p", 1)),
        (1, start_export, ("-t", "Orders", "-d", "out", "-p", 1)),
    ):
        slow.faults = FaultPlan(latency_s=0.2 if number else 0.03)
        (tmp_path / "reports").mkdir()
        before = sum(slow.requests().values())
        with start(*command, "--report", "reports/report.json") as running:
            running.until(lambda: sum(slow.requests().values()) > before + 1)  # noqa: B023 - used at once
            shutil.rmtree(tmp_path / "reports")
            done = running.wait()
        assert done.code == 0, done.err
        assert done.out.startswith("4,500 read, 4,500")
        assert "warning: cannot write the report" in done.err.splitlines()[-1]
        assert not list(state.glob("*/journal.sqlite")), number
    assert_holds(slow, "Orders", many)
    assert contents(read_items(tmp_path / "out")) == contents(many)
    assert (tmp_path / "out" / "manifest.json").exists() or (tmp_path / "out" / "_manifest.json").exists()
