"""`ddbio copy`: the other table has every item, whatever happens; what it cannot have is in the rejects file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, Commands, Completed, Run, assert_holds
from tests.support.items import Item, contents, plain_items, rich_items

pytestmark = pytest.mark.fuller

COPY = (Path("-m"), "ddbio", "copy", "-t", "Orders")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_copy(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*COPY, *arguments, **options)


@pytest.fixture
def other_region() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def lines(done: Completed, code: int = 0) -> list[str]:
    assert done.code == code, done.err
    return done.out.splitlines()


def test_all_items_of_all_types_are_in_the_other_table(run_copy: Run, simulator: Simulator) -> None:
    orders, copies = (
        simulator.create_table("Orders", "id:S", rcu=1000, wcu=1000),
        simulator.create_table("Copies", "id:S"),
    )
    items = [*rich_items(300), *plain_items(1500, first=1000, padding=900)]
    orders.put_items(items)
    first, second = lines(run_copy("--to", "Copies", "-p", 2, "--to-capacity", 9000))
    assert first == f"{len(items):,} read, {len(items):,} written to Copies, 0 rejected"
    assert contents(copies.items()) == contents(items) == contents(orders.items())
    read, written = orders.consumed("read"), copies.consumed("write")
    assert (orders.consumed("write"), copies.consumed("read")) == (0, 0)
    assert re.fullmatch(
        rf"\d+\.\d s, {read:,.1f} RCU consumed, [\d.,]+ RCU/s \(cap 1,000\), "
        rf"{written:,.1f} WCU consumed, [\d.,]+ WCU/s \(cap 9,000\)",
        second,
    )


def test_it_says_what_it_would_do_and_does_nothing(run_copy: Run, simulator: Simulator) -> None:
    orders = simulator.create_table("Orders", "id:S", global_indexes={"byDay": ["day:S"]})
    orders.put_items(plain_items(100, padding=1500))
    simulator.create_table("Others", "id:S", wcu=100)
    plan = lines(run_copy("--to", "Others", "--plan", "-p", 1, "-c", 50, "--to-capacity", "50%"))
    assert plan[:3] == [
        "Copying table Orders in us-east-1 to table Others in us-east-1 in 1 segment with 1 process",
        "Cap of Orders: 50 RCU (-c)",
        "Cap of Others: 50 WCU (50% of the table's provisioned units of 100)",
    ]
    assert "Writes of table Others: 100 items, 200 WCU" in plan
    made = lines(run_copy("--to", "New", "--plan", "-p", 1, "--create-table"))
    assert made[0] == (
        "Making table New, on-demand, key id:S (as table Orders); not copied from that table: index byDay "
        "(--with-indexes), tags, backups, auto scaling and policies, if it has any"
    )
    assert (simulator.table_names(), simulator.table("Others").item_count()) == (["Orders", "Others"], 0)
    assert (orders.consumed("read"), simulator.table("Others").consumed("write")) == (2 * 19, 0), "the samples"


def test_into_a_table_of_the_same_name_that_is_created_in_another_region(
    run_copy: Run, simulator: Simulator, other_region: Simulator, tmp_path: Path
) -> None:
    orders = simulator.create_table("Orders", "id:S", "at:N", wcu=100, rcu=100, global_indexes={"byDay": ["day:S"]})
    items = [
        {"id": {"S": "a"}, "at": {"N": str(number)}, "day": {"S": f"{number % 7}"}, "x": {"B": "AAEC"}}
        for number in range(300)
    ]
    orders.put_items(items)
    there = ("--to", "Orders", "--to-region", "eu-west-1", "--to-endpoint-url", other_region.url)
    done = run_copy(*there, "--create-table", "--with-indexes", "--json", "-p", 1)
    assert done.code == 0, done.err
    assert done.log[0].startswith("Making table Orders, on-demand, key id:S,at:N with the index byDay (as table Orde")
    assert "provisioned capacity" in done.log[0]
    assert "Cap of Orders, the source: 100 RCU (the table's provisioned units; -c sets another)" in done.log
    assert "Cap of Orders, the target: no cap (the table is on-demand and no --to-capacity was given)" in done.log
    made = other_region.table("Orders")
    assert contents(made.items(), "id", "at") == contents(items, "id", "at")
    assert made.consumed("write") == made.consumed("write", "byDay") == 300
    report = json.loads(done.out)
    assert (report["table"]["region"], report["other_table"]["region"]) == ("us-east-1", "eu-west-1")
    assert (report["counts"]["target_units"], report["cap"]["units_per_s"]) == (600, 100)
    again = run_copy(*there, "--create-table", "--mode", "insert", "-p", 1)
    assert lines(again)[0] == "300 read, 0 written to Orders, 0 rejected, 300 skipped because their key was taken"


@pytest.mark.parametrize("key", ["id:B", "id:N", "id:S,at:B", "id:B,at:N"])
def test_keys_of_every_type(run_copy: Run, simulator: Simulator, key: str) -> None:
    parts = key.split(",")
    orders, copies = simulator.create_table("Orders", *parts), simulator.create_table("Copies", *parts)
    texts = {"S": "k{:03}", "N": "-{}.5e-3", "B": "AA{:02}"}
    names = [part.split(":") for part in parts]
    items = [{name: {letter: texts[letter].format(number)} for name, letter in names} for number in range(60)]
    orders.put_items(items)
    assert lines(run_copy("--to", "Copies", "-p", 1))[0] == "60 read, 60 written to Copies, 0 rejected"
    by = [name for name, _ in names]
    assert contents(copies.items(), *by) == contents(orders.items(), *by) == contents(items, *by)


def test_a_table_without_items(run_copy: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.create_table("Copies", "id:S")
    assert lines(run_copy("--to", "Copies"))[0] == "0 read, 0 written to Copies, 0 rejected"


def test_a_part_of_the_items_transformed(run_copy: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(200, padding=10))
    copies = simulator.create_table("Copies", "key:S")
    part = ("--filter", "n >= :least", "--values", '{"least": 150}', "--attributes", "id,n")
    done = run_copy("--to", "Copies", "-p", 1, *part, "--rename", "id=key", "--set", "copied=true")
    assert lines(done)[0] == "200 read, 50 written to Copies, 0 rejected, 150 filtered out"
    assert all(item.keys() == {"key", "n", "copied"} for item in copies.items())
    assert {int(item["n"]["N"]) for item in copies.items()} == {*range(150, 200)}
    some = run_copy("--to", "Copies", "-p", 2, "--limit", 7, "--rename", "id=key", "--drop", "n")
    assert " 7 written to Copies" in lines(some)[0]
    sample = run_copy("--to", "Copies", "-p", 1, "--sample", "25%", "--seed", 3, "--rename", "id=key")
    assert 0 < int(lines(sample)[0].partition(" ")[0]) < 200
    assert any(line.startswith("Sample: 20 of 80 segments (--seed 3)") for line in sample.log)


# --------------------------------------------------------------------------- rejects


def test_items_that_the_other_table_cannot_have_are_rejected_and_imported_after_repair(
    run_copy: Run, run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """An index of the other table wants a string, and the service refuses a whole batch for one number."""
    orders = simulator.create_table("Orders", "id:S")
    copies = simulator.create_table("Copies", "id:S", global_indexes={"byDay": ["day:S"]})
    good = [{"id": {"S": f"{number:03}"}, "day": {"S": "monday"}} for number in range(90)]
    bad = {"id": {"S": "bad"}, "day": {"N": "1"}, "tags": {"SS": ["b", "a"]}}
    orders.put_items([*good, bad])
    first, _, kind, where = lines(run_copy("--to", "Copies", "-p", 1), 1)
    assert first == "91 read, 90 written to Copies, 1 rejected"
    assert kind.startswith('wrong-key-type 1, first: Orders {"id":{"S":"bad"}}: the index key \'day\' is a number')
    assert where == "rejected items, each with the reason: Orders.rejects.jsonl"
    assert_holds(simulator, "Copies", good)
    path = tmp_path / "Orders.rejects.jsonl"
    reject = json.loads(path.read_text())
    assert (reject["source"], reject["key"], json.loads(reject["record"])) == ("Orders", {"id": bad["id"]}, bad)
    assert (reject["code"], "line" in reject, "segment" in reject) == ("wrong-key-type", False, True)
    again = run_import("-t", "Copies", "-s", path.name, "-p", 1)
    assert (again.code, again.counts["rejected"]) == (1, 1)
    path.write_text(path.read_text().replace(r"{\"N\":\"1\"}", r"{\"S\":\"tuesday\"}"))
    mended = run_import("-t", "Copies", "-s", path.name, "-p", 1)
    assert (mended.code, mended.counts["written"]) == (0, 1), mended.err
    assert_holds(simulator, "Copies", [*good, {**bad, "day": {"S": "tuesday"}}])
    assert copies.item_count() == 91


def test_an_item_that_becomes_too_large(run_copy: Run, simulator: Simulator, tmp_path: Path) -> None:
    orders = simulator.create_table("Orders", "id:S")
    large: Item = {"id": {"S": "large"}, "x": {"S": "x" * (400 * 1024 - 20)}}
    orders.put_items([*plain_items(40), large])
    simulator.create_table("Copies", "id:S")
    done = run_copy("--to", "Copies", "-p", 1, "--set", f"y={'y' * 20}", "--rejects", "r.jsonl")
    first, _, kind, _ = lines(done, 1)
    assert first == "41 read, 40 written to Copies, 1 rejected"
    assert kind.startswith('item-too-large 1, first: Orders {"id":{"S":"large"}}: the item has 409,6')
    (line,) = (tmp_path / "r.jsonl").read_text().splitlines()
    assert json.loads(json.loads(line)["record"]) == large
    assert lines(run_copy("--to", "Copies", "-p", 1))[0] == "41 read, 41 written to Copies, 0 rejected"


def test_too_many_rejects_stop_it(run_copy: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(4000, padding=1000))
    simulator.create_table("Copies", "n:S")
    done = run_copy("--to", "Copies", "-p", 1, "--segments", 1, "--max-errors", 10)
    assert "The key of Copies is n: items without it are rejected, and of items with the same one only" in done.err
    done.assert_error(3, "records read so far were rejected: more than --max-errors")
    assert done.counts["rejected"] < 2000, "about a page a lane"


# --------------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "Orders"], '-t and --to are the same table, "Orders" in us-east-1; name another table'),
        (["--to", "Nowhere"], 'table "Nowhere" in us-east-1 does not exist; check --to, --to-region'),
        (["--to", "Numbers"], "the key 'id' of table 'Numbers' has the type N, and the items have S: no item could"),
        (["--to", "Copies", "--drop", "id"], "--drop or --rename removes 'id', the key of table 'Copies': no item"),
        (["--to", "Copies", "--rename", "id=x"], "--drop or --rename removes 'id', the key of table 'Copies'"),
        (["--to", "Copies", "--set", "id=5"], "the key 'id' of table 'Copies' has the type S, and the items have N"),
        (["--to", "Copies", "--attributes", "n"], "--attributes lacks id, the key of table 'Copies'"),
        (["--to", "Copies", "--filter", "n <"], "Invalid FilterExpression: Syntax error"),
        (["--to", "Copies", "--with-indexes"], "--with-indexes applies only with --create-table"),
        (
            ["--to", "Copies", "--to-capacity", "none"],
            "--to-capacity none is not a capacity; give units per second, such as",
        ),
        (["--to", "Copies", "--rejects", "s3://b/k"], '--rejects "s3://b/k" is no path'),
        (["--to", "Copies", "--mode", "delete"], "delete"),
        ([], "required: --to"),
    ],
)
def test_what_cannot_be_copied(run_copy: Run, simulator: Simulator, words: list[str], says: str) -> None:
    orders = simulator.create_table("Orders", "id:S")
    orders.put_items(plain_items(10))
    simulator.create_table("Copies", "id:S")
    simulator.create_table("Numbers", "id:N")
    run_copy(*words).assert_one_line_error(2, says)
    assert orders.consumed("read") == 0.5 * ("--attributes" in words), (
        "the service checked them with a page of one item"
    )
    assert simulator.table("Copies").item_count() == 0
