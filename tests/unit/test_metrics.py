"""The metrics of a run: what each is, sums over several jobs, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ddbio.errors import UsageError
from ddbio.job.live import Budget
from ddbio.job.metrics import Metrics, served
from ddbio.messages import Tally
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import BOUNDS_S, Histogram, LocalLatencies
from ddbio.version import __version__

DOCS = Path(__file__).parents[2] / "docs"
SOURCE = Budget("source", "Orders", "", "RCU", BudgetRates(50.0, 40.0, 30.0))
TARGET = Budget("target", "Copy", "", "WCU", BudgetRates(float("inf"), 90.0, 80.0))
INDEX = Budget("target", "Copy", "byDate", "WCU", BudgetRates(9.0, 9.0, 1.0))


def live(*budgets: Budget, rejects: dict[str, int] | None = None) -> Any:
    latencies = LocalLatencies()
    for seconds in (0.002, 0.003, 100.0):
        latencies.of_worker(0).add(seconds)
    return SimpleNamespace(
        budgets=lambda: budgets,
        latencies=lambda: {"source": latencies.histogram(), "target": Histogram()},
        rejects=rejects or {},
        workers=2,
        connections=7,
    )


def samples(metrics: Metrics) -> dict[str, float]:
    """By name and labels: `ddbio_items_total{count=read}`."""
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        each.name + "".join(f"{{{name}={value}}}" for name, value in sorted(each.labels.items())): each.value
        for family in families
        for each in family.samples
    }


def copied() -> Metrics:
    """In the middle of a copy."""
    metrics = Metrics("ddbio copy")
    metrics.start(1000.0, "items", 50.0, 100.0)
    metrics.watch(live(SOURCE, TARGET, INDEX, rejects={"too-large": 2}))
    reasons = {"ThrottlingException": 2, "unprocessed items": 3, "timeout": 1}
    tally = Tally(
        read=60, written=58, rejected=2, units=75.0, target_units=58.0, throttled=5, retries=1, reasons=reasons
    )
    metrics.update(60.0, tally)
    return metrics


def test_the_metrics_of_a_job() -> None:
    found = samples(copied())
    assert found[f"ddbio_run_info{{command=ddbio copy}}{{version={__version__}}}"] == 1
    assert (found["ddbio_work_done{unit=items}"], found["ddbio_work_expected{unit=items}"]) == (160, 1000)
    assert [found[f"ddbio_items_total{{count={name}}}"] for name in ("read", "written", "rejected")] == [60, 58, 2]
    assert found["ddbio_capacity_units_total{kind=RCU}{role=source}{table=Orders}"] == 17
    assert found["ddbio_capacity_units_total{kind=WCU}{role=target}{table=Copy}"] == 58
    assert (found["ddbio_throttled_total"], found["ddbio_retries_total"]) == (5, 1)
    causes = {name: value for name, value in found.items() if "reasons_total" in name}
    assert causes == {
        "ddbio_throttle_reasons_total{reason=ThrottlingException}": 2,
        "ddbio_throttle_reasons_total{reason=unprocessed items}": 3,
        "ddbio_retry_reasons_total{reason=timeout}": 1,
    }
    assert found["ddbio_rejects_total{code=too-large}"] == 2
    assert (found["ddbio_workers"], found["ddbio_connections"]) == (2, 7)
    of_index = "{index=byDate}{kind=WCU}{role=target}{table=Copy}"
    of_target = "{index=}{kind=WCU}{role=target}{table=Copy}"
    rates = [found[f"ddbio_{name}_units_per_second{of_target}"] for name in ("cap", "effective", "consumed")]
    assert rates == [float("inf"), 90, 80] and found[f"ddbio_consumed_units_per_second{of_index}"] == 1


def test_the_histogram_of_latencies_is_cumulative() -> None:
    found = samples(copied())
    of_source = "{role=source}{table=Orders}"
    buckets = [
        found[f"ddbio_request_duration_seconds_bucket{{le={each}}}{of_source}"] for each in (*BOUNDS_S, "+Inf")
    ]
    assert buckets == sorted(buckets)
    at = dict(zip((*BOUNDS_S, "+Inf"), buckets, strict=True))
    assert (at[0.0015], at[0.0022], at[0.0033], at[68.0], at["+Inf"]) == (0, 1, 2, 2, 3)
    assert found[f"ddbio_request_duration_seconds_count{of_source}"] == 3
    assert found[f"ddbio_request_duration_seconds_sum{of_source}"] == pytest.approx(100.005)


def test_counters_of_several_jobs_add_up_and_never_fall() -> None:
    metrics = copied()
    metrics.finish()
    before = samples(metrics)
    metrics.start(0.0, "items", 50.0)
    between = samples(metrics)
    metrics.watch(live(SOURCE, rejects={"too-large": 1}))
    metrics.update(5.0, Tally(read=5, units=3.0))
    after = samples(metrics)
    counters = [name for name in before if "_total" in name or "_bucket" in name or "_count" in name]
    assert counters and all(before[name] == between[name] <= after[name] for name in counters)
    assert after["ddbio_items_total{count=read}"] == 65 and after["ddbio_rejects_total{code=too-large}"] == 3
    assert after["ddbio_capacity_units_total{kind=RCU}{role=source}{table=Orders}"] == 20
    assert after["ddbio_request_duration_seconds_count{role=source}{table=Orders}"] == 6
    assert after["ddbio_work_done{unit=items}"] == 5


def test_they_are_served_on_loopback_until_the_end() -> None:
    with served(copied(), 0) as address:
        assert address.startswith("http://127.0.0.1:")
        answer = urllib.request.urlopen(address, timeout=10).read()
        assert b"\nddbio_throttled_total 5.0\n" in answer
        port = int(address.split(":")[2].split("/")[0])
        with pytest.raises(UsageError, match=f"cannot serve metrics at port {port}: Address already in use"):
            served(Metrics("x"), port).__enter__()
    with served(Metrics("x"), port):  # it is free again
        pass


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match=r"needs the package prometheus-client.*pip install 'ddbio\[metrics\]'"):
        served(Metrics("x"), 0).__enter__()


def names() -> set[str]:
    return {name.partition("{")[0] for name in samples(copied())}


def test_each_metric_of_the_dashboard_exists_and_each_is_in_the_docs() -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"ddbio_\w+", target["expr"])
    }
    assert asked and asked <= names()
    documented = set(re.findall(r"`(ddbio_\w+)", (DOCS / "operations.md").read_text()))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names()}
    assert documented == families
