"""The caps of a run while it works: they follow the clock, the tables, and `ddbio jobs set-cap`."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ddbio.engines.engine import Running
from ddbio.errors import InternalError, UsageError
from ddbio.job.cap_requests import OPTION, CapDesk, CapRequest
from ddbio.job.run import ChangedCap, Run
from ddbio.job.side import Side
from ddbio.rate.following import CapThread, Caretaker


@dataclass(frozen=True, slots=True)
class _Kept:
    side: Side
    caretaker: Caretaker
    thread: CapThread


class KeptCaps:
    """Each table's cap is kept by a thread of its own, one more answers requests in the job's folder. Caps that were
    given to an earlier stage of the job hold from the beginning.

    failure: the error that ended one of these threads, which stops the run.
    """

    def __init__(self, run: Run, running: Running, folder: Path) -> None:
        self.failure: InternalError | None = None
        self._run = run
        self._kept = [self._keep(side, running) for side in run.sides]
        for kept in self._kept:
            if (given := run.given_caps.get(kept.side.budget)) is not None:
                self._give(kept, given)
        self._desk = CapDesk(folder, self._set, self._failed) if run.options.journal else None

    def _keep(self, side: Side, running: Running) -> _Kept:
        def note(units_per_s: float, origin: str) -> None:
            at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
            limit = units_per_s if math.isfinite(units_per_s) else None
            changed = ChangedCap(at, side.role, side.table.name, side.cap.kind, limit, origin)
            self._run.cap_changes.append(changed)

        look = side.look_at_caps if side.follows_table else None
        set_cap = partial(running.set_cap, side.role)
        caretaker = Caretaker(side.caps, set_cap, self._run.progress.say, look, self._run.of_which(side), note)
        return _Kept(side, caretaker, CapThread(caretaker, self._failed))

    def _failed(self, error: Exception) -> None:
        self.failure = InternalError.of(error)
        self._run.stop.ask()

    def _set(self, asked: CapRequest) -> str:
        """Set another cap; returns it as a sentence. Raises UsageError, TransferError: then nothing changed."""
        kept = self._asked_for(asked)
        sentence = self._give(kept, asked)
        self._run.given_caps[kept.side.budget] = asked
        return sentence

    def _give(self, kept: _Kept, asked: CapRequest) -> str:
        over_provisioned = asked.over_provisioned or self._run.options.over_provisioned
        side = kept.side.with_capacity(asked.capacity, over_provisioned=over_provisioned, option=OPTION)
        sentence = kept.caretaker.replace(side.caps, side.look_at_caps if side.follows_table else None)
        kept.thread.wake()
        return sentence

    def _asked_for(self, asked: CapRequest) -> _Kept:
        found = [kept for kept in self._kept if asked.role in (None, kept.side.role)]
        if len(found) == 1:
            return found[0]
        caps = "; ".join(f"{kept.side.role}: {self._described(kept.side)}" for kept in self._kept)
        if found:
            raise UsageError(f"the job has two caps ({caps})", "say which one, with --side source or --side target")
        raise UsageError(f"the job has no cap of a {asked.role} ({caps})", "leave out --side")

    def _described(self, side: Side) -> str:
        return f"{side.cap.kind} of {side.table.name}"

    def end(self) -> None:
        if self._desk is not None:
            self._desk.close()
        for kept in self._kept:
            kept.thread.end()
