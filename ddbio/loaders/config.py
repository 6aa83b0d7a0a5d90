"""The arguments of a loader, checked, and the result of a load."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+")  # no list of them: new ones appear
_LEAST_PATIENCE_S = 60.0


@dataclass(frozen=True)
class LoaderConfig:
    """How to load.

    table_name: by name or ARN.
    max_workers: about how many requests are in flight; None for as many as help.
    batch_size: of no influence: a request has 25 records, the most that the service takes, or fewer if a small
        capacity requires that.
    max_retries, base_delay, max_delay (seconds): a request that was throttled or failed for a moment is repeated,
        with growing delays, as long as any request of the load succeeds. After max_retries * max_delay seconds
        without any success, and never before a minute, the load gives up. base_delay is of no influence.

    Raises ValueError.
    """

    table_name: str
    region: str = "us-east-1"
    max_workers: int | None = None
    batch_size: int = 25
    max_retries: int = 3
    base_delay: float = 0.1
    max_delay: float = 10.0

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ValueError, with the name of the argument and its value."""
        if not isinstance(self.table_name, str) or not self.table_name.strip():
            raise ValueError(f"table_name must be a non-empty string, got {self.table_name!r}")
        if not isinstance(self.region, str) or not _REGION.fullmatch(self.region):
            raise ValueError(f"region must be a valid AWS region, got {self.region}")
        if self.max_workers is not None and self.max_workers <= 0:
            raise ValueError(f"max_workers must be greater than 0, got {self.max_workers}")
        if self.batch_size <= 0:
            raise ValueError(f"batch_size must be greater than 0, got {self.batch_size}")
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be >= 0, got {self.max_retries}")
        if self.base_delay < 0:
            raise ValueError(f"base_delay must be >= 0, got {self.base_delay}")
        if self.max_delay < self.base_delay:
            raise ValueError(
                f"max_delay must be >= base_delay, got max_delay={self.max_delay}, base_delay={self.base_delay}"
            )

    @property
    def patience_s(self) -> float:
        """The time without any success after which a load gives up."""
        return max(_LEAST_PATIENCE_S, self.max_retries * self.max_delay)

    def shared_out(self, cpus: int) -> tuple[int | None, int | None]:
        """(processes, connections of each) that make `max_workers`, rounded up; None for the import's defaults."""
        if self.max_workers is None:
            return None, None
        processes = min(self.max_workers, cpus)
        return processes, -(-self.max_workers // processes)


@dataclass
class LoadResult:
    """The outcome of a load, over all its runs if it was resumed.

    total_records: rows of the file. successful_writes and failed_writes add up to it; a row whose key comes again
        later in the same request counts as written. If the load could not begin, or ended early, the rows that it
        did not reach count as failed; one row at least if it could not begin.
    duration_seconds: of this call.
    errors: a sentence for each rejected row with its line, at most `load.MOST_ERRORS` of them; and why the load could
        not begin, or ended early. Empty if and only if everything is written.
    rejects: the file with all rejected rows and the reasons, None if there are none.
    """

    total_records: int
    successful_writes: int
    failed_writes: int
    duration_seconds: float
    errors: list[str] = field(default_factory=list)
    rejects: str | None = None

    def success_rate(self) -> float:
        """Percent; 0.0 if there were no records."""
        return 100.0 * self.successful_writes / self.total_records if self.total_records else 0.0
