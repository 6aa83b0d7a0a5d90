"""One cap over many machines: a seat's pacers, whose units the driver's governor leases to it.

A *seat* is a worker that a network connects with the driver. The cap stays with the driver: its governor is the one
that a job on a single machine has, and grants each unit before it is spent. Rules:

- **Nothing is spent that was not granted.** A seat that loses the driver starts nothing more; leases of a lost seat
  are lost with it.
- **Leases are small and short-lived.** A seat asks for the units of its waiting requests, and for those of the next
  few milliseconds. All seats together hold 1 % of a second of the cap, and one request each; units that were delayed
  on their way, or are not spent within 30 ms, are not spent at all. So a network that holds messages up causes no
  burst: any second costs at most 1.02 of the cap and one request a seat.
- **The whole cap is used.** Seats that want units are served in turn; those that want none take none. A grant carries
  the seat's share of the rate, which bounds its requests under way.

leases_terms      the governor as a seat knows it
leases_lines      a seat's side for requests of known cost (`ddbio.rate.pacer` spends them)
leases_units      the same for those that need the same budgets
leases_pages      a seat's side for pages
leases_desk       the driver's side for requests of known cost, and the desks of all tables
leases_page_desk  the driver's side for pages
leases_seats      the driver's knowledge of its seats
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ddbio.messages.leases import DriverMessage, LeaseTerms, PageGrant, SeatMessage
from ddbio.rate.governor import Pacing
from ddbio.rate.leases_lines import LeasedLines
from ddbio.rate.leases_pages import LeasedPages
from ddbio.rate.leases_units import Wait
from ddbio.rate.pacer import Pacer


class SeatLeases:
    """All leases of a seat. Used on its lanes' event loop only.

    terms: by the table's role, from the driver. pages: by role, whether the table is scanned. send: never blocks; the
    driver receives the messages in their order. wait: for a future, or until the run is stopped.
    """

    def __init__(
        self,
        terms: Mapping[str, LeaseTerms],
        pages: Mapping[str, bool],
        send: Callable[[SeatMessage], None],
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units = {
            role: LeasedLines(role, terms[role], send, wait, clock) for role, scanned in pages.items() if not scanned
        }
        self._pages = {
            role: LeasedPages(role, terms[role], send, wait, clock) for role, scanned in pages.items() if scanned
        }
        self._leases: list[LeasedLines | LeasedPages] = [*self._units.values(), *self._pages.values()]
        self.pacing: Mapping[str, Pacing] = {
            **{role: Pacer(units, clock) for role, units in self._units.items()},
            **self._pages,
        }

    def received(self, message: DriverMessage) -> None:
        if isinstance(message, PageGrant):
            self._pages[message.role].received(message)
        else:
            self._units[message.role].received(message)

    def lost(self) -> None:
        """The driver is out of reach, for good: no request starts any more."""
        for each in self._leases:
            each.lost()

    def flush(self) -> None:
        """Send the last consumption, at the end of the job."""
        for each in self._leases:
            each.flush()
