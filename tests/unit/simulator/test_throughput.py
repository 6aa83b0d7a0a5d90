"""The token buckets of the simulator, ticked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.simulator.throughput import Budget, TableThroughput, ThroughputSettings

STRICT = {"burst_s": 0.0}


def strict(rate: float, **settings: object) -> Budget:
    return Budget(rate, **(STRICT | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budget", "story"),
    [
        pytest.param(
            strict(10),
            [(0, 10, True), (0, 1, False), (0.05, 1, False), (0.1, 1, True), (0.1, 1, False), (1.1, 10, True)],
            id="one second's capacity, refilled with time",
        ),
        pytest.param(strict(10), [(100, 10, True), (100, 1, False)], id="no more than a second is kept"),
        pytest.param(
            Budget(10, burst_s=300), [(0, 3000, True), (0, 1, False), (1, 10, True), (1, 1, False)], id="full burst"
        ),
        pytest.param(
            Budget(10, burst_s=300, initial_burst_s=0),
            [(0, 1, False), (1, 10, True), (1, 1, False), (301, 3000, True), (301, 1, False)],
            id="a burst to be earned",
        ),
        pytest.param(
            Budget(10, burst_s=300, initial_burst_s=2), [(0, 20, True), (0, 1, False)], id="some burst at first"
        ),
        pytest.param(
            strict(5),
            [(0, 400, True), (1, 1, False), (79, 1, False), (79.2, 1, True)],
            id="an item bigger than the bucket is admitted when it is full, and paid off",
        ),
        pytest.param(strict(0), [(0, 1, False), (100, 1, False)], id="no capacity at all"),
        pytest.param(Budget(None), [(0, 1e9, True), (0, 1e9, True)], id="no limit"),
        pytest.param(
            strict(10, background_units_per_s=8.0),
            [(0, 10, True), (0.5, 1, True), (0.5, 1, False), (1, 1, True), (1, 1, False)],
            id="other tenants take their share first",
        ),
        pytest.param(
            strict(10, background_units_per_s=20.0),
            [(0, 5, True), (0.5, 1, False), (100, 1, False)],
            id="other tenants take everything, but leave no debt",
        ),
        pytest.param(
            strict(10, schedule=((2.0, 1.0), (1.0, 100.0))),
            [(0, 10, True), (1, 10, True), (1, 1, False), (2, 1, True), (2, 1, False), (3, 1, True), (3, 1, False)],
            id="capacity that changes on a schedule",
        ),
        pytest.param(
            Budget(None, burst_s=0, schedule=((5.0, 1.0),)),
            [(4.9, 1000, True), (5, 1, True), (5, 1, False)],
            id="a limit that comes later",
        ),
    ],
)
def test_writes_are_admitted_while_the_bucket_holds_them(
    budget: Budget, story: list[tuple[float, float, bool]]
) -> None:
    told = [(now_s, units, budget.admit(units, now_s)) for now_s, units, _ in story]
    assert told == story


def test_a_read_is_admitted_while_the_bucket_is_positive_and_may_leave_a_debt() -> None:
    budget = strict(10)
    assert budget.is_positive(0)
    budget.take(128.5, 0)
    assert not budget.is_positive(11.8)
    assert budget.is_positive(11.9)


def test_a_new_rate_counts_from_the_moment_it_is_set() -> None:
    budget = strict(10)
    assert budget.admit(10, 0)
    budget.set_rate(100, "provisioned", 0.5)
    assert budget.tokens == 5
    assert budget.admit(55, 1.0)
    assert not budget.admit(1, 1.0)


def test_the_log_has_a_step_for_each_tenth_of_a_second_with_consumption() -> None:
    budget = Budget(None)
    for now_s, units in [(0, 1), (0.05, 2), (0.1, 4), (0.3, 8), (0.39, 16), (12.7, 0.5)]:
        budget.take(units, now_s)
    assert budget.history() == [(0.0, 3), (0.1, 4), (0.3, 24), (12.7, 0.5)]


asks = st.lists(st.tuples(st.floats(0, 3), st.floats(0, 30)), max_size=60)


@given(asks, st.floats(0.5, 50), st.floats(0, 5))
def test_never_more_is_admitted_than_burst_and_refill_allow(
    asks: list[tuple[float, float]], rate: float, burst_s: float
) -> None:
    budget = Budget(rate, burst_s=burst_s)
    now_s = admitted = 0.0
    for wait_s, units in asks:
        now_s += wait_s
        units = min(units, budget.ceiling)
        admitted += units * budget.admit(units, now_s)
    assert admitted <= (budget.ceiling + rate * now_s) * (1 + 1e-9)
    assert sum(units for _, units in budget.history()) == pytest.approx(admitted)


def provisioned(wcu: float, rcu: float, index_wcu: float = 100, **settings: object) -> TableThroughput:
    throughput = TableThroughput(ThroughputSettings(**(STRICT | settings)), 0)  # type: ignore[arg-type]
    throughput.table.write.set_rate(wcu, "provisioned", 0)
    throughput.table.read.set_rate(rcu, "provisioned", 0)
    throughput.add_index("byDay", 0).write.set_rate(index_wcu, "provisioned", 0)
    return throughput


def test_a_write_is_charged_to_all_its_budgets_or_to_none() -> None:
    throughput = provisioned(wcu=10, rcu=10, index_wcu=3)
    assert throughput.admit_write(2, {"byDay": 2}, None, 0) is None
    refusal = throughput.admit_write(2, {"byDay": 2}, None, 0)
    assert refusal is not None
    assert (refusal.reason, refusal.index) == ("IndexWriteProvisionedThroughputExceeded", "byDay")
    assert throughput.table.write.tokens == 8
    assert throughput.admit_write(8, {}, None, 0) is None
    assert dict(throughput.refusals) == {"IndexWriteProvisionedThroughputExceeded": 1}


def test_a_hot_partition_is_short_while_the_table_is_not() -> None:
    throughput = provisioned(wcu=4000, rcu=10, partitions=2)
    assert throughput.admit_write(1000, {}, 0, 0) is None
    refusal = throughput.admit_write(1, {}, 0, 0)
    assert refusal is not None
    assert refusal.reason == "TableWriteKeyRangeThroughputExceeded"
    assert throughput.admit_write(1000, {}, 1, 0) is None
    assert throughput.admit_write(500, {}, 0, 0.5) is None


def test_reads_of_an_index_are_charged_to_the_index() -> None:
    throughput = provisioned(wcu=1, rcu=1)
    throughput.indexes["byDay"].read.set_rate(1, "provisioned", 0)
    assert throughput.admit_read("byDay", None, 0) is None
    throughput.charge_read("byDay", 5, None, 0)
    refusal = throughput.admit_read("byDay", None, 0)
    assert refusal is not None
    assert refusal.reason == "IndexReadProvisionedThroughputExceeded"
    assert throughput.admit_read("", None, 0) is None
    assert throughput.table.read.history() == []


def test_a_partition_limits_reads_too() -> None:
    throughput = provisioned(wcu=1, rcu=10_000, partitions=1, partition_rcu=100)
    throughput.charge_read("", 128, 0, 0)
    refusal = throughput.admit_read("", 0, 0)
    assert refusal is not None
    assert refusal.reason == "TableReadKeyRangeThroughputExceeded"
    assert throughput.admit_read("", 0, 0.3) is None


def test_the_limit_of_an_on_demand_table_has_a_reason_of_its_own() -> None:
    throughput = TableThroughput(ThroughputSettings(burst_s=0), 0)
    throughput.table.write.set_rate(1, "on-demand", 0)
    assert throughput.admit_plain_write(1, 0) is None
    refusal = throughput.admit_plain_write(1, 0)
    assert refusal is not None
    assert refusal.reason == "TableWriteMaxOnDemandThroughputExceeded"
