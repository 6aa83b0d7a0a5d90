"""What becomes of a delete or an update whose condition did not hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import Condition
from ddbio.errors import RecordError
from ddbio.sinks.batch import Write
from ddbio.sinks.conditional_deletes import DeleteIf
from ddbio.sinks.table_writes import Outcome, WriteMode
from ddbio.sinks.update_expression import parse_update
from ddbio.sinks.updates import ComputedUpdates, UpdateBy
from ddbio.sources.expressions import Placeholders
from ddbio.steps.planned_update import Marker, UpdatePlanner
from tests.support.tables import table

TABLE = table({"id": "S"})
EXISTS = Condition("attribute_exists(#n0)", {"#n0": "id"}, {})
ITEM = {"id": {"S": "a"}, "n": {"N": "1"}}


def refusal(item: dict[str, Any] | None, *, applied_before: bool = False) -> ServiceError:
    error = ServiceError("ConditionalCheckFailedException", "", 400, item=item)
    error.applied_before = applied_before
    return error


def write_of(mode: WriteMode, item: dict[str, Any]) -> Write:
    return mode.new_write(None, mode.key_of(item), json.dumps(item).encode(), item, mode.units_of(item, False))


@pytest.mark.parametrize(
    ("item", "applied_before", "outcome"),
    [
        (None, False, Outcome.DROPPED),
        (None, True, Outcome.WRITTEN),
        (ITEM, False, Outcome.SKIPPED),
        (ITEM, True, Outcome.SKIPPED),
    ],
)
def test_a_delete(item: dict[str, Any] | None, applied_before: bool, outcome: Outcome) -> None:
    mode = DeleteIf(EXISTS)(TABLE)
    assert mode.condition_failed(write_of(mode, ITEM), refusal(item, applied_before=applied_before)) is outcome


def test_a_delete_of_what_was_saved_compares_all_of_it() -> None:
    mode = DeleteIf(EXISTS, as_saved=True)(TABLE)
    body = json.loads(mode.body([write_of(mode, ITEM)]))
    assert body["Key"] == {"id": {"S": "a"}}
    assert body["ConditionExpression"] == "attribute_exists(#n0) AND #old0 = :old0"
    assert body["ExpressionAttributeNames"] == {"#n0": "id", "#old0": "n"}
    assert body["ExpressionAttributeValues"] == {":old0": {"N": "1"}}


@pytest.mark.parametrize(
    ("marker", "item", "applied_before", "outcome"),
    [
        (None, None, True, Outcome.SKIPPED),
        (None, {**ITEM, "n": {"N": "2"}}, False, Outcome.SKIPPED),
        (None, {**ITEM, "n": {"N": "2"}}, True, Outcome.WRITTEN),
        (None, {**ITEM, "n": {"N": "3"}}, True, Outcome.SKIPPED),
        ("job", {**ITEM, "n": {"N": "2"}}, True, Outcome.SKIPPED),
        ("ddbio 1", {**ITEM, "mark": {"S": "ddbio 1"}}, False, Outcome.WRITTEN),
        ("ddbio 1", {**ITEM, "mark": {"S": "ddbio 2"}}, True, Outcome.SKIPPED),
    ],
)
def test_an_update(marker: str | None, item: dict[str, Any] | None, applied_before: bool, outcome: Outcome) -> None:
    update = parse_update("SET n = :two", Placeholders({"two": {"N": "2"}}))
    mark = None if marker is None else Marker("mark", {"S": marker})
    mode = UpdateBy(update.expression, update, EXISTS, mark)(TABLE)
    assert mode.condition_failed(write_of(mode, ITEM), refusal(item, applied_before=applied_before)) is outcome


def computed() -> tuple[ComputedUpdates, Write]:
    planner = UpdatePlanner(lambda item: {"twice": item["n"] * 2}, ("id",))
    mode = ComputedUpdates(TABLE, planner, EXISTS)
    (update,) = planner(ITEM)
    return mode, write_of(mode, update)


def test_a_computed_update_is_conditioned_on_all_that_was_seen() -> None:
    mode, write = computed()
    body = json.loads(mode.body([write]))
    assert body["UpdateExpression"] == "SET #new0 = :new0"
    assert body["ConditionExpression"] == ("attribute_exists(#n0) AND #old0 = :old0 AND attribute_not_exists(#old1)")
    assert body["ExpressionAttributeNames"] == {"#n0": "id", "#old0": "n", "#old1": "twice", "#new0": "twice"}
    assert body["ExpressionAttributeValues"] == {":old0": {"N": "1"}, ":new0": {"N": "2"}}


@pytest.mark.parametrize(
    ("item", "applied_before", "outcome"),
    [
        (None, True, Outcome.SKIPPED),
        (ITEM, False, Outcome.SKIPPED),
        ({**ITEM, "twice": {"N": "2.0"}}, True, Outcome.WRITTEN),
        ({**ITEM, "twice": {"N": "2"}}, False, Outcome.DROPPED),
    ],
)
def test_a_computed_update_that_is_not_sent_again(
    item: dict[str, Any] | None, applied_before: bool, outcome: Outcome
) -> None:
    mode, write = computed()
    assert mode.condition_failed(write, refusal(item, applied_before=applied_before)) is outcome


def test_a_computed_update_is_computed_from_the_newest_item_once() -> None:
    mode, write = computed()
    newer = {**ITEM, "n": {"N": "7"}}
    again = mode.condition_failed(write, refusal(newer))
    assert isinstance(again, Write)
    assert json.loads(mode.body([again]))["ExpressionAttributeValues"] == {":old0": {"N": "7"}, ":new0": {"N": "14"}}
    assert mode.condition_failed(again, refusal(newer)) is Outcome.SKIPPED, "the filter does not hold"
    with pytest.raises(RecordError) as refused:
        mode.condition_failed(again, refusal({**ITEM, "n": {"N": "8"}}))
    assert refused.value.code == "conflict"
