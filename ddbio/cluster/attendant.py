"""The present job, for the hub's thread: opens it for seats, answers their questions, serves their leases."""

from __future__ import annotations

from typing import Any

from ddbio.cluster.declared_types import codec
from ddbio.cluster.messages import LimitFacts, OpenJob
from ddbio.cluster.questions import answer
from ddbio.cluster.travel import Luggage
from ddbio.engines.environment import Environment, Needs
from ddbio.engines.keyring import KeyRing
from ddbio.flow.context import Job


class JobAtHub:
    """See `ddbio.cluster.hub.Attendant`. expected: number of seats."""

    def __init__(
        self,
        number: int,
        job: Job,
        needs: Needs,
        environment: Environment,
        keys: KeyRing | None,
        *,
        expected: int,
        shares_disk: bool,
    ) -> None:
        """Raises UsageError for a job that other machines cannot work. keys: to send to the seats; None for none."""
        luggage = Luggage(shares_disk)
        self._number = number
        self._content = codec().encode(job, luggage.changes())
        self._files = luggage.files
        self._needs = needs
        self._environment = environment
        self._keys = keys
        self._expected = expected

    def opening(self) -> OpenJob:
        limit = self._environment.limit
        terms = {
            role: tuple(each.cap / self._expected for each in governor.now())
            for role, governor in self._environment.governors.items()
        }
        return OpenJob(
            self._number,
            self._content,
            self._files,
            terms,
            keys=dict(self._keys.handed) if self._keys is not None else None,
            limit=LimitFacts(limit.items, limit.kept) if limit is not None else None,
            counts_rejects=self._environment.reject_count is not None,
            keeps_slots=self._needs.checkpoint is not None,
        )

    def joined(self, seat: int) -> None: ...
    def left(self, seat: int) -> None: ...
    def paced(self, seat: int, message: object) -> None: ...

    def answer(self, subject: str, values: tuple[Any, ...]) -> Any:
        return answer(self._environment, subject, values)
