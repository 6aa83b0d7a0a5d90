"""The rejected records of a job, from the first one to the destination that the user chose.

They are in a file that grows with every report. When the job is finished they get their line numbers; when a run ends
they are uploaded, if their destination is on S3.
"""

from __future__ import annotations

from pathlib import Path

from ddbio.errors import DdbioError, TransferError
from ddbio.job.accounts import Accounts
from ddbio.job.journal import Journal
from ddbio.messages import ChunkUnit, ImportCursor, SliceUnit, UnitReport
from ddbio.sinks.reject_kinds import Lines, RejectKind
from ddbio.sinks.reject_place import RejectsPlace, discard, upload
from ddbio.sinks.rejects import RejectsFile, lines_before
from ddbio.sources.plan import Plan
from ddbio.storage import Storages


class Rejects:
    """place: for a new job; an unfinished one resumes its file, up to the part that counts.

    keep: whether the file is kept for the next run if the job is unfinished.
    where, kinds: after `settle`, the path or uri of the rejected records, None if there are none; the number by code.
    """

    def __init__(self, place: RejectsPlace, storages: Storages, journal: Journal, *, keep: bool) -> None:
        self._place = place
        self._storages = storages
        self._journal = journal
        self._keep = keep
        self._file = self._opened()
        self.where: str | None = None
        self.kinds: tuple[RejectKind, ...] = ()
        journal.before_commit = self._file.sync

    def _opened(self) -> RejectsFile:
        if self._journal.resumed and (state := self._journal.noted("rejects")):
            kept, *so_far = state
            return RejectsFile(Path(kept), *so_far)
        if self._place.uri and self._keep:
            return RejectsFile(self._journal.folder.rejects)
        return RejectsFile(self._place.path, ours=self._place.ours)

    @property
    def path(self) -> str:
        return str(self._file.path)

    def note(self) -> None:
        """Record in the journal how much of the file counts."""
        self._journal.note(rejects=self._file.state())

    def add(self, report: UnitReport) -> None:
        """Raises TransferError if they cannot be written."""
        if report.rejects:
            self._file.add(report.rejects)
            self.note()

    def finish(self, plan: Plan, accounts: Accounts, error: DdbioError | None) -> DdbioError | None:
        """Add the line numbers if the job is complete. Returns the error of the run, if any."""
        before = self._lines_before(plan, accounts)
        try:
            if error is None:
                self._file.finish(before)
        except TransferError as unnumbered:
            error = unnumbered
        finally:
            self._file.close()
        self.kinds = self._file.kinds(before)
        return error

    def _lines_before(self, plan: Plan, accounts: Accounts) -> Lines:
        """Lines of the sources before each unit, if there are rejects that need them."""
        if not self._file.count:
            return {}
        cursors = {number: cursor for number, cursor in accounts.settled.items() if isinstance(cursor, ImportCursor)}
        return lines_before((unit for unit in plan.units if isinstance(unit, SliceUnit | ChunkUnit)), cursors)

    def publish(self, error: DdbioError | None) -> DdbioError | None:
        """Upload or move them to their destination. Returns the error of the run, if any."""
        if not self._file.count:
            return error
        self.where = self.path
        if not self._place.uri:
            return error
        try:
            upload(self._file.path, self._place.uri, self._storages)
        except TransferError as stuck:
            return error or stuck
        if error is None or not self._keep:
            discard(self._file.path)
        self.where = self._place.uri
        return error
