"""A verb made of several jobs in a row: which of them are finished, and the files that one leaves for the next.

Each stage is a job with a journal of its own (`ddbio.job.spine`), so an interrupted one is resumed. The journal here
outlives them: it remembers the finished stages until the last of them is done. So the same command skips those, and
resumes the stage that was at work. A stage is noted as finished before its own journal is removed, so a run that is
killed between the two repeats nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddbio.forecast.forecast import Forecast
from ddbio.job.course import note_stage
from ddbio.job.journal import Facts, Journal
from ddbio.job.opening import open_journal
from ddbio.job.run import Caller
from ddbio.job.spine import SomeResult, Verb, tell_story
from ddbio.options import TransferOptions

_FILES = "files"  # below the job's folder


class Stages:
    """folder: for files that one stage leaves for the next; removed when all stages are done. Kept between runs.
    journal: of the verb itself, as its report needs it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.folder = journal.folder.path / _FILES
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def finished(self, stage: str) -> Any:
        """The facts that the finished stage left, as JSON values; None if it is not finished."""
        return self.journal.noted(f"stage {stage}")

    def finish(self, stage: str, facts: Any = True) -> None:
        """The stage is done, and will not be repeated. facts: JSON values for later stages and runs, never None."""
        self.journal.note(**{f"stage {stage}": facts})
        self.journal.commit(0.0)

    def perform(
        self, stage: str, verb: Verb[Any, SomeResult], caller: Caller, facts_of: Callable[[SomeResult], Any]
    ) -> SomeResult:
        """Do the stage, a job without a report of its own, or resume it. facts_of: see `finish`."""
        run = verb.check(caller)
        with open_journal(verb.name, run.table.name, verb.places(), verb.options) as journal:
            self.journal.note(moved=True)
            self.journal.commit(0.0)
            result = tell_story(verb, run, journal)
            note_stage(self.journal, stage, journal)
            if journal.complete:
                journal.complete = False  # until it is noted, however this ends
                self.finish(stage, facts_of(result))
                journal.complete = True
        return result

    def note_forecast(self, forecast: Forecast) -> None:
        """The plan of a new job, for its report."""
        if not self.journal.resumed:
            self.journal.note(forecast=forecast.as_json())
            self.journal.commit(0.0)

    def complete(self) -> None:
        """All stages are done, and reported: the same command is a new job from now on."""
        self.journal.note(complete=True)  # first: without its files it could not be resumed
        self.journal.commit(0.0)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.journal.complete = True


@contextmanager
def staged(
    verb: str, table: str, identity: Sequence[str], facts: Facts, options: TransferOptions
) -> Iterator[Stages]:
    """identity: distinguishes jobs of the same verb and table. facts: must be the same in all runs of a job.

    Raises UsageError if another command began the job, or another process works on it.
    """
    with open_journal(verb, table, identity, options) as journal:
        if options.fresh:
            journal.forget()
        journal.begin(facts, (), {})
        if not journal.resumed:
            _remove(journal.folder.path)  # also those of a job whose journal is lost
        yield Stages(journal)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder / _FILES, ignore_errors=True)
