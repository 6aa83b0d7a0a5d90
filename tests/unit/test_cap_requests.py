"""Requests for another cap: each is answered, also if the job refuses it; a job that ended is not waited for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.job.cap_requests import PLACE, CapDesk, CapRequest, ask, at_desk
from ddbio.job.state import JobFolder

NAME = "import-Orders-0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a job on which this process works."""
    job = JobFolder.claim(tmp_path, NAME)
    yield job.path
    job.close()


class Job:
    """Sets any cap but 13."""

    def __init__(self) -> None:
        self.asked: list[CapRequest] = []
        self.failures: list[Exception] = []

    def set_cap(self, request: CapRequest) -> str:
        self.asked.append(request)
        if request.capacity == "13":
            raise UsageError("13 is unlucky", "take another one")
        return f"Cap from now on: {request.capacity} WCU"

    def desk(self, folder: Path) -> CapDesk:
        return CapDesk(folder, self.set_cap, self.failures.append)


def test_a_request_is_done_and_answered(folder: Path) -> None:
    job = Job()
    desk = job.desk(folder)
    assert ask(folder, CapRequest("2000", "target", over_provisioned=True)) == "Cap from now on: 2000 WCU"
    with pytest.raises(UsageError, match="13 is unlucky; take another one"):
        ask(folder, CapRequest("13"))
    assert job.asked == [CapRequest("2000", "target", over_provisioned=True), CapRequest("13")]
    assert list((folder / PLACE).iterdir()) == []
    desk.close()
    assert not (folder / PLACE).exists() and job.failures == []


def test_only_the_user_may_ask(folder: Path) -> None:
    desk = Job().desk(folder)
    assert (folder / PLACE).stat().st_mode & 0o777 == 0o700
    desk.close()


def test_what_an_earlier_run_left_and_what_is_no_request_change_nothing(folder: Path) -> None:
    (folder / PLACE).mkdir()
    (folder / PLACE / "old.ask").write_text('{"capacity": "5"}')
    job = Job()
    desk = job.desk(folder)
    for number, text in enumerate(["", "{}", '{"capacity": 5}', '{"capacity": "5", "more": 1}']):
        (folder / PLACE / f"{number}.ask").write_text(text)
    desk.look()
    answers = [path.read_text() for path in sorted((folder / PLACE).glob("*.answer"))]
    assert len(answers) == 4 and all("does not understand" in each for each in answers)
    assert job.asked == []
    desk.close()


def test_a_job_that_does_not_answer_was_not_changed(folder: Path) -> None:
    (folder / PLACE).mkdir()
    with pytest.raises(TransferError, match="did not answer within 0 s; nothing was changed"):
        ask(folder, CapRequest("5"), patience_s=0.0)
    assert list((folder / PLACE).iterdir()) == []


@pytest.mark.parametrize("holder", [str(2**22 + 1), "9" * 20])  # no process has this id
def test_a_job_that_ends_meanwhile_is_not_waited_for(folder: Path, holder: str) -> None:
    began, go_on = threading.Event(), threading.Event()

    def set_cap(request: CapRequest) -> str:
        began.set()
        go_on.wait(10)
        return "done"

    desk = CapDesk(folder, set_cap, print)
    errors: list[Exception] = []

    def asking() -> None:
        try:
            ask(folder, CapRequest("5"))
        except TransferError as error:
            errors.append(error)

    asker = threading.Thread(target=asking)
    asker.start()
    assert began.wait(10)
    (folder / "lock").write_text(holder)
    asker.join(10)
    assert "the job ended before it answered" in str(errors[0])
    go_on.set()
    desk.close()


def test_the_stage_at_work_is_found_by_the_process(tmp_path: Path, folder: Path) -> None:
    assert at_desk(tmp_path, NAME, os.getpid()) is None
    stage = JobFolder.claim(tmp_path, "spill-Orders-ba9876543210")
    (stage.path / PLACE).mkdir()
    assert at_desk(tmp_path, NAME, os.getpid()) == stage.path
    assert at_desk(tmp_path, NAME, os.getppid()) is None
    below = JobFolder.claim(folder / "files" / "jobs", "spill-Orders-ba9876543210")
    (below.path / PLACE).mkdir()
    assert at_desk(tmp_path, NAME, os.getpid()) == below.path
    (folder / PLACE).mkdir()
    assert at_desk(tmp_path, NAME, os.getpid()) == folder
    below.close()
    stage.close()
