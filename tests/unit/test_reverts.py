"""The requests that undo changes, and what has become of those whose condition failed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ddbio.dynamodb.errors import ServiceError
from ddbio.errors import RecordError
from ddbio.formats.reversal import ReversedExport
from ddbio.sinks.reverts import MAX_EXPRESSION_BYTES, Reverts, is_undone, request_of
from ddbio.sinks.table_writes import Outcome
from ddbio.values.items import Reversal
from tests.support.native_exports import change
from tests.support.tables import table

Item = dict[str, dict[str, Any]]
KEY: Item = {"id": {"S": "a"}}


def reversal(new: Item | None, old: Item | None) -> Reversal:
    with_key = [None if image is None else KEY | image for image in (old, new)]
    return Reversal(KEY, *with_key)


def request(new: Item | None, old: Item | None) -> tuple[str, dict[str, Any]]:
    operation, body = request_of(reversal(new, old), "Orders")
    return operation, msgspec.json.decode(body)


def test_a_changed_item_gets_back_only_what_differs() -> None:
    new: Item = {"same": {"NS": ["1", "2"]}, "n": {"N": "2"}, "fresh": {"S": "x"}}
    old: Item = {"same": {"NS": ["2.0", "1"]}, "n": {"N": "1"}, "gone": {"S": "y"}}
    operation, body = request(new, old)
    assert (operation, body["Key"]) == ("UpdateItem", KEY)
    assert body["UpdateExpression"] == "SET #1=:o1,#3=:o3 REMOVE #2"
    assert (
        body["ConditionExpression"]
        == "attribute_exists(#k) AND #0=:0 AND #1=:1 AND #2=:2 AND attribute_not_exists(#3)"
    )
    assert body["ExpressionAttributeNames"] == {"#k": "id", "#0": "same", "#1": "n", "#2": "fresh", "#3": "gone"}
    values = {":0": new["same"], ":1": new["n"], ":2": new["fresh"], ":o1": old["n"], ":o3": old["gone"]}
    assert body["ExpressionAttributeValues"] == values


def test_a_deleted_item_is_put_if_there_is_none_and_a_new_one_is_deleted() -> None:
    operation, body = request(None, {"n": {"N": "1"}})
    assert (operation, body["Item"]) == ("PutItem", KEY | {"n": {"N": "1"}})
    assert body["ConditionExpression"] == "attribute_not_exists(#k)"
    assert "ExpressionAttributeValues" not in body
    operation, body = request({"n": {"N": "1"}}, None)
    assert (operation, body["Key"]) == ("DeleteItem", KEY)
    assert body["ConditionExpression"] == "attribute_exists(#k) AND #0=:0"
    operation, body = request({}, None)
    assert (operation, body["ConditionExpression"]) == ("DeleteItem", "attribute_exists(#k)")


def test_equal_images_are_put_again_on_the_same_condition() -> None:
    operation, body = request({"n": {"N": "1"}}, {"n": {"N": "1.0"}})
    assert (operation, body["ConditionExpression"]) == ("PutItem", "attribute_exists(#k) AND #0=:0")


@pytest.mark.parametrize("image", ["old", "new"])
def test_as_many_attributes_as_a_condition_takes(image: str) -> None:
    def sent(count: int) -> int:
        wide = {f"attribute {number}": {"S": ""} for number in range(count)}
        _, body = request(*((wide, {}) if image == "new" else ({}, wide)))
        return max(len(body["ConditionExpression"]), len(body["UpdateExpression"]))

    most = 100
    with pytest.raises(RecordError, match=r"too many for one condition: only --force") as refused:
        for most in range(100, 500):
            assert sent(most) <= MAX_EXPRESSION_BYTES
    assert refused.value.code == "too-many-attributes"
    assert most > (300 if image == "new" else 130)


CHANGED = reversal({"n": {"N": "2"}, "fresh": {"S": "x"}}, {"n": {"N": "1"}})


@pytest.mark.parametrize(
    ("change", "item", "undone"),
    [
        (CHANGED, KEY | {"n": {"N": "1.0"}}, True),
        (CHANGED, KEY | {"n": {"N": "1"}, "added since": {"S": "y"}}, True),
        (CHANGED, KEY | {"n": {"N": "1"}, "fresh": {"S": "y"}}, False),
        (CHANGED, KEY | {"n": {"N": "3"}}, False),
        (CHANGED, None, False),
        (reversal({"n": {"N": "1"}}, None), None, True),
        (reversal({"n": {"N": "1"}}, None), KEY, False),
        (reversal(None, {"n": {"N": "1"}}), None, False),
        (reversal(None, {"n": {"N": "1"}}), KEY | {"n": {"N": "1"}}, True),
    ],
)
def test_a_failed_condition_is_skipped_unless_the_item_is_as_before(
    change: Reversal, item: Item | None, undone: bool
) -> None:
    assert is_undone(change, item) == undone
    mode = Reverts(table({"id": "S"}))
    write = mode.new_write(None, mode.key_of(change), b"", change, mode.units_of(change, True))
    error = ServiceError("ConditionalCheckFailedException", "", 400, item=item)
    assert mode.condition_failed(write, error) is (Outcome.DROPPED if undone else Outcome.SKIPPED)
    error.applied_before = True
    assert mode.condition_failed(write, error) is (Outcome.WRITTEN if undone else Outcome.SKIPPED)


def test_units_are_those_of_the_larger_image() -> None:
    mode = Reverts(table({"id": "S"}))
    large = {"d": {"S": "x" * 3000}}
    for each in (reversal(large, {}), reversal({}, large), reversal(None, large), reversal(large, None)):
        assert mode.units_of(each, False) == (3,)


@pytest.mark.parametrize(
    "line",
    [
        change(KEY),
        change({}, KEY, KEY),
        {"Keys": KEY, "OldImage": []},
        {"Keys": KEY, "NewImage": "x"},
        {"Keys": KEY, "OldImage": {"n": {"N": "many"}}},
        {"OldImage": KEY},
    ],
)
def test_lines_that_are_no_changes(line: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        ReversedExport().parse(msgspec.json.encode(line))


def test_a_line_is_its_key_and_both_images() -> None:
    parsed = ReversedExport().parse(msgspec.json.encode(change(KEY, KEY | {"n": {"N": "2"}}, {"n": {"N": "1"}})))
    assert isinstance(parsed, Reversal)
    assert (dict(parsed), parsed.old, parsed.new) == (KEY, KEY | {"n": {"N": "1"}}, KEY | {"n": {"N": "2"}})
