"""A worker process: a fresh Python that loads ddbio and nothing of the program that started it.

`multiprocessing` would load that program's main module again in each worker, so a script without a main guard would
start itself over and over, a notebook cell or standard input could not be loaded at all, and a daemonic process could
start no worker. Here the child has only its end of a pipe, and receives the function to call through it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

# The child finds modules where its parent does. Imports make 100,000 objects that stay: looking for garbage every few
# hundred objects took a fifth of the CPU time of a small job with two workers.
_CHILD = (
    "import gc, sys; gc.set_threshold(100_000, 20, 50); sys.path[:] = {path!r}; "
    "from ddbio.engines.process import child; child({pipe})"
)


class WorkerProcess:
    """A running worker. pipe: our end; the end of the other one is the end of the process.

    sentinel: ready to be read when the process has ended (see `multiprocessing.connection.wait`).
    """

    def __init__(self, process: subprocess.Popen[bytes], pipe: Connection, sentinel: int) -> None:
        self._process = process
        self.pipe = pipe
        self.sentinel = sentinel

    @classmethod
    def start(
        cls, main: Callable[[Connection, Any], None], arguments: Any, blocked: Sequence[signal.Signals] = ()
    ) -> WorkerProcess:
        """Call `main(pipe, arguments)` in a new process; both must be picklable, and found by import.

        blocked: signals that stay blocked in the child until `main` unblocks them. Raises OSError.
        """
        ours, theirs = connection.Pipe()
        ended, alive = os.pipe()  # only the child keeps `alive` open
        try:
            process = _spawn(theirs.fileno(), alive, blocked)
        except BaseException:
            ours.close()
            os.close(ended)
            raise
        finally:
            theirs.close()
            os.close(alive)
        started = cls(process, ours, ended)
        started._send(main, arguments)
        return started

    def _send(self, main: Callable[[Connection, Any], None], arguments: Any) -> None:
        try:
            self.pipe.send((main, arguments))
        except OSError:
            pass  # it died already: its sentinel reports that
        except BaseException:
            self.kill()
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Once it is reaped by `close`: negative for the number of the signal that killed it."""
        return self._process.returncode

    def kill(self) -> None:
        self._process.kill()

    def close(self, patience_s: float | None = None) -> None:
        """Wait for its end, and reap it. Without a patience, however long that takes."""
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return
        finally:
            self.pipe.close()
            if self.sentinel >= 0:
                os.close(self.sentinel)
                self.sentinel = -1


def _spawn(pipe: int, alive: int, blocked: Sequence[signal.Signals]) -> subprocess.Popen[bytes]:
    code = _CHILD.format(path=[os.fspath(each) for each in sys.path], pipe=pipe)
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # a child inherits the mask
    try:
        return subprocess.Popen(
            [sys.executable, *flags, "-c", code], pass_fds=(pipe, alive), stdin=subprocess.DEVNULL
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def child(pipe: int) -> None:
    """The life of a worker process."""
    ours = Connection(pipe)
    try:
        main, arguments = ours.recv()
    except EOFError:  # the parent has ended
        return
    except OSError:  # the files that the arguments name cannot be opened
        if _has_ended(ours):  # the next run has removed them
            return
        raise
    main(ours, arguments)


def _has_ended(pipe: Connection) -> bool:
    """Whether the other end of a pipe, which has sent all it has to send, is closed."""
    return pipe.poll()
