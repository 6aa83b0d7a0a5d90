"""Credentials: only the parent asks for them, hands newer ones on before the old ones end, and says so when there are
none.

In one predecessor every process asked the metadata service for itself; on long runs "some failed to renew them".
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import Run, Start, assert_holds, with_slack
from tests.support.items import Item, contents, plain_items, read_items, write_items
from tests.support.provider import ADVISORY_S, MANDATORY_S, Provider, providing

pytestmark = pytest.mark.fuller

Environment = dict[str, str]

HOUR_S = 3600.0
SHORT_S = MANDATORY_S + 120.0  # in the window in which botocore asks for newer keys each time it is asked
BARELY_S = MANDATORY_S - 60.0  # as short, and a failure to get newer ones is an error


@pytest.fixture
def provider(environment: Environment) -> Iterator[Provider]:
    """Keys for an hour, and nowhere else any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.pop(name)
    with providing(HOUR_S) as running:
        yield running


def test_the_provider_is_asked_as_often_for_16_workers_as_for_one(
    run_import: Run, simulator: Simulator, environment: Environment, provider: Provider, tmp_path: Path
) -> None:
    environment.update(provider.container())
    simulator.create_table("Orders", "id:S")
    items = plain_items(1100, padding=950)
    write_items(tmp_path / "orders.json", items)
    for processes in (1, 16):
        provider.issued.clear()
        done = run_import("-t", "Orders", "-s", "orders.json", "-p", processes, "--lanes", 1)
        assert (done.code, done.counts["written"]) == (0, 1100), done.err
        assert f"with {processes} process" in done.err
        assert provider.issued == ["ASIA000000000000"]
    assert_holds(simulator, "Orders", items)
    assert set(simulator.service.access_keys) == {"ASIA000000000000"}


def slow(simulator: Simulator, latency_s: float = 0.1) -> None:
    """40 requests of one lane are 4 seconds."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=latency_s)


ONE_LANE = ("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 1)


def test_newer_keys_are_handed_on_before_the_old_ones_end(
    run_import: Run, simulator: Simulator, orders: list[Item], environment: Environment, provider: Provider
) -> None:
    """With these lifetimes there are new ones every second; each ends when the one after the next is given."""
    environment.update(provider.container())
    provider.lifetime_s = SHORT_S
    provider.on_issue = lambda _: simulator.service.expired_keys.update(provider.issued[:-2])
    slow(simulator, 0.09)
    done = run_import(*ONE_LANE)
    assert (done.code, done.counts["written"]) == (0, 1000), done.err
    assert_holds(simulator, "Orders", orders)
    assert len(simulator.service.access_keys) >= 3
    assert "retries" not in done.counts
    assert len(provider.issued) <= done.seconds + 6, "a few at the start, and one a second"


def test_a_provider_that_fails_before_the_keys_end_harms_nobody(
    start_import: Start,
    simulator: Simulator,
    orders: list[Item],
    environment: Environment,
    provider: Provider,
) -> None:
    environment.update(provider.container())
    provider.lifetime_s = SHORT_S
    slow(simulator, 0.05)
    with start_import(*ONE_LANE) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 100)
        provider.failing = True
        done = command.wait()
    assert (done.code, done.counts["written"], "retries" in done.counts) == (0, 1000, False), done.err
    assert provider.refused > 0
    assert done.seconds < with_slack(15), "the work waited for the provider"
    assert_holds(simulator, "Orders", orders)


def end_keys(simulator: Simulator, *more: str) -> None:
    simulator.service.expired_keys.update([*simulator.service.access_keys, *more])


def test_keys_that_end_while_the_provider_fails_are_waited_for(
    start_import: Start, simulator: Simulator, orders: list[Item], environment: Environment, provider: Provider
) -> None:
    environment.update(provider.container())
    provider.lifetime_s = BARELY_S
    slow(simulator, 0.03)
    with start_import(*ONE_LANE) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 200)
        provider.failing = True
        end_keys(simulator, *provider.issued)
        time.sleep(1.5)
        in_table = simulator.table("Orders").item_count()
        provider.failing = False
        done = command.wait()
    assert in_table < 1000
    assert (done.code, done.counts["written"], done.counts["retries"] > 0) == (0, 1000, True), done.err
    assert_holds(simulator, "Orders", orders)


def test_keys_that_end_and_are_not_renewed_end_the_run(
    start_import: Start, simulator: Simulator, orders: list[Item], environment: Environment, provider: Provider
) -> None:
    environment.update(provider.container())
    provider.lifetime_s = BARELY_S
    slow(simulator, 0.03)
    with start_import(*ONE_LANE, "--give-up-after", 6) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 200)
        provider.failing = True
        end_keys(simulator, *provider.issued)
        done = command.wait()
    done.assert_error(
        3, "no request succeeded for 6 s", "ExpiredTokenException", "could not be renewed", "renew the credentials"
    )
    assert done.err.count("The AWS keys could not be renewed: ") == 1
    assert 200 <= done.counts["read"] == done.counts["written"] <= simulator.table("Orders").item_count() < 1000


def test_keys_of_the_environment_that_end_are_not_waited_for(
    start_import: Start, start_export: Start, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """Nobody can renew them."""
    slow(simulator, 0.03)
    with start_import(*ONE_LANE) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 200)
        end_keys(simulator)
        done = command.wait(10)
    done.assert_error(3, "ExpiredTokenException", "renew the credentials and run the same command again")
    assert 200 <= done.counts["read"] == done.counts["written"] <= simulator.table("Orders").item_count() < 1000

    simulator.service.expired_keys.clear()
    simulator.faults = FaultPlan(latency_s=0.3)
    with start_export("-t", "Orders", "-d", "out", "--segments", 20, "--lanes", 1, "-p", 1) as command:
        command.until(lambda: simulator.requests().get("Scan", 0) >= 3)
        end_keys(simulator)
        done = command.wait(10)
    done.assert_error(3, "ExpiredTokenException", "renew the credentials")
    assert "_manifest.json" not in [path.name for path in (tmp_path / "out").iterdir()]


def test_an_export_with_the_keys_of_an_instance(
    run_export: Run, simulator: Simulator, environment: Environment, provider: Provider, tmp_path: Path
) -> None:
    environment.update(provider.instance())
    provider.lifetime_s = ADVISORY_S - 60.0
    simulator.create_table("Orders", "id:S").put_items(plain_items(100))
    simulator.faults = FaultPlan(latency_s=0.1)
    done = run_export("-t", "Orders", "-d", "out", "-p", 2, "--lanes", 1, "--segments", 20)
    assert done.code == 0, done.err
    assert contents(read_items(tmp_path / "out")) == contents(plain_items(100))
    assert len(provider.issued) <= done.seconds + 6
