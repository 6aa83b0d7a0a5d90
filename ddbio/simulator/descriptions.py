"""TableDescription: a table in the answers of CreateTable, DescribeTable, UpdateTable and DeleteTable.

Unlike the service's, ItemCount and the sizes are always up to date.
"""

from __future__ import annotations

from typing import Any

from ddbio.simulator.database import Database
from ddbio.simulator.schema import IndexSchema, KeySchema
from ddbio.simulator.tables import Table
from ddbio.simulator.throughput import BudgetPair

_KEY_ROLES = ("HASH", "RANGE")


def describe(database: Database, table: Table, now_s: float) -> dict[str, Any]:
    """The description as plain JSON types."""
    schema = table.schema
    status = "ACTIVE" if now_s >= table.ready_s else table.pending_status
    definitions = [{"AttributeName": name, "AttributeType": letter} for name, letter in schema.key_types().items()]
    description: dict[str, Any] = {
        "AttributeDefinitions": definitions,
        "TableName": schema.name,
        "KeySchema": _key_schema(schema.keys),
        "TableStatus": status,
        "CreationDateTime": round(table.created_s, 3),
        "TableSizeBytes": table.items.size_bytes,
        "ItemCount": len(table.items),
        "TableArn": database.arn(schema.name),
        "TableId": table.table_id,
        "DeletionProtectionEnabled": False,
        **_throughput(table.throughput.table, table.provisioned),
    }
    if table.was_on_demand:
        mode = "PROVISIONED" if table.provisioned else "PAY_PER_REQUEST"
        description["BillingModeSummary"] = {"BillingMode": mode}
    for member, is_global in (("GlobalSecondaryIndexes", True), ("LocalSecondaryIndexes", False)):
        indexes = [index for index in schema.indexes if index.is_global is is_global]
        if indexes:
            description[member] = [_describe_index(database, table, index, status) for index in indexes]
    return description


def _describe_index(database: Database, table: Table, index: IndexSchema, status: str) -> dict[str, Any]:
    store = table.entries[index.name]
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.included_names:
        projection["NonKeyAttributes"] = list(index.included_names)
    description: dict[str, Any] = {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.keys),
        "Projection": projection,
        "IndexSizeBytes": store.size_bytes,
        "ItemCount": len(store),
        "IndexArn": database.arn(table.schema.name, index.name),
    }
    if index.is_global:
        description["IndexStatus"] = status
        description.update(_throughput(table.throughput.indexes[index.name], table.provisioned))
    return description


def _key_schema(keys: KeySchema) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(keys.names, _KEY_ROLES, strict=False)]


def _throughput(pair: BudgetPair, provisioned: bool) -> dict[str, Any]:
    read, write = pair.read.rate_units_per_s, pair.write.rate_units_per_s
    units = {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": int(read or 0) if provisioned else 0,
        "WriteCapacityUnits": int(write or 0) if provisioned else 0,
    }
    throughput: dict[str, Any] = {"ProvisionedThroughput": units}
    if not provisioned and (read, write) != (None, None):
        throughput["OnDemandThroughput"] = {
            "MaxReadRequestUnits": -1 if read is None else int(read),
            "MaxWriteRequestUnits": -1 if write is None else int(write),
        }
    return throughput
