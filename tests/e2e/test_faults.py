"""What the service and the network do to requests: contents are exact all the same, and every repetition is counted.

The simulator fails on demand. A write that was cut off after it was applied is sent again: puts are idempotent. A
page that was cut off is scanned again: no item may be in the export twice.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb import session
from ddbio.engines.inline import InlineEngine
from ddbio.simulator import Fault, FaultPlan, Simulator
from ddbio.simulator.faults import (
    BAD_CRC,
    CLOSE,
    CUT_AFTER,
    CUT_BEFORE,
    GARBAGE,
    INTERNAL_ERROR,
    INTERNAL_ERROR_AFTER_WRITE,
    TRUNCATED,
    UNAVAILABLE,
    stall,
)
from ddbio.verbs.options import ImportOptions
from tests.support.certificates import Certificates
from tests.support.commands import Run, Start, assert_holds, make_old
from tests.support.environment import AWS_ENVIRONMENT
from tests.support.front import forwarding
from tests.support.items import Item, contents, plain_items, read_items
from tests.support.transfers import import_table

pytestmark = pytest.mark.fuller

TRANSIENT = {
    "500": INTERNAL_ERROR,
    "500 after the write": INTERNAL_ERROR_AFTER_WRITE,
    "503": UNAVAILABLE,
    "cut before": CUT_BEFORE,
    "cut after": CUT_AFTER,
    "bad crc": BAD_CRC,
    "truncated": TRUNCATED,
    "garbage": GARBAGE,
    "not of DynamoDB": Fault(error="BadGateway", status=502),
}
THROTTLED = Fault(error="ProvisionedThroughputExceededException")


# The other kinds are in the test after this one.
@pytest.mark.parametrize("kind", ["500 after the write", "cut after", "bad crc", "truncated"])
def test_import_and_export_of_faulty_answers(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path, kind: str
) -> None:
    """Faults one by one, and two in a row."""
    simulator.create_table("Orders", "id:S")
    fault = TRANSIENT[kind]
    simulator.faults = FaultPlan([fault, None, fault, None, fault, fault, None, fault])
    imported = run_import("-t", "Orders", "-s", "orders.json")
    assert (imported.code, imported.out.splitlines()[0]) == (0, "1,000 read, 1,000 written, 0 rejected"), imported.err
    assert imported.counts["retries"] == 5
    assert simulator.requests()["BatchWriteItem"] == 40 + 5
    assert_holds(simulator, "Orders", orders)

    simulator.faults = FaultPlan([fault, None, fault, None, fault])
    exported = run_export("-t", "Orders", "-d", "out", "--segments", 5)
    assert (exported.code, exported.counts["retries"]) == (0, 3), exported.err
    assert simulator.requests()["Scan"] == 5 + 3
    assert (exported.counts["read"], exported.counts["exported"]) == (1000, 1000)
    assert contents(read_items(tmp_path / "out")) == contents(orders)


def test_all_faults_at_once(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """A third of the answers, of every kind, with two processes."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(TRANSIENT.values(), probability=0.3, seed=7)
    imported = run_import("-t", "Orders", "-s", "orders.json", "-p", 2)
    assert (imported.code, imported.counts["written"], imported.counts["rejected"]) == (0, 1000, 0), imported.err
    assert imported.counts["retries"] == simulator.requests()["BatchWriteItem"] - 40
    assert_holds(simulator, "Orders", orders)
    simulator.faults = FaultPlan(TRANSIENT.values(), probability=0.3, seed=8)
    exported = run_export("-t", "Orders", "-d", "out", "-p", 2, "--segments", 12)
    assert (exported.code, exported.counts["exported"]) == (0, 1000), exported.err
    assert contents(read_items(tmp_path / "out")) == contents(orders)


