"""The metrics of a run for Prometheus, on a port of the loopback interface. The extra `metrics` has the library.

Values are read when they are asked for, so that metrics cost nothing otherwise. Counters are those of this command:
of a verb of several jobs in a row, the sum of these. docs/operations.md lists the metrics; their names are stable.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ddbio.dynamodb.throttling import is_throttling
from ddbio.errors import UsageError
from ddbio.flow.context import TARGET
from ddbio.job.live import Budget, LiveRun
from ddbio.job.progress import QuietProgress
from ddbio.messages import Tally
from ddbio.messages.counts import OF_RECORDS
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import BOUNDS_S, Histogram
from ddbio.version import __version__

if TYPE_CHECKING:
    from prometheus_client.metrics_core import HistogramMetricFamily, Metric

Values = dict[tuple[str, ...], float]  # by the values of the labels
LOOPBACK = "127.0.0.1"
_BUDGET = ("role", "table", "index", "kind")


class Metrics(QuietProgress):
    """Collects the metrics of a command; one of its displays, and a collector of `prometheus_client`.

    command: its name, for a label.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._lock = threading.Lock()  # a scrape must not see a job between two states
        self._past = _Sums()  # of the jobs before the present one
        self._tally = Tally()
        self._live: LiveRun | None = None
        self._unit, self._done, self._total = "", 0.0, 0.0

    # -- as a `Progress`

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        with self._lock:
            self._past = self._sums()
            self._tally, self._live = Tally(), None
            self._unit, self._done, self._total = unit, done, total

    def watch(self, live: LiveRun) -> None:
        self._live = live

    def update(self, amount: float, tally: Tally) -> None:
        self._done += amount
        self._tally = tally

    # -- as a collector

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            sums, live = self._sums(), self._live
        budgets = live.budgets() if live else ()
        yield from self._about_run(live)
        yield from _counts(sums.tally)
        yield from _by_cause(sums)
        yield _counter("capacity_units", "Capacity units consumed", sums.units, ("role", "table", "kind"))
        yield from _rates(budgets)
        yield _latencies(sums.latencies)

    def _sums(self) -> _Sums:
        sums = self._past.copy()
        tally = self._tally
        sums.add(replace(tally, reasons=dict(tally.reasons)), self._live)  # at once: the parent changes it meanwhile
        return sums

    def _about_run(self, live: LiveRun | None) -> Iterator[Metric]:
        yield _gauge(
            "run_info", "The command and its version", {(self._command, __version__): 1.0}, ("command", "version")
        )
        of_unit = ("unit",)
        yield _gauge("work_done", "Work of the present job that is done", {(self._unit,): self._done}, of_unit)
        yield _gauge("work_expected", "All of it; 0 if unknown", {(self._unit,): self._total}, of_unit)
        yield _gauge("workers", "Workers", {(): float(live.workers if live else 0)})
        yield _gauge("connections", "Connections at work", {(): float(live.connections if live else 0)})


class _Sums:
    """units: by role, table and kind. latencies: by role and table. rejects: by code."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.units: Values = {}
        self.rejects: Counter[str] = Counter()
        self.latencies: dict[tuple[str, ...], Histogram] = {}

    def copy(self) -> _Sums:
        other = _Sums()
        other.tally = self.tally.copy()
        other.units, other.rejects, other.latencies = dict(self.units), Counter(self.rejects), dict(self.latencies)
        return other

    def add(self, tally: Tally, live: LiveRun | None) -> None:
        """Add what a job did."""
        self.tally.add(tally)
        if live is None:
            return
        self.rejects.update(dict(live.rejects))
        tables = [budget for budget in live.budgets() if not budget.index]
        latencies = live.latencies()
        for table in tables:
            of_target = table.role == TARGET
            of_two = tally.target_units if of_target else tally.units - tally.target_units
            units = tally.units if len(tables) == 1 else of_two
            name = (table.role, table.table)
            key = (*name, table.kind)
            self.units[key] = self.units.get(key, 0.0) + units
            self.latencies[name] = self.latencies.get(name, Histogram()).plus(latencies[table.role])


def _counts(tally: Tally) -> Iterator[Metric]:
    items: Values = {(name,): float(getattr(tally, name)) for name in OF_RECORDS}
    yield _counter("items", "Records and items, by count (docs/reliability.md)", items, ("count",))
    for name, number, text in (
        ("bytes", tally.bytes, "Bytes of source that are settled, bytes of finished files"),
        ("requests", tally.requests, "Requests sent, with those that failed"),
        ("estimated_units", tally.estimated, "Of the capacity units: estimated, not reported by the service"),
        ("throttled", tally.throttled, "Requests refused, and items sent back, for lack of capacity"),
        ("retries", tally.retries, "Requests repeated for another reason"),
    ):
        yield _counter(name, text, {(): float(number)})


def _by_cause(sums: _Sums) -> Iterator[Metric]:
    reasons, of_reason = sums.tally.reasons, ("reason",)
    throttles: Values = {(reason,): float(count) for reason, count in reasons.items() if is_throttling(reason)}
    others: Values = {(reason,): float(count) for reason, count in reasons.items() if not is_throttling(reason)}
    codes: Values = {(code,): float(count) for code, count in sums.rejects.items()}
    yield _counter("throttle_reasons", "How often each cause of throttling was named", throttles, of_reason)
    yield _counter("retry_reasons", "Requests repeated, by cause", others, of_reason)
    yield _counter("rejects", "Rejected records and items, by code", codes, ("code",))


def _rates(budgets: Sequence[Budget]) -> Iterator[Metric]:
    shown: tuple[tuple[str, str, Callable[[BudgetRates], float]], ...] = (
        ("cap", "Capacity units per second that the job may consume; +Inf for no cap", lambda rates: rates.cap),
        ("effective", "The cap in force: lower while the table throttles", lambda rates: rates.in_force),
        ("consumed", "Capacity units per second consumed lately", lambda rates: rates.consumed),
    )
    for name, text, value_of in shown:
        values: Values = {(each.role, each.table, each.index, each.kind): value_of(each.rates) for each in budgets}
        yield _gauge(f"{name}_units_per_second", text, values, _BUDGET)


def _latencies(by_table: Mapping[tuple[str, ...], Histogram]) -> HistogramMetricFamily:
    from prometheus_client.metrics_core import HistogramMetricFamily

    text = "Time from a request to its whole answer"
    family = HistogramMetricFamily("ddbio_request_duration_seconds", text, labels=("role", "table"))
    for labels, histogram in by_table.items():
        buckets, so_far = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), histogram.counts, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        family.add_metric(labels, buckets, histogram.sum_s)
    return family


def _counter(name: str, text: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily

    family = CounterMetricFamily(f"ddbio_{name}", text, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


def _gauge(name: str, text: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(f"ddbio_{name}", text, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


@contextmanager
def served(metrics: Metrics, port: int) -> Iterator[str]:
    """Serve the metrics until the block ends; gives their address. port: 0 for any that is free.

    Raises UsageError if the library is missing or the port is in use.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        needed = "--metrics needs the package prometheus-client, which is not installed"
        raise UsageError(needed, "pip install 'ddbio[metrics]'") from None
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, LOOPBACK, registry)
    except OSError as error:
        raise UsageError(f"cannot serve metrics at port {port}: {error.strerror}", "give another --metrics") from None
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
