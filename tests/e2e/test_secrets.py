"""Secrets are nowhere but in memory: not in argv (`ps`), not in what is said, not in any file a run leaves behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator
from tests.support.certificates import Certificates
from tests.support.commands import Completed, Run, Running, Start, descendants
from tests.support.front import forwarding
from tests.support.items import Item, plain_items, write_items
from tests.support.provider import Provider, providing

pytestmark = pytest.mark.fuller

Environment = dict[str, str]
SECRET, TOKEN, PASSWORD = "wJalrXUtnFEMI-the-secret-key", "FwoGZXIvYXdzE-the-session-token", "pr0xy-passw0rd"


@pytest.fixture
def keys(environment: Environment) -> Environment:
    environment.update(AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN, DDBIO_DEBUG="1")
    return environment


def command_lines(command: Running) -> str:
    """What `ps` shows of all its processes."""
    pids = [command.pid, *descendants(command.pid)]
    assert len(pids) > 1, "a worker, too"
    return " ".join(Path(f"/proc/{pid}/{name}").read_text() for pid in pids for name in ("cmdline", "comm"))


def assert_kept(*places: object, secrets: tuple[str, ...] = (SECRET, TOKEN)) -> None:
    """None of the secrets in these texts, and files below these folders."""
    texts = [each.encode() for each in places if isinstance(each, str)]
    for path in (path for each in places if isinstance(each, Path) for path in each.rglob("*") if path.is_file()):
        with suppress(FileNotFoundError):  # renamed or removed by the command at this moment
            texts.append(path.read_bytes())
    for text in texts:
        for secret in secrets:
            assert secret.encode() not in text


def assert_said_nothing(done: Completed, *places: object, secrets: tuple[str, ...] = (SECRET, TOKEN)) -> None:
    assert_kept(done.out, done.err, *places, secrets=secrets)


@pytest.fixture
def left(tmp_path: Path, environment: Environment) -> tuple[Path, ...]:
    """The folders in which a run can leave something."""
    return tmp_path, Path(environment["HOME"]), Path(environment["TMPDIR"])


@pytest.fixture
def bad_orders(tmp_path: Path) -> list[Item]:
    items = plain_items(3000)
    path = write_items(tmp_path / "orders.json", items)
    path.write_text(path.read_text() + "bad\n" * 10)
    return items


def test_of_an_import_with_rejects_and_a_killed_worker(
    start_import: Start, simulator: Simulator, bad_orders: list[Item], keys: Environment, left: tuple[Path, ...]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.03)
    with start_import("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 1) as command:
        command.until(lambda: simulator.table("Orders").item_count() >= 200 and len(command.workers()) == 2)
        shown = command_lines(command)
        while_it_runs = [*left]
        assert_kept(shown, *while_it_runs)
        os.kill(command.workers()[0], 9)
        done = command.wait()
    assert (done.code, done.counts["rejected"]) == (1, 10), done.err
    assert_said_nothing(done, *left)
    assert simulator.service.access_keys, "they were used"
    assert_private(left)


def test_of_an_export_that_is_stopped(
    start_export: Start, simulator: Simulator, keys: Environment, left: tuple[Path, ...]
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(1000, padding=900))
    simulator.faults = FaultPlan(latency_s=0.1)
    with start_export("-t", "Orders", "-d", "out", "-p", 2, "--segments", 20, "--lanes", 1) as command:
        command.until(lambda: simulator.requests().get("Scan", 0) > 2 and len(command.workers()) == 2)
        assert_kept(command_lines(command), *left)
        command.process.terminate()
        done = command.wait(10)
    assert done.code == 130
    assert_said_nothing(done, *left)
    assert_private(left)


def assert_private(left: tuple[Path, ...]) -> None:
    """State and rejects are the user's alone."""
    _, home, temporary = left
    state = [path for folder in (home, temporary) for path in folder.rglob("*")]
    rejects = list(left[0].glob("*.rejects.jsonl"))
    for path in [*state, *rejects]:
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_of_what_an_error_says(
    run_import: Run, simulator: Simulator, bad_orders: list[Item], keys: Environment, left: tuple[Path, ...]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([None] * 3 + [Fault(error="InvalidSignatureException")] * 1000)
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 1)
    done.assert_error(3, "InvalidSignatureException")
    assert_said_nothing(done, *left)


@pytest.fixture
def provider(environment: Environment) -> Iterator[Provider]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    with providing(700.0) as running:
        environment.update(running.container(), AWS_CONTAINER_AUTHORIZATION_TOKEN="authorization-for-the-provider")
        yield running


def test_of_keys_that_are_renewed(
    run_import: Run, simulator: Simulator, bad_orders: list[Item], provider: Provider, left: tuple[Path, ...]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.02)
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1)
    assert (done.code, len(provider.issued) > 2) == (1, True), done.err
    assert_said_nothing(done, *left, secrets=("secret-of-ASIA", "token-of-ASIA", "authorization-for-the-provider"))


def test_of_the_password_of_a_proxy(
    run_import: Run,
    start_import: Start,
    simulator: Simulator,
    bad_orders: list[Item],
    environment: Environment,
    left: tuple[Path, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """At the start, in mid-run, and where the proxy itself is not understood."""
    certificates = Certificates.make(tmp_path_factory.mktemp("certificates"))
    table = simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)
    command_line = ("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1)
    environment.update(NO_PROXY="", AWS_CA_BUNDLE=certificates.authority)
    with (
        forwarding(int(simulator.url.rpartition(":")[2]), certificates.server) as front,
        forwarding(front.port, proxy=True) as proxy,
    ):
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = f"https://localhost:{front.port}"
        environment["HTTPS_PROXY"] = f"http://jo:{PASSWORD}@127.0.0.1:{proxy.port}"
        with start_import(*command_line) as command:
            command.until(lambda: table.item_count() >= 100)
            assert_kept(command_lines(command), *left, secrets=(PASSWORD,))
            proxy.turn_bad(refusal=b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            refused = command.wait(10)
        refused.assert_error(3, "407")
        assert_said_nothing(refused, *left, secrets=(PASSWORD,))
        at_the_start = run_import(*command_line)
        assert at_the_start.code == 3
        assert_said_nothing(at_the_start, *left, secrets=(PASSWORD,))
        environment["HTTPS_PROXY"] = f"https://jo:{PASSWORD}@127.0.0.1:{proxy.port}"
        not_understood = run_import(*command_line)
        not_understood.assert_one_line_error(2, f"the proxy 127.0.0.1:{proxy.port} is reached by https")
        assert_said_nothing(not_understood, *left, secrets=(PASSWORD,))
