"""`ddbio count`: the number is right, of a table, an index and a filter; it resumes and keeps to its cap."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator
from tests.support.commands import CHECKOUT, Commands, Completed, Run, descendants, is_alive, wait_until
from tests.support.items import plain_items

THROTTLED = Fault(error="ProvisionedThroughputExceededException")
COUNT = (Path("-m"), "ddbio", "count", "-t", "Orders")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_count(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*COUNT, *arguments, **options)


def numbered(count: int) -> list[Any]:
    return [{"id": {"S": f"{number:05}"}, "n": {"N": str(number)}} for number in range(count)]


def lines(done: Completed) -> list[str]:
    assert done.code == 0, done.err
    return done.out.splitlines()


def test_a_table(run_count: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(1234))
    done = run_count("-p", 2, "--segments", 5)
    first, second = lines(done)
    assert first == "1,234 items (1,234 scanned)"
    consumed = simulator.table("Orders").consumed("read")
    assert re.fullmatch(rf"\d+\.\d s, {consumed:,.1f} RCU consumed, [\d.,]+ RCU/s \(no cap\)", second)
    assert done.log == [
        "Counting the items of table Orders in us-east-1 in 5 segments with 2 processes",
        "Cap: no cap (the table is on-demand and no -c was given)",
    ]


def test_a_table_without_items_and_one_with_a_single_item(run_count: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S")
    assert lines(run_count("-p", 1))[0] == "0 items (0 scanned)"
    table.put_items(numbered(1))
    assert lines(run_count("-p", 1))[0] == "1 item (1 scanned)"


def test_those_for_which_a_filter_holds(run_count: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(300))
    asked = ("--filter", "#number < :most", "--values", '{"most": 25}', "--names", '{"number": "n"}')
    done = run_count("-p", 1, *asked, "--report", "report.json")
    assert lines(done)[0] == "25 items (300 scanned)"
    assert "--filter does not lower the cost: every item is read" in done.log
    report = json.loads((tmp_path / "report.json").read_text())
    counts = report["counts"]
    assert (report["command"], report["exit_code"]) == ("count", 0)
    assert (counts["read"], counts["counted"], counts["left_out"], counts["written"]) == (300, 25, 275, 0)


def test_those_of_an_index_at_its_own_cap(run_count: Run, simulator: Simulator) -> None:
    table = simulator.create_table(
        "Orders", "id:S", wcu=100, rcu=100, global_indexes={"byDay": ["day:S"]}, index_rates={"byDay": (40, 100)}
    )
    table.put_items(numbered(50))
    table.put_items([{**item, "day": {"S": "monday"}} for item in numbered(30)])
    done = run_count("-p", 1, "--index", "byDay", "-c", "50%")
    assert lines(done)[0] == "30 items (30 scanned)"
    assert done.log[0].startswith("Counting the items of index byDay of table Orders in us-east-1 in ")
    assert "Cap: 20 RCU (50% of the index's provisioned units of 40)" in done.log


@pytest.mark.fuller
def test_the_cap_holds(run_count: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(600, padding=4000))
    done = run_count("-p", 2, "-c", 100)
    assert lines(done)[0] == "600 items (600 scanned)"
    consumed = simulator.table("Orders").consumed("read")
    seconds = float(done.out.splitlines()[1].partition(" s, ")[0])
    assert consumed > 250
    assert consumed <= 100 * (seconds + 0.2), "no more than the cap in any second"


def test_a_count_that_is_killed_is_finished_by_the_same_command(
    commands: Commands, run_count: Run, simulator: Simulator
) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(3000))
    simulator.faults = FaultPlan(latency_s=0.03)
    asked = ("-p", 1, "--lanes", 2, "--segments", 200)
    with commands.start(*COUNT, *asked) as command:
        command.until(lambda: simulator.table("Orders").consumed("read") > 30)
        pids = descendants(command.pid)
        command.signal(signal.SIGKILL)
        command.wait(5)
        wait_until(lambda: not any(map(is_alive, pids)), 2.0)
    before = simulator.table("Orders").consumed("read")
    simulator.faults = FaultPlan()
    done = run_count(*asked)
    assert lines(done)[0] == "3,000 items (3,000 scanned)"
    resuming = re.compile(r"Resuming: about \d+% done, [\d,]+ items read; \d+ segments left")
    assert any(map(resuming.fullmatch, done.log)), done.err
    assert "of them in this run (run 2 of the job)" in done.out
    assert simulator.table("Orders").consumed("read") - before < 100 - 20, "what was counted is not read again"


@pytest.mark.fuller
def test_a_filter_that_is_another_one_is_another_count(run_count: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(20))
    for most in (5, 7):
        done = run_count("-p", 1, "--filter", "n < :m", "--values", json.dumps({"m": most}))
        assert lines(done)[0] == f"{most} items (20 scanned)"


def test_a_sample_gives_an_estimate_with_its_interval(run_count: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(3000))
    asked = ("-p", 1, "--segments", 200, "--sample", "10%", "--seed", 4)
    done = run_count(*asked, "--report", "report.json")
    about, counted, _ = lines(done)
    found = re.fullmatch(r"about ([\d,]+) items in the whole table: ([\d,]+) to ([\d,]+) with 95 % confidence", about)
    assert found is not None, about
    total, least, most = (int(each.replace(",", "")) for each in found.groups())
    assert least < 3000 < most and least < total < most
    found = re.fullmatch(r"([\d,]+) items \(\1 scanned\) in 20 of 200 segments", counted)
    assert found is not None and int(found[1]) * 10 == total
    estimate = json.loads((tmp_path / "report.json").read_text())["estimate"]
    assert (round(estimate["total"]), round(estimate["least"]), round(estimate["most"])) == (total, least, most)
    assert simulator.table("Orders").consumed("read") < 3000 / 20


def test_the_distribution_over_the_segments_also_of_a_count_that_was_stopped(
    commands: Commands, run_count: Run, simulator: Simulator
) -> None:
    simulator.create_table("Orders", "id:S", "n:N").put_items(
        [{"id": {"S": str(n % 40 if n < 900 else 7)}, "n": {"N": str(n)}} for n in range(1500)]
    )
    simulator.faults = FaultPlan(latency_s=0.03)
    asked = ("-p", 1, "--lanes", 2, "--segments", 100)
    with commands.start(*COUNT, *asked) as command:
        command.until(lambda: simulator.table("Orders").consumed("read") > 20)
        command.signal(signal.SIGTERM)
        assert command.wait(5).code == 130
    simulator.faults = FaultPlan()
    done = run_count(*asked, "--by-segment")
    first, _, again, title, *bars = lines(done)
    assert first == "1,500 items (1,500 scanned)" and "run 2 of the job" in again
    found = re.fullmatch(
        r"by segment: 100 segments, least 0, median 0, mean 15\.0, most (\d+) items; "
        r"skew ([\d.]+) \(largest / mean\)",
        title,
    )
    assert found is not None, title
    assert int(found[1]) >= 600 and float(found[2]) == round(int(found[1]) / 15, 2), "all of the partition 7"
    assert sum(int(bar.split()[3]) for bar in bars) == 100


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--filter", "n <"], "Invalid FilterExpression: Syntax error"),
        (["--values", '{"m": 1}'], "--values applies only with --filter; add --filter, or leave it out"),
        (["--index", "byNight"], 'table "Orders" has no index "byNight"; it has none'),
        (["-c", "none"], "none"),
        (["--limit", "5"], "there is no option --limit"),
        (["--format", "csv"], "there is no option --format"),
    ],
)
@pytest.mark.fuller
def test_what_cannot_be_counted(run_count: Run, simulator: Simulator, words: list[str], says: str) -> None:
    table = simulator.create_table("Orders", "id:S")
    run_count(*words).assert_one_line_error(2, says)
    assert table.consumed("read") == 0


def test_a_service_that_refuses(run_count: Run, simulator: Simulator) -> None:
    run_count("-p", 1).assert_one_line_error(2, "Orders")


@pytest.mark.fuller
def test_a_table_that_throttles_the_first_look_is_waited_for(run_count: Run, simulator: Simulator) -> None:
    """The expression is tried first, by a client of its own; botocore gives up after four attempts."""
    simulator.create_table("Orders", "id:S").put_items(numbered(100))
    simulator.faults = FaultPlan([THROTTLED] * 6)
    done = run_count("--filter", "n >= :m", "--values", '{"m": 40}', "-p", "1")
    assert lines(done)[0] == "60 items (100 scanned)"


@pytest.mark.fuller
def test_a_table_that_keeps_throttling_it_is_a_failed_run(run_count: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(numbered(100))
    simulator.faults = FaultPlan([THROTTLED] * 1000)
    done = run_count("--filter", "n >= :m", "--values", '{"m": 40}', "--give-up-after", "3")
    assert done.code == 3 and "run the same command again when the table throttles less" in done.err
