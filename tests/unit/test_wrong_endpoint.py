"""What answers at the endpoint is not DynamoDB: a line that says so, from the first request on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.errors import TransferError, UsageError

DEEP = 100_000  # levels


class Server(BaseHTTPRequestHandler):
    """status, headers, body: of every answer."""

    protocol_version = "HTTP/1.1"
    status: ClassVar[int] = 200
    headers_of_answer: ClassVar[dict[str, str]] = {}
    body: ClassVar[bytes] = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        for name, value in {**self.headers_of_answer, "Content-Length": str(len(self.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def answers(
    monkeypatch: pytest.MonkeyPatch, body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    monkeypatch.setattr(Server, "body", body)
    monkeypatch.setattr(Server, "status", status)
    monkeypatch.setattr(Server, "headers_of_answer", headers or {})


OTHER_FORMS = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "an object": b"{}",
    "a page": b"<html><body>Welcome</body></html>",
    "other bytes": b"\xff\xfe\x00",
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"Table":{"KeySchema":' + b'{"a":' * DEEP,
    "no table": b'{"Table":null}',
    "a table that is a list": b'{"Table":[]}',
    "a table without members": b'{"Table":{}}',
    "a table without types": b'{"Table":{"TableStatus":"ACTIVE","AttributeDefinitions":7,"KeySchema":[]}}',
    "a table without a key": b'{"Table":{"TableStatus":"ACTIVE","AttributeDefinitions":[],"KeySchema":[{"a":1}]}}',
}


@pytest.mark.parametrize("botocore", [False, True], ids=["directly", "by botocore"])
@pytest.mark.parametrize("body", OTHER_FORMS.values(), ids=OTHER_FORMS.keys())
def test_an_answer_of_another_form_is_no_crash(
    monkeypatch: pytest.MonkeyPatch, url: str, body: bytes, botocore: bool
) -> None:
    if botocore:
        monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "false")  # a setting that botocore understands
    answers(monkeypatch, body)
    with pytest.raises(UsageError) as refused:
        session(url).describe("Orders")
    assert refused.value.message == f'table "Orders" in us-east-1: {url} does not answer like DynamoDB'


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (301, {"Location": "http://127.0.0.1/new"}, b"", "HTTP status 301, to http://127.0.0.1/new"),
        (307, {"Location": "/login"}, b"moved", "HTTP status 307, to /login"),
        (404, {}, b"<html>\n no such\n page</html>", "HTTP status 404, <html> no such page</html>"),
        (400, {}, b"x" * 5000, "HTTP status 400, " + "x" * 80),
        (405, {}, b"", "HTTP status 405"),
    ],
)
def test_a_redirect_or_a_missing_page_is_shown(
    monkeypatch: pytest.MonkeyPatch, url: str, status: int, headers: dict[str, str], body: bytes, says: str
) -> None:
    answers(monkeypatch, body, status, headers)
    with pytest.raises(UsageError) as refused:
        session(url).describe("Orders")
    assert refused.value.message == f'table "Orders" in us-east-1: {url} does not answer like DynamoDB ({says})'
    assert "--endpoint-url" in refused.value.hint


def test_a_refusal_may_be_one_of_permissions(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    answers(monkeypatch, b"Forbidden", 403)
    with pytest.raises(UsageError, match="dynamodb:DescribeTable"):
        session(url).describe("Orders")


def test_a_server_that_fails_may_be_asked_again(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    answers(monkeypatch, b"<html>oops</html>", 500)
    with pytest.raises(TransferError, match="500"):
        session(url).describe("Orders")


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"Count":"x"}', b'{"Items":7,"Count":1,"ScannedCount":1}'])
def test_nor_are_the_answers_to_other_requests(monkeypatch: pytest.MonkeyPatch, url: str, body: bytes) -> None:
    opened = session(url)
    answers(monkeypatch, body)
    requests: list[Callable[[], object]] = [
        lambda: opened.try_scan("Orders", {}),
        lambda: opened.count_page("Orders", {}, 1),
        lambda: opened.read_page("Orders", {}, 1, (0, 1)),
        lambda: [*opened.pages_of_tables()],
    ]
    for request in requests:
        with pytest.raises(UsageError, match="does not answer like DynamoDB"):
            request()
    assert opened.keeps_history("Orders") is None
    assert opened.table_quotas() is None


@pytest.mark.parametrize("region", ["us-east-1\n", "us east", "us-east-1\r\nX-Evil: 1", "é", "../x"])
def test_a_region_with_other_characters_is_refused_in_a_line(url: str, region: str) -> None:
    with pytest.raises(UsageError) as refused:
        Session(AwsSettings(region=region, endpoint_url=url))
    assert refused.value.message == f"{region!r} is no region: it has letters, digits and hyphens only"


def session(url: str) -> Session:
    return Session(AwsSettings(region="us-east-1", endpoint_url=url, longest_wait_s=10))  # one attempt
