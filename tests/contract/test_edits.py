"""Deletes and updates by the inline engine, on every server: exactly the items asked for, and only as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.engines.inline import InlineEngine
from ddbio.job.run import Caller
from ddbio.sources.subset import Subset
from ddbio.values.table import TableInfo
from ddbio.verbs.delete_items import Delete, DeleteScanned
from ddbio.verbs.edits import Edit, EditResult
from ddbio.verbs.options import DeleteOptions, UpdateOptions
from ddbio.verbs.update_items import Update
from tests.contract.test_transfer import Tables, aws, do_import, tables
from tests.endpoints import Endpoint
from tests.support.deviations import Deviations, expect_deviations
from tests.support.items import Item, contents, rich_items, write_items

__all__ = ["aws", "tables"]  # fixtures
pytestmark = pytest.mark.fuller

DEVIATIONS: Deviations = {
    "dynalite": {
        "it compares no maps, lists and sets": ["test_a_backup_of_all_types_is_recognised_and_restores_them"],
        "a refusal has no item": ["test_a_function_sees_all_types_and_what_changed_meanwhile"],
    },
}


@pytest.fixture(autouse=True)
def known_deviations(request: pytest.FixtureRequest, dynamodb_endpoint: Endpoint) -> None:
    expect_deviations(request, dynamodb_endpoint.name, DEVIATIONS)


LOW = {"filter": "#number < :most", "values": '{"most": 20}', "names": '{"number": "number"}'}
FUNCTION = """
import boto3

client = boto3.client("dynamodb", endpoint_url={url!r}, region_name={region!r}, aws_access_key_id={key!r},
                      aws_secret_access_key={secret!r})
key = {{"id": {{"S": "item-000003"}}}}

def shape(item):
    if item["id"] == "item-000003" and item["number"] == 3:  # someone else changes it at this moment
        client.update_item(TableName={table!r}, Key=key, UpdateExpression="SET #n = :n",
                           ExpressionAttributeNames={{"#n": "number"}},
                           ExpressionAttributeValues={{":n": {{"N": "40"}}}})
    return {{"twice": item["number"] * 2}}
"""


@pytest.fixture
def items() -> list[Item]:
    return rich_items(60)


@pytest.fixture
def table(tables: Tables, aws: AwsSettings, items: list[Item], tmp_path: Path) -> str:
    name = tables.create()
    write_items(tmp_path / "in.json", items)
    assert do_import(aws, name, tmp_path / "in.json", tmp_path / "import.jsonl").exit_code == 0
    return name


@pytest.fixture
def delete(aws: AwsSettings, table: str, tmp_path: Path) -> Callable[..., EditResult]:
    def run(verb: Any = Delete, **options: Any) -> EditResult:
        asked = DeleteOptions(table=table, aws=aws, rejects=str(tmp_path / "r.jsonl"), lanes=4, **options)
        result: EditResult = verb(asked).perform(Caller(engine=InlineEngine()))
        assert (result.error, result.tally.unsettled()) == (None, 0)
        return result

    return run


@pytest.fixture
def update(aws: AwsSettings, table: str, tmp_path: Path) -> Callable[..., EditResult]:
    def run(**options: Any) -> EditResult:
        asked = UpdateOptions(table=table, aws=aws, rejects=str(tmp_path / "r.jsonl"), lanes=4, **options)
        result = Update(asked).perform(Caller(engine=InlineEngine()))
        assert (result.error, result.tally.unsettled()) == (None, 0)
        return result

    return run


def number(item: Item) -> int:
    return int(item["number"]["N"])


@pytest.mark.parametrize("if_unchanged", [False, True])
def test_those_that_match_are_deleted(
    delete: Callable[..., EditResult], tables: Tables, table: str, items: list[Item], if_unchanged: bool
) -> None:
    result = delete(**LOW, if_unchanged=if_unchanged)
    assert (result.tally.deleted, result.tally.left_out) == (20, 40)
    assert contents(tables.items(table)) == contents([item for item in items if number(item) >= 20])


class Stale(DeleteScanned):
    """Scans all items: those that do not match have changed since."""

    def edit_of(self, session: Session, table: TableInfo) -> Edit:
        edit = super().edit_of(session, table)
        return replace(edit, selection=replace(edit.selection, subset=Subset()))


def test_what_does_not_match_any_more_is_left(
    delete: Callable[..., EditResult], tables: Tables, table: str, items: list[Item]
) -> None:
    result = delete(Stale, **LOW, if_unchanged=True)
    counts = (result.tally.deleted, result.tally.skipped, result.tally.dropped)
    # dynalite ignores ReturnValuesOnConditionCheckFailure, so its items seem to be gone
    assert counts == ((20, 0, 40) if tables.endpoint.name == "dynalite" else (20, 40, 0))
    assert contents(tables.items(table)) == contents([item for item in items if number(item) >= 20])


def test_a_backup_of_all_types_is_recognised_and_restores_them(
    delete: Callable[..., EditResult],
    tables: Tables,
    table: str,
    items: list[Item],
    aws: AwsSettings,
    tmp_path: Path,
) -> None:
    """Each saved value equals the stored one, by the service's comparison."""
    result = delete(all_items=True, backup=str(tmp_path / "saved"), if_unchanged=True)
    assert (result.tally.deleted, result.tally.skipped, result.saved_items) == (60, 0, 60)
    assert tables.items(table) == []
    assert do_import(aws, table, tmp_path / "saved", tmp_path / "r2.jsonl").exit_code == 0
    assert contents(tables.items(table)) == contents(items)


