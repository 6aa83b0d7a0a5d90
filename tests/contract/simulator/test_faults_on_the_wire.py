"""Each fault as a client meets it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from ddbio.simulator import Fault, FaultPlan, Simulator, faults
from tests.support.commands import with_slack

ITEM = {"id": {"S": "1"}}
SCAN = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Authorization": "any"}


@pytest.fixture(autouse=True)
def table(simulator: Simulator) -> Any:
    return simulator.create_table("Orders", "id:S")


def write(client: Any) -> Any:
    return client.batch_write_item(RequestItems={"Orders": [{"PutRequest": {"Item": ITEM}}]})


@pytest.mark.parametrize(
    ("fault", "error", "message", "written"),
    [
        (faults.INTERNAL_ERROR, ClientError, "InternalServerError", 0),
        (faults.INTERNAL_ERROR_AFTER_WRITE, ClientError, "InternalServerError", 1),
        (faults.UNAVAILABLE, ClientError, "ServiceUnavailable", 0),
        (faults.EXPIRED_TOKEN, ClientError, "ExpiredTokenException", 0),
        (Fault(error="AccessDeniedException", message="no"), ClientError, "no", 0),
        (faults.CUT_BEFORE, ConnectionClosedError, "closed", 0),
        (faults.CUT_AFTER, ConnectionClosedError, "closed", 1),
        (faults.stall(5.0), ReadTimeoutError, "timeout", 1),
    ],
)
def test_what_boto3_makes_of_a_fault(
    simulator: Simulator,
    connect: Callable[..., Any],
    table: Any,
    fault: Fault,
    error: type[Exception],
    message: str,
    written: int,
) -> None:
    client = connect(read_timeout=0.3)
    simulator.faults = FaultPlan([fault])
    with pytest.raises(error, match=message):
        write(client)
    assert table.item_count() == written
    assert write(client)["UnprocessedItems"] == {}


def address(simulator: Simulator) -> tuple[str, int]:
    host, port = simulator.url.removeprefix("http://").split(":")
    return host, int(port)


def post(simulator: Simulator, count: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """That many Scans on one connection: status, headers (names in lower case), body."""
    connection = http.client.HTTPConnection(*address(simulator))
    replies = []
    with contextlib.closing(connection):
        for _ in range(count):
            connection.request("POST", "/", b'{"TableName":"Orders"}', SCAN)
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            replies.append((reply.status, headers, reply.read()))
    return replies


def test_the_headers_of_a_reply(simulator: Simulator) -> None:
    (status, headers, body), (_, others, _) = post(simulator, 2)
    assert (status, body) == (200, b'{"Count":0,"ScannedCount":0,"Items":[]}')
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["x-amz-crc32"] == str(zlib.crc32(body))
    assert headers["x-amzn-requestid"] != others["x-amzn-requestid"]


def test_a_wrong_checksum(simulator: Simulator) -> None:
    simulator.faults = FaultPlan([faults.BAD_CRC])
    ((_, headers, body),) = post(simulator)
    assert headers["x-amz-crc32"] != str(zlib.crc32(body))


# botocore 1.44 takes a body it cannot parse for an empty success, so these are looked at with a client that does not.


def test_a_body_that_is_not_json(simulator: Simulator) -> None:
    simulator.faults = FaultPlan([faults.GARBAGE])
    ((status, headers, body),) = post(simulator)
    assert (status, body[:6], headers["x-amz-crc32"]) == (200, b"<html>", str(zlib.crc32(body)))


def test_a_body_that_ends_too_soon(simulator: Simulator) -> None:
    simulator.faults = FaultPlan([faults.TRUNCATED])
    with pytest.raises(http.client.IncompleteRead) as read:
        post(simulator)
    assert read.value.partial == b'{"Count":0,"ScannedCount":0,"Items":[]}'[:19]


def test_a_connection_that_closes_after_its_reply(simulator: Simulator) -> None:
    simulator.faults = FaultPlan([faults.CLOSE])
    (status, headers, _), (again, _, _) = post(simulator, 2)
    assert (status, headers["connection"], again) == (200, "close", 200)


def test_every_reply_is_late(simulator: Simulator) -> None:
    simulator.faults = FaultPlan(latency_s=0.05)
    start_s = time.monotonic()
    post(simulator, 3)
    assert 0.15 <= time.monotonic() - start_s < with_slack(5)


def test_requests_sent_ahead_are_answered_in_order(simulator: Simulator) -> None:
    simulator.faults = FaultPlan([faults.stall(0.05), faults.UNAVAILABLE, None])
    headers = "".join(f"{name}: {value}\r\n" for name, value in SCAN.items())
    request = (
        f"POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 22\r\n\r\n".encode() + b'{"TableName":"Orders"}'
    )
    with socket.create_connection(address(simulator), timeout=5) as connection:
        connection.sendall(request * 3)
        replies = b""
        while replies.count(b"HTTP/1.1 ") < 3 or not replies.endswith(b"}"):
            replies += connection.recv(65536)
    assert [part[:3] for part in replies.split(b"HTTP/1.1 ")[1:]] == [b"200", b"503", b"200"]


def test_a_request_over_16_megabytes(simulator: Simulator) -> None:
    connection = http.client.HTTPConnection(*address(simulator))
    connection.request("POST", "/", bytes(16 * 1024 * 1024 + 1), SCAN)
    reply = connection.getresponse()
    assert (reply.status, b"RequestEntityTooLarge" in reply.read()) == (413, True)
    connection.close()


def test_what_is_not_http_is_cut_off(simulator: Simulator) -> None:
    with socket.create_connection(address(simulator), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            assert connection.recv(1000) == b""
            raise ConnectionResetError  # a plain end is as good


def test_faults_and_logs_over_the_control_endpoint(
    simulator: Simulator, client: Any, control: Callable[[str, dict[str, Any]], dict[str, Any]]
) -> None:
    plan = {"faults": [{"error": "InternalServerError"}, None, {"cut": True}], "operations": ["BatchWriteItem"]}
    assert control("Configure", {"Faults": plan, "Tables": {"Orders": {"burst_s": 0, "partitions": 2}}}) == {}
    with pytest.raises(ClientError, match="InternalServerError"):
        write(client)
    write(client)
    with pytest.raises(ConnectionClosedError):
        write(client)
    client.scan(TableName="Orders")
    told = control("Inspect", {})
    orders = told["Tables"]["Orders"]
    assert (orders["items"], orders["write"], orders["read"]) == (1, [[0.0, 1.0]], [[0.0, 0.5]])
    assert told["requests"] == {"BatchWriteItem": 3, "Scan": 1}
    assert control("Configure", {"Faults": {"fautls": []}})["__type"].endswith("#SerializationException")
