"""What a plan knows of the other ways to do its job, from the options, the tables and their descriptions."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.forecast.alternatives import Task
from ddbio.forecast.forecast import Amount
from ddbio.job.run import Caller
from ddbio.job.spine import Story
from ddbio.simulator import Simulator
from ddbio.verbs.copy_table import Copy
from ddbio.verbs.count_items import Count
from ddbio.verbs.delete_items import Delete
from ddbio.verbs.export_table import Export
from ddbio.verbs.find_items import Find
from ddbio.verbs.import_table import Import
from ddbio.verbs.options import (
    CopyOptions,
    CountOptions,
    DeleteOptions,
    ExportOptions,
    FindOptions,
    ImportOptions,
)
from ddbio.verbs.other_ways import export_task, import_task

US = "us-east-1"


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": US}.items():
        monkeypatch.setenv(name, value)
    with Simulator() as running:
        running.create_table("Orders", "id:S").put_items({"id": {"S": str(number)}} for number in range(100))
        yield running


@pytest.fixture
def shared(simulator: Simulator) -> dict[str, Any]:
    """Options of every verb."""
    return {"table": "Orders", "aws": AwsSettings(endpoint_url=simulator.url), "state_dir": "state", "processes": 1}


def task_of(story: Story[Any]) -> Task | None:
    plan = story.preview(Caller())
    return plan.task and plan.task.with_figures(plan.forecast)


def keep_history(simulator: Simulator) -> None:
    boto3.client("dynamodb", endpoint_url=simulator.url, region_name=US).update_continuous_backups(
        TableName="Orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def test_an_export_of_all_or_a_part(simulator: Simulator, shared: dict[str, Any]) -> None:
    keep_history(simulator)
    options = ExportOptions(destination="out", **shared)
    found = task_of(Export(options))
    size = simulator.table("Orders").size_bytes()
    assert found == Task("export", US, table_bytes=Amount.exact(size), history=True)
    verb = Export(options)
    run = verb.check(Caller())
    assert export_task(replace(options, destination="s3://bucket/x/"), run).to_s3
    for part in ({"filter": "id = :i"}, {"attributes": "id"}, {"limit": 5}, {"sample": 50.0}, {"drop": ("a",)}):
        assert not export_task(replace(options, **part), run).whole, part


def test_an_import_by_its_files_and_its_table(simulator: Simulator, shared: dict[str, Any]) -> None:
    Path("in.csv").write_text("id,x\na,1\n")
    simulator.create_table("ByCity", "id:S", global_indexes={"by-x": ["x:S"]}, wcu=700)
    options = ImportOptions(sources=("in.csv",), **{**shared, "table": "ByCity"})
    found = task_of(Import(options))
    assert found == Task(
        "import", US, file_bytes=Amount.exact(9), file_format="csv", indexes=1, cap_units_per_s=700.0
    )
    new = task_of(Import(replace(options, table="New", create_table=True, key="id:S")))
    assert new is not None and new.creates_table
    changed = task_of(Import(replace(options, assign=("y=1",))))
    assert changed is not None and not changed.whole
    assert task_of(Import(replace(options, mode="delete"))) is None
    verb = Import(options)
    run = verb.check(Caller())
    sources = verb.sources_of(run.session)
    sources.detect(run.table)
    from_s3 = import_task(replace(options, sources=("s3://b/k",)), run, sources, creates_table=False)
    assert from_s3 is not None and from_s3.from_s3


def test_the_size_of_compressed_files_is_unknown(shared: dict[str, Any]) -> None:
    Path("in.json.gz").write_bytes(gzip.compress(json.dumps({"id": "a"}).encode()))
    found = task_of(Import(ImportOptions(sources=("in.json.gz",), **shared)))
    assert found is not None and (found.file_bytes, found.file_format) == (None, "json")


def test_a_copy_into_a_new_table_here_or_in_another_region(simulator: Simulator, shared: dict[str, Any]) -> None:
    options = CopyOptions(to="Copy", to_aws=shared["aws"], create_table=True, **shared)
    found = task_of(Copy(options))
    assert found is not None
    assert (found.creates_table, found.same_place, found.whole, found.history) == (True, True, True, False)
    away = task_of(Copy(replace(options, to_aws=AwsSettings(region="eu-west-1", endpoint_url=simulator.url))))
    assert away is not None and not away.same_place
    new_only = task_of(Copy(replace(options, mode="insert")))
    assert new_only is not None and not new_only.whole


def test_the_other_verbs(simulator: Simulator, shared: dict[str, Any]) -> None:
    size = Amount.exact(simulator.table("Orders").size_bytes())
    filtered = {"filter": "id = :i", "values": '{"i": "5"}'}
    assert task_of(Count(CountOptions(**shared))) == Task("count", US, table_bytes=size)
    part = task_of(Find(FindOptions(**shared, **filtered)))
    assert part is not None and (part.verb, part.whole, part.history) == ("find", False, False)
    whole = task_of(Delete(DeleteOptions(all_items=True, **shared)))
    assert whole is not None and (whole.verb, whole.whole) == ("delete", True)
    matching = task_of(Delete(DeleteOptions(**shared, **filtered)))
    assert matching is not None and not matching.whole
    assert task_of(Delete(DeleteOptions(all_items=True, backup="saved", **shared))) is None
