"""Verbs by workers of a hub that were made for processes: revert, verify, and a job that processes began."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.cluster.engine import HubEngine, HubSettings
from ddbio.cluster.on_spark import SparkEngine, SparkSettings
from ddbio.cluster.seat import seat
from ddbio.engines.inline import InlineEngine
from ddbio.engines.pool import ProcessEngine
from ddbio.errors import EXIT_OK, EXIT_REJECTED, UsageError
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Caller
from ddbio.messages import Tally
from ddbio.simulator import FaultPlan, Simulator
from ddbio.system.stop import StopFlag
from ddbio.verbs.count_items import Count
from ddbio.verbs.import_table import Import
from ddbio.verbs.options import CountOptions, ExportOptions, ImportOptions, RevertOptions, VerifyOptions
from ddbio.verbs.revert import Revert
from ddbio.verbs.verify_export import Verify
from tests.support.items import contents, plain_items, write_items
from tests.support.native_exports import change, write_export
from tests.support.seats import TOKEN, SeatedEngine, threads
from tests.support.transfers import export_table

pytestmark = pytest.mark.fuller
ITEMS = 600


class Shown(QuietProgress):
    """Keeps the sentences; `at` is called with the tally of the run."""

    def __init__(self, at: Any = lambda tally: None) -> None:
        self.said: list[str] = []
        self._at = at

    def say(self, text: str) -> None:
        self.said.append(text)

    def update(self, amount: float, tally: Tally) -> None:
        self._at(tally)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def common(simulator: Simulator, tmp_path: Path) -> dict[str, Any]:
    simulator.create_table("Orders", "id:S")
    aws = AwsSettings(endpoint_url=simulator.url)
    return {"table": "Orders", "aws": aws, "lanes": 2, "state_dir": str(tmp_path / "state")}


def test_changes_are_undone(simulator: Simulator, common: dict[str, Any], tmp_path: Path) -> None:
    old = [item | {"n": {"N": str(number)}} for number, item in enumerate(plain_items(ITEMS))]
    new = [item | {"n": {"N": "-1"}} for item in old]
    changes = [change({"id": each["id"]}, each, before) for each, before in zip(new, old, strict=True)]
    write_export(tmp_path, "01", [changes[start::4] for start in range(4)], incremental=True)
    again = [new[0] | {"n": {"N": "-2"}}]
    table = simulator.table("Orders")
    table.put_items([*again, *new[1:]])
    shown = Shown()
    options = RevertOptions(**common, sources=(str(tmp_path / "exports"),))
    result = Revert(options).perform(Caller(shown, engine=SeatedEngine(2)))
    assert result.error is None
    assert (result.tally.read, result.tally.written, result.tally.skipped) == (ITEMS, ITEMS - 1, 1)
    assert contents(table.items()) == contents([*again, *old[1:]])
    assert "in us-east-1 with 2 workers" in shown.said[0]


def test_a_table_is_verified_against_its_export(simulator: Simulator, common: dict[str, Any], tmp_path: Path) -> None:
    """Three jobs at the same workers, which are named once."""
    table = simulator.table("Orders")
    table.put_items(plain_items(ITEMS))
    export = str(tmp_path / "out")
    assert export_table(ExportOptions(**common, destination=export, segments=4), engine=InlineEngine()).error is None
    asked = VerifyOptions(**{**common, "table": export}, to="Orders", to_aws=common["aws"])

    def verified() -> tuple[int, list[str]]:
        shown = Shown()
        settings = HubSettings(TOKEN, expected=2, silence_s=1.0, shares_disk=True)
        with ExitStack() as stack, HubEngine(settings) as engine:
            stack.enter_context(threads(engine.address[1], 2))
            result = Verify(asked).perform(Caller(shown, engine=engine))
        assert result.error is None
        return result.exit_code, [each for each in shown.said if "has joined" in each]

    code, joined = verified()
    assert (code, len(joined)) == (EXIT_OK, 2)
    table.put_items([plain_items(1)[0] | {"n": {"N": "-1"}}])
    assert verified()[0] == EXIT_REJECTED


def test_without_a_shared_disk_a_comparison_reads_nothing(
    simulator: Simulator, common: dict[str, Any], tmp_path: Path
) -> None:
    table = simulator.table("Orders")
    table.put_items(plain_items(3))
    export = str(tmp_path / "out")
    assert export_table(ExportOptions(**common, destination=export), engine=InlineEngine()).error is None
    before = simulator.requests()
    asked = VerifyOptions(**{**common, "table": export}, to="Orders", to_aws=common["aws"])
    with pytest.raises(UsageError, match="--shared-filesystem"):
        Verify(asked).perform(Caller(engine=HubEngine(HubSettings(TOKEN))))
    assert simulator.requests() == before


class ConnectSession:
    """As much of a session of Spark Connect as seats need: without a SparkContext, without a JVM."""

    __module__ = "pyspark.sql.connect.session"

    def __init__(self) -> None:
        self.tags: list[str] = []
        self._tasks = 0
        self._work: Any = None

    def addTag(self, tag: str) -> None:
        self.tags.append(tag)

    def interruptTag(self, tag: str) -> None:
        raise AssertionError("its tasks end by themselves")

    def range(self, start: int, end: int, step: int, partitions: int) -> ConnectSession:
        self._tasks = partitions
        return self

    def mapInArrow(self, work: Any, schema: str) -> ConnectSession:
        self._work = work
        return self

    def collect(self) -> list[Any]:
        with ThreadPoolExecutor(self._tasks) as threads:
            return list(threads.map(lambda number: list(self._work(iter(()))), range(self._tasks)))


def test_the_tasks_of_a_session_without_a_context_work(simulator: Simulator, common: dict[str, Any]) -> None:
    simulator.table("Orders").put_items(plain_items(ITEMS))
    session, shown = ConnectSession(), Shown()
    engine = SparkEngine(session, SparkSettings(slots=2, address="127.0.0.1"))
    result = Count(CountOptions(**common, segments=4)).perform(Caller(shown, engine))
    assert result.error is None and result.tally.counted == ITEMS
    assert len(session.tags) == 1 and "in 4 segments with 2 tasks" in shown.said[0]


def at_first_write(stop: StopFlag) -> Callable[[Tally], None]:
    def look(tally: Tally) -> None:
        if tally.written and not stop.requests:
            stop.ask()

    return look


def test_workers_hear_that_their_driver_was_stopped(
    simulator: Simulator, common: dict[str, Any], tmp_path: Path
) -> None:
    write_items(tmp_path / "in.json", plain_items(4 * ITEMS))
    simulator.faults = FaultPlan(latency_s=0.02)
    options, stop = ImportOptions(**common, sources=(str(tmp_path / "in.json"),)), StopFlag()
    with ThreadPoolExecutor(1) as threads:
        with HubEngine(HubSettings(TOKEN, silence_s=1.0, shares_disk=True)) as engine:
            worker = threads.submit(seat, engine.address, TOKEN)
            begun = Import(options).perform(Caller(Shown(at_first_write(stop)), engine, stop))
        assert worker.result().reason == "the driver was stopped"
    assert begun.error is not None
    assert begun.tally.written == simulator.table("Orders").consumed("write") < 4 * ITEMS


def test_a_job_that_processes_began_is_finished_by_workers(
    simulator: Simulator, common: dict[str, Any], tmp_path: Path
) -> None:
    items = plain_items(4 * ITEMS, padding=100)
    write_items(tmp_path / "in.json", items)
    simulator.faults = FaultPlan(latency_s=0.02)
    options = ImportOptions(**common, sources=(str(tmp_path / "in.json"),))
    stop = StopFlag()
    begun = Import(options).perform(Caller(Shown(at_first_write(stop)), ProcessEngine(2), stop))
    assert begun.error is not None and 0 < begun.tally.written < len(items)
    shown = Shown()
    done = Import(options).perform(Caller(shown, SeatedEngine(2)))
    assert done.error is None and any(each.startswith("Resuming: ") for each in shown.said)
    assert (done.tally.read, done.tally.written) == (len(items), len(items))
    assert simulator.table("Orders").consumed("write") == len(items)
    assert contents(simulator.table("Orders").items()) == contents(items)
