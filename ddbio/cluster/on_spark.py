"""The engine of a Spark cluster: its tasks are seats of the hub in the driver.

    driver (hub) ---- connection ---- seat in a task of an executor
           \\----- connection ---- seat in another one

One Spark job has as many tasks as there are seats, and each task is a seat until there is no more work: the hub
hands out the units, and not Spark. If a task is lost, Spark starts it again, and it joins as another seat; its units
have gone to others meanwhile. Once the work is done nobody waits for a task that Spark still has to start.

Executors need ddbio, and this driver's ddbio to be the same version; and a way to the driver's port.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ddbio.cluster.engine import HubEngine, HubSettings
from ddbio.cluster.seat import SeatSettings, seat
from ddbio.cluster.token import new_token
from ddbio.engines.engine import Running, Staff
from ddbio.engines.environment import Needs
from ddbio.errors import UsageError, on_one_line
from ddbio.flow.context import Job

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ALL_ADDRESSES = "0.0.0.0"
SEAT_PATIENCE_S = 60.0  # for a driver that a task cannot reach: then Spark starts the task again, somewhere else
GRACE_S = 5.0  # for tasks to end by themselves, so that Spark can use their Python processes again
_LONGEST_REASON = 300
_THREAD = "ddbio spark job"


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """slots: tasks, each of which is a seat; None for as many as the cluster can run at once now.

    address: where executors reach this machine; None for spark.driver.host. port: to listen on; 0 for any free one.
    The others: see `ddbio.cluster.engine.HubSettings`.
    """

    slots: int | None = None
    address: str | None = None
    port: int = 0
    shares_disk: bool = False
    silence_s: float = 5.0
    alone_s: float = 600.0
    send_keys: bool = False


class SparkEngine:
    """An engine; inside a block of it, all jobs have the same seats. spark: a SparkSession."""

    def __init__(self, spark: Any, settings: SparkSettings | None = None) -> None:
        """Raises UsageError if it cannot be known where the executors reach this machine."""
        self._spark = spark
        self._settings = settings or SparkSettings()
        self.slots = _slots(spark, self._settings.slots)
        self.shares_disk = self._settings.shares_disk
        self.staff = Staff("task", self.slots)
        self._host = self._settings.address or _driver_host(spark)
        self._hub: HubEngine | None = None
        self._tasks: _Tasks | None = None

    def __enter__(self) -> SparkEngine:
        asked = self._settings
        hub = HubEngine(
            HubSettings(
                token=new_token(),
                address=self._host if self._host in LOOPBACK else ALL_ADDRESSES,
                port=asked.port,
                expected=self.slots,
                shares_disk=asked.shares_disk,
                silence_s=asked.silence_s,
                alone_s=asked.alone_s,
                send_keys=asked.send_keys,
            )
        )
        self._hub = hub.__enter__()
        work = partial(_sit, (self._host, hub.address[1]), hub.settings.token)
        self._tasks = _Tasks(seat_job(self._spark, self.slots, work), hub.give_up)
        return self

    def __exit__(self, *error: object) -> None:
        hub, tasks, self._hub, self._tasks = self._hub, self._tasks, None, None
        if tasks is not None:
            tasks.expected_to_end()
        if hub is not None:
            hub.__exit__(*error)
        if tasks is not None:
            tasks.end()

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        if self._hub is None:
            with self, self.open(job, needs) as running:
                yield running
            return
        with self._hub.open(job, needs) as running:
            yield running


def _sit(address: tuple[str, int], token: bytes, _numbers: Iterator[Any]) -> Iterator[int]:
    """The work of a task."""
    yield seat(address, token, SeatSettings(patience_s=SEAT_PATIENCE_S)).jobs


# --------------------------------------------------------------------------- what differs by session

Work = Callable[[Iterator[Any]], Iterator[int]]


class SeatJob(Protocol):
    def run(self) -> None:
        """Let Spark run the tasks, until all have ended. Raises the errors of Spark."""

    def cancel(self) -> None:
        """From another thread: end all tasks now, also those that have not begun."""

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """For `run`, not started."""


def context_of(spark: Any) -> Any:
    """The SparkContext of a session; None in Spark Connect, where there is none."""
    return None if type(spark).__module__.startswith("pyspark.sql.connect") else spark.sparkContext


def seat_job(spark: Any, slots: int, work: Work) -> SeatJob:
    context = context_of(spark)
    return ArrowJob(spark, slots, work) if context is None else RddJob(context, slots, work)


class RddJob:
    """By a SparkContext."""

    def __init__(self, context: Any, slots: int, work: Work) -> None:
        self._context = context
        self._slots = slots
        self._work = work
        self._group = f"ddbio-{secrets.token_hex(4)}"

    def run(self) -> None:
        self._context.setJobGroup(self._group, "workers of ddbio", interruptOnCancel=True)
        self._context.parallelize(range(self._slots), self._slots).mapPartitions(self._work).count()

    def cancel(self) -> None:
        self._context.cancelJobGroup(self._group)

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """With a thread of the JVM to itself, whose job group is its own."""
        from pyspark import InheritableThread

        thread: threading.Thread = InheritableThread(target=run, name=_THREAD, daemon=True)
        return thread


class ArrowJob:
    """By a session alone, as in Spark Connect."""

    def __init__(self, spark: Any, slots: int, work: Work) -> None:
        self._spark = spark
        self._slots = slots
        self._work = partial(_in_batches, work)
        self._tag = f"ddbio-{secrets.token_hex(4)}"

    def run(self) -> None:
        self._spark.addTag(self._tag)
        self._spark.range(0, self._slots, 1, self._slots).mapInArrow(self._work, "jobs long").collect()

    def cancel(self) -> None:
        self._spark.interruptTag(self._tag)

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=run, name=_THREAD, daemon=True)


def _in_batches(work: Work, batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow

    yield pyarrow.record_batch([pyarrow.array(list(work(batches)), pyarrow.int64())], names=["jobs"])


def _slots(spark: Any, asked: int | None) -> int:
    if asked is not None:
        return asked
    context = context_of(spark)
    if context is None:
        raise UsageError("Spark Connect does not say how many tasks its cluster can run at once", "give slots")
    return max(1, int(context.defaultParallelism))


def _driver_host(spark: Any) -> str:
    context = context_of(spark)
    if context is None:
        raise UsageError(
            "with Spark Connect, the executors do not know this machine", "give the address at which they reach it"
        )
    return "127.0.0.1" if context.master.startswith("local[") else str(context.getConf().get("spark.driver.host"))


class _Tasks:
    """The Spark job, in a thread of its own.

    give_up: called with the reason if it ends before it is expected to.
    """

    def __init__(self, job: SeatJob, give_up: Callable[[str], None]) -> None:
        self._job = job
        self._give_up = give_up
        self._expected = threading.Event()
        self._thread = job.thread(self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._job.run()
            reason = "all tasks of the Spark job have ended"
        except Exception as error:  # whatever Spark raises: the driver's thread has to hear of it
            reason = f"the Spark job failed: {_in_words(error)}"
        if not self._expected.is_set():
            self._give_up(reason)

    def expected_to_end(self) -> None:
        self._expected.set()

    def end(self) -> None:
        """Wait for the tasks to end, but not for those that Spark still has to start."""
        self._thread.join(GRACE_S)
        if self._thread.is_alive():
            self._job.cancel()
            self._thread.join(GRACE_S)


def _in_words(error: Exception) -> str:
    """The first line of an error of the JVM, or of Python."""
    java = getattr(error, "java_exception", None)
    try:
        text = str(java.getMessage()) if java is not None else str(error)
    except Exception:  # the JVM is gone, too
        text = str(error)
    lines = text.strip().splitlines() or [type(error).__name__]
    return on_one_line(lines[0])[:_LONGEST_REASON]
