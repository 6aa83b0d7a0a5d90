"""What a throttling error says: which budget, whether only some keys, and in words for the user."""

from __future__ import annotations

import pytest

from ddbio.dynamodb.errors import ThrottlingReason, parse_error
from ddbio.dynamodb.throttling import Throttle, explain

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"
BUDGETS = ("", "byDay")


def of(reason: str, resource: str) -> Throttle:
    (throttle,) = explain([ThrottlingReason(reason, resource)], BUDGETS)
    return throttle


@pytest.mark.parametrize(
    ("reason", "resource", "budget", "hot", "words"),
    [
        ("TableWriteProvisionedThroughputExceeded", TABLE, 0, False, ""),
        ("TableWriteKeyRangeThroughputExceeded", TABLE, 0, True, "One partition of table Orders"),
        ("IndexWriteKeyRangeThroughputExceeded", f"{TABLE}/index/byDay", 1, True, "One partition of index byDay"),
        ("IndexWriteProvisionedThroughputExceeded", f"{TABLE}/index/byDay", 1, False, "Index byDay has too little"),
        ("TableWriteAccountLimitExceeded", TABLE, 0, False, "account's throughput limit for table Orders"),
        ("TableWriteMaxOnDemandThroughputExceeded", TABLE, 0, False, "maximum on-demand throughput of table Orders"),
        ("IndexWriteProvisionedThroughputExceeded", f"{TABLE}/index/other", 0, False, "Index other"),
        ("SomethingNew", "", 0, False, ""),
    ],
)
def test_reasons(reason: str, resource: str, budget: int, hot: bool, words: str) -> None:
    throttle = of(reason, resource)
    assert (throttle.budget, throttle.hot) == (budget, hot)
    assert words in throttle.sentence
    assert bool(words) == bool(throttle.sentence)


def test_without_a_reason_nothing_is_said_to_be_short() -> None:
    assert explain([], BUDGETS) == (Throttle(None),)


def test_every_reason_counts_and_none_twice() -> None:
    hot = ThrottlingReason("TableWriteKeyRangeThroughputExceeded", TABLE)
    short = ThrottlingReason("IndexWriteProvisionedThroughputExceeded", f"{TABLE}/index/byDay")
    throttles = explain([hot, short, hot], BUDGETS)
    assert [(each.budget, each.hot) for each in throttles] == [(0, True), (1, False)]


@pytest.mark.parametrize("spelling", ["ThrottlingReasons", "throttlingReasons"])
def test_both_spellings_are_read(spelling: str) -> None:
    body = (
        '{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down",'
        f'"{spelling}":[{{"reason":"TableWriteKeyRangeThroughputExceeded","resource":"{TABLE}"}}]}}'
    )
    (throttle,) = explain(parse_error(400, body.encode()).reasons, BUDGETS)
    assert throttle.hot
