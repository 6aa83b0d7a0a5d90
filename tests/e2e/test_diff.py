"""`ddbio diff`: every difference is found and none is invented, in order-free comparisons that resume."""

from __future__ import annotations

import json
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import CHECKOUT, IMPORT, Commands, Run, descendants, is_alive, wait_until
from tests.support.items import Item, contents, plain_items, rich_items

DIFF = (Path("-m"), "ddbio", "diff", "-p", 2)


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_diff(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*DIFF, *arguments, **options)


@pytest.fixture
def run_two(run_diff: Run) -> Run:
    return lambda *arguments, **options: run_diff("-t", "First", "--to", "Second", *arguments, **options)


def fill(simulator: Simulator, first: Iterable[Item], second: Iterable[Item], *keys: str) -> None:
    for name, items in (("First", first), ("Second", second)):
        simulator.create_table(name, *(keys or ("id:S",))).put_items([*items])


def lines(path: Path) -> list[dict[str, Any]]:
    """By key, because their order is free."""
    return sorted(map(json.loads, path.read_text().splitlines()), key=lambda line: json.dumps(line["key"]))


def number(value: int) -> Item:
    return {"id": {"S": "x"}, "at": {"N": str(value)}, "v": {"S": "same"}}


def test_a_missing_item_among_numeric_sort_keys_is_one_line(
    run_two: Run, simulator: Simulator, tmp_path: Path
) -> None:
    numbers = [1, 2, 9, 10, 11, 100]
    fill(simulator, map(number, numbers), (number(n) for n in numbers if n != 9), "id:S", "at:N")
    done = run_two("--output", "diff.jsonl")
    assert done.code == 1, done.err
    assert done.out.splitlines()[:2] == [
        "1 difference: 1 only in the first",
        "6 and 5 items compared, 1 item read again",
    ]
    key = {"id": {"S": "x"}, "at": {"N": "9"}}
    assert lines(tmp_path / "diff.jsonl") == [{"op": "put", "key": key, "old": None, "new": number(9)}]


def test_equal_items_in_other_words_are_no_difference(run_two: Run, simulator: Simulator, tmp_path: Path) -> None:
    first = {"id": {"S": "a"}, "n": {"N": "1"}, "s": {"SS": ["a", "b"]}, "m": {"M": {"x": {"NS": ["1", "2.5"]}}}}
    second = {
        "s": {"SS": ["b", "a"]},
        "m": {"M": {"x": {"NS": ["2.50", "1.0"]}}},
        "n": {"N": "1.0"},
        "id": {"S": "a"},
    }
    fill(simulator, [first, *rich_items(50)], [*reversed(rich_items(50)), second])
    done = run_two("--output", "diff.jsonl")
    assert done.code == 0, done.err + done.out
    assert done.out.splitlines()[0] == "the same"
    assert (tmp_path / "diff.jsonl").read_text() == ""


