"""`ddbio diff` while the tables are written, and after the machine was restarted. In this process, to choose the
instants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Caller
from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import NO_FAULT, Fault
from ddbio.system import machine
from ddbio.system.stop import StopFlag
from ddbio.verbs.diff import Diff, DiffResult
from ddbio.verbs.options import DiffOptions
from tests.endpoints import REGION
from tests.support.items import Item, plain_items

pytestmark = pytest.mark.fuller

ITEMS = 600
DIFFERENT = range(0, 50, 10)  # of the items; nothing else ever differs


class Said(QuietProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class At(FaultPlan):
    """Calls `happens` with the number of the request of an operation, before it is answered."""

    def __init__(self, happens: Callable[[str, int], object]) -> None:
        super().__init__()
        self._happens = happens
        self.requests: dict[str, int] = {}

    def next_fault(self, operation: str) -> Fault:
        self.requests[operation] = number = self.requests.get(operation, 0) + 1
        self._happens(operation, number)
        return NO_FAULT


@pytest.fixture(autouse=True)
def tables(simulator: Simulator) -> None:
    items = plain_items(ITEMS)
    second = [{**item, "n": {"N": "-1"}} if number in DIFFERENT else item for number, item in enumerate(items)]
    for name, these in (("First", items), ("Second", second)):
        simulator.create_table(name, "id:S").put_items(these)


def diff(simulator: Simulator, folder: Path, said: Said, stop: StopFlag | None = None) -> DiffResult:
    aws = AwsSettings(region=REGION, endpoint_url=simulator.url)
    options = DiffOptions(
        table="First", to="Second", aws=aws, to_aws=aws, state_dir=str(folder), segments=10, lanes=1, processes=1
    )
    return Diff(options).perform(Caller(said, InlineEngine(), stop))


def test_traffic_on_both_tables_makes_no_difference(simulator: Simulator, tmp_path: Path) -> None:
    """Between and during the scans, and while differences are read again, except between the two reads of an item."""
    written: set[str] = set()

    def write(operation: str, number: int) -> None:
        if operation == "BatchGetItem" and number % 2 == 0:
            return  # the second of the two reads
        numbers = [*range(51 + number % 7, ITEMS, 7), *range(ITEMS + 10 * number, ITEMS + 10 * number + 5)]
        items: list[Item] = [
            {**plain_items(1, first=each)[0], "by": {"S": f"{operation} {number}"}} for each in numbers
        ]
        for name in ("First", "Second"):
            table: Any = simulator.service.database.table(name)
            for item in items:
                table.load(table.prepare_put(item, table.schema.keys.key_of_put(item)))
        written.add(operation)

    simulator.faults = At(write)
    result = diff(simulator, tmp_path / "state", Said())
    assert result.error is None
    assert written >= {"Scan", "BatchGetItem"}
    assert result.suspects > 300
    assert (result.differences, result.tally.changed) == (len(DIFFERENT), len(DIFFERENT))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_scan_is_resumed_only_if_the_machine_was_not_restarted(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    """What was written but not synced is lost with the machine; a finished side was synced."""
    boot = tmp_path / "boot_id"
    boot.write_text("one")
    monkeypatch.setattr(machine, "_BOOT", boot)
    stop, said = StopFlag(), Said()

    def ask(operation: str, number: int) -> None:
        if (operation, number) == ("Scan", 15):
            stop.ask()
            scans.latency_s = 0.5  # so that it is heard

    simulator.faults = scans = At(ask)
    first = diff(simulator, tmp_path / "state", said, stop)
    assert first.error is not None
    assert 15 <= scans.requests["Scan"] < 20
    (spill,) = (tmp_path / "state").rglob("spill")
    assert any(map(Path.is_file, (spill / "second").rglob("*")))
    if restarted:
        boot.write_text("two")
        for path in filter(Path.is_file, (spill / "second").rglob("*")):
            path.unlink()
    again = Said()
    simulator.faults = scans = At(lambda operation, number: None)
    result = diff(simulator, tmp_path / "state", again)
    assert not any(line.startswith("Reading the first side") for line in again.lines)
    assert any(line.startswith("Resuming") for line in again.lines) is not restarted
    assert (scans.requests["Scan"] == 10) is restarted
    assert (result.error, result.differences, result.items) == (None, len(DIFFERENT), (ITEMS, ITEMS))
