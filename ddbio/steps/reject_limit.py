"""`--max-errors`: how many records may be rejected.

The parent stops the job when the sum of all reports exceeds the limit. If the limit is a number, the workers hold it
too: each lane adds the rejects that it has just reported to a shared count, and a worker that sees the count exceed
the limit waits for the parent to stop the run. So a job exceeds the limit by at most one batch per lane, however fast
records are read. The engine creates the count.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ddbio.errors import AbortError, UsageError
from ddbio.messages import Tally

ENOUGH_TO_JUDGE = 1000  # records read before a percentage is applied


class TooManyRejectsError(AbortError):
    """More records were rejected than the user allows."""


@dataclass(frozen=True, slots=True)
class ErrorLimit:
    """How many records may be rejected. share: of the records read, once there are `ENOUGH_TO_JUDGE`."""

    most: float = math.inf
    share: float = 1.0

    @classmethod
    def parse(cls, text: str | None) -> ErrorLimit:
        """`"100"` or `"5%"`. Raises UsageError for anything else."""
        if text is None:
            return cls()
        match = re.fullmatch(r"(\d+(?:\.\d+)?)%|(\d+)", text, re.ASCII)
        if match is None or float(match[1] or 0) > 100:
            raise UsageError(f"--max-errors {text} is neither a number nor a percentage", "write it like 100 or 2.5%")
        return cls(share=float(match[1]) / 100) if match[1] else cls(most=int(match[2]))

    def passed(self, total: Tally, rejects: str) -> TooManyRejectsError | None:
        """The error that ends an import over the limit, or None. rejects: where the rejected records are."""
        allowed = min(self.most, self.share * total.read if total.read >= ENOUGH_TO_JUDGE else math.inf)
        return self.error(total, rejects) if total.rejected > allowed else None

    @staticmethod
    def error(total: Tally, rejects: str) -> TooManyRejectsError:
        """total: the sum of all reports, once every lane has stopped."""
        return TooManyRejectsError(
            f"{total.rejected:,} of the {total.read:,} records read so far were rejected: more than --max-errors",
            f'they are in "{rejects}"; run the same command again with another --max-errors to resume',
        )

    def most_left(self, before: int) -> int | None:
        """How many more records a run may reject, if the limit is a number. before: rejects of earlier runs."""
        return None if math.isinf(self.most) else int(self.most) - before


class RejectCount(Protocol):
    """The rejects that the lanes of a run have reported, and the limit."""

    def passed_with(self, rejects: int) -> bool:
        """Add reported rejects; returns whether the limit is now exceeded."""


@dataclass(slots=True)
class LocalRejectCount:
    """For the lanes of one process. most: how many rejects are allowed."""

    most: int
    rejected: int = 0

    def passed_with(self, rejects: int) -> bool:
        self.rejected += rejects
        return self.rejected > self.most


@dataclass(frozen=True, slots=True)
class SharedRejectCount:
    """For the lanes of all processes of a job. The count is the length of a file, one byte per reject: an append is
    atomic, and a killed process leaves neither a lock nor half a number.

    most: how many rejects are allowed.
    """

    path: Path
    most: int

    @classmethod
    def create(cls, path: Path, most: int) -> SharedRejectCount:
        """The file must not exist; the creator removes it. Raises OSError."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return cls(path, most)

    def passed_with(self, rejects: int) -> bool:
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return False  # the run is over
        try:
            with suppress(OSError):  # a full disk: the parent's own count still holds the limit
                os.write(fd, bytes(rejects))
            return os.fstat(fd).st_size > self.most
        finally:
            os.close(fd)


class RejectWatch:
    """One a worker, shared by its lanes. too_many: the parent is about to stop the run.

    count: shared by all workers, if the limit is a number.
    """

    def __init__(self, count: RejectCount | None = None) -> None:
        self._count = count
        self.counted = count is not None
        self.too_many = False

    def reported(self, rejects: int) -> None:
        """Count rejects that were just sent to the parent."""
        if rejects and self._count is not None and self._count.passed_with(rejects):
            self.too_many = True
