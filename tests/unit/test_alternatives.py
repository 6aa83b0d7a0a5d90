"""Other ways to do a job: their cost, conditions that are met or not, and the cheapest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ddbio.forecast.alternatives import THIS, Alternatives, Task, Way, alternatives_to
from ddbio.forecast.costs import Charge, Costs
from ddbio.forecast.forecast import Amount
from ddbio.forecast.prices import GB, Price, Prices, bundled

REGION = "us-east-1"
HUNDRED_GB = Amount.exact(100 * GB)
EXPORT = Task("export", REGION, table_bytes=HUNDRED_GB, to_s3=True, history=True)
IMPORT = Task(
    "import",
    REGION,
    file_bytes=HUNDRED_GB,
    file_format="native",
    from_s3=True,
    creates_table=True,
    cap_units_per_s=None,
)
COPY = Task("copy", REGION, table_bytes=HUNDRED_GB, creates_table=True, history=True)


def costing(usd: float | None) -> Costs:
    return Costs(REGION, own=(Charge("units", None if usd is None else Amount.exact(usd)),))


def ways(task: Task, usd: float | None = 1.0, prices: Prices | None = None) -> dict[str, Way]:
    return {way.name: way for way in alternatives_to(task, costing(usd), prices or bundled()).ways}


def test_an_export_by_dynamodb_costs_its_size() -> None:
    way = ways(EXPORT)["DynamoDB's export to S3"]
    assert way.usd == Amount.exact(10.0) and way.possible and way.seconds is None
    backup = ways(EXPORT)["on-demand backup"]
    assert backup.usd == Amount.exact(10.0) and backup.possible is None


@pytest.mark.parametrize(
    ("task", "unmet", "possible"),
    [
        (replace(EXPORT, history=False), "point-in-time recovery is on (it would cost $20.00 a month)", False),
        (replace(EXPORT, history=None), "", None),
        (replace(EXPORT, to_s3=False), "the destination is on S3", False),
        (replace(EXPORT, whole=False), "all items, unchanged", False),
        (replace(IMPORT, creates_table=False), "into a new table", False),
        (replace(IMPORT, from_s3=False), "the files are on S3", False),
        (replace(IMPORT, file_format="parquet"), 'CSV, or DynamoDB JSON with "Item"', False),
        (replace(IMPORT, file_format="dynamodb-json"), "", None),
        (replace(IMPORT, file_format="csv"), "", True),
        (replace(COPY, creates_table=False), "into a new table", False),
        (replace(COPY, same_place=False), "in the same region and account", False),
    ],
)
def test_conditions_of_the_first_way(task: Task, unmet: str, possible: bool | None) -> None:
    first = next(iter(ways(task).values()))
    assert [condition.text for condition in first.conditions if condition.met is False] == [unmet] * bool(unmet)
    assert first.possible is possible


@pytest.mark.parametrize(
    ("task", "unmet"),
    [
        (IMPORT, ["into an existing table"]),
        (replace(IMPORT, creates_table=False, is_global=True), ["no global table"]),
        (replace(IMPORT, creates_table=False, file_format="csv"), ['DynamoDB JSON with "Item"']),
        (replace(IMPORT, creates_table=False, cap_units_per_s=1023.0), ["at least 1,024 WCU may be used"]),
        (replace(IMPORT, creates_table=False, cap_units_per_s=1024.0), []),
    ],
)
def test_conditions_of_bulk_puts(task: Task, unmet: list[str]) -> None:
    bulk = ways(task)["StartBulkPutItems"]
    assert [condition.text for condition in bulk.conditions if condition.met is False] == unmet
    assert bulk.usd is None and bulk.cost.why == "no price of bulk_put_gb in us-east-1"


def test_a_price_of_bulk_puts_is_used_if_the_user_has_one() -> None:
    prices = Prices([Price(REGION, "bulk_put_gb", 0.2, None, "x")], "a file")
    task = replace(IMPORT, creates_table=False)
    assert ways(task, prices=prices)["StartBulkPutItems"].usd == Amount.exact(20.0)
    assert ways(replace(task, indexes=1), prices=prices)["StartBulkPutItems"].usd is None


def test_a_copy_has_three_other_ways() -> None:
    found = ways(COPY)
    assert found["on-demand backup and restore"].usd == Amount.exact(25.0)  # restore, and a month of the backup
    assert (
        found["export to S3, then import from S3"].cost.why
        == "the uncompressed size of the exported files is unknown"
    )
    assert found["export to S3, then StartBulkPutItems"].possible is False


def cheapest(task: Task, usd: float | None) -> Alternatives:
    return alternatives_to(task, costing(usd), bundled())


def test_the_cheapest_may_be_another_way() -> None:
    assert cheapest(EXPORT, 9.0).cheapest == THIS
    assert cheapest(EXPORT, 10.0).cheapest == THIS  # no gain in another way
    assert cheapest(EXPORT, 11.0).cheapest == "DynamoDB's export to S3"
    assert cheapest(replace(EXPORT, history=False, whole=False), 11.0).cheapest == THIS
    assert cheapest(Task("delete", REGION), 0.5).cheapest == "delete the table and create it again"
    assert cheapest(Task("count", REGION), 0.5).cheapest == "ItemCount of DescribeTable"
    assert cheapest(Task("update", REGION), 0.5) == Alternatives(cheapest=THIS)


def test_what_has_no_price_cannot_be_the_cheapest_and_is_named() -> None:
    found = cheapest(replace(IMPORT, creates_table=False), 11.0)
    assert found.cheapest == THIS and found.unpriced == ("StartBulkPutItems",)
    unknown = cheapest(replace(EXPORT, table_bytes=None), None)
    assert unknown.cheapest == "" and unknown.unpriced == ("DynamoDB's export to S3", "on-demand backup", THIS)
