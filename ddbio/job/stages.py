"""A verb made of several jobs in a row: which of them are finished, and the files that one leaves for the next.

Each stage is a job with a journal of its own (`ddbio.job.spine.perform`), so an interrupted one is resumed. The
journal here outlives them: it remembers the finished stages until the last of them is done. So the same command
skips those, and resumes the stage that was at work.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddbio.job.journal import Facts, Journal
from ddbio.job.opening import open_journal
from ddbio.options import TransferOptions

_FILES = "files"  # below the job's folder


class Stages:
    """folder: for files that one stage leaves for the next; removed when all stages are done. Kept between runs.
    job: the folder of the verb itself, as its report needs it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.job = journal.folder
        self.folder = journal.folder.path / _FILES
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def finished(self, stage: str) -> Any:
        """The facts that the finished stage left, as JSON values; None if it is not finished."""
        return self._journal.noted(f"stage {stage}")

    def finish(self, stage: str, facts: Any = True) -> None:
        """The stage is done, and will not be repeated. facts: JSON values for later stages and runs, never None."""
        self._journal.note(**{f"stage {stage}": facts})
        self._journal.commit(0.0)

    def complete(self) -> None:
        """All stages are done: the same command is a new job from now on."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._journal.complete = True


@contextmanager
def staged(
    verb: str, table: str, identity: Sequence[str], facts: Facts, options: TransferOptions
) -> Iterator[Stages]:
    """identity: distinguishes jobs of the same verb and table. facts: must be the same in all runs of a job.

    Raises UsageError if another command began the job, or another process works on it.
    """
    with open_journal(verb, table, identity, options) as journal:
        if options.fresh:
            _remove(journal.folder.path)
            journal.forget()
        journal.begin(facts, (), {})
        yield Stages(journal)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder / _FILES, ignore_errors=True)
