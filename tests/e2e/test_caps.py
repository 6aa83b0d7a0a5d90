"""The cap: for all processes together, in every second, from the first one on; and tables that give less than it.

The simulator's own log of what it consumed is the judge. Its tables have neither burst nor initial capacity here, so
that nothing hides a request too many.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator, TableView, ThroughputSettings
from tests.support.commands import IMPORT as IMPORT_SCRIPT
from tests.support.commands import Commands, Completed, Run, Start, assert_holds, with_slack
from tests.support.items import Item, contents, plain_items, read_items, write_items

pytestmark = pytest.mark.fuller

NO_BURST = ThroughputSettings(burst_s=0, initial_burst_s=0)
BATCH = 25  # units of a batch of small items

Log = list[tuple[float, float]]  # (time of a tenth of a second, units)


def busiest_second(log: Log) -> float:
    """The most units in any ten tenths in a row."""
    return max(sum(units for at_s, units in log if start_s - 0.05 < at_s < start_s + 0.95) for start_s, _ in log)


def mean(log: Log) -> float:
    """Units per second from the first consumption to the last."""
    return sum(units for _, units in log) / (log[-1][0] - log[0][0] + 0.1)


def assert_held(table: TableView, cap: float, access: str = "write", step: float = BATCH, index: str = "") -> None:
    """No second had more than the cap and one request, nor had the run on average."""
    log = table.consumption(access, index)
    # What one request costs is on top; the tenths of the log and those of the clock do not begin together: 1 % more.
    assert busiest_second(log) <= cap * 1.02 + step, log
    # The first request is at the beginning of the first tenth: of n seconds of log it is one too many.
    assert mean(log) <= cap * 1.05 + step / (log[-1][0] - log[0][0] + 0.1), log


def dynamodb(simulator: Simulator) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client("dynamodb", endpoint_url=simulator.url, **keys)


def cap_line(done: Completed) -> str:
    return next(line for line in done.log if line.startswith("Cap: "))


@pytest.fixture
def provisioned(simulator: Simulator) -> Simulator:
    """A table Orders with 200 write and 200 read units, and no burst."""
    simulator.create_table("Orders", "id:S", wcu=200, rcu=200, throughput=NO_BURST)
    return simulator


@pytest.fixture
def some(tmp_path: Path) -> list[Item]:
    """400 items of one write unit in several units of work; they are in `orders.json`."""
    items = plain_items(400, padding=800)
    write_items(tmp_path / "orders.json", items)
    return items


IMPORT = ("-t", "Orders", "-s", "orders.json")


# --------------------------------------------------------------------------- where it comes from


def test_without_c_a_provisioned_table_is_capped_at_what_it_has(
    run_import: Run, provisioned: Simulator, orders: list[Item]
) -> None:
    done = run_import(*IMPORT)
    assert done.code == 0, done.err
    assert cap_line(done) == "Cap: 200 WCU (the table's provisioned units; -c sets another)"
    assert "(cap 200)" in done.out
    assert_holds(provisioned, "Orders", orders)
    assert_held(provisioned.table("Orders"), 200)
    assert done.seconds < with_slack(1000 / 200 * 1.5 + 2), "the cap is there to be used"


def test_c_of_all_processes_together(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """The table would give more; nothing but the cap holds it back."""
    items = plain_items(500, padding=800)
    write_items(tmp_path / "orders.json", items)
    simulator.create_table("Orders", "id:S", wcu=10_000, rcu=10_000)
    done = run_import(*IMPORT, "-c", 150, "-p", 3)
    assert done.code == 0, done.err
    assert done.log[0].endswith("with 3 processes")
    assert cap_line(done) == "Cap: 150 WCU (-c)"
    assert_holds(simulator, "Orders", items)
    assert_held(simulator.table("Orders"), 150)
    assert "throttled" not in done.counts


def test_c_of_an_export(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    items = plain_items(1500, padding=970)  # 188 read units
    simulator.create_table("Orders", "id:S", wcu=10, rcu=10_000).put_items(items)
    done = run_export("-t", "Orders", "-d", "out", "-c", 60, "-p", 2, "--segments", 4)
    assert done.code == 0, done.err
    assert cap_line(done) == "Cap: 60 RCU (-c)"
    assert contents(read_items(tmp_path / "out")) == contents(items)
    assert_held(simulator.table("Orders"), 60, "read", step=60 / 4 + 2)


def test_a_share_says_of_what(run_import: Run, provisioned: Simulator, some: list[Item]) -> None:
    done = run_import(*IMPORT, "-c", "80%")
    assert (done.code, cap_line(done)) == (0, "Cap: 160 WCU (80% of the table's provisioned units of 200)")
    assert_held(provisioned.table("Orders"), 160)


def test_more_than_the_table_has_is_refused(run_import: Run, provisioned: Simulator, some: list[Item]) -> None:
    done = run_import(*IMPORT, "-c", 201)
    done.assert_one_line_error(2, "-c 201 is more than the 200 WCU that table Orders has", "--over-provisioned")
    assert provisioned.requests() == {"DescribeTable": 1}


def test_more_than_the_table_has_where_that_is_wanted(
    run_import: Run, provisioned: Simulator, some: list[Item]
) -> None:
    """The table throttles; every item is written all the same."""
    done = run_import(*IMPORT, "-c", 400, "--over-provisioned")
    assert (done.code, cap_line(done)) == (0, "Cap: 400 WCU (-c)"), done.err
    assert_holds(provisioned, "Orders", some)
    assert (done.counts["written"], done.counts["rejected"]) == (400, 0)
    assert done.counts["throttled"] > 0


def test_an_on_demand_table_without_c(run_import: Run, simulator: Simulator, some: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    done = run_import(*IMPORT)
    assert cap_line(done) == "Cap: no cap (the table is on-demand and no -c was given)"
    assert "(no cap)" in done.out


CLOCK_SET = """
import datetime, os, runpy, sys, time, types

class SetClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):  # it stands until there is a file called "go", 2.5 s before eight
        passed_s = time.time() - os.stat("go").st_mtime if os.path.exists("go") else 0.0
        return cls(2030, 1, 1, 19, 59, 57, 500_000) + datetime.timedelta(seconds=passed_s)

if __name__ == "__main__":
    script, sys.argv = sys.argv[1], sys.argv[1:]
    sys.path.insert(0, script.rpartition("/")[0])
    import ddbio.rate.caps, ddbio.rate.following

    ddbio.rate.caps.datetime = ddbio.rate.following.datetime = types.SimpleNamespace(
        datetime=SetClock, timedelta=datetime.timedelta
    )
    runpy.run_path(script, run_name="__main__")
"""


def test_a_time_table_changes_the_cap_of_a_run(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    assert_follows_time_table(commands, simulator, tmp_path, "-c", "50,20:00=400", "-p", 2)


def assert_follows_time_table(
    commands: Commands, simulator: Simulator, folder: Path, *words: object, requests: int = 1
) -> None:
    """An import whose cap, by these words, is 50 until eight and 400 from then on. requests: so many may be sent
    beyond the cap."""
    items = plain_items(500, padding=800)
    write_items(folder / "orders.json", items)
    (folder / "clock_set.py").write_text(CLOCK_SET)
    table = simulator.table("Orders")
    with commands.start(folder / "clock_set.py", IMPORT_SCRIPT, *IMPORT, *words) as command:
        command.until(table.item_count)
        (folder / "go").touch()
        done = command.wait()
    assert done.code == 0, done.err
    assert [line for line in done.log if line.startswith("Cap: ")] == [
        "Cap: 50 WCU, 400 from 20:00 (-c, by local time)",
        "Cap: 400 WCU from now on (-c)",
    ]
    assert_holds(simulator, "Orders", items)
    log = table.consumption("write")
    assert busiest_second([each for each in log if each[0] < log[0][0] + 0.5]) <= 50 + BATCH
    assert 100 < busiest_second(log) <= 400 * 1.02 + requests * BATCH


LOOK_OFTEN = """
import runpy, sys

