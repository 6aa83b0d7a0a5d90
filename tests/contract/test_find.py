"""The first items in order, and those that match, on every server."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.verbs.find_items import find_items
from ddbio.verbs.options import FindOptions
from tests.contract.test_transfer import INLINE, Tables, aws, counts, do_import, tables
from tests.support.items import write_items

__all__ = ["aws", "tables"]  # fixtures
pytestmark = pytest.mark.fuller

ORDERED = [
    *({"N": "-9" * 1}, {"N": "0"}, {"N": "2"}, {"N": "10"}, {"N": "9" * 37 + "1"}, {"N": "9" * 37 + "2"}),
    *({"S": "Z"}, {"S": "a"}, {"S": "é"}, {"S": "\uffee"}, {"S": "\U0001f600"}),
    {"BOOL": True},
]


@pytest.fixture
def table(tables: Tables, aws: AwsSettings, tmp_path: Path) -> str:
    name = tables.create()
    items: list[dict[str, Any]] = [{"id": {"S": str(place)}, "v": value} for place, value in enumerate(ORDERED)]
    items.append({"id": {"S": "without"}})
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, name, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    return name


def found(capfd: pytest.CaptureFixture[str], aws: AwsSettings, table: str, **asked: Any) -> list[str]:
    result = find_items(FindOptions(table=table, aws=aws, segments=3, **asked), engine=INLINE)
    assert result.exit_code == 0, result.error
    text = capfd.readouterr().out
    assert result.tally.written == len(text.splitlines())
    return [json.loads(line, parse_int=Decimal)["id"] for line in text.splitlines()]


def test_the_first_in_order(capfd: pytest.CaptureFixture[str], aws: AwsSettings, table: str) -> None:
    places = [str(place) for place in range(len(ORDERED))]
    assert found(capfd, aws, table, order_by="v", limit=50) == [*places, "without"]
    assert found(capfd, aws, table, order_by="v", limit=4, descending=True) == places[:-5:-1]


def test_those_that_match(capfd: pytest.CaptureFixture[str], aws: AwsSettings, tables: Tables, table: str) -> None:
    if tables.endpoint.name != "moto":  # it fails with HTTP 500 if types differ
        above_9 = found(capfd, aws, table, filter="v > :v", values=json.dumps({"v": 9}), order_by="v", limit=9)
        assert above_9 == ["3", "4", "5"]
    assert found(capfd, aws, table, filter="attribute_not_exists(v)") == ["without"]
    assert len(found(capfd, aws, table, limit=2)) == 2
