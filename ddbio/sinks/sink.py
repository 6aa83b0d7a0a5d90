"""The protocols of a sink and of the lane's side of it."""

from __future__ import annotations

from typing import Any, Protocol

from ddbio.messages import Tally
from ddbio.steps.records import Place, Records


class Sink(Protocol):
    """One a lane. It counts in the lane's tally what became of the records that it takes.

    urgent: what was settled last should be reported at once.
    """

    urgent: bool

    def begin(self, unit: Any) -> Any:
        """Take the records of this unit from now on. Nothing is left of the one before.

        Returns the state that the unit's cursor has of the sink; see `state`.
        """

    async def open(self) -> None:
        """Resume what the unit's cursor names, before the first record."""

    async def take(self, records: Records) -> None:
        """Take records: all of them, but for lines that more are joined to."""

    @property
    def settled(self) -> bool:
        """Whether the fate of all that was taken is known, and durable."""

    @property
    def unsettled(self) -> int:
        """How many records that were taken may still be rejected."""

    def state(self) -> Any:
        """Called where all is settled: what a cursor must have of the sink; None for nothing. What `take_parts` gives
        is what was settled up to here."""

    async def drain(self) -> None:
        """Settle what was taken, if that can be had before there is more."""

    async def finish(self) -> None:
        """All records of the unit were taken: settle everything."""

    def take_parts(self) -> dict[str, Any]:
        """What the next report has beside counts and rejects, by its fields (`ddbio.messages.UnitReport`)."""

    def close(self) -> None: ...


class Desk(Protocol):
    """The lane's side of a sink.

    tally: what was counted of the unit by anyone, including what is not settled yet. spent: what the requests of the
    lane cost, and how many there are.
    """

    tally: Tally
    spent: Tally

    async def between_requests(self, sent: int = 1) -> None:
        """To be called between two requests, where records may be settled: the lane reports if it is time for it.

        Raises StopRequested if the run is being stopped.
        """

    def reject(self, place: Place, text: bytes, code: str, message: str, text_bytes: int | None = None) -> None:
        """This record is rejected; see `ddbio.sources.source.Source.reject`."""

    async def hand_over_rejects(self) -> None:
        """To be called after records were rejected, where `between_requests` may be: a lane holds only so many."""


class SettlesAtOnce:
    """The beginnings of a sink whose records are settled when it has taken them."""

    urgent = False
    unsettled = 0
    settled = True

    def begin(self, unit: Any) -> None: ...

    async def open(self) -> None: ...

    def state(self) -> None: ...

    async def drain(self) -> None: ...

    async def finish(self) -> None: ...

    def take_parts(self) -> dict[str, Any]:
        return {}

    def close(self) -> None: ...
