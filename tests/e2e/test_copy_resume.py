"""`ddbio copy` whose processes die, or whose tables change and refuse: the same command finishes it, and at most a
page a lane is copied twice."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import CUT_AFTER, CUT_BEFORE, INTERNAL_ERROR, INTERNAL_ERROR_AFTER_WRITE, Fault
from tests.support.commands import (
    CHECKOUT,
    Commands,
    Completed,
    Run,
    assert_holds,
    descendants,
    is_alive,
    wait_until,
)
from tests.support.items import Item, contents, plain_items

pytestmark = pytest.mark.fuller

COPY = (Path("-m"), "ddbio", "copy", "-t", "Orders", "--to", "Copies")
WORKERS, LANES = 2, 2
ITEM_UNITS, PAGE_ITEMS = 49, 21  # of items of 49 KB: a page of 1 MB has no more of them
ASKED = ("-p", WORKERS, "--lanes", LANES, "--segments", 9)


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_copy(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*COPY, *arguments, **options)


@pytest.fixture
def large(simulator: Simulator) -> list[Item]:
    """Table Orders, of 30 pages."""
    items = plain_items(600, padding=49_000)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copies", "id:S")
    simulator.faults = FaultPlan(latency_s=0.02)
    return items


def copied(simulator: Simulator) -> int:
    """How many items were written, some perhaps twice."""
    return round(simulator.table("Copies").consumed("write") / ITEM_UNITS)


def kill(commands: Commands, simulator: Simulator, dice: random.Random, victim: str, after: int) -> None:
    with commands.start(*COPY, *ASKED) as command:
        command.until(lambda: copied(simulator) >= after and len(command.workers()) == WORKERS)
        time.sleep(dice.uniform(0, 0.1))
        pids = [command.pid, *descendants(command.pid)]
        dead = [command.pid] if victim == "parent" else [dice.choice(command.workers())]
        dead = pids if victim == "all" else dead
        for pid in dead:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim == "worker":
            command.wait(60)
            return
        command.wait(5)
        wait_until(lambda: not any(map(is_alive, pids)), 2.0)


@pytest.mark.parametrize("victim", ["parent", "all", "worker"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.fuller)])
def test_at_most_a_page_a_lane_is_copied_twice(
    commands: Commands, run_copy: Run, simulator: Simulator, large: list[Item], victim: str, seed: int
) -> None:
    kill(commands, simulator, random.Random(f"{seed} {victim}"), victim, after=200)
    done = run_copy(*ASKED)
    assert done.code == 0, done.err
    assert_holds(simulator, "Copies", large)
    assert copied(simulator) - len(large) * (1 + (victim == "worker")) <= WORKERS * LANES * PAGE_ITEMS
    if victim != "worker":  # of which the first run has made good itself
        assert f"{len(large):,} read, {len(large):,} written to Copies, 0 rejected" in done.out
        assert any(line.startswith("Resuming: about ") for line in done.log), done.err
        assert "of them in this run (run 2 of the job)" in done.out


def test_pages_suit_a_small_cap_of_the_target(commands: Commands, run_copy: Run, simulator: Simulator) -> None:
    """All 2,000 items fit in a page, which would take 20 s."""
    simulator.create_table("Orders", "id:S").put_items(plain_items(2000, padding=200))
    copies = simulator.create_table("Copies", "id:S")
    asked = ("-p", 1, "--lanes", 2, "--segments", 2)
    with commands.start(*COPY, *asked, "--to-capacity", 100) as command:
        command.until(lambda: copies.consumed("write") >= 350)
        command.signal(signal.SIGTERM)
        stopped = command.wait(20)
    assert stopped.code == 130
    assert stopped.counts["written"] >= 100
    done = run_copy(*asked)
    assert done.code == 0, done.err
    assert copies.item_count() == 2000
    assert copies.consumed("write") <= 2000 + 2 * 130, "at most a page a lane is copied twice"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_copy_that_is_stopped_settles_what_it_has_begun(
    commands: Commands, run_copy: Run, simulator: Simulator, large: list[Item], number: signal.Signals
) -> None:
    with commands.start(*COPY, *ASKED) as command:
        command.until(lambda: copied(simulator) >= 100)
        command.signal(number)
        done = command.wait(20)
    assert done.code == 130
    assert "; requests in flight were settled" in done.err.splitlines()[-1]
    done = run_copy(*ASKED)
    assert done.code == 0, done.err
    assert_holds(simulator, "Copies", large)


def test_another_command_does_not_resume_it(
    commands: Commands, run_copy: Run, simulator: Simulator, large: list[Item]
) -> None:
    simulator.create_table("Others", "id:S")
    with commands.start(*COPY, *ASKED) as command:
        command.until(lambda: copied(simulator) >= 100)
        command.signal(signal.SIGTERM)
        command.wait(20)
    run_copy(*ASKED, "--drop", "n").assert_error(2, "the unfinished job cannot be resumed", "drop", "--fresh")
    other = run_copy("--to", "Others", *ASKED[:4])
    assert other.code == 2, "--to is given twice"
    fresh = run_copy(*ASKED, "--drop", "n", "--fresh")
    assert fresh.code == 0, fresh.err
    assert not any("n" in item for item in simulator.table("Copies").items())


# --------------------------------------------------------------------------- the service


def small(simulator: Simulator, **target: float) -> list[Item]:
    items = plain_items(1500, padding=500)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copies", "id:S", **target)
    return items


def lines(done: Completed) -> list[str]:
    assert done.code == 0, done.err
    return done.out.splitlines()


@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem"])
def test_nothing_is_lost_if_one_of_the_tables_throttles(run_copy: Run, simulator: Simulator, operation: str) -> None:
    items = small(simulator)
    throttle = Fault(error="ProvisionedThroughputExceededException")
    simulator.faults = FaultPlan([None, throttle] * 4, operations=[operation])
    first, second = lines(run_copy("-p", 1, "--segments", 12))
    assert first == "1,500 read, 1,500 written to Copies, 0 rejected"
    assert " throttled" in second
    assert_holds(simulator, "Copies", items)
    assert simulator.table("Copies").consumed("write") == 1500, "nothing is written twice"


def test_a_slow_target_holds_the_source_back(run_copy: Run, simulator: Simulator) -> None:
    """A provisioned table takes what it has, and the reads wait for it."""
    items = small(simulator, wcu=400, rcu=400)
    done = run_copy("-p", 2, "--lanes", 4)
    assert "1,500 read, 1,500 written to Copies, 0 rejected" in done.out, done.err
    assert_holds(simulator, "Copies", items)


def test_faults_of_every_kind_on_both_sides(run_copy: Run, simulator: Simulator) -> None:
    items = small(simulator)
    faults = [INTERNAL_ERROR, INTERNAL_ERROR_AFTER_WRITE, CUT_BEFORE, CUT_AFTER]
    simulator.faults = FaultPlan(faults, probability=0.15, seed=5)
    first, _ = lines(run_copy("-p", 2, "--segments", 9))
    assert first == "1,500 read, 1,500 written to Copies, 0 rejected"
    assert_holds(simulator, "Copies", items)


def test_a_table_that_is_written_while_it_is_copied(
    commands: Commands, simulator: Simulator, large: list[Item]
) -> None:
    """What was there at the beginning and stays is copied; what comes or changes meanwhile may be."""
    orders = simulator.table("Orders")
    with commands.start(*COPY, *ASKED) as command:
        command.until(lambda: copied(simulator) >= 50)
        orders.put_items(plain_items(100, first=10_000))
        orders.put_items([{**item, "n": {"N": "-1"}} for item in large[:100]])
        done = command.wait()
    assert done.code == 0, done.err
    copies, now = contents(simulator.table("Copies").items()), contents(orders.items())
    for key, item in contents(large).items():
        assert copies[key] in (item, now[key])
    assert all(item in (now[key], contents(large).get(key)) for key, item in copies.items())
