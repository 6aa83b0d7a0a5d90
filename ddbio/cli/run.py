"""How every command ends.

- A `DdbioError` is one line on stderr, `program: error: message; hint`, and its own exit code. No traceback.
- Ctrl-C and SIGTERM exit with 130. A command that must settle something first catches them and raises `Stopped`.
- If the reader of stdout exits (`| head -1`), the command ends quietly with 141, as `seq` and `yes` do.
- If output cannot be written, on either stream, the exit code is 3 (`ddbio.system.terminal`).
- Any other exception is a fault of ddbio: 70, one line, and the traceback in a file (`ddbio.cli.crash`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddbio.cli.start import ENDING, program_name
from ddbio.errors import EXIT_OK, DdbioError, InternalError, Stopped, UsageError
from ddbio.system.terminal import (
    EXIT_BROKEN_PIPE,
    exit_code,
    open_closed_streams,
    reader_is_gone,
    silence,
    stderr,
    tell,
)

if TYPE_CHECKING:
    from ddbio.cli.configuration import Setting


@dataclass(slots=True)
class Command:
    """A running command. name: as it was called. state_dir: the folder of its state, once its options are known.

    settings: its configured options, once they are known.
    interrupted: whether Ctrl-C or SIGTERM asked it to stop.
    thread_error: the first exception that ended one of its threads. on_thread_error: called when that happens.
    """

    name: str
    state_dir: str | None = None
    settings: list[Setting] = field(default_factory=list)
    interrupted: bool = False
    thread_error: InternalError | None = None
    on_thread_error: Callable[[], None] = lambda: None

    def note_thread_error(self, args: threading.ExceptHookArgs) -> None:
        """For `threading.excepthook`."""
        if self.thread_error is None and args.exc_value is not None:
            self.thread_error = InternalError.of(args.exc_value)
            self.on_thread_error()


def run(default_name: str, action: Callable[[Command], int]) -> int:
    """Do `action` and return the exit code: its own, or that of the error it raised, which is printed to stderr.

    default_name: the command's name if it cannot be known from how it was called.
    """
    called = program_name()
    command = Command(default_name if called in ("", "-c", "-m") else called)
    open_closed_streams()
    hook, threading.excepthook = threading.excepthook, command.note_thread_error
    try:
        code = exit_code(_ending(command, action))
    finally:
        threading.excepthook = hook
    silence()
    return code


def _ending(command: Command, action: Callable[[Command], int]) -> int:
    try:
        try:
            return action(command)
        finally:
            _ignore_signals()
    except SystemExit as done:  # after --help and --version
        return EXIT_OK if done.code is None else int(done.code)
    except BrokenPipeError as error:
        if reader_is_gone(sys.stdout):
            return EXIT_BROKEN_PIPE
        return fail(command, InternalError.of(error))  # some other pipe
    except KeyboardInterrupt:
        return fail(command, Stopped("stopped"))
    except DdbioError as error:
        return fail(command, command.thread_error or error)
    except Exception as error:  # a fault of ddbio: expected errors are DdbioErrors
        stopped = command.interrupted  # a library took the interrupt for a failure
        return fail(command, Stopped("stopped") if stopped else InternalError.of(error))


def _ignore_signals() -> None:
    """Ignore signals while a command ends: they must not change its outcome.

    Handlers that ddbio did not set stay, for programs that call a command as a function.
    """
    if threading.current_thread() is threading.main_thread():
        for each in ENDING:
            handler = signal.getsignal(each)
            if callable(handler) and handler is not signal.default_int_handler:
                signal.signal(each, signal.SIG_IGN)


def fail(command: Command, error: DdbioError) -> int:
    """Report the error that ended a command on stderr; returns its exit code."""
    if isinstance(error, InternalError):
        if os.environ.get("DDBIO_DEBUG"):
            stderr.write(error.trace)
        from ddbio.cli.crash import report_crash

        tell(f"{command.name}: {report_crash(error, command.state_dir)}")
    else:
        if command.settings and isinstance(error, UsageError):
            from ddbio.cli.configuration import name_origins

            error = name_origins(error, command.settings)
        tell(f"{command.name}: error: {error}")
    return error.exit_code


def positive_int(text: str) -> int:
    """An argparse type: a whole number above 0."""
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    import argparse

    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def invocation(program: str) -> str:
    """How to call `program`: a script of the checkout through Python, an installed command by name."""
    return f"python3 {program}" if program.endswith(".py") else program
