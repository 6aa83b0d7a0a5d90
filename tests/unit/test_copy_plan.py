"""Whether the items of a copy can have the keys of the other table: known before anything is moved."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.values.table import TableInfo
from ddbio.verbs.copy_plan import check_keys, expected_cost
from ddbio.verbs.options import CopyOptions
from tests.support.tables import table


def remarks(source: TableInfo, target: TableInfo, **options: Any) -> list[str]:
    return [*check_keys(CopyOptions(table="Orders", to="Copies", **options), source, target)]


@pytest.mark.parametrize(
    ("source", "target", "options"),
    [
        ({"id": "S"}, {"id": "S"}, {}),
        ({"id": "S", "at": "N"}, {"id": "S", "at": "N"}, {"attributes": "at,#i,x.y", "names": '{"i": "id"}'}),
        ({"id": "S"}, {"pk": "S"}, {"rename": ("id=pk",)}),
        ({"id": "S"}, {"pk": "S"}, {"rename": ("id=pk",), "drop": ("pk",), "attributes": "id"}),
        ({"id": "S"}, {"pk": "N"}, {"transform": f"{__file__}:as_it_is"}),
    ],
)
def test_keys_that_every_item_has(source: dict[str, str], target: dict[str, str], options: dict[str, Any]) -> None:
    assert remarks(table(source), table(target), **options) == []


def as_it_is(item: dict[str, Any]) -> dict[str, Any]:
    return item


@pytest.mark.parametrize(
    ("source", "target", "options"),
    [
        ({"id": "S"}, {"email": "S"}, {}),
        ({"id": "S", "at": "N"}, {"id": "S"}, {}),
        ({"id": "S"}, {"id": "S", "at": "N"}, {}),
        ({"id": "S"}, {"id": "S"}, {"rename": ("email=id",)}),
        ({"id": "S"}, {"all": "S"}, {"assign": ("all=one",)}),
    ],
)
def test_keys_that_some_items_may_lack_or_share(
    source: dict[str, str], target: dict[str, str], options: dict[str, Any]
) -> None:
    (remark,) = remarks(table(source), table(target), **options)
    assert f"is {', '.join(target)}: items without it are rejected" in remark


@pytest.mark.parametrize(
    ("source", "target", "options", "why"),
    [
        ({"id": "S"}, {"id": "N"}, {}, "the key 'id' .* has the type N, and the items have S"),
        ({"id": "S"}, {"pk": "B"}, {"rename": ("id=pk",)}, "the key 'pk' .* has the type B, and the items have S"),
        ({"id": "S"}, {"id": "S"}, {"assign": ("id=5",)}, "has the type S, and the items have N"),
        ({"id": "S"}, {"id": "S"}, {"drop": ("a,id",)}, "removes 'id'"),
        ({"id": "S"}, {"pk": "S"}, {"rename": ("id=pk",), "drop": ("id",)}, "removes 'id'"),
        ({"id": "S"}, {"id": "S"}, {"rename": ("id=pk",)}, "removes 'id'"),
        ({"id": "S"}, {"pk": "S"}, {"rename": ("id=pk",), "attributes": "pk"}, "--attributes lacks id"),
    ],
)
def test_keys_that_no_item_has(
    source: dict[str, str], target: dict[str, str], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=f"{why}.*: no item could be copied"):
        remarks(table(source), table(target), **options)


def test_the_cost_is_foretold_from_the_size_that_the_service_reports() -> None:
    big = table({"id": "S"}, ItemCount=1000, TableSizeBytes=1500 * 1000)
    plain, eventual = CopyOptions(table="Orders", to="Copies"), "1,000 items, about 184 RCU and 2,000 WCU"
    assert [*expected_cost(plain, big, table({"id": "S"}))] == [f"By the last count of the service: {eventual}"]
    filtered = CopyOptions(table="Orders", to="Copies", consistent_read=True, filter="n > :n")
    (sentence,) = expected_cost(filtered, big, table({"id": "S"}))
    assert "about 367 RCU and at most 2,000 WCU" in sentence
    assert [*expected_cost(plain, table({"id": "S"}), big)] == []
