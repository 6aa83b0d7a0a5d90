"""The command line that works on a job, noted in the job's folder, so that `ddbio jobs resume` can repeat it.

    command.json      {"program": "ddbio count", "words": ["-t", "Orders", ...], "folder": "/home/me",
                       "job": "count-Orders-3f2a9c0b1d4e", "began": 1764500000.1, "report": path | null,
                       "complete": true}

It is written when a run begins to work on the job; a command that is refused, or only shows its plan, keeps it.
Passwords in URLs are left out. It is a convenience: if it cannot be written, the job goes on without it.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ddbio.aws.redaction import without_userinfo
from ddbio.errors import UsageError
from ddbio.options import STDOUT

COMMAND = "command.json"


class Noted(msgspec.Struct, kw_only=True):
    """The content of the file. program: the command without its options. folder: the current one of the run.

    job: the folder's name of the job that the command began with: another one if it is a stage of that.
    began: of the last run, seconds since the epoch. report: its path if the user named one; None if there is none
    to read. complete: whether the words are all that is needed: no password was left out.
    """

    program: str
    words: list[str]
    folder: str
    job: str
    began: float
    report: str | None = None
    complete: bool = True


@dataclass
class Invocation:
    """The command of this process. expected: the only job that it may begin with; None for any."""

    program: str
    words: Sequence[str]
    expected: str | None = None
    job: str | None = None


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
_expected: ContextVar[str | None] = ContextVar("expected job", default=None)


def expect(job: str) -> None:
    """The next command of this process resumes this job. Any other is refused."""
    _expected.set(job)


def invoked(program: str, words: Sequence[str]) -> None:
    """This process is a command: jobs that it begins note it."""
    _current.set(Invocation(program, words, _expected.get()))


def check_expected(job: str) -> None:
    """A job is about to be opened. Raises UsageError if the command should resume another one."""
    command = _current.get()
    if command is None or command.job is not None:
        return
    if command.expected is not None and command.expected != job:
        raise UsageError(
            f"here and now the noted command is not that job, but {job}",
            "its region, endpoint, account or files differ: set the environment as it was then",
        )
    command.job = job


def note_command(folder: Path, report: str | None) -> None:
    """A run begins to work on the job in this folder. report: the option of the same name."""
    command = _current.get()
    if command is None:
        return
    words = [without_userinfo(word) for word in command.words]
    noted = Noted(
        program=command.program,
        words=words,
        folder=os.getcwd(),  # noqa: PTH109 - of a process, not of a path
        job=command.job or folder.name,
        began=time.time(),
        report=None if report in (None, STDOUT) else str(Path(report or "").absolute()),
        complete=words == [*command.words],
    )
    with suppress(OSError):
        try:
            content = msgspec.json.encode(noted)
        except UnicodeEncodeError:  # the name of the current folder is not UTF-8
            (folder / COMMAND).unlink(missing_ok=True)
            return
        part = folder / f".{COMMAND}.part"
        with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
        part.replace(folder / COMMAND)


def typed(program: str, words: Sequence[str], verb: str) -> str:
    """As a user can type it anywhere, a script of a checkout as its verb; without passwords."""
    called = ["ddbio", verb] if program.endswith(".py") else program.split()
    return without_userinfo(shlex.join([*called, *words]))


def present_command(verb: str) -> str:
    """The command of this process; empty if it is a program of another kind."""
    command = _current.get()
    return "" if command is None else typed(command.program, command.words, verb)


def noted_command(folder: Path) -> Noted | None:
    """None if there is none, or it is damaged."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / COMMAND).read_bytes(), type=Noted)
    return None
