"""What every command does in the same way: how it ends, what it says on stderr, how it reads numbers.

Rules of an ending:

- A `DdbioError` is one line on stderr, `program: error: message; hint`, and its own exit code. No traceback.
- Ctrl-C is 130. A command that has something to settle first catches it and raises `Stopped`.
- A reader that goes away (`| head -1`) ends a command quietly with 141, as it ends `seq` or `yes`: not 0, because
  not everything was written, and no message, because that is what was asked for.
- Anything else is a bug in ddbio, and keeps its traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from ddbio.errors import DdbioError, Stopped, TransferError, on_one_line

# Imports make a hundred thousand objects that stay: to look through them every few hundred is a tenth of a start.
COLLECTOR_THRESHOLDS = (100_000, 20, 50)
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports for a command that the signal ended


def run(program: str, action: Callable[[], int]) -> int:
    """Do `action` and return the exit code: its own, or that of the error it ended with, told on stderr."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        code = action()
        flush_stdout()
        return code
    except BrokenPipeError:
        if not any(map(reader_is_gone, (sys.stdout, sys.stderr))):
            raise  # some other pipe: nobody asked for that
        silence(sys.stdout)
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return fail(program, Stopped("stopped"))
    except DdbioError as error:
        return fail(program, error)


def fail(program: str, error: DdbioError) -> int:
    say(f"{program}: error: {error}")
    return error.exit_code


def say(line: str) -> None:
    """Print one line on stderr, if there is anyone to read it."""
    if sys.stderr is not None:  # None when it was closed with `2>&-`; print() would then use stdout
        with contextlib.suppress(OSError):
            print(on_one_line(line), file=sys.stderr, flush=True)


def say_lines(text: str) -> None:
    """The same for a text of several lines."""
    for line in text.splitlines():
        say(line)


def flush_stdout() -> None:
    """Write what was printed, so that a full disk is seen here and not by the interpreter as it shuts down."""
    with writing_stdout():
        if sys.stdout is not None:
            sys.stdout.flush()


@contextlib.contextmanager
def writing_stdout() -> Iterator[None]:
    """Raises BrokenPipeError if the reader is gone, TransferError if standard output cannot be written otherwise."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(sys.stdout)
        raise TransferError(f"cannot write to standard output: {error.strerror}") from error


def reader_is_gone(stream: TextIO | None) -> bool:
    """Whether `stream` is a pipe that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(stream.fileno() if stream is not None else -1, 0)  # 0: errors are always reported
    except (OSError, ValueError):  # no file behind it, or closed
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def silence(stream: TextIO | None) -> None:
    """Let what is left in the buffer of `stream` go nowhere: the interpreter's exit would trip on it."""
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect at the end of this block: for the imports of extension modules, some of which
    crash where they are interrupted."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def positive_int(text: str) -> int:
    """An argparse type: a whole number above 0."""
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def invocation(program: str) -> str:
    """How a person calls `program`: a script of the checkout through Python, an installed command as it is."""
    return f"python3 {program}" if program.endswith(".py") else program
