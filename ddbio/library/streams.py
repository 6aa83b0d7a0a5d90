"""What a job hands over while it runs, pulled by a program at its own pace."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ddbio.system.stop import StopFlag

T = TypeVar("T")
Take = Callable[[T], None]

AHEAD = 4  # handed over, while the program uses one


def pulled(job: Callable[[Take[T], StopFlag], object], stop: StopFlag | None = None) -> Generator[T, None, None]:
    """What a job passes to its first argument, from a thread in which the job runs.

    The job proceeds only as fast as this is used, `AHEAD` objects ahead. Closing the iterator stops the job in order
    and waits for its end. The error of the job is raised here. stop: the caller's flag, which the job obeys.
    """
    flag, left = stop or StopFlag(), threading.Event()
    ready = queue.Queue[T | _End](AHEAD)
    thread = threading.Thread(target=_run, args=(job, flag, left, ready), name="ddbio job", daemon=True)
    thread.start()
    finished = False
    try:
        while not isinstance(each := ready.get(), _End):
            yield each
        finished = True
        if each.error is not None:
            raise each.error
    finally:
        if not finished:  # nobody wants the rest; the flag may be the caller's
            left.set()
            flag.ask()
        while thread.is_alive():  # it may wait for room in the queue
            _drain(ready)
            thread.join(0.05)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _run(
    job: Callable[[Take[Any], StopFlag], object], stop: StopFlag, left: threading.Event, ready: queue.Queue[Any]
) -> None:
    """left: set when nobody takes objects any more. A stop alone loses none: what was read is still handed over."""

    def take(each: Any) -> None:
        if not left.is_set():
            ready.put(each)

    try:
        job(take, stop)
        ready.put(_End(None))
    except BaseException as error:
        ready.put(_End(error))


def _drain(ready: queue.Queue[Any]) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
