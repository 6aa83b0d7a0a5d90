"""`--plan` is held to the truth: what it forecasts is what the same command then consumes, and it makes nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.simulator import Simulator, TableView
from tests.support.commands import CHECKOUT, Commands, Completed, with_slack
from tests.support.items import Item

BY_CITY = {"byCity": ["city:S"]}
OLD = ("--filter", "n < :n", "--values", '{"n": 1000}')


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def ddbio(commands: Commands) -> Callable[..., Completed]:
    return lambda *words: commands.run(Path("-m"), "ddbio", *words)


def mixed_items(count: int) -> list[Item]:
    """Of 50 bytes to 6 KB, most of them small; two thirds are in the index."""
    rng = random.Random(7)
    items = [
        {
            "id": {"S": f"{number:05}"},
            "n": {"N": str(number)},
            "pad": {"S": "x" * min(6000, int(rng.lognormvariate(6, 1)))},
        }
        for number in range(count)
    ]
    return [{**item, "city": {"S": f"city {rng.randrange(50)}"}} if rng.random() < 2 / 3 else item for item in items]


def json_lines(items: list[Item]) -> str:
    plain = (
        {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()} for item in items
    )
    return "".join(json.dumps(item) + "\n" for item in plain)


def consumed(table: TableView) -> dict[str, float]:
    return {
        "RCU": table.consumed("read"),
        "WCU": table.consumed("write"),
        "index": table.consumed("write", "byCity"),
    }


def held_seconds(table: TableView, kind: str, since: int, cap: float) -> float:
    """From the first to the last consumption, by the simulator's clock, and the time that the last one is paid by."""
    history = table.consumption("read" if kind == "RCU" else "write")[since:]
    return history[-1][0] - history[0][0] + history[-1][1] / cap


COMMANDS: dict[str, tuple[list[object], str, str, float]] = {  # the command, and the table, kind and cap that hold it
    "import": (["-s", "in.jsonl", "-t", "Empty", "-c", 900], "Empty", "WCU", 900),
    "export": (["-t", "Full", "-d", "out", "-c", 40], "Full", "RCU", 40),
    "copy": (["-t", "Full", "--to", "Empty", "-c", 400, "--to-capacity", 900], "Empty", "WCU", 900),
    "count": (["-t", "Full", "-c", 40], "Full", "RCU", 40),
    "delete": (["-t", "Full", *OLD, "-c", 500, "--write-capacity", 500], "Full", "WCU", 500),
}


@pytest.mark.parametrize(
    "verb",
    ["import", *(pytest.param(verb, marks=pytest.mark.fuller) for verb in ("copy", "delete", "export", "count"))],
)
def test_a_plan_foretells_units_and_time(
    ddbio: Callable[..., Completed], simulator: Simulator, tmp_path: Path, verb: str
) -> None:
    items = mixed_items(1300)
    tables = {name: simulator.create_table(name, "id:S", global_indexes=BY_CITY) for name in ("Full", "Empty")}
    tables["Full"].put_items(items)
    (tmp_path / "in.jsonl").write_text(json_lines(items))
    words, held, kind, cap = COMMANDS[verb]
    planned = ddbio("plan", verb, *words, "-p", 1, "--json")
    assert planned.code == 0, planned.err
    forecast = json.loads(planned.out)["forecast"]
    trials = 2 * 0.5 if verb == "delete" else 0.0  # of the filter, before the sample
    assert sum(table.consumed("read") for table in tables.values()) == forecast["planning_units"] + trials
    before, since = {name: consumed(table) for name, table in tables.items()}, len(tables[held].consumption("read"))
    done = ddbio(verb, *words, "-p", 1, "--report", "run.json", *["--yes"] * (verb == "delete"))
    assert done.code == 0, done.err
    counts = json.loads((tmp_path / "run.json").read_text())["counts"]
    for demand in forecast["demands"]:
        now, then = consumed(tables[demand["table"]]), before[demand["table"]]
        used = {name: now[name] - then[name] for name in now}
        if verb == "delete":  # the question at its beginning has read a sample, too
            used["RCU"] = counts["units"] - counts["target_units"]
        assert within(0.02, demand["units"]["likely"], used[demand["kind"]]), (demand, used)
        assert demand["units"]["low"] * 0.98 <= used[demand["kind"]] <= demand["units"]["high"] * 1.02
        if demand["kind"] == "WCU":
            assert within(0.02, demand["by_index"]["byCity"]["likely"], used["index"]), (demand, used)
    # A busy machine may be slower than the cap, but never faster.
    seconds = held_seconds(tables[held], kind, since if kind == "RCU" else 0, cap)
    likely = forecast["seconds"]["likely"]
    assert 0.9 * likely <= seconds <= with_slack(1.1 * likely), (likely, seconds)


def within(share: float, forecast: float, actual: float) -> bool:
    return abs(forecast - actual) <= share * actual


@pytest.mark.fuller
def test_a_plan_makes_nothing_and_says_what_it_knows(
    ddbio: Callable[..., Completed], simulator: Simulator, tmp_path: Path
) -> None:
    items = mixed_items(200)
    full, target = (
        simulator.create_table(name, "id:S", rcu=100, wcu=50, global_indexes=BY_CITY, index_rates={"byCity": (10, 5)})
        for name in ("Full", "Target")
    )
    full.put_items(items)
    (tmp_path / "in.jsonl").write_text(json_lines(items) + '{"no": "key"}\n')
    done = ddbio("plan", "import", "-s", "in.jsonl", "-t", "Target", "-p", 1)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[1] == "Format: json, as names end in .jsonl"
    assert "Warning: 1 of 201 records will be rejected: missing-key 1" in lines
    assert any(
        line.startswith("Warning: Index byCity of table Target is the bottleneck: with its 5 WCU") for line in lines
    )
    assert any(
        line.startswith("Time at the cap: 33 s") and "by index byCity of Target, 5 WCU a second" in line
        for line in lines
    ), lines
    for words in (
        ["delete", "-t", "Full", *OLD],
        ["export", "-t", "Full", "-d", "out"],
        ["diff", "-t", "Full", "--to", "Target"],
    ):
        assert ddbio(*words, "--plan").out == ddbio("plan", *words).out
    assert {path.name for path in tmp_path.rglob("*")} == {"in.jsonl"}
    assert (full.item_count(), target.item_count(), target.consumed("write")) == (200, 0, 0)
    ddbio("plan", "doctor").assert_error(2, "'doctor' has no plan", "import, export")
