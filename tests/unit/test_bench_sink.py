"""The benchmarks' endpoint: boto3 must take its answers for DynamoDB's, or its figures would mean nothing."""

from __future__ import annotations

import json
import zlib

import pytest

from bench.shapes import PAGE_ITEMS
from bench.sink import Answers

CALL = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810."


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers("texts", pages=7)


def ask(answers: Answers, operation: bytes, body: object) -> dict[str, object]:
    head, _, said = b"".join(answers.to(CALL + operation, json.dumps(body).encode())).partition(b"\r\n\r\n")
    headers = dict(line.split(": ") for line in head.decode().split("\r\n")[1:])
    assert int(headers["Content-Length"]) == len(said)
    assert int(headers["x-amz-crc32"]) == zlib.crc32(said)
    return json.loads(said)  # type: ignore[no-any-return]


@pytest.mark.parametrize("segments", [1, 3, 7, 10])
def test_a_scan_of_all_segments_gives_every_page_once(answers: Answers, segments: int) -> None:
    pages = []
    for segment in range(segments):
        key: object = {}
        while key is not None:
            request = {"TableName": "Orders", "Segment": segment, "TotalSegments": segments}
            page = ask(answers, b"Scan", request | ({"ExclusiveStartKey": key} if key else {}))
            pages += [page["Count"]] if page["Items"] else []
            key = page.get("LastEvaluatedKey")
    assert pages == [PAGE_ITEMS["texts"]] * 7


def test_a_scan_without_segments_is_one_segment(answers: Answers) -> None:
    page = ask(answers, b"Scan", {"TableName": "Orders"})
    assert page["LastEvaluatedKey"] == {"hash": {"S": "page-0"}, "range": {"S": "0"}}


def test_a_batch_is_written_and_charged(answers: Answers) -> None:
    puts = [{"PutRequest": {"Item": {"hash": {"S": str(number)}}}} for number in range(25)]
    plain = {"RequestItems": {"Orders": puts}}
    assert ask(answers, b"BatchWriteItem", plain) == {"UnprocessedItems": {}}
    charged = ask(answers, b"BatchWriteItem", plain | {"ReturnConsumedCapacity": "TOTAL"})
    assert charged["ConsumedCapacity"] == [{"TableName": "Orders", "CapacityUnits": 25.0}]


def test_the_counts_are_told_and_reset(answers: Answers) -> None:
    ask(answers, b"PutItem", {"Item": {}})
    counted = json.loads(b"".join(answers.to(b"GET /reset HTTP/1.1", b"")).partition(b"\r\n\r\n")[2])
    assert counted["puts"] == 0
    ask(answers, b"PutItem", {"Item": {}})
    assert (answers.counts.puts, answers.counts.requests) == (1, 1)
