"""A simulated account without HTTP, driven at times of the test's choosing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ddbio.simulator.database import Database
from ddbio.simulator.errors import ServiceError
from ddbio.simulator.operations import execute
from ddbio.simulator.throughput import ThroughputSettings

Item = dict[str, dict[str, Any]]


class Account:
    """`call` answers as the service does; `refusal` gives the error instead."""

    def __init__(self, throughput: ThroughputSettings | None = None, activation_s: float = 0.0) -> None:
        self.database = Database(defaults=throughput, activation_s=activation_s)
        self.now_s = 0.0

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        body = execute(self.database, operation, msgspec.json.encode(request), self.now_s)
        answer: dict[str, Any] = msgspec.json.decode(body)
        return answer

    def refusal(self, operation: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as refused:
            self.call(operation, **request)
        return refused.value

    def create(self, *keys: str, name: str = "Orders", **more: Any) -> dict[str, Any]:
        """CreateTable. keys: such as "id:S". more: further members, on-demand where they say nothing else."""
        pairs = [key.split(":") for key in keys]
        request: dict[str, Any] = {
            "TableName": name,
            "KeySchema": key_schema(*(name for name, _ in pairs)),
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": letter} for name, letter in pairs],
        }
        if "ProvisionedThroughput" not in more:
            request["BillingMode"] = "PAY_PER_REQUEST"
        request["AttributeDefinitions"] += more.pop("more_definitions", [])
        description: dict[str, Any] = self.call("CreateTable", **(request | more))["TableDescription"]
        return description

    def batch(self, *items: Item, table: str = "Orders", **more: Any) -> dict[str, Any]:
        return self.call("BatchWriteItem", RequestItems={table: puts(*items)}, **more)

    def scan(self, **more: Any) -> dict[str, Any]:
        return self.call("Scan", TableName="Orders", **more)


def key_schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"), strict=False)]


def provisioned(wcu: int, rcu: int) -> dict[str, int]:
    return {"ReadCapacityUnits": rcu, "WriteCapacityUnits": wcu}


def puts(*items: Item) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item}} for item in items]


def order(name: object, **attributes: Any) -> Item:
    return {"id": {"S": str(name)}, **attributes}
