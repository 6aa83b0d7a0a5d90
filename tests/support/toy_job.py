"""A job without a network, for the contract of the engines: a record of a slice is a byte, some slices misbehave."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ddbio.errors import AbortError, TransferError, UsageError
from ddbio.flow.context import JobTable, WorkerContext
from ddbio.messages import ImportCursor, SliceUnit, Tally, Unit, UnitReport
from ddbio.messages.counts import RECORDED
from ddbio.messages.files import SourceFile

WORK, DIE_ONCE, DIE_ALWAYS, FAIL, ABORT, CRASH, RECORD, REPORT_THEN_RECORD, STUMBLE, CRASH_LATE = range(10)


@dataclass(frozen=True, slots=True)
class ToyJob:
    """folder: where the workers leave notes of what they did, one file a unit that died once."""

    folder: str
    lanes: int = 3
    step_s: float = 0.0
    die_after_s: float = 0.0  # a lane has recorded something
    transform: str | None = None  # one that the third worker to open the job cannot load

    @property
    def tables(self) -> dict[str, JobTable]:
        return {}

    @property
    def opens_together(self) -> bool:
        return self.transform is not None

    def open(self, context: WorkerContext) -> ToyWork:
        return ToyWork(self, context)


class ToyWork:
    def __init__(self, job: ToyJob, context: WorkerContext) -> None:
        self.job = job
        self.context = context
        if job.transform is not None:
            self._refuse_third()

    def _refuse_third(self) -> None:
        for number in range(3):
            with suppress(FileExistsError):
                (Path(self.job.folder) / f"opened-{number}").touch(exist_ok=False)
                if number == 2:
                    time.sleep(0.3)  # the others could have done much meanwhile
                    raise UsageError("--transform: it cannot be loaded")
                return

    def lane(self) -> ToyLane:
        return ToyLane(self)


class ToyLane:
    def __init__(self, work: ToyWork) -> None:
        self._job = work.job
        self._context = work.context
        self._slot = work.context.next_slot()

    async def close(self) -> None:
        return None

    async def work(self, unit: Unit) -> None:
        assert isinstance(unit, SliceUnit)
        at = unit.cursor.offset if unit.cursor is not None else unit.start
        if unit.cursor is not None:  # whoever hands it over says what was counted up to there
            assert unit.before is not None
            assert unit.before.read == unit.before.written == at - unit.start
        if int(unit.file.version) == RECORD:
            self._record(unit, at)
        while at < unit.stop:
            if int(unit.file.version) == REPORT_THEN_RECORD and at == unit.start + 2:
                self._record(unit, unit.start)  # one more record than it reported
            self._act(int(unit.file.version), unit.number, at - unit.start)
            self._context.awaited.begin()
            try:
                await self._context.sleep(self._job.step_s)
            finally:
                self._context.awaited.end()
            at += 1
            done = Tally(read=1, written=1, units=1.0)
            self._context.report(UnitReport(unit.number, ImportCursor(at, 0), done))
            if int(unit.file.version) == STUMBLE:
                raise RuntimeError("a fault of ours after every batch")
        self._context.report(UnitReport(unit.number, ImportCursor(at, 0), Tally(), done=True))

    def _record(self, unit: SliceUnit, at: int) -> None:
        """Settle all but the last record, in the checkpoint alone, and die; a second time, go on."""
        assert self._slot is not None
        if at == unit.start:
            settled = unit.stop - 1
            self._slot.next_unit()
            tally = Tally(read=settled, written=settled, units=float(settled))
            self._slot.write(unit.number, 0, settled, 0, *(getattr(tally, name) for name in RECORDED))
            time.sleep(self._job.die_after_s)
            os.kill(os.getpid(), signal.SIGKILL)

    def _act(self, behaviour: int, number: int, step: int) -> None:
        died = Path(self._job.folder) / f"died-{number}"
        if behaviour == DIE_ALWAYS or (behaviour == DIE_ONCE and step == 2 and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == FAIL:
            raise TransferError(f"unit {number} cannot be worked")
        if behaviour == ABORT:
            raise AbortError("nothing can be worked")
        if behaviour == CRASH or (behaviour == CRASH_LATE and step == 2):
            raise RuntimeError("a fault of ours")


def units(*behaviours: int, size: int = 4) -> list[SliceUnit]:
    """One unit of `size` records for each behaviour."""
    return [
        SliceUnit(number, SourceFile(f"source-{number}", size, str(behaviour)), 0, size)
        for number, behaviour in enumerate(behaviours)
    ]
