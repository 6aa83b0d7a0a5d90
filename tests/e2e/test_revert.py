"""`ddbio revert`: what is in the table afterwards, and what it says."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator, TableView, faults
from ddbio.simulator.faults import FaultPlan
from tests.support.commands import CHECKOUT, Commands, Completed
from tests.support.effort import examples
from tests.support.native_exports import change, write_export

pytestmark = pytest.mark.fuller

Item = dict[str, dict[str, Any]]
Revert = Callable[..., Completed]
REVERT = (Path("-m"), "ddbio", "revert")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def revert(commands: Commands) -> Revert:
    return lambda *arguments, **options: commands.run(*REVERT, *arguments, **options)


@pytest.fixture
def orders(simulator: Simulator) -> TableView:
    return simulator.create_table("Orders", "id:S", global_indexes={"byDay": ["day:S"]})


def key(name: object) -> Item:
    return {"id": {"S": str(name)}}


def item(name: object, **attributes: Any) -> Item:
    return key(name) | attributes


OLD = item("changed", n={"N": "1"}, gone={"S": "x"}, tags={"SS": ["a", "b"]}, day={"S": "mon"})
NEW = item("changed", n={"N": "2.0"}, tags={"SS": ["b", "a"]}, fresh={"M": {"a": {"L": []}}})
CHANGES = [
    change(key("changed"), NEW, OLD),
    change(key("inserted"), item("inserted", n={"N": "1"})),
    change(key("deleted"), None, item("deleted", n={"N": "7"})),
    change(key("same"), item("same", n={"N": "1"}), item("same", n={"N": "1.0"})),
]
AFTER = [NEW, item("inserted", n={"N": "1"}), item("same", n={"N": "1"}), item("other", n={"N": "3"})]
BEFORE = [OLD, item("deleted", n={"N": "7"}), item("same", n={"N": "1"}), item("other", n={"N": "3"})]


def plain(items: list[Item]) -> dict[str, Item]:
    """By key; numbers and sets in one notation."""
    return {each["id"]["S"]: {name: _plain(value) for name, value in each.items()} for each in items}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    ((letter, payload),) = value.items()
    return {letter: sorted(payload) if letter == "SS" else float(payload) if letter == "N" else payload}


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_the_items_are_as_they_were(
    revert: Revert, orders: TableView, simulator: Simulator, tmp_path: Path, force: tuple[str, ...]
) -> None:
    write_export(tmp_path, "01", [CHANGES[:2], CHANGES[2:]], incremental=True)
    orders.put_items(AFTER)
    done = revert("-t", "Orders", "-s", "exports/AWSDynamoDB/01", "--yes", "--json", *force)
    assert done.code == 0, done.err
    assert plain(orders.items()) == plain(BEFORE)
    report = json.loads(done.out)
    assert (report["command"], report["counts"]["written"], report["counts"]["deleted"]) == ("revert", 4, 1)
    assert ("BatchWriteItem" in simulator.requests()) == bool(force)
    again = revert("-t", "Orders", "-s", "exports/AWSDynamoDB/01", "--yes", *force)
    assert again.code == 0
    expected = (
        "3 restored, 1 deleted, which did not exist before, 0" if force else "0 restored, 3 already as before, 0"
    )
    if not force:  # "same" is put again: both of its images are the same
        expected = "1 restored, 3 already as before, 0"
    assert again.out.startswith(expected), again.out
    assert plain(orders.items()) == plain(BEFORE)


def test_items_that_changed_again_are_left(revert: Revert, orders: TableView, tmp_path: Path) -> None:
    write_export(tmp_path, "01", [CHANGES], incremental=True)
    since = [NEW | {"n": {"N": "9"}}, item("inserted", n={"N": "5"}), item("deleted", n={"N": "8"}), AFTER[2]]
    orders.put_items(since)
    done = revert("-t", "Orders", "-s", "exports", "--yes")
    assert (done.code, plain(orders.items())) == (0, plain(since))
    assert done.out.startswith("1 restored, 3 skipped because they had changed again, 0 rejected, 4 read\n")
    forced = revert("-t", "Orders", "-s", "exports", "--yes", "--force")
    assert (forced.code, plain(orders.items())) == (0, plain(BEFORE[:3])), forced.err


def test_an_attribute_that_is_in_neither_image_survives(revert: Revert, orders: TableView, tmp_path: Path) -> None:
    write_export(tmp_path, "01", [CHANGES[:1]], incremental=True)
    orders.put_items([NEW | {"added": {"S": "since"}}])
    assert revert("-t", "Orders", "-s", "exports", "--yes").code == 0
    assert plain(orders.items()) == plain([OLD | {"added": {"S": "since"}}])


def test_several_exports_are_undone_newest_first(revert: Revert, orders: TableView, tmp_path: Path) -> None:
    times = ["2026-11-20T10:00:00.000Z", "2026-11-20T11:00:00.000Z", "2026-11-20T12:00:00.000Z"]
    states: list[Item | None] = [item("a", n={"N": "0"}), item("a", n={"N": "1"}), None]
    for number in (0, 1):
        lines = [change(key("a"), states[number + 1], states[number])]
        write_export(
            tmp_path, f"0{2 - number}", [lines], incremental=True, begins=times[number], ends=times[number + 1]
        )
    done = revert("-t", "Orders", "-s", "exports", "--yes")
    assert (done.code, orders.items()) == (0, [states[0]]), done.err
    assert done.out.startswith("2 restored, 0 rejected, 2 read")


def test_it_asks_first_and_a_plan_writes_nothing(
    revert: Revert, orders: TableView, simulator: Simulator, tmp_path: Path
) -> None:
    write_export(tmp_path, "01", [CHANGES], incremental=True)
    orders.put_items(AFTER)
    done = revert("-t", "Orders", "-s", "exports")
    done.assert_error(2, "revert asks first", "--plan", "--yes")
    planned = revert("-t", "Orders", "-s", "exports", "--plan")
    assert planned.code == 0, planned.err
    assert "4 changes from 2026-11-20T11:00:00.000Z to 2026-11-20T12:00:00.000Z will be undone" in planned.out
    assert "Point-in-time recovery is off" in planned.out
    assert plain(orders.items()) == plain(AFTER)
    assert not {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"} & simulator.requests().keys()


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ({"outputView": "NEW_IMAGE"}, ["has no old images: its view is NEW_IMAGE", "NEW_AND_OLD_IMAGES"]),
        ({"outputView": ""}, ["has no old images: its manifest names no view"]),
        ({"exportFromTime": None, "exportType": "FULL_EXPORT"}, ["is a full export, which has no old images"]),
    ],
)
def test_exports_that_cannot_be_undone(
    revert: Revert, orders: TableView, tmp_path: Path, summary: dict[str, Any], words: list[str]
) -> None:
    write_export(tmp_path, "01", [CHANGES], incremental=True, **summary)
    revert("-t", "Orders", "-s", "exports/AWSDynamoDB/01", "--yes").assert_one_line_error(2, *words)


def test_other_places_are_no_exports(revert: Revert, orders: TableView, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"id": "a"}')
    revert("-t", "Orders", "-s", "x.json", "--yes").assert_one_line_error(2, "is no incremental export by DynamoDB")
    revert("-t", "Orders", "-s", ".", "--yes").assert_one_line_error(2, "manifest-summary.json, or one above it")
    write_export(tmp_path, "01", [CHANGES], incremental=True)
    write_export(tmp_path, "02", [CHANGES], incremental=True, tableArn="arn:aws:dynamodb:us-east-1:1:table/Others")
    revert("-t", "Orders", "-s", "exports", "--yes").assert_one_line_error(2, "is of another table")


def test_lines_that_cannot_be_undone_are_rejected(revert: Revert, orders: TableView, tmp_path: Path) -> None:
    wide = {f"attribute{number}": {"N": str(number)} for number in range(500)}
    lines = [
        change(key("none")),
        change(key("wide"), item("wide", **wide), item("wide", n={"N": "1"})),
        change({"other": {"S": "x"}}, item("x"), item("x")),
        *CHANGES[1:2],
    ]
    write_export(tmp_path, "01", [lines], incremental=True)
    orders.put_items([item("wide", **wide), *AFTER[1:2]])
    done = revert("-t", "Orders", "-s", "exports", "--yes")
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "0 restored, 1 deleted, which did not exist before, 3 rejected, 4 read",
    ), done.err
    assert {"bad-change 1", "too-many-attributes 1", "missing-key 1"} <= {
        line.partition(",")[0] for line in done.out.splitlines()
    }
    assert revert("-t", "Orders", "-s", "exports", "--yes", "--force").code == 1
    assert plain(orders.items()) == plain([item("wide", n={"N": "1"})])


@pytest.mark.parametrize("seed", range(1, 1 + examples(3)))
def test_killed_and_run_again_and_with_faults_it_ends_in_the_same_state(
    commands: Commands, revert: Revert, orders: TableView, simulator: Simulator, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    lines, after, before = [], [], []
    for number in range(600):
        old = item(number, n={"N": str(number)}) if number % 3 else None
        new = item(number, n={"N": str(-number - 1)}, day={"S": "tue"}) if number % 5 or old is None else None
        lines.append(change(key(number), new, old))
        touched = dice.random() < 0.1
        now = item(number, n={"N": "1E9"}) if touched else new
        after += [now] if now else []
        left = now if touched else old
        before += [left] if left else []
    write_export(tmp_path, "01", [lines[:300], lines[300:]], incremental=True)
    orders.put_items(after)
    kinds = [faults.CUT_AFTER, faults.CUT_BEFORE, faults.INTERNAL_ERROR_AFTER_WRITE, faults.UNAVAILABLE]
    simulator.faults = FaultPlan(kinds, probability=0.05, seed=seed, latency_s=0.01)
    words = ("-t", "Orders", "-s", "exports", "--yes", "-c", "150", "-p", "2", "--lanes", "2")
    for _ in range(2):
        with commands.start(*REVERT, *words) as command:
            written = simulator.table("Orders").consumed("write")
            command.until(lambda start=written: simulator.table("Orders").consumed("write") > start + 60)
            pids = [command.pid, *command.workers()]
            dice.shuffle(pids)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            command.wait()
    done = revert(*words)
    assert done.code == 0, done.err
    assert plain(orders.items()) == plain(before)
    counts = done.counts
    assert counts["read"] == 600
