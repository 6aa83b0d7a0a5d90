"""A load in another process.

A thread in this process would keep the caller's event loop waiting: making the clients holds the interpreter's lock
for up to 100 ms at a time (botocore decodes its descriptions of the services in one call). For the same reason this
module imports almost nothing: the loop's thread imports it, and the thread that waits for the load imports the rest.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ddbio.loaders.config import LoaderConfig, LoadResult

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ddbio.system.stop import StopFlag

_STOP = "stop"


class ChildLoad:
    """One load. Two threads use it: one waits for the `result`, the other may ask to stop."""

    def __init__(self, config: LoaderConfig, csv_file: str | os.PathLike[str]) -> None:
        self._config = config
        self._file = csv_file
        self._lock = threading.Lock()  # of the two below
        self._pipe: Connection | None = None  # while the process lives
        self._asked = 0

    def ask_to_stop(self) -> None:
        """Once: in order; again: at once. See `ddbio.system.stop`."""
        with self._lock:
            self._asked += 1
            self._send_stop()

    def _send_stop(self) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # it has ended
                self._pipe.send(_STOP)

    def result(self) -> LoadResult:
        """Load the file. Raises OSError if it cannot be opened, InternalError for a fault of ddbio."""
        from ddbio.cli.start import ENDING
        from ddbio.engines.process import WorkerProcess
        from ddbio.errors import InternalError
        from ddbio.loaders.csv_file import readable

        began_s = time.monotonic()
        path = readable(self._file)
        try:
            process = WorkerProcess.start(_main, (self._config, path), blocked=ENDING)
        except OSError as error:
            return self._failed(path, f"no process could be started: {error.strerror}", began_s)
        with self._lock:
            self._pipe = process.pipe
            for _ in range(self._asked):
                self._send_stop()
        try:
            answer = process.pipe.recv()
        except (EOFError, OSError):
            answer = None
        with self._lock:
            self._pipe = None
        process.close()
        if isinstance(answer, InternalError):
            raise answer
        if isinstance(answer, LoadResult):
            return answer
        return self._failed(path, f"the process that loaded it ended with {process.exit_code}", began_s)

    @staticmethod
    def _failed(path: str, why: str, began_s: float) -> LoadResult:
        """The result if nothing is known about the work that was done."""
        from ddbio.loaders.csv_file import records

        total = max(1, records(path))
        return LoadResult(total, 0, total, time.monotonic() - began_s, [f"{why}; make the same call again to resume"])


# --------------------------------------------------------------------------- in that process


def _main(pipe: Connection, arguments: Any) -> None:
    from ddbio.cli.start import ENDING
    from ddbio.errors import InternalError
    from ddbio.system.stop import StopFlag

    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)  # the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _name_process()
    stop = StopFlag()
    threading.Thread(target=_obey, args=(pipe, stop), daemon=True).start()
    try:
        config, path = arguments
        answer: object = _load(config, path, stop)
    except Exception as error:
        answer = InternalError.of(error)
    with suppress(OSError):  # the parent has ended
        pipe.send(answer)


def _load(config: LoaderConfig, path: str, stop: StopFlag) -> LoadResult:
    from ddbio.loaders.load import load

    return load(config, path, stop).result


def _name_process() -> None:
    import setproctitle

    setproctitle.setproctitle("ddbio load")


def _obey(pipe: Connection, stop: StopFlag) -> None:
    """Stop when the parent asks for it, and when it ends."""
    from ddbio.errors import EXIT_STOPPED

    ended = False
    while not ended:
        try:
            pipe.recv()
        except (EOFError, OSError):
            ended = True
        stop.ask()
        if not stop.heeded and not stop.finishing:  # nothing has begun: there is nothing to settle
            os._exit(EXIT_STOPPED)
