"""Notes the course of a job in its journal, for the report: its runs, their samples, the parts of the work."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from ddbio.aws.redaction import hide
from ddbio.errors import DdbioError
from ddbio.job.accounts import Result
from ddbio.job.history import STAGE_HISTORY, extents, noun_of, read_history, read_samples
from ddbio.job.journal import Journal
from ddbio.rate.latency import BOUNDS_S
from ddbio.report_page.history import Sample
from ddbio.sources.plan import Plan

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.forecast import Forecast


def note_stage(whole: Journal, name: str, stage: Journal) -> None:
    """Note the course of a stage so far in the journal of the job that it is a part of."""
    with suppress(DdbioError, sqlite3.Error):
        whole.note(**{f"{STAGE_HISTORY}{name}": msgspec.to_builtins(stage.read(read_history))})
        whole.commit(0.0)


class Course:
    """Holds nothing but the journal; everything is written with its next commit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._run = journal.past.runs + 1

    def begin_run(self, roles: Sequence[str], plan: Plan, now: Callable[[], float] = time.time) -> None:
        """A run begins to work. roles: of the job's tables. now: seconds since the epoch."""
        self._journal.write("INSERT OR REPLACE INTO runs VALUES (?, ?, 0, NULL, '')", [(self._run, now())])
        self._journal.note(sides=list(roles), latency_bounds=list(BOUNDS_S))
        self._note_parts(plan)

    def note_forecast(self, make: Callable[[], Forecast]) -> Forecast:
        """The plan of a new job, for its report. Nothing is noted if it cannot be made; the plan is then empty."""
        from ddbio.forecast.forecast import UNKNOWN

        with suppress(RuntimeError):
            asyncio.get_running_loop()  # in which a plan cannot read its samples
            return UNKNOWN
        with suppress(DdbioError):
            forecast = make()
            self._journal.note(forecast=forecast.as_json())
            return forecast
        return UNKNOWN

    def end_run(self, result: Result, plan: Plan) -> None:
        """The run has its result, which does not change if this cannot be written. Commits."""
        why = "" if result.error is None else hide(str(result.error))
        ended = (result.seconds - result.past.seconds, result.exit_code, why, self._run)
        with suppress(DdbioError):
            self._journal.write("UPDATE runs SET seconds = ?, exit_code = ?, why = ? WHERE number = ?", [ended])
            self._note_parts(plan)
            self._journal.commit(0.0)

    def _note_parts(self, plan: Plan) -> None:
        """Those that are planned so far."""
        self._journal.note(extents=extents(plan.units), parts=noun_of(plan.units))

    def samples(self) -> list[Sample]:
        """Of all runs so far."""
        return self._journal.read(read_samples)

    def keep(self, samples: Sequence[Sample], *, thinned: bool) -> None:
        """samples: all of the job, of which the last one is new. thinned: others have changed, too."""
        if thinned:
            self._journal.write("DELETE FROM samples WHERE number >= ?", [(0,)])
        last = len(samples) - 1
        new = range(len(samples)) if thinned else (last,)
        rows = [(at, msgspec.json.encode(samples[at]).decode()) for at in new]
        self._journal.write("INSERT OR REPLACE INTO samples VALUES (?, ?)", rows)
