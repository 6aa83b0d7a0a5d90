"""`ddbio verify`: whatever differs between an export and its manifest, or a table, is found and named."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ddbio.simulator import Simulator
from tests.endpoints import Endpoint
from tests.support.commands import CHECKOUT, EXPORT, Commands, Run
from tests.support.items import data_files, plain_items, rich_items

pytestmark = pytest.mark.fuller


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def verify(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(Path("-m"), "ddbio", "verify", *arguments, **options)


@pytest.fixture
def exported(commands: Commands, simulator: Simulator, tmp_path: Path) -> Callable[..., Path]:
    simulator.create_table("Orders", "id:S").put_items(rich_items(120))

    def export(*options: object) -> Path:
        done = commands.run(EXPORT, "-t", "Orders", "-d", "out", "-p", 1, "--segments", 3, *options)
        assert done.code == 0, done.err
        return tmp_path / "out"

    return export


FORMATS = [
    (),
    ("--compress", "gzip"),
    ("--format", "dynamodb-json", "--compress", "zstd"),
    ("--format", "csv"),
    ("--format", "parquet"),
    ("--format", "avro"),
    ("--native-layout",),
]


@pytest.mark.parametrize("options", FORMATS)
def test_an_export_as_it_was_written(verify: Run, exported: Callable[..., Path], options: tuple[str, ...]) -> None:
    folder = exported(*options)
    done = verify("out" if "--native-layout" not in options else next((folder / "AWSDynamoDB").iterdir()))
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("as the manifest says: 3 files, 120 items, ")


def harm_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def add_line(folder: Path) -> None:
    """An item more, of which the manifest knows all but the number."""
    path = data_files(folder)[0]
    manifest = json.loads((folder / "_manifest.json").read_text())
    manifest["files"][0]["items"] -= 1
    manifest["items"] -= 1
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    assert path.name == manifest["files"][0]["name"]


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: data_files(folder)[1].unlink(), "is missing"),
    "shorter": (
        lambda folder: data_files(folder)[1].write_bytes(data_files(folder)[1].read_bytes()[:-9]),
        "bytes, and",
    ),
    "other bytes": (lambda folder: harm_byte(data_files(folder)[2]), "has the checksum sha256:"),
    "unlisted": (lambda folder: (folder / "more.json").write_text("{}"), 'more.json" is not in the manifest'),
    "items": (add_line, "items, and the manifest says"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_an_export_that_was_harmed(verify: Run, exported: Callable[..., Path], harm: str) -> None:
    folder = exported()
    do, words = HARMS[harm]
    do(folder)
    done = verify("out")
    assert done.code == 1, done.err
    assert words in done.out
    assert "1 problem: " in done.out


def test_every_problem_is_named(verify: Run, exported: Callable[..., Path]) -> None:
    folder = exported()
    for harm in ("other bytes", "missing"):
        HARMS[harm][0](folder)
    done = verify("out", "--json")
    report = json.loads(done.out)
    assert (done.code, report["exit_code"], len(report["problems"])) == (1, 1, 2)


def test_a_native_export_that_was_harmed(verify: Run, exported: Callable[..., Path]) -> None:
    (folder,) = (exported("--native-layout") / "AWSDynamoDB").iterdir()
    path = next((folder / "data").iterdir())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"item-", b"Item-", 1)))
    assert verify(folder).code == 1
    path.unlink()
    done = verify(folder)
    assert (done.code, "Traceback" in done.err) == (1, False), done.err


def test_a_table_that_holds_exactly_the_export(
    verify: Run, exported: Callable[..., Path], simulator: Simulator
) -> None:
    exported()
    done = verify("out", "-t", "Orders", "-c", 200)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1:3] == ["the same", "120 and 120 items compared"]
    simulator.table("Orders").put_items([{"id": {"S": "more"}}, {**rich_items(120)[3], "number": {"N": "-1"}}])
    done = verify("out", "-t", "Orders")
    assert done.code == 1
    assert done.out.splitlines()[1] == "2 differences: 1 only in the second, 1 changed"


def test_an_export_of_a_part_is_compared_with_that_part(
    commands: Commands, verify: Run, exported: Callable[..., Path], simulator: Simulator
) -> None:
    exported()
    orders = simulator.table("Orders")
    orders.put_items(plain_items(30, first=1000))
    chosen = ("--filter", "n >= :n", "--values", '{"n": 1010}')
    assert commands.run(EXPORT, "-t", "Orders", "-d", "part", "-p", 1, *chosen).code == 0
    done = verify("part", "-t", "Orders")
    assert (done.code, done.out.splitlines()[1]) == (0, "the same"), done.err + done.out
    assert "is an export of a part of its table (--filter)" in done.err
    orders.put_items([*plain_items(1, first=1001), *plain_items(1, first=1040)])
    orders.put_items([{**plain_items(1, first=1020)[0], "n": {"N": "1"}}])
    done = verify("part", "-t", "Orders")
    assert done.out.splitlines()[1] == "2 differences: 1 only in the second, 1 changed", done.err
    assert commands.run(EXPORT, "-t", "Orders", "-d", "ids", "-p", 1, "--attributes", "id").code == 0
    done = verify("ids", "-t", "Orders")
    assert (done.code, done.out.splitlines()[1]) == (0, "the same"), done.err + done.out
    for option in (("--limit", 5), ("--drop", "n")):
        assert commands.run(EXPORT, "-t", "Orders", "-d", f"out{option[0]}", "-p", 1, *option).code == 0
        verify(f"out{option[0]}", "-t", "Orders").assert_error(2, option[0])
        assert verify(f"out{option[0]}").code == 0
    diff = commands.run(Path("-m"), "ddbio", "diff", "-s", "out--limit", "--to", "Orders")
    assert (diff.code, "is an export of a part of its table (--limit)" in diff.err) == (1, True), diff.err


def test_an_export_on_s3(commands: Commands, verify: Run, simulator: Simulator, s3_endpoint: Endpoint) -> None:
    bucket = f"verify-{uuid.uuid4().hex[:8]}"
    s3_endpoint.client().create_bucket(Bucket=bucket)
    simulator.create_table("Orders", "id:S").put_items(rich_items(50))
    place, at = f"s3://{bucket}/out", ("--s3-endpoint-url", s3_endpoint.url)
    assert commands.run(EXPORT, "-t", "Orders", "-d", place, "-p", 1, "--segments", 2, *at).code == 0
    done = verify(place, *at)
    assert done.out.startswith("as the manifest says: 2 files, 50 items, "), done.err
    done = verify(place, "-t", "Orders", *at)
    assert done.out.splitlines()[1] == "the same", done.err
    key = s3_endpoint.client().list_objects_v2(Bucket=bucket, Prefix="out/Orders")["Contents"][0]["Key"]
    s3_endpoint.client().delete_object(Bucket=bucket, Key=key)
    done = verify(place, *at)
    assert (done.code, "is missing" in done.out) == (1, True), done.err


@pytest.mark.parametrize("words", [("nothing/",), ("data",), ("-t", "Orders"), ("data", "-c", 5)])
def test_what_cannot_work_is_one_line(verify: Run, tmp_path: Path, words: tuple[object, ...]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.json").write_text("{}")
    verify(*words).assert_one_line_error(2)


@pytest.mark.parametrize("plan", [(), ("--plan",)])
def test_an_export_that_may_not_be_read_is_not_called_different(
    verify: Run, environment: dict[str, str], plan: tuple[str, ...]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        environment["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{server.server_port}"
        done = verify("s3://my-bucket/orders/", *plan)
        server.shutdown()
    assert (done.code, done.out) == (2, "")
    assert "no permission to list" in done.err and "allow these credentials s3:ListBucket" in done.err


class Refusing(BaseHTTPRequestHandler):
    """An S3 that refuses everything."""

    def do_GET(self) -> None:
        self.send_response(403)
        body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_plan_says_how_much_memory_it_needs(verify: Run, exported: Callable[..., Path]) -> None:
    exported()
    done = verify("out", "--plan")
    assert done.code == 0, done.err
    assert "Machine: 1 process, at most 75.0 MB of memory" in done.out
