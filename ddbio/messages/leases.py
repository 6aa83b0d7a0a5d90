"""The messages by which seats on other machines lease capacity units from the driver's governor.

A *seat* is a worker that a network connects with the driver. Each message names the table's role, and is sent
one way: none has an answer of its own. Amounts are tuples, one number a budget, the table first; an empty one
is nothing.
`ddbio.rate.leases` has the method.
"""

from __future__ import annotations

from dataclasses import dataclass

Amounts = tuple[float, ...]
TABLE_LINE = 1  # the requests that need no budget but the table's


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """The driver's governor at a moment.

    rates: units per second in force. share: the part of them that the seat is expected to spend.
    progress_age_s: since the job's last consumption. sent_s: on the driver's clock.
    """

    rates: Amounts
    share: float
    progress_age_s: float
    sent_s: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """The table refused a request. budget: the one that was short; None if the service named none. hot: only a range
    of keys is short."""

    budget: int | None
    hot: bool


@dataclass(frozen=True, slots=True)
class LeaseAsk:
    """Seat to driver: its need, and its use since the last message.

    line: of requests that need the same budgets, see `ddbio.rate.leases_lines`.
    wanted: units in all since it joined, granted ones included. least: a smaller grant may start no request.
    sent_s: on the seat's clock. returned: granted, and neither spent nor wanted any more. consumed, progressed: as in
    `Governor.settle`.
    """

    role: str
    wanted: Amounts
    least: Amounts
    sent_s: float
    returned: Amounts = ()
    consumed: Amounts = ()
    progressed: bool = False
    refusals: tuple[Refusal, ...] = ()
    line: int = TABLE_LINE


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """Driver to seat. line: of the newest ask.

    units: granted to it now; empty if there are only new terms. waited: for the cap. asked_s: the time, on the seat's
    clock, of its newest ask. since_s: since that arrived.
    """

    role: str
    units: Amounts
    terms: LeaseTerms
    waited: bool = False
    asked_s: float = 0.0
    since_s: float = 0.0
    line: int = TABLE_LINE


@dataclass(frozen=True, slots=True)
class WantedPage:
    """A page that waits for its start. number: counts the seat's pages. units: its expected cost."""

    number: int
    units: float


@dataclass(frozen=True, slots=True)
class SettledPage:
    """The facts about a page after its answer, or without one: as in `ddbio.rate.window.PageCost`.

    number: 0 if it started without a grant, because there was no cap. held_s: from its grant's arrival to its start.
    """

    number: int
    consumed: float
    in_vain: bool = False
    answered: bool = True
    held_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PageAsk:
    """Seat to driver: pages that wait, and pages that were answered since the last message."""

    role: str
    pages: tuple[WantedPage, ...] = ()
    settled: tuple[SettledPage, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class PageGrant:
    """Driver to seat. pages: the numbers of those that may start now; empty if there are only new terms."""

    role: str
    pages: tuple[int, ...]
    terms: LeaseTerms


SeatMessage = LeaseAsk | PageAsk
DriverMessage = LeaseGrant | PageGrant
