"""Comparisons and synchronisations by the library, on every server: what is stored, read back and conditioned on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.job.run import Caller
from ddbio.verbs.diff import Diff, DiffResult
from ddbio.verbs.options import DiffOptions, SyncOptions
from ddbio.verbs.sync import Sync, SyncResult
from tests.contract.test_transfer import Tables, aws, counts, do_import, tables
from tests.endpoints import Endpoint
from tests.support.deviations import Deviations, expect_deviations
from tests.support.items import Item, contents, rich_items, write_items

__all__ = ["aws", "tables"]  # fixtures
pytestmark = pytest.mark.fuller


DEVIATIONS: Deviations = {
    "dynalite": {"no list or map is equal to another one in a condition": ["test_the_second_becomes_equal[False]"]},
}


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, dynamodb_endpoint: Endpoint) -> None:
    expect_deviations(request, dynamodb_endpoint.name, DEVIATIONS)


class Two:
    """Two tables, the second of which lacks some items of the first, has others, and has some in another state."""

    def __init__(self, tables: Tables, aws: AwsSettings, folder: Path) -> None:
        self.first = [{**item, "padding": {"S": "x" * 9000}} for item in rich_items(150)]
        self.second: list[Item] = [
            {**item, "number": {"N": "-1"}, "more": {"SS": ["x"]}} if number % 10 == 0 else item
            for number, item in enumerate(self.first[8:])
        ]
        self.second += [{"id": {"S": f"stray-{number}"}} for number in range(5)]
        self.names = [tables.create(), tables.create()]
        for name, items in zip(self.names, (self.first, self.second), strict=True):
            write_items(folder / f"{name}.json", items)
            assert counts(do_import(aws, name, folder / f"{name}.json", folder / "rejects.jsonl"))[0] == 0
        self.changed = sum("more" in item for item in self.second)
        self._aws, self._folder = aws, folder

    def diff(self, **options: Any) -> DiffResult:
        return Diff(DiffOptions(**self._common(), **options)).perform(Caller(engine=InlineEngine()))

    def sync(self, **options: Any) -> SyncResult:
        asked = SyncOptions(**self._common(), rejects=str(self._folder / "r.jsonl"), **options)
        return Sync(asked).perform(Caller(engine=InlineEngine()))

    def _common(self) -> dict[str, Any]:
        first, second = self.names
        where = {"aws": self._aws, "to_aws": self._aws, "state_dir": str(self._folder / "state")}
        return {"table": first, "to": second, "segments": 3, "lanes": 3, **where}


@pytest.fixture
def two(tables: Tables, aws: AwsSettings, tmp_path: Path) -> Two:
    return Two(tables, aws, tmp_path)


def test_exactly_the_differences(two: Two, tmp_path: Path) -> None:
    result = two.diff(output=str(tmp_path / "diff.jsonl"))
    assert result.error is None
    tally = result.tally
    assert (tally.only_first, tally.only_second, tally.changed) == (8, 5, two.changed)
    lines = [json.loads(line) for line in (tmp_path / "diff.jsonl").read_text().split("\n")[:-1]]
    first, second = ({item["id"]["S"]: item for item in items} for items in (two.first, two.second))
    keys = [line["key"]["id"]["S"] for line in lines]
    assert len(set(keys)) == len(keys) == result.differences
    for line, key in zip(lines, keys, strict=True):
        assert contents([line["new"]] if line["new"] else []) == contents([first[key]] if key in first else [])
        assert contents([line["old"]] if line["old"] else []) == contents([second[key]] if key in second else [])


def test_applied_they_make_the_second_equal(two: Two, tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    two.diff(output=str(tmp_path / "diff.jsonl"))
    done = do_import(aws, two.names[1], tmp_path / "diff.jsonl", tmp_path / "rejects.jsonl")
    assert (done.exit_code, done.tally.deleted) == (0, 5), done.error
    assert contents(tables.items(two.names[1])) == contents(two.first)


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_second_becomes_equal(two: Two, tables: Tables, overwrite: bool) -> None:
    result = two.sync(overwrite=overwrite)
    assert result.exit_code == 0, result.error or result.applied
    assert (result.applied.written, result.applied.deleted) == (8 + 5 + two.changed, 5)
    assert contents(tables.items(two.names[1])) == contents(two.first)
    assert two.diff().exit_code == 0