if __name__ == "__main__":
    script, sys.argv = sys.argv[1], sys.argv[1:]
    sys.path.insert(0, script.rpartition("/")[0])
    import ddbio.rate.following

    ddbio.rate.following.LOOK_EVERY_S = 0.3
    runpy.run_path(script, run_name="__main__")
"""


def test_the_cap_follows_a_table_that_is_scaled(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    """It begins at 5 units, at which 500 items would take 100 seconds."""
    items = plain_items(500, padding=800)
    write_items(tmp_path / "orders.json", items)
    (tmp_path / "look_often.py").write_text(LOOK_OFTEN)
    simulator.create_table("Orders", "id:S", wcu=5, rcu=5, throughput=NO_BURST)
    with commands.start(tmp_path / "look_often.py", IMPORT_SCRIPT, *IMPORT, "-p", 2) as command:
        command.until(lambda: simulator.table("Orders").item_count() > 0)
        throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 400}
        dynamodb(simulator).update_table(TableName="Orders", ProvisionedThroughput=throughput)
        done = command.wait()
    assert done.code == 0, done.err
    assert [line for line in done.log if line.startswith("Cap")] == [
        "Cap: 5 WCU (the table's provisioned units; -c sets another)",
        "Cap changed: 400 WCU (the table's provisioned units; -c sets another)",
    ]
    assert_holds(simulator, "Orders", items)
    assert busiest_second(simulator.table("Orders").consumption("write")) <= 400 * 1.02 + BATCH


def test_a_job_says_that_another_one_works_on_the_table(
    start_import: Start, simulator: Simulator, some: list[Item], tmp_path: Path
) -> None:
    write_items(tmp_path / "more.json", plain_items(1))
    simulator.create_table("Orders", "id:S")
    with start_import(*IMPORT, "-c", 5, "-p", 1) as first:
        first.until(lambda: simulator.table("Orders").item_count() > 0)
        with start_import("-t", "Orders", "-s", "more.json") as second:
            done = second.wait()
        assert f"on a table called Orders too (process {first.pid}): each has a cap of its own" in done.err


# --------------------------------------------------------------------------- tables that give less


def test_a_table_that_throttles_harder_than_the_cap(
    run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """Other tenants use most of it: nothing is lost, and what is sent in vain stays within bounds.

    A predecessor sent 51,000 times for 6,000 items.
    """
    settings = ThroughputSettings(burst_s=0, initial_burst_s=0, background_wcu=300, background_rcu=300)
    items = plain_items(600, padding=800)  # what a slow start leaves unused is a second of the table's units: 400
    write_items(tmp_path / "orders.json", items)
    table = simulator.create_table("Orders", "id:S", wcu=400, rcu=400, throughput=settings)
    done = run_import(*IMPORT, "-p", 2)
    assert done.code == 0, done.err
    assert (done.counts["read"], done.counts["written"], done.counts["rejected"]) == (600, 600, 0)
    assert_holds(simulator, "Orders", items)
    assert 0 < done.counts["throttled"] < 600
    assert sum(table.refusals().values()) < 600
    assert table.consumed("write") == 600
    exported = run_export("-t", "Orders", "-d", "out", "-p", 2, "--segments", 8)
    assert exported.code == 0, exported.err
    assert contents(read_items(tmp_path / "out")) == contents(items)


def test_an_index_with_little_capacity_of_its_own(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """Its budget is held beside the table's, so the table's writes are not throttled for it."""
    items = dated(plain_items(100))
    write_items(tmp_path / "orders.json", items)
    table = simulator.create_table(
        "Orders",
        "id:S",
        wcu=1000,
        rcu=1000,
        throughput=NO_BURST,
        global_indexes={"byDate": ["date:S"]},
        index_rates={"byDate": (1000, 50)},
    )
    done = run_import(*IMPORT, "-c", 500)
    assert done.code == 0, done.err
    assert "Cap of index byDate: 50 WCU (its provisioned units)" in done.log
    assert_holds(simulator, "Orders", items)
    assert_held(table, 50, index="byDate")


def test_an_index_that_is_throttled_is_named_once(start_import: Start, simulator: Simulator, tmp_path: Path) -> None:
    """Other tenants use all of its capacity for a while."""
    items = dated(plain_items(300, padding=800))
    write_items(tmp_path / "orders.json", items)
    table = simulator.create_table(
        "Orders",
        "id:S",
        wcu=1000,
        rcu=1000,
        throughput=NO_BURST,
        global_indexes={"byDate": ["date:S"]},
        index_rates={"byDate": (1000, 200)},
    )
    take_from_index(simulator, 200)
    with start_import(*IMPORT, "-p", 2) as command:
        command.until(lambda: sum(table.refusals().values()) > 100)
        take_from_index(simulator, 0)
        done = command.wait()
    assert done.code == 0, done.err
    assert_holds(simulator, "Orders", items)
    assert table.refusals().keys() == {"IndexWriteProvisionedThroughputExceeded"}
    told = [line for line in done.log if line.startswith("Index byDate has too little capacity")]
    assert len(told) == 1, done.err


def take_from_index(simulator: Simulator, units: float) -> None:
    """Let other tenants consume so much of the index byDate."""

    def work() -> None:
        budget = simulator.service.database.table("Orders").throughput.indexes["byDate"].write
        budget.background_units_per_s = units

    simulator.call(work)


def dated(items: list[Item]) -> list[Item]:
    return [{**item, "date": {"S": f"2030-01-{number % 28 + 1:02}"}} for number, item in enumerate(items)]


def test_a_hot_key_range(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """All items have one partition key; the table has plenty, their partition has 200 units a second."""
    items: list[Item] = [{"id": {"S": "hot"}, "n": {"N": str(n)}, "x": {"S": "x" * 700}} for n in range(500)]
    write_items(tmp_path / "orders.json", items)
    settings = ThroughputSettings(partitions=4, partition_wcu=200)
    table = simulator.create_table("Orders", "id:S", "n:N", wcu=5000, rcu=5000, throughput=settings)
    done = run_import(*IMPORT, "-p", 2)
    assert done.code == 0, done.err
    assert (done.counts["read"], done.counts["written"]) == (500, 500)
    assert contents(table.items(), "id", "n") == contents(items, "id", "n")
    assert table.refusals().keys() == {"TableWriteKeyRangeThroughputExceeded"}
    told = [line for line in done.log if "partition" in line and "is at its limit" in line]
    assert told == done.log[-1:], done.err


def test_a_table_that_throttles_everything_is_given_up(
    run_import: Run, provisioned: Simulator, some: list[Item]
) -> None:
    throttled = Fault(error="ProvisionedThroughputExceededException")
    provisioned.faults = FaultPlan([throttled], probability=1.0)
    done = run_import(*IMPORT, "--give-up-after", 1, "-p", 2, timeout_s=15)
    done.assert_error(3, "no request succeeded for 1 s", "ProvisionedThroughputExceededException", "run the same")
    assert "".join(done.log).count("error:") == 1, done.err
    assert done.out.splitlines()[0] == "0 read, 0 written, 0 rejected"
    assert re.search(r" 0\.0 WCU consumed", done.out)
    assert 0 < done.counts["throttled"] <= provisioned.requests()["BatchWriteItem"]
    assert provisioned.table("Orders").item_count() == 0


def test_a_table_that_stops_in_mid_run_is_given_up(run_import: Run, simulator: Simulator, some: list[Item]) -> None:
    """What was written is claimed, and nothing else."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([*[None] * 4, *[Fault(error="InternalServerError")] * 10_000])
    done = run_import(*IMPORT, "--give-up-after", 1, "-p", 2, timeout_s=30)
    done.assert_error(3, "no request succeeded for 1 s")
    in_table = simulator.table("Orders").item_count()
    assert 0 < in_table <= 4 * BATCH
    assert 0 < done.counts["read"] == done.counts["written"] <= in_table
