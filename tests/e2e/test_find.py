"""`ddbio find`: the items that match, on standard output and nothing else there; in order; a limit stops early."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, Commands, Run

FIND = (Path("-m"), "ddbio", "find", "-t", "Orders")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def find(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*FIND, *arguments, **options)


def items(count: int) -> list[Any]:
    """n, in every order but its own, with 38 digits."""
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    return [
        {
            "id": {"S": f"{place:05}"},
            "n": {"N": f"{number}.{'0' * 20}1"},
            "day": {"S": "even" if number % 2 == 0 else "odd"},
        }
        for place, number in enumerate(numbers)
    ]


def test_the_items_that_match_a_filter(find: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(items(500))
    asked = ("--filter", "n < :most", "--values", '{"most": 20}', "--report", "report.json")
    done = find("-p", 2, "--segments", 7, *asked)
    assert done.code == 0, done.err
    found = [json.loads(line, parse_float=Decimal) for line in done.out.splitlines()]
    assert sorted(int(item["n"]) for item in found) == list(range(20))
    assert all(item["n"] - int(item["n"]) == Decimal("1E-21") for item in found), "every digit"
    assert "20 items found (500 scanned, 480 left out)" in done.err
    counts = json.loads((tmp_path / "report.json").read_text())["counts"]
    assert (counts["read"], counts["written"], counts["left_out"]) == (500, 20, 480)


@pytest.mark.fuller
def test_names_that_no_item_has_are_remarked_on(find: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(items(20))
    done = find("-p", 1, "--order-by", "nn", "--limit", 2)
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert "warning: no item has the attribute 'nn' of --order-by" in done.err
    assert "warning" not in find("-p", 1, "--order-by", "n", "--limit", 2).err
    done = find("-p", 1, "--filter", "n > most")
    assert (done.code, done.out) == (0, "")
    assert "no item matches, and 'n > most' compares two attributes: a value is a :name" in done.err
    find("--json").assert_one_line_error(2, "--json applies only with --plan", "--report FILE")


@pytest.mark.parametrize("descending", [False, True])
def test_the_first_in_order(find: Run, simulator: Simulator, tmp_path: Path, descending: bool) -> None:
    simulator.create_table("Orders", "id:S").put_items([*items(400), {"id": {"S": "without"}}])
    asked = ["--order-by", "n", "--limit", 5, *["--descending"] * descending]
    done = find("-p", 2, "--segments", 9, *asked, "--report", "report.json")
    assert done.code == 0, done.err
    numbers = [int(json.loads(line, parse_float=Decimal)["n"]) for line in done.out.splitlines()]
    assert numbers == ([399, 398, 397, 396, 395] if descending else [0, 1, 2, 3, 4])
    assert "5 items found (401 scanned, 396 not among them)" in done.err
    counts = json.loads((tmp_path / "report.json").read_text())["counts"]
    assert (counts["read"], counts["written"], counts["left_out"]) == (401, 5, 396)


def test_all_in_order_with_those_without_the_attribute_last(find: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items([*items(20), {"id": {"S": "0"}}, {"id": {"S": "1"}}])
    done = find("-p", 1, "--order-by", "n", "--descending", "--limit", 100, "--format", "dynamodb-json")
    found = [json.loads(line)["Item"] for line in done.out.splitlines()]
    assert [int(Decimal(item["n"]["N"])) for item in found[:20]] == list(range(19, -1, -1))
    assert [item["id"]["S"] for item in found[20:]] == ["1", "0"]


def test_a_limit_stops_early(find: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S")
    table.put_items([{**item, "padding": {"S": "x" * 5000}} for item in items(2000)])
    done = find("-p", 2, "--limit", 3, "--attributes", "id")
    assert done.code == 0 and [list(json.loads(line)) for line in done.out.splitlines()] == [["id"]] * 3
    assert table.consumed("read") < 2000 * 5000 / 8192 / 2


@pytest.mark.fuller
def test_csv_with_the_columns_that_are_named_and_with_those_that_are_found(find: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items([*items(30), {"id": {"S": "zz"}, "more": {"SS": ["a", "b"]}}])
    done = find("-p", 1, "--format", "csv", "--attributes", "day,id", "--filter", "attribute_exists(n)")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 30 and {*rows[0]} == {"day", "id"}
    done = find("-p", 1, "--format", "csv", "--limit", 2, "--order-by", "id", "--descending")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert rows[0] == {"id": "zz", "day": "", "more": '["a","b"]', "n": ""}
    assert rows[1]["id"] == "00029" and rows[1]["more"] == ""


def test_a_reader_that_goes_away(simulator: Simulator, environment: dict[str, str]) -> None:
    table = simulator.create_table("Orders", "id:S")
    table.put_items([{**item, "padding": {"S": "x" * 2000}} for item in items(3000)])
    command = [sys.executable, "-m", "ddbio", "find", "-t", "Orders", "-p", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["id"]
        process.stdout.close()
        assert process.wait(30) == 141
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--order-by", "n"], "--order-by keeps the first items in memory; say how many with --limit"),
        (["--order-by", "n", "--limit", "3", "--attributes", "id"], "--order-by n is not among --attributes"),
        (["--descending"], "--descending applies only with --order-by"),
        (["--format", "csv"], "csv needs its columns before the first item; name them with --attributes"),
        (["--format", "parquet"], "--format has no choice 'parquet'"),
        (["--json"], "--json applies only"),
        (["--report", "-"], "the items found go to standard output, too; name a file with --report"),
        (["--limit", "0"], "not a whole number above 0"),
        (["--fresh"], "there is no option --fresh"),
    ],
)
@pytest.mark.fuller
def test_what_cannot_be_found(find: Run, simulator: Simulator, words: list[str], says: str) -> None:
    table = simulator.create_table("Orders", "id:S")
    find(*words).assert_one_line_error(2, says)
    assert table.consumed("read") <= 0.5, "at most the trial of the request"


def test_the_plan(find: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S")
    done = find("--plan", "--order-by", "n", "--limit", 4, "-p", 1)
    assert done.out.splitlines()[:2] == [
        "Searching table Orders in us-east-1 in 4 segments with 1 process",
        "All items are read to find the 4 with the smallest n",
    ]
    assert table.consumed("read") == 0.5, "its sample"
