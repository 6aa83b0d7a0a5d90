"""Finds the journal of a job in its folder and opens it; creates a new one if there is none, or none of use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from ddbio.errors import UsageError
from ddbio.job.database import FRESH, connected
from ddbio.job.invocation import check_expected, note_command
from ddbio.job.journal import Journal
from ddbio.job.remains import places_files, remove_journal
from ddbio.job.retention import prune
from ddbio.job.state import JOURNAL, JobFolder, job_name, state_root
from ddbio.options import TransferOptions
from ddbio.system.scratch import Scratch, sweep


@contextmanager
def open_journal(verb: str, table: str, identity: Sequence[str], options: TransferOptions) -> Iterator[Journal]:
    """The journal of a job: that of an unfinished job, or one for a job that is still to `begin`.

    identity: distinguishes jobs with the same verb and table.
    Raises UsageError if another process works on the job, or its journal cannot be used.
    """
    name = job_name(verb, table, identity)
    check_expected(name)
    with _job_folder(name, options) as folder:
        journal = _opened(folder, fresh=options.fresh)
        journal.before_begin = lambda: note_command(folder.path, options.report)
        try:
            yield journal
        finally:
            journal.close()
        if journal.complete and options.journal:
            prune(folder.path.parent)


@contextmanager
def look_at_journal(verb: str, table: str, identity: Sequence[str], options: TransferOptions) -> Iterator[Journal]:
    """The same for a caller that only reads it: no folder or file is made, and nothing is removed.

    Raises UsageError as `open_journal` does.
    """
    name = job_name(verb, table, identity)
    check_expected(name)
    root = state_root(options.state_dir) if options.journal else None
    if root is None or options.fresh or not (root / name / JOURNAL).exists():
        with closing(sqlite3.connect(":memory:")) as nothing:
            yield Journal(JobFolder(Path(root or "") / name), nothing)
        return
    with closing(JobFolder.claim(root, name)) as folder:
        journal = _loaded(folder, recover=True)
        try:
            yield journal
        finally:
            journal.let_go()


@contextmanager
def _job_folder(name: str, options: TransferOptions) -> Iterator[JobFolder]:
    sweep()  # also for a command that will be refused
    scratch = None if options.journal else Scratch.create()
    try:
        folder = JobFolder.claim(state_root(options.state_dir) if scratch is None else scratch.path, name)
        try:
            yield folder
        finally:
            folder.close()
    finally:
        if scratch is not None:
            scratch.remove()


def _opened(folder: JobFolder, *, fresh: bool) -> Journal:
    try:
        return _loaded(folder, recover=not fresh)
    except UsageError:
        if not fresh:
            raise
    remove_journal(folder.path)  # it is unreadable
    journal = _loaded(folder, recover=False)
    journal.damaged = True
    return journal


def _loaded(folder: JobFolder, *, recover: bool) -> Journal:
    path = folder.journal
    journal = Journal(folder, connected(path))
    try:
        if journal.exists():
            journal.load(recover=recover)
            if journal.noted("complete", False):
                journal.forget()
        elif any(places_files(folder.path)):  # checkpoints are created after the journal, which is lost
            journal.damaged = True
    except (sqlite3.Error, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        journal.let_go()
        raise UsageError(f'the journal "{path}" of this job is damaged: {error}', FRESH) from None
    except UsageError as error:
        journal.let_go()
        raise UsageError(f'this job is unfinished, but {error.message}: "{path}"', error.hint) from None
    return journal