KEYS = {
    "B": (("id:B",), [{"id": {"B": "AQI="}}, {"id": {"B": "/+8="}}, {"id": {"B": "AA=="}}]),
    "N": (("id:N",), [{"id": {"N": "1"}}, {"id": {"N": "-2.5"}}, {"id": {"N": "1" + 40 * "0"}}]),
    "BN": (("id:B", "at:N"), [{"id": {"B": "AQI="}, "at": {"N": str(n)}} for n in (9, 10, 100)]),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.fuller
def test_keys_of_every_type(run_two: Run, simulator: Simulator, tmp_path: Path, kind: str) -> None:
    keys, (only_first, both, only_second) = KEYS[kind]
    changed = [{**both, "v": {"S": "old"}}, {**both, "v": {"S": "new"}}]
    fill(simulator, [only_first, changed[1]], [changed[0], only_second], *keys)
    done = run_two("--output", "diff.jsonl")
    assert done.out.splitlines()[0] == "3 differences: 1 only in the first, 1 only in the second, 1 changed", done.err
    names = [key.partition(":")[0] for key in keys]
    found = {line["op"]: line for line in lines(tmp_path / "diff.jsonl")}
    assert found == {
        "put": {"op": "put", "key": only_first, "old": None, "new": only_first},
        "delete": {"op": "delete", "key": only_second, "old": only_second, "new": None},
        "change": {
            "op": "change",
            "key": {name: both[name] for name in names},
            "old": changed[0],
            "new": changed[1],
        },
    }


@pytest.mark.fuller
def test_disjoint_tables_and_an_empty_one(run_diff: Run, simulator: Simulator) -> None:
    fill(simulator, plain_items(300), plain_items(200, first=300))
    simulator.create_table("Empty", "id:S")
    assert run_diff("-t", "First", "--to", "Second").out.splitlines()[0] == (
        "500 differences: 300 only in the first, 200 only in the second"
    )
    assert run_diff("-t", "First", "--to", "Empty").out.splitlines()[0] == "300 differences: 300 only in the first"
    assert run_diff("-t", "Empty", "--to", "Second").out.splitlines()[0] == "200 differences: 200 only in the second"


@pytest.mark.fuller
def test_parts_of_items(run_two: Run, simulator: Simulator, tmp_path: Path) -> None:
    first = [{"id": {"S": f"{n}"}, "a": {"N": "1"}, "b.c": {"S": "x"}, "z": {"N": f"{n}"}} for n in range(20)]
    second = [{**item, "a": {"N": f"{n % 2}"}, "z": {"N": "0"}} for n, item in enumerate(first[:19])]
    fill(simulator, first, second)
    assert run_two("--keys-only").out.splitlines()[0] == "1 difference: 1 only in the first"
    done = run_two("--ignore", "z", "--output", "diff.jsonl")
    assert done.out.splitlines()[0] == "11 differences: 1 only in the first, 10 changed"
    assert all(line["new"] in first for line in lines(tmp_path / "diff.jsonl")), "whole items, to be applied"
    assert run_two("--ignore", "z,a").out.splitlines()[0] == "1 difference: 1 only in the first"
    done = run_two("--attributes", "a", "--output", "diff.jsonl")
    assert done.out.splitlines()[0] == "11 differences: 1 only in the first, 10 changed"
    assert all(line["new"] in first for line in lines(tmp_path / "diff.jsonl"))
    done = run_two("--filter", "z < :m AND a = :one", "--values", '{"m": 5, "one": 1}')
    assert done.out.splitlines()[0] == "19 differences: 19 changed".replace("19", str(changed_where(first, second)))


def changed_where(first: list[Item], second: list[Item]) -> int:
    """Items that differ, and match the filter on either side."""

    def matches(item: Item) -> bool:
        return int(item["z"]["N"]) < 5 and item["a"]["N"] == "1"

    return sum(1 for a, b in zip(first, second, strict=False) if a != b and (matches(a) or matches(b)))


def test_the_output_may_be_standard_output(run_two: Run, simulator: Simulator) -> None:
    fill(simulator, rich_items(5), rich_items(4))
    done = run_two("--output", "-")
    (line,) = map(json.loads, done.out.splitlines())
    assert (line["op"], line["new"]) == ("put", rich_items(5)[4])
    assert "1 difference: 1 only in the first" in done.err


@pytest.mark.fuller
def test_a_sample_has_no_false_differences(run_two: Run, simulator: Simulator) -> None:
    items = plain_items(3000)
    fill(simulator, items, items[:-1])
    assert run_two("--sample", "5%", "--seed", 3).out.splitlines()[0] in (
        "the same",
        "1 difference: 1 only in the first",
    )
    assert simulator.table("First").consumed("read") < 60


@pytest.mark.fuller
def test_an_export_and_a_table(run_diff: Run, commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    items = [*rich_items(300), *plain_items(50, first=1000)]
    simulator.create_table("First", "id:S").put_items(items)
    for format in ("json", "dynamodb-json"):
        assert (
            commands.run(Path("-m"), "ddbio", "export", "-t", "First", "-d", f"out/{format}", "--format", format).code
            == 0
        )
        assert run_diff("-s", f"out/{format}", "--to", "First").out.splitlines()[0] == "the same"
        assert run_diff("-t", "First", "--to", f"out/{format}").out.splitlines()[0] == "the same"
    table = simulator.table("First")
    table.put_items([{**items[7], "number": {"N": "-1"}}, *plain_items(1, first=9000)])
    done = run_diff("-s", "out/json", "--to", "First", "--output", "diff.jsonl")
    assert done.out.splitlines()[0] == "2 differences: 1 only in the second, 1 changed", done.err
    ops = {line["op"]: line for line in lines(tmp_path / "diff.jsonl")}
    assert contents([ops["change"]["new"]]) == contents([items[7]])
    assert ops["delete"]["old"] == plain_items(1, first=9000)[0]
    assert run_diff("-t", "First", "--to", "out/json").out.splitlines()[0] == (
        "2 differences: 1 only in the first, 1 changed"
    )


def test_the_plan_moves_nothing(run_two: Run, simulator: Simulator) -> None:
    fill(simulator, plain_items(1000), plain_items(10))
    done = run_two("--plan", "-c", 50)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].startswith("Comparing table First in us-east-1 with table Second in us-east-1")
    assert "about 0.1 MB in " in done.out
    consumed = simulator.table("First").consumed("read") + simulator.table("Second").consumed("read")
    assert f"This plan itself consumed {consumed:,.1f} RCU" in done.out and 0 < consumed < 20, done.out
    assert "1,000 items" in done.out and "10 items" in done.out


@pytest.mark.fuller
def test_the_caps_of_both_tables_hold(run_two: Run, simulator: Simulator) -> None:
    fill(simulator, plain_items(300, padding=4000), plain_items(200, padding=4000))
    done = run_two("-c", 100, "--to-capacity", 60)
    assert done.code == 1, done.err
    seconds = done.seconds
    assert simulator.table("First").consumed("read") <= 100 * seconds
    assert simulator.table("Second").consumed("read") <= 60 * seconds
    assert simulator.table("First").consumed("read") > 200, "its pages, and the items that are read again"


@pytest.mark.parametrize("blocks", [120, 330])
@pytest.mark.fuller
def test_a_full_disk_is_no_finished_comparison(
    environment: dict[str, str], run_two: Run, simulator: Simulator, tmp_path: Path, blocks: int
) -> None:
    """The disk is full at the first differences, or after some."""
    items = plain_items(2000, padding=1500)
    fill(simulator, items, [{**item, "n": {"N": "-1"}} for item in items[:400]] + items[400:])
    asked = [sys.executable, *map(str, DIFF), "-t", "First", "--to", "Second", "--output", "diff.jsonl"]
    command = f"ulimit -f {blocks}; exec {shlex.join(asked)}"
    done = subprocess.run(["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("unfinished: "), done.stdout
    assert "compared" not in done.stdout
    assert "diff.jsonl" not in done.stdout
    assert not (tmp_path / "diff.jsonl").exists()
    after = run_two("--output", "diff.jsonl")
    assert after.out.splitlines()[0] == "400 differences: 400 changed", after.err
    assert len(lines(tmp_path / "diff.jsonl")) == 400


def none_lives(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


@pytest.mark.fuller
def test_killed_at_any_instant_and_run_again(
    commands: Commands, run_two: Run, simulator: Simulator, tmp_path: Path
) -> None:
    items = plain_items(6000)
    dice = random.Random(5)
    fill(simulator, items, [item for item in items if dice.random() < 0.9])
    simulator.faults = FaultPlan(latency_s=0.02)
    asked = ("-t", "First", "--to", "Second", "--segments", 40, "--lanes", 2, "--output", "diff.jsonl")
    for _ in range(8):
        with commands.start(*DIFF, *asked) as command:
            time.sleep(dice.uniform(0.5, 4.0))
            pids = descendants(command.pid)
            command.signal(signal.SIGKILL)
            command.wait(5)
            wait_until(partial(none_lives, pids), 5.0)
    simulator.faults = FaultPlan()
    done = run_two("--segments", 40, "--lanes", 2, "--output", "diff.jsonl")
    missing = {item["id"]["S"] for item in items} - {item["id"]["S"] for item in simulator.table("Second").items()}
    found = [line["key"]["id"]["S"] for line in lines(tmp_path / "diff.jsonl")]
    assert done.code == 1, done.err
    assert found == sorted(missing), "each once"


def memory_bytes(pids: list[int]) -> int:
    """The memory of some processes, shared pages divided among them."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
    return total


@pytest.mark.fuller
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_tables(commands: Commands, simulator: Simulator) -> None:
    peaks = []
    for count in (60_000, 240_000):
        names = (f"First{count}", f"Second{count}")
        for name in names:
            table = simulator.create_table(name, "id:S")
            for first in range(0, count, 20_000):
                table.put_items(plain_items(20_000, first=first, padding=300))
        peak = 0
        with commands.start(*DIFF, "-t", names[0], "--to", names[1]) as command:
            while is_alive(command.pid):
                peak = max(peak, memory_bytes([command.pid, *descendants(command.pid)]))
                time.sleep(0.1)
            assert command.wait(5).code == 0
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-t", "First", "--to", "First"), "are the same table"),
        (("--to", "First"), "there is no first side"),
        (("-t", "First", "-s", "x", "--to", "First"), "two first sides"),
        (("-s", "nothing/", "--to", "First"), "nothing"),
        (("-s", "nothing", "--to", "./nothing"), "both sides are exports"),
        (("-t", "First", "--to", "Third"), "different keys"),
        (("-t", "First", "--to", "Missing"), "Missing"),
        (("-t", "First", "--to", "Second", "--attributes", "a.b"), "whole attributes"),
        (("-t", "First", "--to", "Second", "--output", "precious.txt"), "is not overwritten"),
        (("-t", "First", "--to", "Second", "--spill-dir", "precious.txt"), "--spill-dir"),
    ],
)
@pytest.mark.fuller
def test_what_cannot_work_is_one_line(
    run_diff: Run, simulator: Simulator, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    fill(simulator, [], [])
    simulator.create_table("Third", "id:S", "at:N")
    (tmp_path / "precious.txt").write_text("data")
    done = run_diff(*arguments)
    done.assert_error(2, words)
    assert simulator.table("First").consumed("read") == 0
    assert (tmp_path / "precious.txt").read_text() == "data"


@pytest.mark.fuller
def test_importing_the_differences_makes_the_second_table_equal(
    commands: Commands, run_two: Run, simulator: Simulator, tmp_path: Path
) -> None:
    first = rich_items(300)
    second = [{**item, "number": {"N": str(n % 3)}} for n, item in enumerate(first[50:])] + plain_items(70, first=900)
    fill(simulator, first, second)
    assert run_two("--output", "diff.jsonl").code == 1
    written = simulator.table("Second").consumed("write")
    done = commands.run(IMPORT, "-t", "Second", "-s", "diff.jsonl", "-p", 1)
    assert done.code == 0, done.err
    assert "Format: changes, as its lines are differences of two tables" in "\n".join(done.log)
    assert contents(simulator.table("Second").items()) == contents(first)
    assert simulator.table("Second").consumed("write") - written <= 50 + 250 + 70 + 30
    assert run_two().out.splitlines()[0] == "the same"
    forced = commands.run(IMPORT, "-t", "Second", "-s", "diff.jsonl", "-p", 1, "--format", "changes")
    assert forced.code == 0, forced.err
    commands.run(IMPORT, "-t", "Second", "-s", "diff.jsonl", "--mode", "insert").assert_error(2, "puts and deletes")
