"""Commands that cannot work as given: one line on stderr that says what, where and what next; nothing is moved.

The predecessors answered most of these with a traceback, a hang, or exit code 0.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator
from tests.endpoints import Endpoint
from tests.support.commands import Completed, Run, Start, assert_holds
from tests.support.items import MANIFEST, Item, contents, data_files, plain_items, read_items, write_items

Environment = dict[str, str]

EXISTING = [{"id": {"S": "was here before"}}]


@pytest.fixture(params=["import", "export"])
def run_either(
    request: pytest.FixtureRequest, run_import: Run, run_export: Run, orders: list[Item], tmp_path: Path
) -> Iterator[Run]:
    """An import of `orders.json` and an export to `out`, each with the options given: neither may move anything."""

    def run(*options: object) -> Completed:
        if request.param == "import":
            return run_import("-s", "orders.json", *options)
        return run_export("-d", "out", *options)

    yield run
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def table(simulator: Simulator) -> Iterator[Simulator]:
    """A table Orders with one item, provisioned, that no command may change or read."""
    simulator.create_table("Orders", "id:S", wcu=100, rcu=100).put_items(EXISTING)
    yield simulator
    assert_holds(simulator, "Orders", EXISTING)
    assert simulator.requests().keys() <= {"DescribeTable"}


def assert_has_hint(done: Completed) -> None:
    """`PROGRAM: error: what; what to do next`."""
    what, _, hint = done.err.rstrip("\n").partition("; ")
    assert what and hint, done.err


# --------------------------------------------------------------------------- the table


def test_a_table_that_does_not_exist(run_either: Run, table: Simulator) -> None:
    done = run_either("-t", "Ordres")
    done.assert_one_line_error(2, '"Ordres"', "us-east-1", "does not exist", "--region", "--endpoint-url")


def test_a_table_that_is_still_being_created(run_either: Run, environment: Environment) -> None:
    with Simulator(activation_s=60) as simulator:
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = simulator.url
        simulator.create_table("Orders", "id:S")
        done = run_either("-t", "Orders")
        done.assert_one_line_error(2, '"Orders" is CREATING', "wait until it is ACTIVE")
        assert simulator.requests() == {"DescribeTable": 1}


@pytest.mark.parametrize("name", ["ab", "x" * 256, "Orders/../.."])
def test_what_cannot_be_the_name_of_a_table(run_export: Run, table: Simulator, name: str) -> None:
    done = run_export("-t", name, "-d", "out")
    done.assert_one_line_error(2, "cannot be the name of a table", "3 to 255 letters")
    assert table.requests() == {}


def test_a_name_that_is_empty(run_export: Run, table: Simulator) -> None:
    done = run_export("-t", "", "-d", "out")
    done.assert_one_line_error(2, "--table is empty; is a shell variable unset?")
    assert table.requests() == {}


def test_no_permission_to_describe_the_table(run_either: Run, table: Simulator) -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:DescribeTable"
    denied = Fault(error="AccessDeniedException", message=message)
    table.faults = FaultPlan([denied] * 2, operations={"DescribeTable"})  # botocore asks again, for its words
    run_either("-t", "Orders").assert_one_line_error(
        2, "AccessDeniedException", "dynamodb:DescribeTable", "iam-policy"
    )


# --------------------------------------------------------------------------- credentials, region, endpoint


def test_no_credentials(run_either: Run, table: Simulator, environment: Environment) -> None:
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    hint = "a local endpoint accepts any: export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any"
    run_either("-t", "Orders").assert_one_line_error(2, "no AWS credentials were found", hint)
    environment["AWS_ENDPOINT_URL_DYNAMODB"] = "https://dynamodb.example"
    done = run_either("-t", "Orders")
    done.assert_one_line_error(2, "no AWS credentials were found", "AWS_PROFILE", "an instance with a role")


def test_half_of_the_credentials(run_either: Run, table: Simulator, environment: Environment) -> None:
    del environment["AWS_SECRET_ACCESS_KEY"]
    done = run_either("-t", "Orders")
    done.assert_one_line_error(2, "credentials")
    assert_has_hint(done)


@pytest.mark.parametrize("blank", [(), ("AWS_REGION",), ("AWS_REGION", "AWS_DEFAULT_REGION")], ids="+".join)
def test_no_region(run_either: Run, table: Simulator, environment: Environment, blank: tuple[str, ...]) -> None:
    """Or one of no letters, as an unset variable of a shell makes it."""
    del environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]
    environment.update(dict.fromkeys(blank, ""))
    run_either("-t", "Orders").assert_one_line_error(2, "no AWS region is set", "--region")


def test_a_profile_that_does_not_exist(run_either: Run, table: Simulator) -> None:
    done = run_either("-t", "Orders", "--profile", "nobody")
    done.assert_one_line_error(2, "nobody", "~/.aws/config")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x"])
@pytest.mark.fuller
def test_an_endpoint_that_is_no_url(run_export: Run, table: Simulator, url: str) -> None:
    """It cannot work as given, whatever the network does."""
    done = run_export("-t", "Orders", "-d", "out", "--endpoint-url", url)
    done.assert_one_line_error(2, "http(s)://host[:port]", url.rpartition(":")[2], "--endpoint-url")
    assert "--region" not in done.err


def test_an_endpoint_of_the_environment_that_is_no_url(
    run_import: Run, table: Simulator, orders: list[Item], environment: Environment
) -> None:
    environment["AWS_ENDPOINT_URL_DYNAMODB"] = "127.0.0.1:8000"
    done = run_import("-t", "Orders", "-s", "orders.json")
    done.assert_one_line_error(2, "Invalid endpoint: 127.0.0.1:8000", "http(s)://host[:port]")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1"])
@pytest.mark.fuller
def test_an_s3_endpoint_that_is_no_url(run_import: Run, table: Simulator, url: str) -> None:
    done = run_import("-t", "Orders", "-s", "s3://bucket/orders/", "--s3-endpoint-url", url)
    done.assert_one_line_error(2, "endpoint")


def test_a_region_that_cannot_be_one(run_export: Run, table: Simulator) -> None:
    done = run_export("-t", "Orders", "-d", "out", "-r", "US East (Ohio)")
    done.assert_one_line_error(2, "US East (Ohio)", "--region")


def test_nothing_listens_at_the_endpoint(run_either: Run) -> None:
    with socket.socket() as bound:  # bound and not listening: connections are refused, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        done = run_either("-t", "Orders", "--endpoint-url", url)
    done.assert_one_line_error(3, "table", "Orders", url, "check --region, --endpoint-url and the network")


# --------------------------------------------------------------------------- the source


def test_a_source_that_does_not_exist(run_import: Run, table: Simulator) -> None:
    done = run_import("-t", "Orders", "-s", "ordres.json")
    done.assert_one_line_error(2, "ordres.json", "does not exist")
    assert_has_hint(done)


def test_one_of_several_sources_does_not_exist(run_import: Run, table: Simulator, orders: list[Item]) -> None:
    done = run_import("-t", "Orders", "-s", "orders.json", "-s", "ordres.json")
    done.assert_one_line_error(2, "ordres.json", "does not exist")


@pytest.mark.parametrize("names", [[], ["notes.txt", "orders.xml", ".hidden.json"]], ids=["empty", "no match"])
def test_a_folder_in_which_nothing_is_to_be_imported(
    run_import: Run, table: Simulator, tmp_path: Path, names: list[str]
) -> None:
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_text('{"id": "not to be imported"}\n')
    done = run_import("-t", "Orders", "-s", "in")
    done.assert_one_line_error(2, "in", ".json")
    assert_has_hint(done)


def test_a_glob_that_matches_nothing(run_import: Run, table: Simulator, orders: list[Item]) -> None:
    done = run_import("-t", "Orders", "-s", "part-*.json")
    done.assert_one_line_error(2, "part-*.json")
    assert_has_hint(done)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_source_that_may_not_be_read(run_import: Run, table: Simulator, tmp_path: Path, what: str) -> None:
    write_items(tmp_path / "in" / "orders.json", plain_items(10))
    unreadable = tmp_path / "in" / "orders.json" if what == "file" else tmp_path / "in"
    unreadable.chmod(0)
    done = run_import("-t", "Orders", "-s", unreadable.relative_to(tmp_path))
    unreadable.chmod(0o700)
    done.assert_one_line_error(2, "in", "ermission")


@pytest.mark.parametrize("source", ["ftp://host/orders.json", "s3:/bucket/orders.json", "s3:orders"])
@pytest.mark.fuller
def test_a_source_of_no_known_kind(run_import: Run, table: Simulator, source: str) -> None:
    done = run_import("-t", "Orders", "-s", source)
    done.assert_one_line_error(2, source, "s3://bucket/prefix")


def test_a_bucket_to_import_from_that_does_not_exist(run_import: Run, table: Simulator, s3: Endpoint) -> None:
    done = run_import("-t", "Orders", "-s", "s3://no-such-bucket-of-ours/orders/")
    done.assert_one_line_error(2, 'no bucket "no-such-bucket-of-ours"', "check its name")


def test_a_bucket_to_export_to_that_does_not_exist(run_export: Run, table: Simulator, s3: Endpoint) -> None:
    done = run_export("-t", "Orders", "-d", "s3://no-such-bucket-of-ours/orders/")
    done.assert_one_line_error(2, 'no bucket "no-such-bucket-of-ours"', "check its name")


@pytest.mark.parametrize("name", ["orders.json", "ord*.json"])
def test_nothing_in_the_bucket_has_that_name(run_import: Run, table: Simulator, s3: Endpoint, name: str) -> None:
    client = s3.client()
    client.create_bucket(Bucket="nothing-here")
    client.put_object(Bucket="nothing-here", Key="other.json", Body=b'{"id": "a"}\n')
    done = run_import("-t", "Orders", "-s", f"s3://nothing-here/{name}")
    done.assert_one_line_error(2, f"s3://nothing-here/{name}")
    assert_has_hint(done)


# --------------------------------------------------------------------------- the destination


def test_a_destination_that_is_a_file(run_export: Run, table: Simulator, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("precious")
    for destination in ("occupied", "occupied/below"):
        done = run_export("-t", "Orders", "-d", destination)
        done.assert_one_line_error(2, "occupied", "is not a folder", "name a folder")
    assert (tmp_path / "occupied").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("destination", ["locked", "locked/below"])
def test_a_destination_that_may_not_be_written(
    run_export: Run, table: Simulator, tmp_path: Path, destination: str
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = run_export("-t", "Orders", "-d", destination)
    (tmp_path / "locked").chmod(0o700)
    done.assert_one_line_error(2, "cannot write to", "locked", "permissions")


def test_a_destination_that_nobody_can_write(run_export: Run, table: Simulator) -> None:
    """As above, for root too."""
    done = run_export("-t", "Orders", "-d", "/proc/exported")
    done.assert_one_line_error(2, "cannot write to", "/proc/exported", "choose another folder")


@pytest.mark.parametrize("name", [MANIFEST, "notes.txt"])
def test_a_destination_that_is_not_empty(run_export: Run, table: Simulator, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("precious")
    done = run_export("-t", "Orders", "-d", "out")
    done.assert_one_line_error(2, '"out" is not empty', name, "-d")
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_a_prefix_that_is_not_empty(run_export: Run, table: Simulator, s3: Endpoint) -> None:
    client = s3.client()
    client.create_bucket(Bucket="occupied")
    client.put_object(Bucket="occupied", Key="orders/x.json", Body=b"precious")
    done = run_export("-t", "Orders", "-d", "s3://occupied/orders/")
    done.assert_one_line_error(2, '"s3://occupied/orders/" is not empty', "x.json", "-d")
    listed = client.list_objects_v2(Bucket="occupied")["Contents"]
    assert [each["Key"] for each in listed] == ["orders/x.json"]


# --------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("capacity", "says"),
    [
        ("0", "-c 0 is not a capacity"),
        ("-1", "-c -1 is not a capacity"),
        ("abc", "-c abc is not a capacity"),
        ("nan", "-c nan is not a capacity"),
        ("150%", "-c 150% is more than all"),
        ("25:00=1", "25:00=1"),
        ("50,20:00=0", "-c 0"),
        ("50,60", "60"),
        ("50,20:00=101", "-c 101 is more than the 100"),
    ],
)
@pytest.mark.fuller
def test_a_capacity_that_is_none(
    run_import: Run, table: Simulator, orders: list[Item], capacity: str, says: str
) -> None:
    done = run_import("-t", "Orders", "-s", "orders.json", f"-c{capacity}")
    done.assert_one_line_error(2, says)
    assert_has_hint(done)


@pytest.mark.parametrize("capacity", ["0", "200"])
@pytest.mark.fuller
def test_a_capacity_of_an_export_that_is_none(run_export: Run, table: Simulator, capacity: str) -> None:
    run_export("-t", "Orders", "-d", "out", "-c", capacity).assert_one_line_error(2, f"-c {capacity}")


def test_a_share_of_an_on_demand_table_without_a_maximum(run_either: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S").put_items(EXISTING)
    run_either("-t", "Orders", "-c", "60%").assert_one_line_error(2, "a share of nothing", "on-demand")
    assert_holds(simulator, "Orders", EXISTING)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-p", "0"], "-p/--processes"),
        (["-p", "-1"], "-p/--processes"),
        (["-p", "two"], "-p/--processes"),
        (["--lanes", "0"], "--lanes"),
        (["--give-up-after", "0"], "--give-up-after"),
        (["--format", "xml"], "--format"),
        (["--no-such-option"], "--no-such-option"),
        (["--region-name", "x"], "--region-name"),
        (["surplus"], "surplus"),
        (["-c"], "-c/--capacity"),
    ],
)
@pytest.mark.fuller
def test_an_option_that_cannot_be(run_export: Run, table: Simulator, options: list[str], says: str) -> None:
    done = run_export("-t", "Orders", "-d", "out", *options)
    done.assert_one_line_error(2, says)
    assert table.requests() == {}


@pytest.mark.parametrize("size", ["0", "-1", "x"])
def test_a_file_size_that_is_none(run_export: Run, table: Simulator, size: str) -> None:
    run_export("-t", "Orders", "-d", "out", f"-s{size}").assert_error(2, "-s/--size")


def test_a_glob_that_the_shell_took_apart(run_import: Run, table: Simulator) -> None:
    done = run_import("-t", "Orders", "-s", "a.json", "b.json", "c.json")
    done.assert_one_line_error(2, "'b.json' belongs to no option", "put a glob in quotes")


def test_options_that_are_missing(run_import: Run, run_export: Run, table: Simulator) -> None:
    run_import("-t", "Orders").assert_error(2, "-s/--source")
    run_import("-s", "orders.json").assert_error(2, "-t/--table")
    run_export("-t", "Orders").assert_error(2, "-d/--destination")
    run_export("-d", "out").assert_error(2, "-t/--table")


def test_help_and_version_need_nothing(run_import: Run, run_export: Run, environment: Environment) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    for run in (run_import, run_export):
        for option in ("--help", "--version"):
            done = run(option)
            assert (done.code, done.err) == (0, "")
            assert re.search(r"DDB(Import|Export)\.py", done.out)


# --------------------------------------------------------------------------- where the words go


def close_stderr() -> None:
    os.close(2)


def test_stderr_closed(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """`2>&-`: the work and stdout are what they always are; the exit code says that messages were lost."""
    simulator.create_table("Orders", "id:S")
    imported = run_import("-t", "Orders", "-s", "orders.json", preexec_fn=close_stderr)
    assert (imported.code, imported.out.splitlines()[0]) == (3, "1,000 read, 1,000 written, 0 rejected")
    assert_holds(simulator, "Orders", orders)
    exported = run_export("-t", "Orders", "-d", "out", preexec_fn=close_stderr)
    assert (exported.code, exported.counts["exported"]) == (3, 1000)
    assert contents(read_items(tmp_path / "out")) == contents(orders)


def test_stderr_closed_and_an_error(run_import: Run, table: Simulator, orders: list[Item]) -> None:
    done = run_import("-t", "Ordres", "-s", "orders.json", preexec_fn=close_stderr)
    assert (done.code, done.out) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_stdout_on_a_full_disk(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """The work is done; only the summary cannot be told, and that is an error."""
    simulator.create_table("Orders", "id:S")
    with Path("/dev/full").open("wb") as full:
        imported = run_import("-t", "Orders", "-s", "orders.json", stdout=full)
        imported.assert_error(3, f"cannot write to standard output: {os.strerror(errno.ENOSPC)}")
        assert_holds(simulator, "Orders", orders)
        exported = run_export("-t", "Orders", "-d", "out", stdout=full)
        exported.assert_error(3, f"cannot write to standard output: {os.strerror(errno.ENOSPC)}")
    assert contents(read_items(tmp_path / "out")) == contents(orders)
    assert (tmp_path / "out" / MANIFEST).exists()
    assert len(data_files(tmp_path / "out")) > 0


def test_a_reader_of_stdout_that_went_away(start_import: Start, simulator: Simulator, orders: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    with start_import("-t", "Orders", "-s", "orders.json", stdout=subprocess.PIPE) as command:
        assert command.process.stdout is not None
        command.process.stdout.close()
        done = command.wait()
    assert (done.code, "Traceback" in done.err) == (141, False)
    assert_holds(simulator, "Orders", orders)
