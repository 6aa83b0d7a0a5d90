"""The rejected records of a job, from the first one to the destination that the user chose.

They are in a file that grows with every report. When the job is finished they get their line numbers; when a run ends
they are uploaded, if their destination is on S3. Every verb that may reject something uses this: the items of a table
as the records of files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError, TransferError
from ddbio.job.accounts import Accounts, Result
from ddbio.job.journal import Journal
from ddbio.messages import ChunkUnit, ImportCursor, SliceUnit, Tally, UnitReport
from ddbio.rate.caps import Cap
from ddbio.sinks.reject_kinds import Lines, RejectKind
from ddbio.sinks.reject_place import RejectsPlace, discard, upload
from ddbio.sinks.rejects import RejectsFile, lines_before
from ddbio.sources.plan import Plan
from ddbio.steps.reject_limit import ErrorLimit, TooManyRejectsError
from ddbio.storage import Storages


@dataclass(frozen=True, slots=True)
class RejectingResult(Result):
    """The result of a verb that may reject. cap: the one in force. rejects: path or uri of the rejected records, None
    if there are none. reject_kinds: their number by code, most frequent first."""

    cap: Cap
    rejects: str | None
    reject_kinds: tuple[RejectKind, ...] = ()

    def reject_facts(self) -> dict[str, Any]:
        """For the report, as JSON values."""
        by_code = {kind.code: kind.as_json() for kind in self.reject_kinds}
        return {"rejects": self.rejects, "rejects_by_code": by_code}


class Rejects:
    """place: for a new job; an unfinished one resumes its file, up to the part that counts.

    keep: whether the file is kept for the next run if the job is unfinished. limit: how many there may be.
    storages: to upload them; None if the place is a file.
    where, kinds: after `settle`, the path or uri of the rejected records, None if there are none; the number by code.
    """

    def __init__(
        self,
        place: RejectsPlace,
        journal: Journal,
        *,
        keep: bool,
        limit: ErrorLimit = ErrorLimit(),  # noqa: B008 - frozen
        storages: Storages | None = None,
    ) -> None:
        self._place = place
        self._storages = storages
        self._journal = journal
        self._keep = keep
        self._limit = limit
        self._file = self._opened()
        self.where: str | None = None
        self.kinds: tuple[RejectKind, ...] = ()
        journal.before_commit = self._file.sync
        self._note()

    def _opened(self) -> RejectsFile:
        if self._journal.resumed and (state := self._journal.noted("rejects")):
            kept, *so_far = state
            return RejectsFile(Path(kept), *so_far)
        if self._place.uri and self._keep:
            return RejectsFile(self._journal.folder.rejects)
        return RejectsFile(self._place.path, ours=self._place.ours)

    def _note(self) -> None:
        """Record in the journal how much of the file counts."""
        self._journal.note(rejects=self._file.state())

    def watching(self, amount_of: Callable[[UnitReport], float]) -> dict[str, Any]:
        """The members `progress_of`, `limit` and `most_rejects` of an `Assignment`.

        amount_of: the progress that a report makes.
        """

        def progress_of(report: UnitReport) -> float:
            self.add(report)
            return amount_of(report)

        left = self._limit.most_left(self._journal.past.tally.rejected)
        return {"progress_of": progress_of, "limit": self._too_many, "most_rejects": left}

    def _too_many(self, total: Tally) -> DdbioError | None:
        return self._limit.passed(total, str(self._file.path))

    def add(self, report: UnitReport) -> None:
        """Raises TransferError if they cannot be written."""
        if report.rejects:
            self._file.add(report.rejects)
            self._note()

    def settle(
        self,
        plan: Plan,
        accounts: Accounts,
        error: DdbioError | None,
        check: Callable[[], DdbioError | None] = lambda: None,
    ) -> DdbioError | None:
        """No lane is working any more. check: what else could be wrong with a job that is complete.

        Returns the error of the run, if any.
        """
        error = self._finish(plan, accounts, error)
        error = self._publish(error or check())
        if isinstance(error, TooManyRejectsError):  # count also what was settled until the last lane ended
            return self._limit.error(accounts.total, self.where or "")
        return error

    def outcome(self) -> dict[str, Any]:
        """The members of a `RejectingResult` that are about rejects; after `settle`."""
        return {"rejects": self.where, "reject_kinds": self.kinds}

    def _finish(self, plan: Plan, accounts: Accounts, error: DdbioError | None) -> DdbioError | None:
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

    def _publish(self, error: DdbioError | None) -> DdbioError | None:
        """Upload or move them to their destination. Returns the error of the run, if any."""
        if not self._file.count:
            return error
        self.where = str(self._file.path)
        if self._storages is None or not self._place.uri:
            return error
        try:
            upload(self._file.path, self._place.uri, self._storages)
        except TransferError as stuck:
            return error or stuck
        if error is None or not self._keep:
            discard(self._file.path)
        self.where = self._place.uri
        return error
