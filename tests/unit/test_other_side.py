"""The second table of a verb: never the first one under another name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.job.side import Side
from ddbio.values.table import TableInfo
from ddbio.verbs.two_tables import check_different
from tests.support.tables import table

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"


@dataclass
class At:
    """Stands for a session."""

    endpoint_url: str = "https://dynamodb.eu-west-1.amazonaws.com"
    region: str = "eu-west-1"


def described(**members: Any) -> TableInfo:
    orders = table({"id": "S"})
    return replace(orders, description={**orders.description, "TableArn": ARN, "TableId": "1", **members})


def check(first: At, second: At, **of_second: Any) -> None:
    side = Side.choose(second, described(**of_second), "WCU", "Orders", None)  # type: ignore[arg-type]
    check_different(first, described(), side)  # type: ignore[arg-type]


@pytest.mark.parametrize("endpoint", [At().endpoint_url, "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com"])
def test_the_same_table_is_refused_at_any_endpoint(endpoint: str) -> None:
    with pytest.raises(UsageError, match='the same table, "Orders" in eu-west-1'):
        check(At(), At(endpoint))


@pytest.mark.parametrize(
    ("second", "members"),
    [
        (At(), {"TableArn": ARN.replace("123456789012", "999999999999"), "TableId": "2"}),  # another account
        (At(region="eu-west-2"), {"TableArn": ARN.replace("eu-west-1", "eu-west-2"), "TableId": "2"}),
        (At("http://127.0.0.1:8001"), {"TableId": "2"}),  # every local endpoint has the same account
        (At("http://127.0.0.1:8001"), {"TableId": None}),
    ],
)
def test_another_table_of_that_name_is_not_the_same(second: At, members: dict[str, Any]) -> None:
    check(At(), second, **members)
