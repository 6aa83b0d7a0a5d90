"""Configured options in the real commands: they are said, noted for a resume, and shown by `ddbio config`."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.e2e.test_resume import kill
from tests.support.commands import CHECKOUT, Commands, Run, assert_holds
from tests.support.items import Item

DDBIO = (Path("-m"), "ddbio")


@pytest.fixture
def run(commands: Commands, environment: dict[str, str]) -> Run:
    environment["PYTHONPATH"] = str(CHECKOUT)
    return lambda *words, **options: commands.run(*DDBIO, *words, **options)


def test_a_profile_is_a_whole_command(
    run: Run, simulator: Simulator, environment: dict[str, str], tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S", wcu=100, rcu=100)
    file = tmp_path / "nightly.toml"
    file.write_text('capacity = "50%"\n[profile.p.export]\ntable = "Orders"\ndestination = "out/"\nlimit = 5\n')
    environment.update(DDBIO_LANES="2", DDBIO_STATE_DIR=str(tmp_path / "state"))
    plan = run("export", "--config", file, "--settings", "p", "--plan").out.splitlines()
    done = run("export", "--config", file, "--settings", "p", "--report", "r.json")
    assert done.code == 0, done.err
    words = "--capacity=50% --table=Orders --destination=out/ --limit=5"
    assert done.log[0] == f"Settings: {words} ({file}), --lanes=2 (DDBIO_LANES)"
    assert done.log[2] == "Cap: 50 RCU (50% of the table's provisioned units of 100)"
    assert json.loads((tmp_path / "r.json").read_text())["options"]["limit"] == 5
    (job,) = json.loads(run("jobs", "--json").out)["jobs"]
    assert job["command"]["words"] == ["--report", "r.json", *words.split(), "--lanes=2"]
    assert plan[0] == done.log[0]


def test_a_late_refusal_names_the_origin(run: Run, simulator: Simulator, environment: dict[str, str]) -> None:
    simulator.create_table("Orders", "id:S")
    environment["DDBIO_CAPACITY"] = "plenty"
    done = run("count", "-t", "Orders", "-q")
    done.assert_one_line_error(2, "-c plenty is not a capacity; ", "; --capacity is from DDBIO_CAPACITY")


def test_who_is_asked_sees_the_settings_before(run: Run, simulator: Simulator, environment: dict[str, str]) -> None:
    simulator.create_table("Orders", "id:S").put_items([{"id": {"S": "a"}, "n": {"N": "1"}}])
    environment.update(DDBIO_TABLE="Orders", DDBIO_FILTER="n > :n")
    done = run("delete", "--values", '{"n": 0}')
    assert done.code == 2 and simulator.table("Orders").item_count() == 1
    assert done.err.splitlines()[0] == "Settings: '--filter=n > :n' (DDBIO_FILTER), --table=Orders (DDBIO_TABLE)"


def test_a_job_is_resumed_with_the_settings_that_it_began_with(
    run: Run, commands: Commands, environment: dict[str, str], slow: Simulator, many: list[Item]
) -> None:
    """`--set` is a part of the job's identity: with other settings it would be another job."""
    environment.update(DDBIO_SET="n=1", DDBIO_PROCESSES="1", DDBIO_LANES="2", PYTHONPATH=str(CHECKOUT))
    with commands.start(*DDBIO, "import", "-t", "Orders", "-s", "orders.json") as command:
        command.until(lambda: slow.table("Orders").item_count() > 500)
        kill(command)
    slow.faults = FaultPlan()
    del environment["DDBIO_PROCESSES"], environment["DDBIO_LANES"]
    environment["DDBIO_SET"] = "n=2"
    with commands.start(*DDBIO, "jobs", "resume", "import-Orders") as command:
        done = command.wait()
    assert done.code == 0, done.err
    assert "--set=n=1" in done.err.splitlines()[0] and "Resuming" in done.err and "Settings" not in done.err
    assert_holds(slow, "Orders", [{**item, "n": {"N": "1"}} for item in many])


def test_the_file_is_read_once(run: Run, simulator: Simulator, tmp_path: Path) -> None:
    """Workers do not read it, nor does a command twice: a pipe would be empty then."""
    simulator.create_table("Orders", "id:S")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("lanes = 2\n",), daemon=True)
    writer.start()
    done = run("count", "-t", "Orders", "-p", "2", "--segments", "2", "--config", pipe)
    writer.join(10)
    assert (done.code, done.log[0]) == (0, f"Settings: --lanes=2 ({pipe})")


def test_config_shows_values_and_their_origins(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "home" / "ddbio" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('endpoint-url = "http://me:secret@h"\n[export]\ns3-sse = "AES256"\n[profile.p]\nlanes = 3\n')
    environment.update(XDG_CONFIG_HOME=str(tmp_path / "home"), DDBIO_REGION="eu-west-1")
    done = run("config")
    assert (done.code, done.err) == (0, "")
    head, *lines = done.out.splitlines()
    assert head == f"file: {file}, not in force: p"
    assert [line.split()[:3] for line in lines] == [
        ["--endpoint-url", "http://h", f"{file}:"],
        ["--region", "eu-west-1", "DDBIO_REGION;"],
        ["--s3-sse", "AES256", f"{file}:"],
    ]
    shown = json.loads(run("config", "export", "--settings", "p", "--json").out)
    assert (shown["file"], shown["settings"], shown["verb"]) == (str(file), "p", "export")
    options = {each["option"]: each for each in shown["options"]}
    assert options["--lanes"]["from"] == f"{file}: profile.p.lanes"
    assert options["--s3-sse"]["only"] == "to an export to S3"
    assert (options["--table"]["value"], options["--table"]["from"]) == (None, "required")
    assert (options["--size"]["value"], options["--size"]["from"]) == ("256", "default")


def test_config_checks_every_verb(run: Run, environment: dict[str, str]) -> None:
    environment["DDBIO_MEMORY"] = " "
    assert run("export", "-d", "x", "-t", "Orders", "--help").code == 0
    run("config").assert_one_line_error(2, "DDBIO_MEMORY: --memory is empty")
    run("config", "exprot").assert_one_line_error(2, "there is no verb 'exprot'; did you mean export?")
    run("config", "iam-policy").assert_one_line_error(2, "iam-policy has no options that could be configured")
