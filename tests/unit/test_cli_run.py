"""How commands end: every kind of ending has its exit code, and at most one line on stderr, never a traceback."""

from __future__ import annotations

import argparse
import errno
import os
import pickle
import re
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.aws import redaction
from ddbio.cli.run import Command, invocation, positive_int, run
from ddbio.errors import DdbioError, InternalError, Stopped, TransferError, UsageError
from ddbio.system import terminal


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/prog", "--option"])
    monkeypatch.setattr(terminal, "stderr", terminal.StandardError())
    monkeypatch.setenv("DDBIO_STATE_DIR", str(tmp_path / "state"))


def raising(error: BaseException) -> Callable[[Command], int]:
    def action(command: Command) -> int:
        raise error

    return action


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_action_chooses_its_exit_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("other", lambda command: code) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no table", "name one"), 2, "prog: error: no table; name one\n"),
        (TransferError("disk full"), 3, "prog: error: disk full\n"),
        (DdbioError("odd"), 3, "prog: error: odd\n"),
        (Stopped("stopped after 3"), 130, "prog: error: stopped after 3\n"),
        (KeyboardInterrupt(), 130, "prog: error: stopped\n"),
    ],
)
def test_errors_are_one_line(error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("other", raising(error)) == code
    assert capsys.readouterr() == ("", line)


def crash_files(folder: Path) -> list[Path]:
    return list(folder.glob("crash-*.txt"))


@pytest.mark.parametrize("error", [BrokenPipeError("odd"), ValueError("odd"), SystemError("odd"), MemoryError("odd")])
def test_an_unforeseen_exception_is_70_and_one_line_and_a_file(
    error: Exception, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("other", raising(error)) == 70
    (file,) = crash_files(tmp_path / "state")
    line = f"prog: internal error: {type(error).__name__}: odd; please report it with {file}\n"
    assert capsys.readouterr() == ("", line)
    text = file.read_text()
    assert "Traceback (most recent call last)" in text and "raise error" in text and "--option" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_file_is_in_the_state_folder_that_was_asked_for(tmp_path: Path) -> None:
    def action(command: Command) -> int:
        command.state_dir = str(tmp_path / "asked")
        raise ValueError

    assert run("other", action) == 70
    assert len(crash_files(tmp_path / "asked")) == 1


def test_without_a_state_folder_the_file_is_a_temporary_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("DDBIO_STATE_DIR", str(tmp_path / "file" / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert run("other", raising(ValueError("odd"))) == 70
    (file,) = crash_files(tmp_path / "temporary")
    assert str(file) in capsys.readouterr().err
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert run("other", raising(ValueError("odd"))) == 70
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"prog: internal error: ValueError: odd; please report it; no file .*/test_cli_run.py:\d+\n", said
    )


def test_secrets_are_neither_in_the_line_nor_in_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "FwoGZXIvYXdzE-token\n")
    redaction.remember("from-a-profile")
    assert run("other", raising(ValueError("FwoGZXIvYXdzE-token from-a-profile http://jo:pr0xy@host/"))) == 70
    said = capsys.readouterr().err + crash_files(tmp_path / "state")[0].read_text()
    for secret in ("FwoGZXIvYXdzE", "from-a-profile", "pr0xy"):
        assert secret not in said
    assert "http://host/" in said


def test_an_exception_in_a_thread_is_an_internal_error(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bool] = []

    def action(command: Command) -> int:
        command.on_thread_error = lambda: asked.append(True)
        thread = threading.Thread(target=raising(ValueError("odd")), args=(command,))
        thread.start()
        thread.join()
        assert command.thread_error is not None
        raise Stopped("stopped")

    assert (run("other", action), asked) == (70, [True])
    assert capsys.readouterr().err.startswith("prog: internal error: ValueError: odd; please report it with ")


def test_an_interrupt_that_something_took_for_a_failure_is_still_one(capsys: pytest.CaptureFixture[str]) -> None:
    def action(command: Command) -> int:
        command.interrupted = True
        raise ImportError("odd")

    assert run("other", action) == 130
    assert capsys.readouterr().err == "prog: error: stopped\n"


class Full:
    """A stream on a full disk. fails: with this error number."""

    def __init__(self, fails: int = errno.ENOSPC) -> None:
        self.fails = fails

    def write(self, text: str) -> int:
        raise OSError(self.fails, os.strerror(self.fails))

    def flush(self) -> None: ...


@pytest.mark.parametrize(("fails", "code"), [(errno.ENOSPC, 3), (errno.EIO, 3), (errno.EPIPE, 141)])
def test_messages_that_are_lost_change_a_good_ending(fails: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def action(command: Command) -> int:
        terminal.tell("a message")
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Full(fails))
        assert run("other", action) == code
        assert run("other", raising(UsageError("no"))) == 2


def test_standard_output_on_a_full_disk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def action(command: Command) -> int:
        terminal.write_out("a result\n")
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        assert run("other", action) == 3
        patch.setattr(sys, "stdout", None)
        assert run("other", action) == 3
    full, closed = capsys.readouterr().err.splitlines()
    assert full == f"prog: error: cannot write to standard output: {os.strerror(errno.ENOSPC)}"
    assert closed == "prog: error: cannot write to standard output: it is closed"


@pytest.mark.parametrize("error", [InternalError("ValueError: x", "", "trace", "place"), TransferError("x", "y")])
def test_errors_survive_pickling_and_rewording(error: DdbioError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    reworded = again.reworded("other", "words")
    assert str(reworded) == "other; words"
    assert vars(reworded) == {**vars(error), "message": "other", "hint": "words"}
    assert pickle.loads(pickle.dumps(reworded)).message == "other"


def test_positive_int() -> None:
    assert positive_int("12") == 12


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_positive_int_refuses(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number above 0"):
        positive_int(text)


def test_scripts_are_called_through_python_and_commands_are_not() -> None:
    assert (invocation("DDBImport.py"), invocation("ddbimport")) == ("python3 DDBImport.py", "ddbimport")
