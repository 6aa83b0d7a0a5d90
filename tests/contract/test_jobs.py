"""A job is plain data: it crosses to a worker of any engine, and names nothing that only this machine has."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.engine import Running, Staff
from ddbio.engines.environment import Needs
from ddbio.engines.pool import ProcessEngine
from ddbio.flow.context import SOURCE, TARGET, Job
from ddbio.simulator import Simulator
from ddbio.system.scratch import PREFIX
from ddbio.verbs.options import ExportOptions, ImportOptions
from tests.support.transfers import export_table, import_table


class Watched:
    """An engine that keeps what it was given."""

    shares_disk = True
    staff = Staff()

    def __init__(self) -> None:
        self.given: list[tuple[Job, Needs]] = []

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        self.given.append((job, needs))
        with ProcessEngine(1).open(job, needs) as running:
            yield running


@pytest.fixture
def common(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with Simulator() as simulator:
        simulator.create_table("Orders", "id:S").put_items([{"id": {"S": str(number)}} for number in range(9)])
        aws = AwsSettings(region="eu-west-1", endpoint_url=simulator.url)
        yield {"table": "Orders", "aws": aws, "lanes": 2, "state_dir": str(tmp_path / "state")}


def assert_plain(job: Job, tmp_path: Path) -> None:
    crossed = pickle.dumps(job)
    assert pickle.loads(crossed) == job
    for local in (PREFIX, str(tmp_path / "state")):
        assert local.encode() not in crossed


def test_an_import_with_a_limit_of_rejects(common: dict[str, Any], tmp_path: Path) -> None:
    source, engine = tmp_path / "in.json", Watched()
    source.write_text('{"id": "new"}\n{"no": "key"}\n')
    rejects = str(tmp_path / "rejects.jsonl")
    result = import_table(
        ImportOptions(sources=(str(source),), rejects=rejects, max_errors="5", **common), engine=engine
    )
    assert (result.tally.written, result.tally.rejected) == (1, 1)
    ((job, needs),) = engine.given
    assert (set(job.tables), set(needs.tables), needs.most_rejects) == ({TARGET}, {TARGET}, 5)
    assert_plain(job, tmp_path)


def test_an_export_with_a_limit_of_items(common: dict[str, Any], tmp_path: Path) -> None:
    engine = Watched()
    result = export_table(
        ExportOptions(destination=str(tmp_path / "out"), limit=7, segments=2, **common), engine=engine
    )
    assert (result.error, result.tally.written) == (None, 7)
    ((job, needs),) = engine.given
    assert needs.limit is not None
    assert (set(job.tables), set(needs.tables), needs.limit.items) == ({SOURCE}, {SOURCE}, 7)
    assert_plain(job, tmp_path)