def test_a_connection_that_is_closed_after_every_answer(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """The service does so when it likes, and it is no fault."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([CLOSE], probability=1.0)
    imported = run_import("-t", "Orders", "-s", "orders.json")
    assert (imported.code, imported.counts["written"]) == (0, 1000), imported.err
    assert simulator.requests()["BatchWriteItem"] == 40
    assert "retries" not in imported.counts
    assert_holds(simulator, "Orders", orders)
    exported = run_export("-t", "Orders", "-d", "out")
    assert exported.code == 0, exported.err
    assert contents(read_items(tmp_path / "out")) == contents(orders)


@pytest.mark.parametrize("faults", [[THROTTLED], [None, None, THROTTLED, None, THROTTLED]], ids=["first", "later"])
def test_an_import_that_is_throttled_counts_it_apart(
    run_import: Run, simulator: Simulator, orders: list[Item], faults: list[Fault | None]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(faults)
    done = run_import("-t", "Orders", "-s", "orders.json", timeout_s=12)
    assert done.code == 0, done.err
    assert (done.counts["throttled"], "retries" in done.counts) == (faults.count(THROTTLED), False)
    assert_holds(simulator, "Orders", orders)


def test_an_export_that_is_throttled_counts_it_apart(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    items = plain_items(100)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.faults = FaultPlan([THROTTLED, None, THROTTLED])
    done = run_export("-t", "Orders", "-d", "out", "--segments", 5, timeout_s=12)
    assert (done.code, done.counts["throttled"]) == (0, 2), done.err
    assert contents(read_items(tmp_path / "out")) == contents(items)


def test_a_table_that_is_updated_meanwhile_is_read_and_written_like_any_other(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """UPDATING is a change of capacity or of an index: the service serves the table all the while."""
    simulator.create_table("Orders", "id:S")
    simulator.call(lambda: set_status(simulator, "UPDATING"))
    assert run_import("-t", "Orders", "-s", "orders.json").code == 0
    assert_holds(simulator, "Orders", orders)
    assert run_export("-t", "Orders", "-d", "out").code == 0
    assert contents(read_items(tmp_path / "out")) == contents(orders)


def set_status(simulator: Simulator, status: str) -> None:
    table = simulator.service.database.tables["Orders"]
    table.pending_status, table.ready_s = status, float("inf")


def test_describe_table_is_tried_again(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([INTERNAL_ERROR, CUT_BEFORE], operations={"DescribeTable"})
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert done.code == 0, done.err
    assert simulator.requests()["DescribeTable"] == 3
    assert_holds(simulator, "Orders", orders)


def test_a_service_that_is_down_before_it_begins(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([UNAVAILABLE], probability=1.0, operations={"DescribeTable"})
    done = run_import("-t", "Orders", "-s", "orders.json")
    done.assert_one_line_error(3, 'table "Orders"', "ServiceUnavailable", "run the same command again")


# --------------------------------------------------------------------------- what no repetition helps against


def test_an_import_into_a_table_that_is_deleted_meanwhile(
    start_import: Start, simulator: Simulator, orders: list[Item]
) -> None:
    table = simulator.create_table("Orders", "id:S")
    make_old(simulator, "Orders")
    simulator.faults = FaultPlan(latency_s=0.05)
    with start_import("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1) as command:
        command.until(lambda: table.item_count() >= 100)
        in_table = delete(simulator)
        done = command.wait()
    done.assert_error(3, "Orders", "ResourceNotFoundException", "the table was deleted")
    assert "".join(done.log).count("error:") == 1, "one line, however many lanes met it"
    assert 0 < done.counts["written"] <= in_table
    assert done.counts["read"] == done.counts["written"]


def test_an_export_of_a_table_that_is_deleted_meanwhile(
    start_export: Start, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(2000, padding=900))
    make_old(simulator, "Orders")
    simulator.faults = FaultPlan(latency_s=0.05)
    with start_export("-t", "Orders", "-d", "out", "-c", 100, "--segments", 4) as command:
        command.until(lambda: simulator.table("Orders").consumed("read") > 20)
        delete(simulator)
        done = command.wait()
    done.assert_error(3, "Orders", "ResourceNotFoundException", "the table was deleted")
    names = [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert "_manifest.json" not in names
    assert done.counts["files"] == len(names)


def delete(simulator: Simulator) -> int:
    """Delete the table Orders; how many items it had."""

    def work() -> int:
        tables = simulator.service.database.tables
        return len(tables.pop("Orders").items)

    return simulator.call(work)


@pytest.mark.parametrize("error", ["AccessDeniedException", "InvalidSignatureException"])
def test_a_permission_that_is_lost_in_mid_run(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path, error: str
) -> None:
    table = simulator.create_table("Orders", "id:S")
    message = "User: x is not authorized to perform: dynamodb:BatchWriteItem"
    simulator.faults = FaultPlan([*[None] * 10, *[Fault(error=error, message=message)] * 1000])
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2)
    done.assert_error(3, error, message)
    assert len([line for line in done.err.splitlines() if "error:" in line]) == 1
    assert done.counts["read"] == done.counts["written"] + done.counts["rejected"]
    assert done.counts["rejected"] == 0
    assert done.counts["written"] <= table.item_count() <= 250

    simulator.faults = FaultPlan([*[None] * 2, *[Fault(error=error, message=message)] * 1000])
    done = run_export("-t", "Orders", "-d", "out", "--segments", 5)
    done.assert_error(3, error, message)
    assert "_manifest.json" not in [path.name for path in (tmp_path / "out").iterdir()]


def test_a_clock_that_is_wrong(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    """At the start, and when it is set in mid-run: the error says which clock, which way, and by how much."""
    simulator.create_table("Orders", "id:S")
    message = "Signature expired: 20260101T120000Z is now earlier than 20260101T121500Z (20260101T122000Z - 5 min.)"
    skewed = Fault(error="InvalidSignatureException", message=message)
    says = ("InvalidSignatureException", "clock of this machine is 0:20:00 behind the service's", "chronyc")
    simulator.faults = FaultPlan([skewed] * 100, operations={"DescribeTable"})
    run_import("-t", "Orders", "-s", "orders.json").assert_one_line_error(2, *says)
    simulator.faults = FaultPlan([None, None, *[skewed] * 100])
    done = run_import("-t", "Orders", "-s", "orders.json", "--lanes", 1)
    done.assert_error(3, *says)
    assert done.counts["read"] == done.counts["written"] == simulator.table("Orders").item_count()


@pytest.mark.parametrize("run", ["run_import", "run_export"])
def test_a_name_that_is_not_known(run: str, request: pytest.FixtureRequest, orders: list[Item]) -> None:
    """Names below .invalid never are. (In mid-run it is tried again: see `test_connection`.)"""
    place = ["-s", "orders.json"] if run == "run_import" else ["-d", "out"]
    done = request.getfixturevalue(run)("-t", "Orders", *place, "--endpoint-url", "http://dynamodb.invalid:8000")
    done.assert_one_line_error(3, "dynamodb.invalid", "check --region, --endpoint-url and the network")


def test_an_answer_that_does_not_come_is_not_waited_for(
    simulator: Simulator, orders: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was applied, and is sent again. (Here without a process: the command waits for half a minute.)"""
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(session, "DataPlane", partial(session.DataPlane, request_timeout_s=0.2))
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([None, stall(30.0), None, stall(30.0)])
    options = ImportOptions(
        table="Orders", sources=(str(tmp_path / "orders.json"),), aws=AwsSettings(endpoint_url=simulator.url), lanes=2
    )
    result = import_table(options, engine=InlineEngine())
    assert (result.error, result.tally.written, result.tally.retries) == (None, 1000, 2)
    assert simulator.requests()["BatchWriteItem"] == 42
    assert_holds(simulator, "Orders", orders)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("a certificate", ["the certificate of localhost cannot be verified", "AWS_CA_BUNDLE"]),
        ("a proxy", ["the proxy refused the tunnel: HTTP/1.1 407", "HTTPS_PROXY"]),
    ],
)
def test_a_way_to_the_service_that_is_closed_in_mid_run(
    start_import: Start,
    simulator: Simulator,
    orders: list[Item],
    environment: dict[str, str],
    certificates: Certificates,
    trouble: str,
    says: list[str],
) -> None:
    """No repetition helps against a certificate that nobody vouches for, or a proxy that wants another password."""
    table = simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)
    with (
        forwarding(int(simulator.url.rpartition(":")[2]), certificates.server) as front,
        forwarding(front.port, proxy=True) as proxy,
    ):
        url = f"https://localhost:{front.port}"
        environment.update(AWS_ENDPOINT_URL_DYNAMODB=url, AWS_CA_BUNDLE=certificates.authority, NO_PROXY="")
        environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
        with start_import("-t", "Orders", "-s", "orders.json", "--lanes", 2, "-p", 1) as command:
            command.until(lambda: table.item_count() >= 100)
            if trouble == "a certificate":
                front.turn_bad(context=certificates.misnamed)
                proxy.turn_bad()
            else:
                proxy.turn_bad(refusal=b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            done = command.wait(10)
    done.assert_error(3, *says)
    assert 0 < done.counts["read"] == done.counts["written"] <= table.item_count() < 1000


@pytest.mark.parametrize("fault", [THROTTLED, INTERNAL_ERROR, CUT_BEFORE], ids=["throttled", "500", "cut"])
def test_a_table_that_never_answers_is_given_up(
    run_import: Run, simulator: Simulator, orders: list[Item], fault: Fault
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([fault], probability=1.0)
    done = run_import("-t", "Orders", "-s", "orders.json", "--give-up-after", 1, "-p", 2, timeout_s=12)
    done.assert_error(3, "no request succeeded for 1 s", "run the same command again")
    assert "".join(done.log).count("error:") == 1
    assert done.out.splitlines()[0] == "0 read, 0 written, 0 rejected"
    assert done.counts["throttled" if fault is THROTTLED else "retries"] > 0
    assert simulator.table("Orders").item_count() == 0


def test_an_export_that_never_succeeds_is_given_up(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(100))
    simulator.faults = FaultPlan([THROTTLED], probability=1.0)
    done = run_export("-t", "Orders", "-d", "out", "--give-up-after", 1, timeout_s=12)
    done.assert_error(3, "no request succeeded for 1 s")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_service_that_goes_away_and_comes_back(
    start_import: Start, simulator: Simulator, orders: list[Item]
) -> None:
    """Refused connections in mid-run are no end of it."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.02)
    with start_import("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 200)
        port = int(simulator.url.rpartition(":")[2])
        simulator.stop()
        returned = Simulator(port=port)
        returned.service = simulator.service
        threading.Event().wait(0.5)
        with returned:
            done = command.wait()
            assert done.code == 0, done.err
            assert done.counts["retries"] > 0
            assert (done.counts["read"], done.counts["written"]) == (1000, 1000)
            assert contents(returned.table("Orders").items()) == contents(orders)
