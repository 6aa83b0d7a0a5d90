"""One cap over many machines, by the simulator's own log. A worker without work leaves the cap to the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbio.simulator import Simulator, ThroughputSettings
from tests.e2e.test_caps import BATCH, NO_BURST, assert_follows_time_table, assert_held, mean
from tests.e2e.test_cluster import Cluster, cluster, joined, port  # noqa: F401 - fixtures
from tests.support.commands import Commands, assert_holds
from tests.support.items import plain_items, write_items
from tests.support.seats import threads

pytestmark = pytest.mark.fuller


def test_the_cap_of_a_job_holds_over_all_workers_and_those_without_work_leave_it_to_the_others(
    simulator: Simulator,
    cluster: Cluster,  # noqa: F811
    tmp_path: Path,
) -> None:
    table = simulator.create_table("Orders", "id:S", throughput=ThroughputSettings(burst_s=0, initial_burst_s=0))
    items = plain_items(4500, padding=900)
    for number in range(2):  # two units of work
        write_items(tmp_path / f"orders-{number}.json", items[2250 * number : 2250 * (number + 1)])
    with cluster.worker("-p", 3) as workers:
        sources = ("-s", "orders-0.json", "-s", "orders-1.json")
        with cluster.driver("import", "-t", "Orders", *sources, "-c", 1000, expected=3) as driver:
            driver.until(lambda: joined(driver, 3))
            imported = driver.wait()
        left = workers.wait()
    assert "; 4,500 items and 4,500.0 capacity units here" in left.err
    assert (imported.code, imported.counts["written"]) == (0, 4500), imported.err
    assert_holds(simulator, "Orders", items)
    assert_held(table, 1000, step=3 * BATCH)  # and a request of each worker
    assert mean(table.consumption("write")) >= 0.95 * 1000
    with cluster.worker("-p", 3) as workers:
        with cluster.driver("export", "-t", "Orders", "-d", "out", "-c", 120, expected=3) as driver:
            exported = driver.wait()
        workers.wait()
    assert (exported.code, exported.counts["exported"]) == (0, 4500), exported.err
    assert_held(table, 120, "read", step=24)  # a page of a fifth of a second
    assert mean(table.consumption("read")) >= 0.95 * 120


def test_a_schedule_of_shares_holds_for_workers(
    simulator: Simulator,
    cluster: Cluster,  # noqa: F811
    port: int,  # noqa: F811
    commands: Commands,
    tmp_path: Path,
) -> None:
    simulator.create_table("Orders", "id:S", wcu=500, rcu=500, throughput=NO_BURST)
    with threads(port, 2, 20.0):
        words = ("-c", "10%,20:00=80%", *cluster.of_hub())
        assert_follows_time_table(commands, simulator, tmp_path, *words, requests=2)
