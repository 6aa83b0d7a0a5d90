"""The protocols of a sink and of the lane's side of it."""

from __future__ import annotations

from typing import Any, Protocol

from ddbio.messages import Tally
from ddbio.steps.item_sizes import ItemSizes
from ddbio.steps.records import Place, Records


class Sink(Protocol):
    """One a lane. It counts the outcome of the records that it takes in the lane's tally.

    urgent: whether the records settled last should be reported at once.
    """

    urgent: bool

    def begin(self, unit: Any) -> Any:
        """Take the records of this unit next. All state of the unit before is dropped.

        Returns the sink's state in the unit's cursor; see `state`.
        """

    async def open(self) -> None:
        """Reopen the output that the unit's cursor names, before the first record."""

    async def take(self, records: Records) -> None:
        """Take all records, except lines to which more will be appended."""

    @property
    def settled(self) -> bool:
        """Whether the outcome of all records taken is known and durable."""

    @property
    def unsettled(self) -> int:
        """The number of records taken that may still be rejected."""

    def state(self) -> Any:
        """The sink's part of a cursor, or None; called when all is settled. `take_parts` then returns everything
        settled up to here."""

    async def drain(self) -> None:
        """Settle the records taken, if that is possible without more of them."""

    async def finish(self) -> None:
        """All records of the unit were taken: settle everything."""

    def take_parts(self) -> dict[str, Any]:
        """Further fields of the next report, besides counts and rejects (`ddbio.messages.UnitReport`)."""

    def close(self) -> None: ...


class Desk(Protocol):
    """The lane's side of a sink.

    tally: the unit's counts since its beginning, including records not settled yet. spent: number and cost of the
    lane's requests. sizes: of the items that its source reads.
    """

    tally: Tally
    spent: Tally
    sizes: ItemSizes

    async def between_requests(self, sent: int = 1) -> None:
        """Call between two requests, at a point where records may be settled: the lane reports if a report is due.

        Raises StopRequested if the run is being stopped.
        """

    def reject(self, place: Place, text: bytes, code: str, message: str, text_bytes: int | None = None) -> None:
        """Reject this record; see `ddbio.sources.source.Source.reject`."""

    async def hand_over_rejects(self) -> None:
        """Call after records were rejected, at the same points as `between_requests`: the lane reports them if it
        holds many."""


class SettlesAtOnce:
    """Base of sinks whose records are settled as soon as they are taken."""

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
