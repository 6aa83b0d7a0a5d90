"""The cap of an export, by a log of the server's side that is none of ours: a proxy before DynamoDB Local."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, Registry
from tests.endpoints.counting import CountingProxy, counting
from tests.support.commands import Run
from tests.support.environment import running
from tests.support.items import contents, read_items

pytestmark = pytest.mark.fuller

TABLE = "Varied"
ITEMS = [
    {"id": {"S": f"{number:06}"}, "x": {"S": "x" * random.Random(number).randint(10, 3000)}} for number in range(5000)
]


@pytest.fixture(scope="module")
def varied(endpoints: Registry) -> Endpoint:
    """A table of items of 10 bytes to 3 KB."""
    endpoint = running(endpoints, "dynamodb", "dynamodb-local")
    client: Any = endpoint.client()
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for at in range(0, len(ITEMS), 25):
        puts = [{"PutRequest": {"Item": item}} for item in ITEMS[at : at + 25]]
        client.batch_write_item(RequestItems={TABLE: puts})
    return endpoint


@pytest.fixture
def proxy(varied: Endpoint) -> Iterator[CountingProxy]:
    with counting(varied.url) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("cap", "options"), [(100, ("-p", 2)), (300, ("-p", 2, "--consistent-read")), (100, ("-p", 4)), (200, ("-p", 8))]
)
def test_no_second_costs_more_than_the_cap_and_one_page(
    run_export: Run, proxy: CountingProxy, tmp_path: Path, cap: int, options: tuple[object, ...]
) -> None:
    command = ("-t", TABLE, "-d", "out", "-c", cap, "--segments", 8, "--endpoint-url", proxy.url)
    done = run_export(*command, *options, timeout_s=120)
    assert done.code == 0, done.err
    assert contents(read_items(tmp_path / "out")) == contents(ITEMS)
    log = sorted(proxy.log)
    for number, (begin_s, _) in enumerate(log):
        second = [units for at_s, units in log[number:] if at_s < begin_s + 1]
        assert sum(second) - max(second) <= 1.01 * cap + 1e-6, log[number : number + len(second)]
