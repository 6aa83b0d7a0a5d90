"""Commands in a real account: regions, ARNs, endpoint URLs and CA bundles, wherever they are set."""

from __future__ import annotations

import errno
import os
import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run
from tests.support.items import Item

pytestmark = pytest.mark.fuller

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"

NO_FILE = os.strerror(errno.ENOENT)


class _Refusing(BaseHTTPRequestHandler):
    """An S3 that permits nothing, and notes for which region requests are signed."""

    def _refuse(self) -> None:
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/s3/", self.headers.get("Authorization", ""))
        self.server.regions.add(scope[1] if scope else "unsigned")  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = do_HEAD = _refuse

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing_s3(environment: dict[str, str]) -> Iterator[set[str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    server.regions = set()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    environment["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{server.server_address[1]}"
    yield server.regions  # type: ignore[attr-defined]
    socketserver.BaseServer.shutdown(server)
    server.server_close()
    thread.join()


@pytest.mark.parametrize("way", ["environment", "ARN"])
def test_s3_is_asked_in_the_tables_region(
    run_import: Run,
    run_export: Run,
    simulator: Simulator,
    environment: dict[str, str],
    refusing_s3: set[str],
    way: str,
) -> None:
    """In China, in GovCloud and in a private network the requests of another region cannot get through."""
    simulator.create_table("Orders", "id:S")
    del environment["AWS_DEFAULT_REGION"]
    environment["AWS_REGION"] = "cn-north-1" if way == "environment" else "us-west-2"
    table, region = ("Orders", "cn-north-1") if way == "environment" else (ARN, "eu-west-1")
    run_import("-t", table, "-s", "s3://bucket/orders/").assert_one_line_error(2, "s3:ListBucket")
    assert refusing_s3 == {region}
    run_export("-t", table, "-d", "s3://bucket/orders/").assert_error(2, "s3:ListBucket")
    assert refusing_s3 == {region}


@pytest.mark.parametrize(
    ("options", "settings", "says"),
    [
        (["-t", ARN, "-r", "us-east-1"], {}, ["eu-west-1 by its ARN", "us-east-1"]),
        (["-t", ARN.replace("eu-west-1", "cn-north-1")], {}, ["aws-cn"]),
        (["-t", "Orders", "--endpoint-url", "http://127.0.0.1:1/a/path"], {}, ["has a path (/a/path)"]),
        (["-t", "Orders"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1/?a=b"}, ["has a query", "AWS_ENDPOINT_URL"]),
        (
            ["-t", "Orders"],
            {"AWS_CA_BUNDLE": "missing.pem"},
            ['"missing.pem"', os.strerror(errno.ENOENT), "AWS_CA_BUNDLE"],
        ),
        (["-t", "Orders"], {"REQUESTS_CA_BUNDLE": "orders.json"}, ["no certificates in PEM", "REQUESTS_CA_BUNDLE"]),
    ],
    ids=range(6),
)
def test_what_contradicts_itself_is_refused_before_anything_is_asked(
    run_import: Run,
    run_export: Run,
    environment: dict[str, str],
    orders: list[Item],
    tmp_path: Path,
    options: list[str],
    settings: dict[str, str],
    says: list[str],
) -> None:
    environment.update(settings)
    run_import("-s", "orders.json", *options).assert_one_line_error(2, *says)
    run_export("-d", "out", *options).assert_one_line_error(2, *says)
    assert not (tmp_path / "out").exists()
