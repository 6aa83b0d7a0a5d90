"""The present job, for the hub's thread: opens it for seats, answers their questions, serves their leases."""

from __future__ import annotations

from typing import Any

from ddbio.cluster.declared_types import codec
from ddbio.cluster.hub import Hub
from ddbio.cluster.messages import Granted, LimitFacts, OpenJob
from ddbio.cluster.questions import answer
from ddbio.cluster.travel import Luggage
from ddbio.engines.environment import Environment, Needs
from ddbio.engines.keyring import KeyRing
from ddbio.flow.context import Job
from ddbio.messages.leases import DriverMessage, SeatMessage
from ddbio.rate.leases_desk import LeaseDesks, LeasedTable, LeaseTimer


class JobAtHub:
    """See `ddbio.cluster.hub.Attendant`."""

    def __init__(
        self,
        number: int,
        job: Job,
        needs: Needs,
        environment: Environment,
        keys: KeyRing | None,
        hub: Hub,
        *,
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
        self._hub = hub
        self._desks = LeaseDesks(
            {
                role: LeasedTable(governor, job.tables[role].most_page_units)
                for role, governor in environment.governors.items()
            },
            self._grant,
        )
        self._timer = LeaseTimer(self._desks, hub.loop)

    def opening(self) -> OpenJob:
        limit = self._environment.limit
        return OpenJob(
            self._number,
            self._content,
            self._files,
            self._desks.terms(),
            keys=dict(self._keys.handed) if self._keys is not None else None,
            limit=LimitFacts(limit.items, limit.kept) if limit is not None else None,
            counts_rejects=self._environment.reject_count is not None,
            keeps_slots=self._needs.checkpoint is not None,
        )

    def joined(self, seat: int) -> None:
        self._desks.joined(seat)
        self._timer.soon()

    def left(self, seat: int) -> None:
        self._desks.left(seat)
        self._timer.soon()

    def paced(self, seat: int, message: SeatMessage) -> None:
        self._desks.received(seat, message)
        self._timer.soon()

    def ended(self) -> None:
        self._timer.close()

    def _grant(self, seat: int, message: DriverMessage) -> None:
        self._hub.send(seat, Granted(self._number, message))

    def answer(self, subject: str, values: tuple[Any, ...]) -> Any:
        return answer(self._environment, subject, values)
