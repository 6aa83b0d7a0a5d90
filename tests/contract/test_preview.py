"""A preview of each verb says what the verb would read, write and need, and makes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.forecast.forecast import Amount
from ddbio.forecast.preview import Preview
from ddbio.job.run import Caller
from ddbio.job.spine import preview
from ddbio.simulator import Simulator
from ddbio.verbs.copy_table import Copy
from ddbio.verbs.count_items import Count
from ddbio.verbs.delete_items import Delete
from ddbio.verbs.export_table import Export
from ddbio.verbs.import_table import Import
from ddbio.verbs.options import CopyOptions, CountOptions, DeleteOptions, ExportOptions, ImportOptions
from tests.support.transfers import export_table


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with Simulator() as running:
        running.create_table("Orders", "id:S").put_items({"id": {"S": str(number)}} for number in range(100))
        yield running


def settings(simulator: Simulator) -> AwsSettings:
    return AwsSettings(endpoint_url=simulator.url)


def made(folder: Path) -> set[str]:
    """Everything below the folder."""
    return {path.name for path in folder.rglob("*")}


def assert_nothing_moved(simulator: Simulator, plan: Preview) -> None:
    """Beyond the sample that the plan says it has read."""
    table = simulator.table("Orders")
    assert (table.consumed("read"), table.consumed("write")) == (plan.forecast.planning_units, 0)
    assert table.item_count() == 100


def test_of_a_count(simulator: Simulator, tmp_path: Path) -> None:
    options = CountOptions(
        table="Orders", aws=settings(simulator), state_dir="state", segments=3, processes=1, capacity="50"
    )
    plan = preview(Count(options), Caller())
    assert plan.sentences == (
        "Counting the items of table Orders in us-east-1 in 3 segments with 1 process",
        "Cap: 50 RCU (-c)",
    )
    assert [demand.items for demand in plan.forecast.demands] == [Amount.exact(100)]
    assert made(tmp_path) == set()
    assert_nothing_moved(simulator, plan)


def test_of_an_export_and_of_the_same_one_when_it_is_there(simulator: Simulator, tmp_path: Path) -> None:
    options = ExportOptions(
        table="Orders", destination="out", aws=settings(simulator), state_dir="state", segments=2, processes=1
    )
    first = preview(Export(options), Caller())
    assert first.sentences[0] == "Exporting table Orders in us-east-1 to out in 2 segments with 1 process"
    assert made(tmp_path) == set()
    assert not (tmp_path / "out").exists()
    assert_nothing_moved(simulator, first)
    assert export_table(options).error is None, "and nothing is in its way"
    deleting = DeleteOptions(table="Orders", aws=settings(simulator), all_items=True, backup="out", state_dir="state")
    for story in (Export(options), Delete(deleting)):
        with pytest.raises(UsageError, match="is not empty"):
            story.preview(Caller())
    preview(Export(replace(options, if_exists="overwrite")), Caller())
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.txt, which no manifest there lists"):
        preview(Export(replace(options, if_exists="overwrite")), Caller())
    with pytest.raises(UsageError, match="is not a report"):
        preview(Export(replace(options, destination="new", report="out/mine.txt")), Caller())


def test_of_an_import_into_a_table_that_is_to_be_made(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"id": "a"}) + "\n")
    options = ImportOptions(
        table="New",
        sources=("in.json",),
        create_table=True,
        key="id:S",
        aws=settings(simulator),
        state_dir="state",
        processes=1,
    )
    first = preview(Import(options), Caller())
    assert first.sentences[0].startswith("Making table New, on-demand, key id:S")
    assert first.sentences[1] == "Importing 1 file (12 bytes) into table New in us-east-1 with 1 process"
    assert made(tmp_path) == {"in.json"}
    assert simulator.table_names() == ["Orders"]


def test_of_a_table_with_a_hot_key(simulator: Simulator) -> None:
    """A table of this size is read whole, so the share is that of the table."""
    table = simulator.create_table("Events", "who:S", "at:N")
    table.put_items({"who": {"S": "one"}, "at": {"N": str(number)}} for number in range(600))
    table.put_items({"who": {"S": f"u{number}"}, "at": {"N": "1"}} for number in range(200))
    simulator.create_table("Copy", "who:S", "at:N")
    common: dict[str, Any] = {"table": "Events", "aws": settings(simulator), "state_dir": "state", "processes": 1}
    copying = CopyOptions(**common, to="Copy", to_aws=settings(simulator), to_capacity="3000")
    deleting = DeleteOptions(**common, all_items=True, write_capacity="3000")
    for story in (Copy(copying), Delete(deleting)):
        (warning,) = [each for each in story.preview(Caller()).forecast.warnings if "Partition key" in each]
        assert "'one' has 75% of the write units: at the cap it needs 2,250 WCU" in warning
    slower = Delete(replace(deleting, write_capacity="1000")).preview(Caller())
    assert "Partition key" not in " ".join(slower.forecast.warnings)
