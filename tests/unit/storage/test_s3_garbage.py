"""A server that answers everything with status 200, and means nothing by it: on a real socket, through botocore."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config

from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings
from ddbio.errors import TransferError
from ddbio.storage import s3_client
from ddbio.storage.s3 import S3Storage
from ddbio.storage.s3_output import MIN_PART_BYTES

PAGE = b"<!DOCTYPE html><html><body><p>Please log in<br></body></html>"
URI = "s3://bkt/exports"


class Meaningless(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = b""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_GET = do_PUT = do_POST = do_HEAD = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(params=[b"", PAGE], ids=["nothing", "page"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Storage]:
    handler = type("Handler", (Meaningless,), {"body": request.param})
    once = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    monkeypatch.setattr(s3_client, "_CONFIG", s3_client._CONFIG.merge(once))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = AwsSettings(region="us-east-1", s3_endpoint_url=f"http://127.0.0.1:{server.server_port}")
    opened = S3Storage(settings, lambda: Keys("key", "secret", None))
    yield opened
    opened.close()
    server.shutdown()
    server.server_close()


def upload_parts(storage: S3Storage) -> None:
    storage.create(URI, "a.json", 0).write(b"x" * MIN_PART_BYTES)


@pytest.mark.parametrize(
    "use",
    [
        lambda storage: storage.write_small(URI, "_manifest.json", b"{}"),
        lambda storage: storage.create(URI, "a.json", 0).finish(),
        upload_parts,
        lambda storage: storage.first_entry(URI),
        lambda storage: storage.contents(URI),
        lambda storage: storage.list_files(f"{URI}/a.json", ()),
    ],
)
def test_no_such_answer_is_a_success(storage: S3Storage, use: Callable[[S3Storage], Any]) -> None:
    with pytest.raises(TransferError):
        use(storage)


def test_nor_is_that_to_a_completion(storage: S3Storage) -> None:
    state = {
        "bucket": "bkt",
        "key": "exports/a.json",
        "part_bytes": 8,
        "upload_id": "id",
        "parts": [[1, "etag", "", 8, False]],
    }
    with pytest.raises(TransferError):
        storage.reopen(state).finish()
