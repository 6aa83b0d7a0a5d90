"""Every error that ddbio raises on purpose, and the exit code of the command for each.

    DdbioError                 a message for the user (the problem and its subject) and a hint (the next step)
     |- UsageError        2    the command cannot work as given: an option, a source, a table, a permission.
     |   |                     Raised before any item moves; change the command or the setup.
     |   '- NotFoundError 2    something that the command names does not exist.
     |       '- NothingMatchedError 2   a folder or pattern has no files of the required kind.
     |- TransferError     3    the work failed after it began, or the service could not be reached: run again.
     |   |- AbortError    3    the rest of the run cannot succeed either (no answer for minutes): the run ends.
     |   |- RejectedError 1   the job is finished, and rejected records (only in the library, and only if asked for).
     |   |- PermanentError 3   a unit fails however often it is tried: its source is damaged, a request is refused.
     |   '- PermanentAbortError 3   both: permission lost, table gone.
     |- Stopped         130    a user or a signal asked to stop; requests in flight are settled.
     '- InternalError    70    a fault of ddbio itself; the command writes the traceback to a file.

A record that cannot be imported does not end the run: its `RecordError` is caught by the reader, which counts the
record and writes it to the rejects file. A run with rejected records exits with 1 (`EXIT_REJECTED`); a run that
accounts for every item and rejects none exits with 0.
"""

from __future__ import annotations

import copy
import re
from typing import Any, TypeVar

EXIT_OK = 0
EXIT_REJECTED = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_INTERNAL = 70
EXIT_STOPPED = 130

_LONGEST_SHORT = 200  # characters of an unexpected exception's text on the terminal
Self = TypeVar("Self", bound="DdbioError")

_CONTROL = re.compile(r"\s*[\x00-\x1f\x7f-\x9f]+\s*")


def on_one_line(text: str) -> str:
    """`text` without line ends and other control characters: it may quote a service or a file's name."""
    return _CONTROL.sub(" ", text).strip()


class DdbioError(Exception):
    """An error whose text is for the user at the terminal: one line, no traceback.

    message: the problem, with the name of the file, table or option concerned.
    hint: the next step; may be empty.
    result: of the job that the error ended, if a function of the library raised it.
    """

    exit_code = EXIT_FAILED
    result: Any = None
    repeatable = True  # whether the same command may succeed the next time if nothing else changes

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both in args, so that the error survives pickling between processes
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def reworded(self: Self, message: str, hint: str) -> Self:
        """The same error with another message and hint."""
        error = copy.copy(self)
        error.message, error.hint = message, hint
        error.args = (message, hint, *self.args[2:])
        return error


class UsageError(DdbioError):
    """The command as given cannot work; nothing was moved."""

    exit_code = EXIT_USAGE
    repeatable = False


class NotFoundError(UsageError):
    """A file, folder, object or bucket does not exist. (If it exists but may not be read: UsageError.)"""


class NothingMatchedError(NotFoundError):
    """A folder, prefix or pattern was listed completely and has no files of the required kind."""


class TransferError(DdbioError):
    """The transfer failed after it began, or the service could not be reached."""

    exit_code = EXIT_FAILED


class AbortError(TransferError):
    """The whole run cannot continue; a plain TransferError may concern only one unit."""


class PermanentError(TransferError):
    """A unit fails however often it is tried: something else has to be fixed first."""

    repeatable = False


class PermanentAbortError(AbortError, PermanentError):
    """The whole run cannot continue, however often it is tried."""


class RejectedError(TransferError):
    """The job is finished, and rejected some records. Raised by the library, and only if asked for."""

    exit_code = EXIT_REJECTED
    repeatable = False


class Stopped(DdbioError):  # noqa: N818 - a granted request, not a fault
    """The run was asked to stop and ended in an orderly way."""

    exit_code = EXIT_STOPPED


class InternalError(DdbioError):
    """An unexpected exception, wherever it was raised. The exit code is EX_SOFTWARE of sysexits.h.

    trace: its traceback, as text. place: the line that raised it.
    """

    exit_code = EXIT_INTERNAL
    repeatable = False

    def __init__(self, message: str, hint: str = "", trace: str = "", place: str = "") -> None:
        super().__init__(message, hint)
        self.args = (message, hint, trace, place)
        self.trace = trace
        self.place = place

    @classmethod
    def of(cls, error: BaseException) -> InternalError:
        if isinstance(error, InternalError):
            return error
        import traceback  # here: it takes a while to load

        text = on_one_line(str(error))[:_LONGEST_SHORT]
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        name = type(error).__name__
        return cls(f"{name}: {text}" if text else name, "", "".join(traceback.format_exception(error)), place)


class RecordError(ValueError):
    """A record cannot be an item of the table; other records are not affected.

    code: a short stable word for scripts (`bad-json`, `missing-key`, `item-too-large`, ...).
    message: the problem with the record, for the user.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
