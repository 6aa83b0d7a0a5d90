"""How a job is run for a program that calls it: it returns the result of a finished job, or raises.

- The error that ended a job is raised, with the result so far as its `result`. The same call resumes the job.
- In the main thread, Ctrl-C stops the job in an orderly way, and `Stopped` is raised; a second one stops it at once.
- Messages name parameters of the options, not options of the commands.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError, RejectedError, TransferError, UsageError
from ddbio.job.accounts import Result
from ddbio.job.progress import Progress, new_progress
from ddbio.job.run import Caller
from ddbio.job.spine import Story
from ddbio.library.wording import InParameters, NameOf, in_parameters, parameter
from ddbio.system.stop import StopFlag

if sys.version_info >= (3, 11):
    from typing import Unpack as Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack

SomeResult = TypeVar("SomeResult", bound=Result)
SomeOptions = TypeVar("SomeOptions")

REJECTS = ("keep", "raise")


class How(TypedDict, total=False):
    """How a job is run, for its caller; see `call`."""

    progress: Progress | bool
    on_rejects: str
    stop: StopFlag | None
    engine: Engine | None


def checked(options: SomeOptions, kind: type[SomeOptions]) -> SomeOptions:
    """The options of a verb. Raises UsageError for anything else in their place, such as the name of a table."""
    if not isinstance(options, kind):
        raise UsageError(f"{kind.__name__} are needed, not {type(options).__name__}", f"give {kind.__name__}(...)")
    return options


def call(
    story: Story[SomeResult],
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
    name_of: NameOf = parameter,
) -> SomeResult:
    """The result of a finished job.

    progress: True for a bar or lines on standard error, or an object that shows it.
    on_rejects: `raise` raises RejectedError if records were rejected; the others are written in any case.
    stop: asks for an orderly stop, from any thread, when its `ask` is called.
    name_of: an option of the commands, in messages.
    Raises UsageError if nothing was moved, and TransferError, Stopped or InternalError if the job is not complete.
    """
    if on_rejects not in REJECTS:
        raise UsageError(f"on_rejects is {on_rejects!r}", f"give one of {', '.join(REJECTS)}")
    shown = new_progress() if progress is True else progress or None
    told = InParameters(shown, name_of) if shown is not None else None
    flag = stop or StopFlag()
    try:
        with _stopped_by_ctrl_c(flag):
            result = story.perform(Caller(told, engine, flag, in_event_loop=_in_event_loop()))
    except DdbioError as error:
        raise in_parameters(error, name_of) from None
    _raise_for(result, on_rejects, name_of)
    return result


def _raise_for(result: Result, on_rejects: str, name_of: NameOf) -> None:
    error = result.error
    if error is None and (missing := result.tally.unsettled()):
        error = TransferError(
            f"{abs(missing):,} item{'s' * (abs(missing) != 1)} of those read have no known outcome",
            "the result has the counts",
        )
    if error is None and on_rejects == "raise" and result.tally.rejected:
        count = result.tally.rejected
        error = RejectedError(
            f"{count:,} record{' was' if count == 1 else 's were'} rejected", "the result has the reasons"
        )
    if error is not None:
        error = in_parameters(error, name_of)
        error.result = result
        raise error


def _in_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


@contextmanager
def _stopped_by_ctrl_c(flag: StopFlag) -> Iterator[None]:
    """Only where Python's own handler is in place: another one is the caller's."""
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return

    def ask(number: int, frame: Any) -> None:
        if not flag.heeded and not flag.finishing:
            usual(number, frame)
        flag.ask()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
