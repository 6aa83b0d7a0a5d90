"""`ddbio jobs`: the jobs are listed, shown, resumed and forgotten, and reading them changes none."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.e2e.test_resume import IMPORT, jobs, kill, puts
from tests.support.commands import CHECKOUT, Commands, Completed, Run, Start, assert_holds
from tests.support.items import Item

pytestmark = pytest.mark.fuller

DDBIO = (Path("-m"), "ddbio")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_jobs(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*DDBIO, "jobs", *arguments, **options)


@pytest.fixture
def killed(start_import: Start, slow: Simulator, many: list[Item]) -> Simulator:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    slow.faults = FaultPlan()
    return slow


@pytest.fixture
def beside(commands: Commands) -> Run:
    """The same, while another command runs, which has temporary files."""

    def run(*arguments: object) -> Completed:
        with commands.start(*DDBIO, "jobs", *arguments) as command:
            return command.wait()

    return run


def listed(run_jobs: Run, *arguments: str) -> list[dict[str, Any]]:
    done = run_jobs("--json", *arguments)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["jobs"]
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_none(run_jobs: Run) -> None:
    done = run_jobs()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("no jobs in ")


def test_a_killed_job_is_listed_and_resumed_from_another_folder(
    run_jobs: Run,
    killed: Simulator,
    many: list[Item],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    (folder,) = jobs(environment)
    before = content(folder)
    done = run_jobs()
    assert done.code == 0, done.err
    first, second, command = done.out.splitlines()
    assert first.startswith(f"{folder.name}  unfinished, ") and "of 8 units done" in first and " read" in first
    assert "it was killed" in second
    assert command == "  ddbio import -t Orders -s orders.json -p 2 --lanes 2"
    (job,) = listed(run_jobs)
    assert (job["state"], job["verb"], job["table"], job["progress"]["units"]) == (
        "unfinished",
        "import",
        "Orders",
        8,
    )
    assert content(folder) == before, "reading changed it"
    written = puts(killed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    streams = tmp_path / "streams"
    streams.mkdir()
    finished = folder.with_name("import-Orders-000000000000")
    finished.mkdir()
    (finished / "report.json").write_text('{"exit_code": 0}')
    run_jobs("show", "import").assert_one_line_error(2, "the beginning of 2 jobs", folder.name, finished.name)
    done = Commands(elsewhere, environment, streams).run(*DDBIO, "jobs", "resume", "import")
    assert done.code == 0, done.err
    assert any(line.startswith("Resuming: ") for line in done.log), done.err
    assert_holds(killed, "Orders", many)
    assert puts(killed) - written < len(many)
    shutil.rmtree(finished)
    (job,) = listed(run_jobs)
    assert (job["state"], job["exit_code"], job["why"]) == ("finished", 0, "")
    run_jobs("resume", folder.name[-12:-6]).assert_one_line_error(
        2, "left nothing to resume (finished)", "ddbio import -t"
    )


def test_a_job_that_was_stopped_says_so_and_one_that_runs_is_left_alone(
    run_jobs: Run, beside: Run, start_import: Start, slow: Simulator, many: list[Item]
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 500)
        slow.faults = FaultPlan(latency_s=0.3)
        (job,) = listed(beside)
        assert (job["state"], job["pid"]) == ("running", command.pid)
        for action in (["resume"], ["forget", "--yes"]):
            done = beside(action[0], job["id"], *action[1:])
            done.assert_one_line_error(2, f"process {command.pid} is")
        command.signal(signal.SIGINT)
        assert command.wait(20).code == 130
    (job,) = listed(run_jobs)
    assert (job["state"], job["exit_code"]) == ("unfinished", 130)
    assert job["why"].startswith("stopped after ")
    shown = run_jobs("show", "import-Orders")
    assert shown.code == 0, shown.err
    assert f"job:         {job['id']}\n" in shown.out and "counts:      read " in shown.out


def test_the_command_is_that_of_the_job_not_of_a_later_one_that_was_refused(
    run_jobs: Run, run_import: Run, killed: Simulator
) -> None:
    run_import(*IMPORT, "--format", "dynamodb-json").assert_one_line_error(2, "--format was")
    assert run_import(*IMPORT, "--plan").code == 0
    (job,) = listed(run_jobs)
    assert job["command"]["words"] == [str(word) for word in IMPORT]


def test_a_job_begun_with_fresh_is_resumed_and_not_started_over(
    run_jobs: Run, start_import: Start, slow: Simulator, many: list[Item]
) -> None:
    with start_import(*IMPORT, "--fresh") as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    slow.faults = FaultPlan()
    done = run_jobs("resume", "import")
    assert done.code == 0, done.err
    assert any(line.startswith("Resuming: ") for line in done.log), done.err


def test_where_the_command_would_be_another_job_nothing_is_moved(
    run_jobs: Run, killed: Simulator, environment: dict[str, str]
) -> None:
    """The command has its region from the environment: in another one it would import everything again."""
    written = puts(killed)
    environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = "eu-west-1"
    done = run_jobs("resume", "import")
    done.assert_error(2, "is not that job", "set the environment as it was then")
    assert puts(killed) == written


def test_a_job_is_forgotten_only_if_that_is_wanted(
    run_jobs: Run, run_import: Run, killed: Simulator, environment: dict[str, str]
) -> None:
    (folder,) = jobs(environment)
    done = run_jobs("forget", "import")
    done.assert_error(2, "there is no terminal to ask at", "--yes")
    assert (folder / "journal.sqlite").exists()
    done = run_jobs("forget", "import", "--yes")
    assert (done.code, done.out) == (0, f"forgot {folder.name}\n"), done.err
    assert "could not be resumed any more" in done.err
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert listed(run_jobs) == []
    done = run_import(*IMPORT)
    assert (done.code, done.counts["written"]) == (0, 4500)
    assert not any(line.startswith("Resuming: ") for line in done.log)


def test_damaged_jobs_are_listed_as_such(run_jobs: Run, killed: Simulator, environment: dict[str, str]) -> None:
    (folder,) = jobs(environment)
    damages = {
        "noise": lambda copy: [
            (copy / name).write_bytes(os.urandom(9000))
            for name in ("journal.sqlite", "journal.sqlite-wal", "command.json")
        ],
        "lost": lambda copy: [path.unlink() for path in copy.glob("journal*")],
        "cut": lambda copy: (
            [path.unlink() for path in copy.glob("*-wal")] + [os.truncate(copy / "journal.sqlite", 5000)]
        ),
        "a folder": lambda copy: [(copy / "journal.sqlite").unlink(), (copy / "journal.sqlite").mkdir()],
    }
    for number, (name, damage) in enumerate(damages.items()):
        copy = folder.with_name(f"import-{name.replace(' ', '_')}-{number:012x}")
        shutil.copytree(folder, copy)
        damage(copy)
    (folder.parent / "not a job").mkdir()
    found = {job["table"]: job for job in listed(run_jobs)}
    assert found.pop("Orders")["state"] == "unfinished"
    assert {name: job["state"] for name, job in found.items()} == dict.fromkeys(found, "damaged")
    assert {*found} == {name.replace(" ", "_") for name in damages}
    assert all(job["why"].startswith("its journal ") for job in found.values())
    done = run_jobs("resume", "import-noise")
    done.assert_one_line_error(2, "cannot be resumed: its journal is damaged", "--fresh")
    assert run_jobs().code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show"], "show needs the id of a job"),
        (["resume", "nothing"], "there is no job 'nothing'"),
        (["forget", ""], "there is no job ''"),
        (["shwo", "x"], "there is no action 'shwo'; did you mean show?"),
        (["--yes"], "--yes applies only to forget"),
        (["show", "x", "--al"], "there is no option --al; did you mean --all?"),
    ],
)
def test_words_that_mean_nothing(run_jobs: Run, words: list[str], says: str) -> None:
    run_jobs(*words).assert_one_line_error(2, says)
