"""The standard streams of a command, and its end if writing to them fails.

- Standard error: nothing raises. A job finishes even if its messages cannot be written; the exit code then shows that
  some were lost (`exit_code`).
- Standard output: a failed write is an error at once, except that a command ends quietly if the reader has closed the
  pipe (`| head -1`).
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TextIO

from ddbio.errors import EXIT_FAILED, EXIT_REJECTED, TransferError, on_one_line

EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell reports a command that the signal ended
_CLOSED = "it is closed"


class StandardError:
    """Standard error as a text file that never fails. failure: the first error, if there was one."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            if sys.stderr is None:  # closed with `2>&-`
                raise OSError(_CLOSED)
            sys.stderr.write(text)
        except OSError as error:
            self._lost(error)
        except RuntimeError:
            pass  # a signal handler interrupted a write that waits for the reader: its own text is dropped
        except ValueError:  # closed by code of the user
            self._lost(OSError(_CLOSED))
        return len(text)

    def flush(self) -> None:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
        except OSError as error:
            self._lost(error)
        except RuntimeError:
            pass
        except ValueError:
            self._lost(OSError(_CLOSED))

    def isatty(self) -> bool:
        return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()

    def fileno(self) -> int:
        return sys.stderr.fileno()

    @property
    def encoding(self) -> str:
        return getattr(sys.stderr, "encoding", None) or "utf-8"

    def _lost(self, error: OSError) -> None:
        self.failure = self.failure or error
        _discard(sys.stderr)  # otherwise the next flush fails again, for example before a process is started


stderr = StandardError()


def tell(line: str) -> None:
    """Write one line to standard error."""
    stderr.write(f"{on_one_line(line)}\n")
    stderr.flush()


def write_out(text: str) -> None:
    """Write to standard output. Raises BrokenPipeError if its reader has closed the pipe, else TransferError."""
    try:
        if sys.stdout is None:  # closed with `>&-`
            raise OSError(None, _CLOSED)
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TransferError(f"cannot write to standard output: {error.strerror}") from None
    except ValueError:  # the stream is closed: the module of a --transform may have done that
        raise TransferError(f"cannot write to standard output: {_CLOSED}") from None


def exit_code(code: int) -> int:
    """`code`, or the exit code for lost messages if there were any and `code` would hide that."""
    failure = stderr.failure
    if failure is None or code > EXIT_REJECTED:
        return code
    return EXIT_BROKEN_PIPE if isinstance(failure, BrokenPipeError) else EXIT_FAILED


def reader_is_gone(stream: TextIO | None) -> bool:
    """Whether `stream` is a pipe whose reader has closed it."""
    try:
        poll = select.poll()
        poll.register(stream.fileno() if stream is not None else -1, 0)  # 0: errors are always reported
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def open_closed_streams() -> None:
    """Open the null device for each closed standard stream. Otherwise the next file that is opened gets its number,
    and text written to the stream ends up in that file."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def silence() -> None:
    """Discard the buffer of a failed stream: otherwise the interpreter fails on it again when it exits."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            try:
                stream.flush()
            except OSError:
                _discard(stream)


def _discard(stream: TextIO | None) -> None:
    """Redirect `stream`, its unwritten buffer included, to the null device."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        os.close(null)
