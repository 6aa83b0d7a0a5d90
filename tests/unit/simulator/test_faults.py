"""Which requests meet which fault, and what a service makes of it before anything goes over the wire."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ddbio.simulator.database import Database
from ddbio.simulator.faults import (
    CUT_AFTER,
    CUT_BEFORE,
    EXPIRED_TOKEN,
    INTERNAL_ERROR,
    INTERNAL_ERROR_AFTER_WRITE,
    NO_FAULT,
    PARTIAL,
    UNAVAILABLE,
    Fault,
    FaultPlan,
    stall,
)
from ddbio.simulator.server import Service
from tests.support.account import Account, order, puts


def test_a_plan_gives_each_request_its_fault_in_turn() -> None:
    plan = FaultPlan([INTERNAL_ERROR, None, CUT_BEFORE])
    operations = ["BatchWriteItem", "DescribeTable", "Scan", "Scan", "Scan"]
    faults = [plan.next_fault(operation) for operation in operations]
    assert faults == [INTERNAL_ERROR, NO_FAULT, NO_FAULT, CUT_BEFORE, NO_FAULT]


def test_a_plan_of_dice_is_repeatable() -> None:
    def rolled(seed: int) -> list[Fault]:
        plan = FaultPlan([INTERNAL_ERROR, UNAVAILABLE], probability=0.3, seed=seed)
        return [plan.next_fault("Scan") for _ in range(1000)]

    assert rolled(1) == rolled(1) != rolled(2)
    assert 250 < sum(fault is not NO_FAULT for fault in rolled(1)) < 350
    assert set(rolled(1)) == {INTERNAL_ERROR, UNAVAILABLE, NO_FAULT}


@pytest.mark.parametrize(
    ("fault", "status", "error", "written"),
    [
        (INTERNAL_ERROR, 500, "com.amazonaws.dynamodb.v20120810#InternalServerError", 0),
        (INTERNAL_ERROR_AFTER_WRITE, 500, "com.amazonaws.dynamodb.v20120810#InternalServerError", 1),
        (UNAVAILABLE, 503, "com.amazonaws.dynamodb.v20120810#ServiceUnavailable", 0),
        (EXPIRED_TOKEN, 400, "com.amazon.coral.service#ExpiredTokenException", 0),
        (Fault(error="LimitExceededException"), 400, "com.amazonaws.dynamodb.v20120810#LimitExceededException", 0),
        (Fault(error="Odd", status=429), 429, "com.amazonaws.dynamodb.v20120810#Odd", 0),
        (CUT_BEFORE, 200, None, 0),
        (CUT_AFTER, 200, None, 1),
        (stall(1.0), 200, None, 1),
        (Fault(damage="crc"), 200, None, 1),
    ],
)
def test_a_fault_says_whether_the_request_is_applied(
    fault: Fault, status: int, error: str | None, written: int
) -> None:
    account = Account()
    account.create("id:S")
    service = Service(account.database, lambda: 0.0)
    service.faults = FaultPlan([fault])
    body = msgspec.json.encode({"RequestItems": {"Orders": puts(order(1))}})
    reply = service.answer("DynamoDB_20120810.BatchWriteItem", True, body)
    assert (reply.status, msgspec.json.decode(reply.body).get("__type"), reply.fault) == (status, error, fault)
    assert account.scan()["Count"] == written


@pytest.mark.parametrize(
    ("target", "access_key", "error"),
    [
        ("DynamoDB_20120810.Scan", "", "com.amazon.coral.service#MissingAuthenticationTokenException"),
        ("DynamoDB_20120810.Query", "AKID", "com.amazon.coral.service#UnknownOperationException"),
        ("DynamoDB_20111205.Scan", "AKID", "com.amazon.coral.service#UnknownOperationException"),
        ("DdbioSimulator.Nonsense", "AKID", "com.amazon.coral.service#UnknownOperationException"),
        ("", "AKID", "com.amazon.coral.service#UnknownOperationException"),
    ],
)
def test_requests_that_lead_nowhere(target: str, access_key: str, error: str) -> None:
    reply = Service(Database(), lambda: 0.0).answer(target, access_key, b"{}")
    assert (reply.status, msgspec.json.decode(reply.body)["__type"]) == (400, error)


def test_a_batch_of_which_half_is_processed() -> None:
    account = Account()
    account.create("id:S")
    service = Service(account.database, lambda: 0.0)
    service.faults = FaultPlan([PARTIAL] * 4)

    def ask(operation: str, wanted: object) -> dict[str, Any]:
        body = msgspec.json.encode({"RequestItems": {"Orders": wanted}})
        reply: dict[str, Any] = msgspec.json.decode(
            service.answer(f"DynamoDB_20120810.{operation}", "AKID", body).body
        )
        return reply

    writes = puts(*(order(n) for n in range(5)))
    assert ask("BatchWriteItem", writes)["UnprocessedItems"] == {"Orders": writes[2:]}
    assert account.scan()["Count"] == 2
    keys = [order(n) for n in range(3)]
    reply = ask("BatchGetItem", {"Keys": keys, "ConsistentRead": True})
    assert reply["Responses"] == {"Orders": [order(0)]}
    assert reply["UnprocessedKeys"] == {"Orders": {"Keys": keys[1:], "ConsistentRead": True}}
    assert ask("BatchWriteItem", writes[:1])["UnprocessedItems"] == {}
