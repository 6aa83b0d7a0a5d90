"""`ddbio update`: every item that matches, once, and nothing that someone else changed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator, TableView
from ddbio.simulator.faults import CUT_AFTER, INTERNAL_ERROR_AFTER_WRITE
from tests.e2e.test_caps import NO_BURST, assert_held
from tests.e2e.test_delete import at_terminal, numbered
from tests.support.commands import CHECKOUT, Commands, Completed, Run, Start, wait_until
from tests.support.effort import examples
from tests.support.items import Item, contents

UPDATE = (Path("-m"), "ddbio", "update", "-t", "Orders")
ONE = ("--values", '{"one": 1}')
INCREMENT = ("--all", "--set", "n = n + :one", *ONE, "--once", "mark")
FUNCTIONS = """
def double(item):
    if item["n"] % 2:
        return None
    return {"twice": item["n"] * 2}

def shorter(item):
    item.pop("padding", None)
    return item

def increment(item):
    return {"n": item["n"] + 1}

def moved(item):
    return {**item, "id": "x" + item["id"]}

def broken(item):
    return 1 / (item["n"] - 5)
"""


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str], tmp_path: Path) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)
    (tmp_path / "shape.py").write_text(FUNCTIONS)


@pytest.fixture
def run_update(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*UPDATE, *arguments, **options)


@pytest.fixture
def start_update(commands: Commands) -> Start:
    return lambda *arguments, **options: commands.start(*UPDATE, *arguments, **options)


@pytest.fixture
def items() -> list[Item]:
    return numbered(500)


@pytest.fixture
def table(simulator: Simulator, items: list[Item]) -> TableView:
    table = simulator.create_table("Orders", "id:S")
    table.put_items(items)
    return table


def numbers(table: TableView) -> dict[str, int]:
    return {item["id"]["S"]: int(item["n"]["N"]) for item in table.items()}


def test_those_that_match_are_changed_and_no_others(run_update: Run, table: TableView, items: list[Item]) -> None:
    change = ("--filter", "n < :most", "--set", "state = :new, #at.x = :n", "--names", '{"at": "a t"}')
    table.put_items([{**item, "a t": {"M": {}}} for item in items])
    values = ("--values", '{"most": 200, "new": "done", "n": 1.50}')
    done = run_update(*change, *values, "--yes", "-p", 2, "--json")
    assert done.code == 0, done.err
    counts = json.loads(done.out)["counts"]
    assert (counts["read"], counts["written"], counts["left_out"], counts["deleted"]) == (500, 200, 300, 0)
    assert counts["target_units"] == table.consumed("write") - 1, "and one unit tried the expression"
    changed = {"state": {"S": "done"}, "a t": {"M": {"x": {"N": "1.5"}}}}
    expected = [{**item, "a t": {"M": {}}, **(changed if int(item["n"]["N"]) < 200 else {})} for item in items]
    assert contents(table.items()) == contents(expected)
    again = run_update(*change, *values, "--yes", "-p", 1)
    assert again.out.startswith("0 updated, 0 rejected, 500 read, 500 of them filtered out\n")
    assert table.consumed("write") == counts["target_units"] + 2, "only the expression was tried"


@pytest.mark.fuller
def test_an_attribute_is_renamed_or_removed(run_update: Run, table: TableView, items: list[Item]) -> None:
    assert run_update("--all", "--set", "amount = n", "--remove", "n", "--yes", "-p", 1).counts["updated"] == 500
    assert contents(table.items()) == contents([{"id": item["id"], "amount": item["n"]} for item in items])
    assert run_update("--all", "--set", "amount = n", "--remove", "n", "--yes", "-p", 1).counts["updated"] == 0
    assert run_update("--all", "--remove", "amount,other", "--yes", "-p", 1).counts["updated"] == 500
    assert contents(table.items()) == contents([{"id": item["id"]} for item in items])


@pytest.mark.fuller
def test_an_item_that_needs_a_part_of_the_change_is_not_left_out(run_update: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S")
    table.put_items([{"id": {"S": "has"}, "a": {"S": "y"}}, {"id": {"S": "lacks"}}])
    options = ("--all", "--set", "z = a, b = :one", "--remove", "a", *ONE, "--yes", "-p", 1)
    done = run_update(*options)
    assert (done.code, done.counts["updated"], done.counts["rejected"]) == (1, 1, 1), done.err
    done = run_update(*options)
    assert (done.code, done.counts["updated"], done.counts["rejected"]) == (1, 0, 1), "the first one is done"


@pytest.mark.fuller
def test_an_increment_is_made_once(run_update: Run, table: TableView, items: list[Item]) -> None:
    """Also if some were made under a limit before, and if all is done again."""
    assert run_update(*INCREMENT, "--yes", "-p", 1, "--limit", 30).counts["updated"] == 30
    assert sum(numbers(table).values()) == sum(range(500)) + 30
    assert run_update(*INCREMENT, "--yes", "-p", 1).counts["updated"] == 470
    assert run_update(*INCREMENT, "--yes", "-p", 1, "--fresh").counts["updated"] == 0
    assert numbers(table) == {item["id"]["S"]: int(item["n"]["N"]) + 1 for item in items}
    assert run_update("--all", "--remove", "mark", "--yes", "-p", 1).counts["updated"] == 500
    assert {name for item in table.items() for name in item} == {"id", "n"}


@pytest.mark.parametrize("change", [("--set", "n = n + :one", *ONE), ("--transform", "shape.py:increment")])
@pytest.mark.fuller
def test_a_mark_replaces_no_content_of_the_user(
    run_update: Run, simulator: Simulator, change: tuple[str, ...]
) -> None:
    table = simulator.create_table("Orders", "id:S")
    taken: list[Item] = [{"id": {"S": "a"}, "n": {"N": "1"}, "mark": {"N": "7"}}]
    taken.append({"id": {"S": "b"}, "n": {"N": "1"}, "mark": {"S": "mine"}})
    table.put_items([*taken, {"id": {"S": "c"}, "n": {"N": "1"}, "mark": {"S": "ddbio of another command"}}])
    done = run_update("--all", *change, "--once", "mark", "--yes", "-p", 1)
    assert (done.code, done.counts["updated"], done.counts["rejected"]) == (1, 1, 2), done.err
    assert "marker-taken 2" in done.out
    items = sorted(table.items(), key=lambda item: str(item["id"]))
    assert items[:2] == taken and items[2]["n"] == {"N": "2"}


@pytest.mark.fuller
def test_a_function_changes_what_it_returns(run_update: Run, table: TableView, items: list[Item]) -> None:
    done = run_update("--all", "--transform", "shape.py:double", "--yes", "-p", 2)
    assert done.out.startswith("250 updated, 250 left as they were by the transform, 0 rejected, 500 read\n"), (
        done.err
    )
    before = table.consumed("write")
    doubled = [{**item, **({} if (n := int(item["n"]["N"])) % 2 else {"twice": {"N": str(n * 2)}})} for item in items]
    assert contents(table.items()) == contents(doubled)
    again = run_update("--all", "--transform", "shape.py:double", "--yes", "-p", 1)
    assert again.out.startswith("0 updated, 500 left as they were")
    assert table.consumed("write") == before, "nothing is sent for what does not change"
    table.put_items([{**item, "padding": {"S": "x"}} for item in doubled])
    assert run_update("--all", "--transform", "shape.py:shorter", "--yes", "-p", 1).counts["updated"] == 500
    assert contents(table.items()) == contents(doubled)


@pytest.mark.fuller
def test_what_a_function_must_not_do(run_update: Run, table: TableView, items: list[Item], tmp_path: Path) -> None:
    done = run_update("--filter", "n < :most", "--values", '{"most": 3}', "--transform", "shape.py:moved", "--yes")
    assert (done.code, done.counts["rejected"]) == (1, 3), done.err
    rejected = [json.loads(line) for line in (tmp_path / "Orders.rejects.jsonl").read_text().splitlines()]
    assert {each["code"] for each in rejected} == {"key-changed"}
    assert sorted(each["key"]["id"]["S"] for each in rejected) == ["00000", "00001", "00002"]
    done = run_update("--all", "--transform", "shape.py:increment", "--yes", "-p", 1)
    done.assert_error(3, "changes its own result again", "'n'", "--once")
    assert contents(table.items()) == contents(items)
    done = run_update("--all", "--transform", "shape.py:increment", "--once", "mark", "--yes", "-p", 1, "--fresh")
    assert (done.code, sum(numbers(table).values())) == (0, sum(range(500)) + 500)


@pytest.mark.fuller
def test_rejects_of_updates_are_not_imported(run_update: Run, commands: Commands, table: TableView) -> None:
    """Their records are keys: imported, they would replace the items."""
    done = run_update("--all", "--set", "a.b = :one", *ONE, "--yes", "-p", 1, "--limit", 5)
    assert (done.code, done.counts["rejected"]) == (1, 5) and "ValidationException 5" in done.out
    before = contents(table.items())
    again = commands.run(Path("-m"), "ddbio", "import", "-t", "Orders", "-s", "Orders.rejects.jsonl", "-p", 1)
    assert (again.code, again.counts["rejected"]) == (1, 5)
    assert contents(table.items()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "a = :one", *ONE), ["filter is missing"]),
        (("--filter", "", "--set", "a = :one", *ONE), ["--filter is empty", "--all for every item"]),
        (("--all", "--set", "", "--remove", "n"), ["--set is empty"]),
        (("--all", "--remove", "n", "--once", " "), ["--once is empty"]),
        (("--all",), ["nothing to change"]),
        (("--all", "--set", "n = n + :one", *ONE), ["n is computed from n", "--once NAME"]),
        (("--all", "--update-expression", "ADD n :one", *ONE), ["ADD to n adds again", "--once"]),
        (("--all", "--set", "id = :one", *ONE), ["'id'", "a key of the table"]),
        (("--all", "--set", "n = n * :one", *ONE), ["'*'", "--transform"]),
        (("--all", "--set", "n = :one + :s", "--values", '{"one": 1, "s": "x"}'), ["Incorrect operand type"]),
        (("--all", "--set", "n = :one", "--values", '{"one": 1, "two": 2}'), ["'two'"]),
        (("--all", "--remove", "n", "--once", "id"), ["--once id names a key"]),
        (("--all", "--remove", "n", "--transform", "shape.py:double"), ["contradict each other"]),
        (("--all", "--transform", "shape.py:missing"), ["missing"]),
        (("--all", "--set", "n = :old0", "--values", '{"old0": 2}'), ["'old0'"]),
    ],
)
@pytest.mark.fuller
def test_what_cannot_work_is_refused(
    run_update: Run, table: TableView, items: list[Item], options: tuple[object, ...], words: list[str]
) -> None:
    run_update(*options, "--yes").assert_error(2, *words)
    assert contents(table.items()) == contents(items)


@pytest.mark.fuller
def test_it_asks_first(run_update: Run, start_update: Start, table: TableView, items: list[Item]) -> None:
    run_update("--all", "--remove", "n").assert_error(2, "no terminal", "--plan", "--yes")
    code, shown = at_terminal(start_update, b"order\n", "--all", "--remove", "n")
    assert code == 2 and "nothing was changed" in shown
    assert contents(table.items()) == contents(items)
    code, shown = at_terminal(start_update, b"Orders\n", "--all", "--remove", "n")
    assert (code, table.items()[0].keys()) == (0, {"id"})


# --------------------------------------------------------------------------- live traffic


def changed_meanwhile(start_update: Start, table: TableView, *options: object) -> tuple[Completed, list[Item]]:
    """Half of 200 items change once the updates have begun; the page with all of them is read before."""
    slowly = ("-p", 1, "--lanes", 1, "--segments", 1, "--write-capacity", 60, "--yes")
    with start_update(*slowly, *options) as command:
        command.until(lambda: sum("done" in item for item in table.items()) > 5, 30)
        changed = [{**item, "n": {"N": "9999"}} for item in table.items() if "done" not in item][30:]
        table.put_items(changed)
        done = command.wait()
    assert done.code == 0, done.err
    return done, changed


@pytest.fixture
def few(simulator: Simulator) -> TableView:
    table = simulator.create_table("Orders", "id:S")
    table.put_items(numbered(200))
    return table


@pytest.mark.fuller
def test_an_item_that_no_longer_matches_is_left(start_update: Start, few: TableView) -> None:
    change = ("--filter", "n < :most", "--set", "done = :yes", "--values", '{"most": 1000, "yes": true}')
    done, changed = changed_meanwhile(start_update, few, *change)
    left = [item for item in few.items() if "done" not in item]
    assert contents(left) == contents(changed)
    assert (done.counts["updated"], done.counts["skipped"]) == (200 - len(left), len(left))


@pytest.mark.fuller
def test_a_function_gets_an_item_that_changed_again(start_update: Start, few: TableView, tmp_path: Path) -> None:
    (tmp_path / "shape.py").write_text("def shape(item):\n    return {'done': item['n'] * 2}\n")
    done, changed = changed_meanwhile(start_update, few, "--all", "--transform", "shape.py:shape")
    assert all(int(item["done"]["N"]) == 2 * int(item["n"]["N"]) for item in few.items())
    assert done.counts["updated"] == 200
    assert f"{len(changed):,} retries" in done.out


# --------------------------------------------------------------------------- caps, and the end of the world


@pytest.mark.fuller
def test_both_caps_hold(run_update: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S", wcu=2000, rcu=2000, throughput=NO_BURST)
    table.put_items(numbered(400, padding={"S": "x" * 2000}))
    done = run_update(*INCREMENT, "--yes", "-p", 2, "-c", 60, "--write-capacity", 300)
    assert (done.code, done.counts["updated"]) == (0, 400), done.err
    assert_held(table, 300, "write", step=30)
    assert_held(table, 60, "read", step=20)


def disturbed(start_update: Start, table: TableView, seed: int, *options: object) -> Completed:
    """Runs of which the parent or a worker is killed at random instants, then one that ends by itself."""
    dice = random.Random(seed)
    for number in range(8):
        with start_update(*options, "-p", 2, "--lanes", 2, "--segments", 4, "--yes") as command:
            if number < 4:
                at, until_s = table.consumed("write") + dice.randrange(100), time.monotonic() + dice.uniform(2, 5)
                await_instant(command, table, at, until_s)
                workers = command.workers() if dice.random() < 0.5 else []
                with suppress(ProcessLookupError):
                    os.kill(dice.choice(workers or [command.pid]), signal.SIGKILL)
            done = command.wait()
        if done.code >= 0:
            return done
    raise AssertionError("it did not end by itself")


@pytest.mark.fuller
@pytest.mark.parametrize("dies", [False, True], ids=["stopped", "killed"])
def test_all_runs_together_change_no_more_than_the_limit(
    start_update: Start, run_update: Run, table: TableView, items: list[Item], dies: bool
) -> None:
    """After a kill perhaps a few less: an item that may have been sent counts."""
    options = (*INCREMENT, "--limit", 300, "--yes", "-p", 2, "--lanes", 2, "--segments", 8, "--json")
    before = {item["id"]["S"]: int(item["n"]["N"]) for item in items}

    def changed() -> int:
        return sum(number - before[name] for name, number in numbers(table).items())

    for sign in (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL) if dies else (signal.SIGTERM, signal.SIGINT):
        with start_update(*options, "--write-capacity", 60) as command:
            at = changed()
            command.until(lambda at=at: changed() > at + 40, 30)
            victim = command.pid if sign != signal.SIGKILL or at else command.workers()[0]
            os.kill(victim, sign)
            if victim != command.pid:
                command.until(lambda at=at: changed() > at + 80, 30)
                os.kill(command.pid, sign)
            done = command.wait()
        if not dies:
            assert json.loads(done.out)["counts"]["written"] == changed()
    done = run_update(*options)
    assert done.code == 0, done.err
    assert {numbers(table)[name] - number for name, number in before.items()} == {0, 1}
    if dies:
        assert 300 - 28 <= changed() <= 300, "two for each of 4 connections and each kill"
    else:
        assert changed() == json.loads(done.out)["counts"]["written"] == 300


def await_instant(command: Any, table: TableView, at: float, until_s: float) -> None:
    over = command.process.poll
    wait_until(lambda: table.consumed("write") > at or time.monotonic() > until_s or over() is not None, 60)


FAULTS = [Fault(error="ProvisionedThroughputExceededException"), CUT_AFTER, INTERNAL_ERROR_AFTER_WRITE]


@pytest.mark.fuller
@pytest.mark.parametrize("seed", range(examples(2)))
@pytest.mark.parametrize("change", ["expression", "function"])
def test_killed_at_random_each_item_is_changed_once(
    start_update: Start, simulator: Simulator, table: TableView, items: list[Item], seed: int, change: str
) -> None:
    simulator.faults = FaultPlan(FAULTS, probability=0.06, seed=seed, latency_s=0.02)
    function = ("--all", "--transform", "shape.py:increment", "--once", "mark")
    done = disturbed(start_update, table, seed, *(INCREMENT if change == "expression" else function), "--json")
    assert done.code == 0, done.err
    assert numbers(table) == {item["id"]["S"]: int(item["n"]["N"]) + 1 for item in items}
    counts = json.loads(done.out)["counts"]
    assert counts["read"] == counts["written"] + counts["skipped"] + counts["dropped"] + counts["left_out"]


@pytest.mark.fuller
def test_an_update_whose_answer_is_lost_counts_as_written(
    run_update: Run, simulator: Simulator, table: TableView, items: list[Item]
) -> None:
    """Its own first attempt made the filter false."""
    simulator.faults = FaultPlan([CUT_AFTER], probability=0.2, seed=1, operations=["UpdateItem"])
    done = run_update("--filter", "attribute_exists(n)", "--set", "m = n", "--remove", "n", "--yes", "-p", 1)
    assert (done.code, done.counts["updated"]) == (0, 500), done.err + done.out
    assert "skipped" not in done.out
