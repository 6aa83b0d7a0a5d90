"""Tables as DescribeTable gives them."""

from __future__ import annotations

from typing import Any

from ddbio.values.table import TableInfo


def table(
    key: dict[str, str],
    index_keys: dict[str, dict[str, str]] | None = None,
    **description: Any,
) -> TableInfo:
    """A table with this key (`{"id": "S", "at": "N"}`: partition key first) and global indexes (name: key)."""
    index_keys = index_keys or {}
    types = {name: letter for each in (key, *index_keys.values()) for name, letter in each.items()}
    return TableInfo.of(
        {
            "TableName": "Orders",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": letter} for name, letter in types.items()
            ],
            "KeySchema": _schema(key),
            "GlobalSecondaryIndexes": [
                {"IndexName": name, "KeySchema": _schema(each), "Projection": {"ProjectionType": "ALL"}}
                for name, each in index_keys.items()
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            **description,
        }
    )


def _schema(key: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(key, ("HASH", "RANGE"), strict=False)]
