"""Changes undone on every server: the conditions are evaluated by each, and nothing that changed again is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.job.run import Caller
from ddbio.verbs.options import ImportOptions, RevertOptions
from ddbio.verbs.revert import Revert
from tests.contract.test_transfer import Tables, aws, tables
from tests.endpoints import Endpoint
from tests.support.deviations import Deviations, expect_deviations
from tests.support.items import AWKWARD, contents, write_items
from tests.support.native_exports import change, write_export
from tests.support.transfers import import_table

__all__ = ["aws", "tables"]
Item = dict[str, dict[str, Any]]
pytestmark = pytest.mark.fuller
DEVIATIONS: Deviations = {
    "dynalite": {
        "values are compared by their JSON": ["test_changes_of_every_kind_are_undone_unless_the_item_changed_again"]
    }
}


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, dynamodb_endpoint: Endpoint) -> None:
    expect_deviations(request, dynamodb_endpoint.name, DEVIATIONS)


def item(name: str, **attributes: Any) -> Item:
    return {"id": {"S": name}, **attributes}


def test_changes_of_every_kind_are_undone_unless_the_item_changed_again(
    tables: Tables, aws: AwsSettings, tmp_path: Path
) -> None:
    table = tables.create()
    rich = dict(AWKWARD)
    old = [item("changed", n={"N": "1"}, gone={"S": "x"}), item("deleted", **rich), item("again", n={"N": "1"})]
    new = [item("changed", n={"N": "2"}, new={"L": [{"NULL": True}]}), None, item("again", n={"N": "2"})]
    lines = [change({"id": before["id"]}, after, before) for before, after in zip(old, new, strict=True)]
    lines.append(change({"id": {"S": "inserted"}}, item("inserted", **rich)))
    write_export(tmp_path, "01", [lines], incremental=True)
    now = [new[0], item("again", n={"N": "3"}), item("inserted", **rich), item("other", n={"N": "0"})]
    write_items(tmp_path / "now.json", [each for each in now if each], "dynamodb-json")
    source = str(tmp_path / "now.json")
    assert import_table(ImportOptions(table=table, aws=aws, sources=(source,)), engine=InlineEngine()).error is None

    exports = (str(tmp_path / "exports"),)
    result = Revert(RevertOptions(table=table, aws=aws, sources=exports)).perform(Caller(engine=InlineEngine()))
    assert result.error is None
    tally = result.tally
    assert (tally.read, tally.written, tally.deleted, tally.skipped) == (4, 3, 1, 1)
    expected = [old[0], old[1], item("again", n={"N": "3"}), item("other", n={"N": "0"})]
    assert contents(tables.items(table)) == contents(expected)

    forced = RevertOptions(table=table, aws=aws, sources=exports, force=True)
    assert Revert(forced).perform(Caller(engine=InlineEngine())).error is None
    assert contents(tables.items(table)) == contents([*old, item("other", n={"N": "0"})])
