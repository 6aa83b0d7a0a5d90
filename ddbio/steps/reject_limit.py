"""`--max-errors`: how many records may be rejected.

The parent stops the job when the sum of all reports is over the limit. A number is also held by the workers: each
lane adds the rejects that it has just reported to a count that all of them share, and a worker that sees the count
over the limit waits for the parent to stop the run. So a job rejects at most a batch a lane more than was allowed,
however fast the records come. The engine makes the count.
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

ENOUGH_TO_JUDGE = 1000  # records read before a share of them is looked at


class TooManyRejectsError(AbortError):
    """More records were rejected than the user allows."""


@dataclass(frozen=True, slots=True)
class ErrorLimit:
    """How many records may be rejected. share: of those read, once there are enough to judge by."""

    most: float = math.inf
    share: float = 1.0

    @classmethod
    def parse(cls, text: str | None) -> ErrorLimit:
        """`"100"` or `"5%"`. Raises UsageError for anything else."""
        if text is None:
            return cls()
        match = re.fullmatch(r"(\d+(?:\.\d+)?)%|(\d+)", text, re.ASCII)
        if match is None or float(match[1] or 0) > 100:
            raise UsageError(f"--max-errors {text} is neither a number nor a share", "give it like 100 or 2.5%")
        return cls(share=float(match[1]) / 100) if match[1] else cls(most=int(match[2]))

    def passed(self, total: Tally, rejects: str) -> TooManyRejectsError | None:
        """Why an import should not go on, if it should not. rejects: where the rejected records are."""
        allowed = min(self.most, self.share * total.read if total.read >= ENOUGH_TO_JUDGE else math.inf)
        return self.error(total, rejects) if total.rejected > allowed else None

    @staticmethod
    def error(total: Tally, rejects: str) -> TooManyRejectsError:
        """total: of all reports, once no lane works any more."""
        return TooManyRejectsError(
            f"{total.rejected:,} of the {total.read:,} records read so far were rejected: more than --max-errors",
            f'they are in "{rejects}"; run the same command again with another --max-errors to resume',
        )

    def most_left(self, before: int) -> int | None:
        """How many more a run may reject, if the limit is a number. before: records that earlier runs rejected."""
        return None if math.isinf(self.most) else int(self.most) - before


class RejectCount(Protocol):
    """How many records the lanes of a run have reported as rejected, and how many they may."""

    def passed_with(self, rejects: int) -> bool:
        """Add so many rejects that were reported; whether there are more than allowed now."""


@dataclass(slots=True)
class LocalRejectCount:
    """Of the lanes of one process. most: how many rejects are allowed."""

    most: int
    rejected: int = 0

    def passed_with(self, rejects: int) -> bool:
        self.rejected += rejects
        return self.rejected > self.most


@dataclass(frozen=True, slots=True)
class SharedRejectCount:
    """Of the lanes of all processes of a job. It is the length of a file, a byte for each reject: an append is
    atomic, and a process that is killed leaves neither a lock nor half of a number.

    most: how many rejects are allowed.
    """

    path: Path
    most: int

    @classmethod
    def create(cls, path: Path, most: int) -> SharedRejectCount:
        """The file must not be there; the creator removes it. Raises OSError."""
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
    """Of one worker, shared by its lanes. too_many: the parent is about to stop the run.

    count: of all workers, if only so many rejects are allowed.
    """

    def __init__(self, count: RejectCount | None = None) -> None:
        self._count = count
        self.counted = count is not None
        self.too_many = False

    def reported(self, rejects: int) -> None:
        """So many more are on their way to the parent."""
        if rejects and self._count is not None and self._count.passed_with(rejects):
            self.too_many = True
