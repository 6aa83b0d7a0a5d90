"""Every error ddbio raises on purpose, and the exit code each one ends a command with.

    DdbioError                 a message for a person: what, where; and a hint: what to do next
     |- UsageError        2    the command as given cannot work: an option, a source, a table, a permission.
     |   |                     Found before anything is moved; change the command or the setup.
     |   '- NotFoundError 2    what the command names is not there.
     |       '- NothingMatchedError 2   a folder or pattern has no files of the kind that is read.
     |- TransferError     3    the work failed after it began, or the service could not be reached: run again.
     |   |- AbortError    3    nothing else of the run can succeed either (no answer for minutes): it ends.
     |   |- PermanentError 3   one unit fails however often it is tried: its source is damaged, a request is refused.
     |   '- PermanentAbortError 3   both: permission lost, table gone.
     |- Stopped         130    a person or a signal asked to stop; what was in flight is settled.
     '- InternalError    70    a fault of ddbio itself; the command writes the traceback to a file.

A record that cannot be imported is not an exception that ends a run: it is `RecordError`, caught where the record
is read, counted, and written to the rejects file. A run that ends with rejected records exits with 1
(`EXIT_REJECTED`), one where every item is accounted for and none was rejected with 0.
"""

from __future__ import annotations

import copy
import re
from typing import TypeVar

EXIT_OK = 0
EXIT_REJECTED = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_INTERNAL = 70
EXIT_STOPPED = 130

_LONGEST_SHORT = 200  # characters of an unforeseen exception's text on the terminal
Self = TypeVar("Self", bound="DdbioError")

_CONTROL = re.compile(r"\s*[\x00-\x1f\x7f-\x9f]+\s*")


def on_one_line(text: str) -> str:
    """`text` without line ends and whatever else a terminal would obey: it may quote a service, or a file's name."""
    return _CONTROL.sub(" ", text).strip()


class DdbioError(Exception):
    """An error whose text is meant for the person at the terminal: one line, no traceback.

    message: what went wrong, with the name of the thing it went wrong with.
    hint: what to do next; may be empty.
    """

    exit_code = EXIT_FAILED
    repeatable = True  # whether the same command may succeed the next time, with nothing else changed

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both in args, so that the error survives pickling between processes
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def reworded(self: Self, message: str, hint: str) -> Self:
        """The same error in other words."""
        error = copy.copy(self)
        error.message, error.hint = message, hint
        error.args = (message, hint, *self.args[2:])
        return error


class UsageError(DdbioError):
    """The command as given cannot work; nothing was moved."""

    exit_code = EXIT_USAGE
    repeatable = False


class NotFoundError(UsageError):
    """A file, folder, object or bucket that is named is not there; not one that may not be looked at."""


class NothingMatchedError(NotFoundError):
    """A folder, prefix or pattern was looked at to its end and has no files of the kind that is read."""


class TransferError(DdbioError):
    """The transfer failed after it began, or the service could not be reached."""

    exit_code = EXIT_FAILED


class AbortError(TransferError):
    """The whole run cannot go on; a plain TransferError may be the matter of one unit only."""


class PermanentError(TransferError):
    """A unit that fails however often it is tried: something else has to be put right first."""

    repeatable = False


class PermanentAbortError(AbortError, PermanentError):
    """The whole run cannot go on, however often it is tried."""


class Stopped(DdbioError):  # noqa: N818 - a request that was honoured, not a fault
    """The run was asked to stop and did so in order."""

    exit_code = EXIT_STOPPED


class InternalError(DdbioError):
    """An exception that ddbio did not foresee, wherever it was raised. The exit code is EX_SOFTWARE of sysexits.h.

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
    """One record that cannot be an item of the table; its neighbours are not affected.

    code: a short stable word for scripts (`bad-json`, `missing-key`, `item-too-large`, ...).
    message: what is wrong with the record, for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
