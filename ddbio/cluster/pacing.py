"""The cap at the seats: for now each has its part of it, by the expected number of seats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ddbio.flow.context import JobTable
from ddbio.flow.sleeping import Sleep
from ddbio.rate.governor import LocalGovernor, Pacing
from ddbio.rate.pacer import Pacer
from ddbio.rate.page_pacer import PagePacer


class SeatPacing:
    """pacing: by the role of the table. terms: of the message that opened the job. send: to the hub."""

    def __init__(
        self,
        tables: Mapping[str, JobTable],
        terms: Mapping[str, Any],
        sleep: Sleep,
        send: Callable[[object], None],
    ) -> None:
        self.pacing: dict[str, Pacing] = {}
        for role, table in tables.items():
            governor = LocalGovernor(*terms[role])
            if table.most_page_units is None:
                self.pacing[role] = Pacer(governor, sleep)
            else:
                self.pacing[role] = PagePacer(governor, table.most_page_units, sleep)

    def received(self, message: object) -> None: ...
    def lost(self) -> None: ...
    def flush(self) -> None: ...
