"""A run at this moment: units at work, the slowest of them, rejects by code; and its last values after the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ddbio.job.live import Budget, LiveRun
from ddbio.messages import Reject, Tally, UnitBegun, UnitReport
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram, LocalLatencies
from ddbio.system.clock import ManualClock


class Engine:
    """A running engine whose memory goes away."""

    def __init__(self) -> None:
        self.rates = [BudgetRates(10.0, 5.0, 4.0), BudgetRates(3.0, 3.0, 1.0)]
        self.board = LocalLatencies()
        self.workers = 2
        self.gone = False

    def budgets(self, role: str) -> list[BudgetRates]:
        assert role == "target" and not self.gone
        return self.rates

    def latencies(self, role: str) -> Histogram:
        assert role == "target" and not self.gone
        return self.board.histogram()


SIDE: Any = SimpleNamespace(
    role="target",
    table=SimpleNamespace(name="Orders"),
    cap=SimpleNamespace(kind="WCU"),
    index_caps={"byDate": 3.0},
)


def live_run(engine: Engine, clock: ManualClock) -> LiveRun:
    running: Any = engine
    return LiveRun([SIDE], running, clock)


def read(unit: int, items: int, *, done: bool = False) -> UnitReport:
    return UnitReport(unit, None, Tally(read=items), done=done)


def test_the_slowest_unit_is_the_one_with_the_fewest_items_per_second() -> None:
    clock = ManualClock()
    live = live_run(Engine(), clock)
    for number in range(3):
        live.begun(UnitBegun(number, f"segment {number}"))
        clock.now_s += 2.0
    assert live.connections == 3
    live.reported(read(0, 60))
    live.reported(read(1, 4))
    live.reported(read(2, 100))
    slowest = live.slowest()
    assert slowest is not None and (slowest.place, slowest.items, slowest.seconds) == ("segment 1", 4, 4.0)
    live.reported(read(1, 1, done=True))
    assert live.slowest().place == "segment 0"  # type: ignore[union-attr]
    live.reported(UnitReport(0, None, Tally(), error=KeyError()))  # type: ignore[arg-type]
    assert (live.connections, live.slowest()) == (1, None)  # a single one is not compared


def test_a_unit_that_begins_anew_has_no_speed_yet() -> None:
    clock = ManualClock()
    live = live_run(Engine(), clock)
    live.begun(UnitBegun(0, "a"))
    live.begun(UnitBegun(1, "b"))
    clock.now_s += 10.0
    live.begun(UnitBegun(0, "a"))  # after the death of its worker
    assert live.slowest() is None


def test_rejects_by_code() -> None:
    live = live_run(Engine(), ManualClock())
    rejects = tuple(Reject("f", 0, 0, 1, code, "", b"") for code in ("too-large", "missing-key", "too-large"))
    live.reported(UnitReport(0, None, Tally(rejected=3), rejects))
    assert live.rejects == {"too-large": 2, "missing-key": 1}


def test_the_last_values_stay_after_the_engine() -> None:
    engine = Engine()
    live = live_run(engine, ManualClock())
    expected = (
        Budget("target", "Orders", "", "WCU", BudgetRates(10.0, 5.0, 4.0)),
        Budget("target", "Orders", "byDate", "WCU", BudgetRates(3.0, 3.0, 1.0)),
    )
    assert live.budgets() == expected
    engine.board.of_worker(0).add(0.5)
    live.begun(UnitBegun(0, "a"))
    live.close()
    engine.gone = True
    assert live.budgets() == expected and live.latencies()["target"].count == 1 and live.connections == 0
