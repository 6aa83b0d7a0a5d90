"""Requests for another cap of a job that is at work, as files in the job's folder, which only its user can enter.

    caps/                 there while the job can change its caps
        3f2a9c.ask        a request, by `ddbio jobs set-cap`; the job removes it when it takes it
        3f2a9c.answer     what came of it; the one who asked removes it

A file appears under its name only when it is complete. A job that begins removes what an earlier run left.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.job.others import holder_of
from ddbio.job.state import LOCK

OPTION = "set-cap"  # in messages about the capacity
PLACE = "caps"
_ASK, _ANSWER = ".ask", ".answer"
_LOOK_EVERY_S = 0.25
_LOOK_FOR_ANSWER_S = 0.02
PATIENCE_S = 60.0  # for the answer: the job describes its table first


class CapRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """capacity: as with `-c`. role: of the table whose cap it is, `source` or `target`; None if the job has one cap.
    over_provisioned: as the option."""

    capacity: str
    role: str | None = None
    over_provisioned: bool = False


class _Answer(msgspec.Struct, frozen=True):
    """sentence: the new cap in words; empty if it was refused."""

    sentence: str = ""
    error: str = ""
    hint: str = ""


class CapDesk:
    """Takes the requests of a job in a background thread, until `close`.

    folder: of the job. set_cap: does what is asked, and returns that in words; raises DdbioError to refuse it.
    on_failure: called with the exception that ended the thread. Without room for its folder there are no requests.
    """

    def __init__(
        self, folder: Path, set_cap: Callable[[CapRequest], str], on_failure: Callable[[Exception], None]
    ) -> None:
        self._place = folder / PLACE
        self._set_cap = set_cap
        self._on_failure = on_failure
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cap requests", daemon=True)
        shutil.rmtree(self._place, ignore_errors=True)
        with suppress(OSError):
            self._place.mkdir(0o700)
            self._thread.start()

    def _run(self) -> None:
        try:
            while not self._ended.wait(_LOOK_EVERY_S):
                self.look()
        except Exception as error:
            self._on_failure(error)

    def look(self) -> None:
        """Take the requests that there are, in the order of their names."""
        with suppress(OSError):
            for path in sorted(self._place.glob(f"*{_ASK}")):
                content = path.read_bytes()
                path.unlink()
                _write(path.with_suffix(_ANSWER), msgspec.json.encode(self._answer(content)))

    def _answer(self, content: bytes) -> _Answer:
        try:
            return _Answer(self._set_cap(msgspec.json.decode(content, type=CapRequest)))
        except DdbioError as error:
            return _Answer(error=error.message, hint=error.hint)
        except msgspec.MsgspecError:
            return _Answer(error="the job does not understand the request", hint="use the version that runs the job")

    def close(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        shutil.rmtree(self._place, ignore_errors=True)


def ask(folder: Path, request: CapRequest, patience_s: float = PATIENCE_S) -> str:
    """Ask the job in this folder, which is at work, for another cap. Returns the new cap in words.

    Raises UsageError if the job refuses it, TransferError if it does not answer.
    """
    path = folder / PLACE / f"{secrets.token_hex(6)}{_ASK}"
    answer, until_s = path.with_suffix(_ANSWER), time.monotonic() + patience_s
    try:
        _write(path, msgspec.json.encode(request))
        while not answer.exists():
            if not path.parent.exists() or not _is_at_work(folder):
                raise TransferError("the job ended before it answered", "ddbio jobs shows how it ended")
            if time.monotonic() > until_s:
                raise TransferError(f"the job did not answer within {patience_s:.0f} s", _after(path))
            time.sleep(_LOOK_FOR_ANSWER_S)
        answered = msgspec.json.decode(answer.read_bytes(), type=_Answer)
    except (OSError, msgspec.MsgspecError) as error:
        raise TransferError(f"cannot ask the job: {error}", "ddbio jobs shows whether it is still at work") from None
    finally:
        for each in (path, answer):
            with suppress(OSError):
                each.unlink()
    if answered.error:
        raise UsageError(answered.error, answered.hint)
    return answered.sentence


def _after(path: Path) -> str:
    if path.exists():
        return "nothing was changed: try again"
    return "it may still change its cap: look at its progress"


def _is_at_work(folder: Path) -> bool:
    """Whether the noted process lives; without a look at the lock, which would disturb a job that begins."""
    try:
        os.kill(int((folder / LOCK).read_text("ascii")), 0)
    except (OSError, ValueError, OverflowError):
        return False
    return True


def at_desk(root: Path, job: str, pid: int) -> Path | None:
    """The folder of the job that process `pid` works on and that can change its caps: that of `job`, or of its stage
    that is at work, which is below it or beside it. None if there is none at the moment."""
    with suppress(OSError):
        for place in ((root / job / PLACE), *sorted((root / job).rglob(PLACE)), *sorted(root.glob(f"*/{PLACE}"))):
            if place.is_dir() and holder_of(place.parent) == pid:
                return place.parent
    return None


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
    part.replace(path)