def test_an_expression_changes_each_once(
    update: Callable[..., EditResult], tables: Tables, table: str, items: list[Item]
) -> None:
    change = {
        "filter": LOW["filter"],
        "names": LOW["names"],
        "values": '{"most": 20, "one": 1, "tag": {"$SS": ["x"]}}',
        "update_expression": "SET #number = #number + :one ADD tags :tag REMOVE #map",
        "once": "mark",
    }
    change["names"] = '{"number": "number", "map": "map"}'
    assert update(**change).tally.written == 20
    assert update(**change, fresh=True).tally.written == 0
    assert update(all_items=True, remove=("mark",)).tally.written == 20
    expected = [
        {
            **{name: value for name, value in item.items() if name != "map"},
            "number": {"N": str(number(item) + 1)},
            "tags": {"SS": ["x"]},
        }
        if number(item) < 20
        else item
        for item in items
    ]
    assert contents(tables.items(table)) == contents(expected)


def test_a_function_sees_all_types_and_what_changed_meanwhile(
    update: Callable[..., EditResult], tables: Tables, table: str, items: list[Item], tmp_path: Path
) -> None:
    """The condition compares every value of the items, of every type."""
    client = tables.endpoint.client()
    keys = client._request_signer._credentials
    (tmp_path / "shape.py").write_text(
        FUNCTION.format(
            url=tables.endpoint.url,
            region=client.meta.region_name,
            key=keys.access_key,
            secret=keys.secret_key,
            table=table,
        )
    )
    result = update(all_items=True, transform=f"{tmp_path / 'shape.py'}:shape")
    after = tables.items(table)
    assert len(after) == len(items)
    by_id = {item["id"]["S"]: item for item in after}
    assert (by_id["item-000003"]["number"], result.tally.retries) == ({"N": "40"}, 1)
    assert all(int(item["twice"]["N"]) == 2 * number(item) for item in after)
    assert (result.tally.written, result.tally.skipped) == (60, 0)
    expected = [{**item, "number": {"N": "40"}} if number(item) == 3 else item for item in items]
    assert contents([{**item, "twice": {"N": "0"}} for item in after]) == contents(
        [{**item, "twice": {"N": "0"}} for item in expected]
    )
