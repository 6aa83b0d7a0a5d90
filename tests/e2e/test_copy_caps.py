"""The caps of a copy: each table has its own, and the log of the server's side shows that both hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbio.simulator import Simulator, TableView, ThroughputSettings
from tests.e2e.test_caps import NO_BURST, assert_held, mean
from tests.support.commands import CHECKOUT, Commands, Completed, Run, assert_holds
from tests.support.items import Item, plain_items

pytestmark = pytest.mark.fuller

COPY = (Path("-m"), "ddbio", "copy", "-t", "Orders", "--to", "Copies")


@pytest.fixture
def run_copy(commands: Commands, environment: dict[str, str]) -> Run:
    environment["PYTHONPATH"] = str(CHECKOUT)
    return lambda *arguments, **options: commands.run(*COPY, *arguments, **options)


def tables(simulator: Simulator, items: list[Item]) -> tuple[TableView, TableView]:
    """Each takes 1,000 units per second, and not one more: a request that exceeds a cap of that is refused."""
    orders = simulator.create_table("Orders", "id:S", wcu=1000, rcu=1000, throughput=NO_BURST)
    orders.put_items(items)
    return orders, simulator.create_table("Copies", "id:S", wcu=1000, rcu=1000, throughput=ThroughputSettings(0, 0))


def assert_copied(done: Completed, simulator: Simulator, items: list[Item]) -> None:
    assert done.code == 0, done.err
    assert_holds(simulator, "Copies", items)


@pytest.mark.parametrize(("read", "write"), [(40, 900), (900, 250), (45, 300)])
def test_both_caps_hold(run_copy: Run, simulator: Simulator, read: int, write: int) -> None:
    items = plain_items(1200, padding=900)
    orders, copies = tables(simulator, items)
    assert_copied(run_copy("-p", 2, "-c", read, "--to-capacity", write, "--segments", 8), simulator, items)
    page = max(orders.consumption("read"), key=lambda each: each[1])[1]
    assert_held(orders, read, "read", page)
    assert_held(copies, write)
    assert (orders.consumed("read"), copies.consumed("write")) == pytest.approx((150, 1200), rel=0.15)
    used = [
        mean(log) / cap for log, cap in ((orders.consumption("read"), read), (copies.consumption("write"), write))
    ]
    assert max(used) >= 0.7, "one of the caps is what holds it back"


def test_the_cap_holds_for_items_that_are_not_read(run_copy: Run, simulator: Simulator) -> None:
    """Their units are estimated by what their page cost: 4 for each of these, in text of 7 KB."""
    items: list[Item] = [
        {"id": {"S": f"{number:04}"}, "l": {"L": [{"N": str(each)} for each in range(1000, 1950)]}}
        for number in range(300)
    ]
    _, copies = tables(simulator, items)
    done = run_copy("-p", 2, "--to-capacity", 300)
    assert_copied(done, simulator, items)
    each = copies.consumed("write") / len(items)
    assert each == 4
    assert_held(copies, 300, step=25 * each)
    assert mean(copies.consumption("write")) >= 0.8 * 300


def test_without_options_each_table_has_what_it_is_provisioned(run_copy: Run, simulator: Simulator) -> None:
    items = plain_items(1500, padding=100)
    orders = simulator.create_table("Orders", "id:S", wcu=500, rcu=20, throughput=NO_BURST)
    orders.put_items(items)
    copies = simulator.create_table("Copies", "id:S", wcu=400, rcu=1000, throughput=NO_BURST)
    done = run_copy("-p", 2)
    assert_copied(done, simulator, items)
    assert "Cap of Orders: 20 RCU (the table's provisioned units; -c sets another)" in done.log
    assert "Cap of Copies: 400 WCU (the table's provisioned units; --to-capacity sets another)" in done.log
    assert copies.refusals() == orders.refusals() == {}
    assert_held(copies, 400)


def test_the_indexes_of_the_target_have_their_own_caps(run_copy: Run, simulator: Simulator) -> None:
    items: list[Item] = [{**item, "day": {"S": "monday"}} for item in plain_items(400, padding=300)]
    simulator.create_table("Orders", "id:S").put_items(items)
    copies = simulator.create_table(
        "Copies", "id:S", wcu=1000, rcu=10, global_indexes={"byDay": ["day:S"]}, index_rates={"byDay": (10, 100)}
    )
    copies.configure(NO_BURST)
    done = run_copy("-p", 1)
    assert_copied(done, simulator, items)
    assert "Cap of index byDay: 100 WCU (its provisioned units)" in done.log
    assert_held(copies, 100, index="byDay")
    assert copies.refusals() == {}
