"""`ddbio doctor`: finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, Commands, Completed, Run

pytestmark = pytest.mark.fuller


@pytest.fixture
def doctor(commands: Commands, environment: dict[str, str]) -> Run:
    environment["PYTHONPATH"] = str(CHECKOUT)
    return lambda *words: commands.run(Path("-m"), "ddbio", "doctor", *words)


def states(done: Completed) -> dict[str, str]:
    assert done.err == ""
    return {each["name"]: each["state"] for each in json.loads(done.out)["findings"]}


def test_all_is_fine(doctor: Run, simulator: Simulator, environment: dict[str, str]) -> None:
    simulator.create_table("Orders", "id:S")
    done = doctor("--for", "export", "-t", "Orders", "-d", "out")
    assert (done.code, done.err) == (0, "")
    assert f"ok       endpoint: {simulator.url} answers in " in done.out
    assert "ok       dynamodb:DescribeTable: allowed on Orders\n" in done.out
    assert "ok       dynamodb:Scan: allowed on Orders\n" in done.out
    assert not re.search("^mend", done.out, re.MULTILINE)
    assert list(Path(environment["HOME"]).iterdir()) == [], "it made a folder"


def test_what_cannot_be_tried_is_said(doctor: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S")
    done = doctor("--for", "import", "-t", "Orders", "-s", "orders.json")
    assert done.code == 0
    assert "unknown  permissions: cannot be tried without a change: dynamodb:BatchWriteItem; " in done.out
    assert simulator.table("Orders").item_count() == 0


def test_a_table_that_is_not_there(doctor: Run, simulator: Simulator) -> None:
    done = doctor("--json", "--for", "count", "-t", "Orders")
    found = states(done)
    assert (done.code, found["endpoint"], found["dynamodb:DescribeTable"]) == (1, "ok", "fix")


def test_an_endpoint_that_does_not_answer(doctor: Run) -> None:
    done = doctor("--json", "--endpoint-url", "http://127.0.0.1:1")
    assert (done.code, states(done)["endpoint"]) == (1, "fix")


def test_a_password_is_not_shown(doctor: Run) -> None:
    for words in ([], ["--json"]):
        done = doctor("--endpoint-url", "http://me:hush@127.0.0.1:1", *words)
        assert done.code == 1 and "http://127.0.0.1:1" in done.out
        assert "hush" not in done.out + done.err


def test_an_endpoint_on_this_machine_is_reached_without_keys_though_a_command_needs_some(
    doctor: Run, simulator: Simulator, environment: dict[str, str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.pop(name)
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    done = doctor()
    assert done.code == 1
    assert "fix      AWS settings: no AWS credentials were found; a local endpoint accepts any" in done.out
    assert "ok       endpoint: " in done.out


def test_neither_keys_nor_a_region(doctor: Run, environment: dict[str, str]) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
    removed = {name: environment.pop(name, "any") for name in names}
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    done = doctor("--endpoint-url", "http://127.0.0.1:1")
    assert "fix      region: no AWS region is set; add --region" in done.out
    assert "fix      AWS settings: no AWS credentials were found" in done.out
    environment.update({name: removed[name] for name in names[:2]})
    done = doctor("--endpoint-url", "http://127.0.0.1:1")
    assert done.out.count("no AWS region is set") == 1


def test_no_command_after_for(doctor: Run) -> None:
    for words in (["--for"], ["--for", "generate"], ["--for", "x"]):
        doctor(*words).assert_one_line_error(2, "--for needs the verb of a command")
