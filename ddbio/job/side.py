"""One table of a run, with its account, its role and its cap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.flow.context import SOURCE, TARGET
from ddbio.rate.caps import Cap, choose_cap
from ddbio.rate.following import Caps
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class Side:
    """role: `source` or `target`. asked: the table as the options name it, and capacity its cap there; option: the
    one that gives that.

    follows: whether the cap may follow the table's capacity.
    """

    role: str
    session: Session
    table: TableInfo
    cap: Cap
    asked: str
    capacity: str | None
    follows: bool = True
    option: str = "-c"

    @classmethod
    def choose(
        cls,
        session: Session,
        table: TableInfo,
        kind: str,
        asked: str,
        capacity: str | None,
        *,
        over_provisioned: bool = False,
        role: str = "",
        option: str = "-c",
    ) -> Side:
        """kind: of the cap's units, WCU or RCU. role: by default, a table that is written is the target.
        option: by which `capacity` was given.

        Raises UsageError for an impossible cap.
        """
        cap = choose_cap(capacity, table, kind, over_provisioned=over_provisioned, option=option)
        return cls(role or (TARGET if kind == "WCU" else SOURCE), session, table, cap, asked, capacity, option=option)

    @property
    def index_caps(self) -> Mapping[str, float]:
        """The budgets in addition to the table's: units per second by index."""
        return self.table.index_write_units if self.cap.kind == "WCU" else {}

    @property
    def caps(self) -> Caps:
        return Caps(self.cap, dict(self.index_caps))

    @property
    def follows_table(self) -> bool:
        """Whether a cap comes from the table's capacity, which auto scaling may change."""
        return self.follows and (self.capacity is None or "%" in self.capacity or bool(self.index_caps))

    def look_at_caps(self) -> Caps:
        """The caps as they would be chosen now. Raises DdbioError."""
        table = self._table_now()
        chosen = choose_cap(
            self.capacity,
            table,
            self.cap.kind,
            over_provisioned=True,
            now=self.cap.chosen_at,
            option=self.option,
        )
        return Caps(chosen, table.index_write_units)

    def with_capacity(self, capacity: str, *, over_provisioned: bool, option: str) -> Side:
        """The same with another capacity, of the table as it is now. option: by which it was given.

        Raises UsageError for an impossible one, TransferError if the table cannot be described now.
        """
        table = self._table_now() if self.follows else self.table  # that of several tables has the units of all
        cap = choose_cap(capacity, table, self.cap.kind, over_provisioned=over_provisioned, option=option)
        return replace(self, table=table, cap=cap, capacity=capacity, option=option)

    def _table_now(self) -> TableInfo:
        table = self.session.describe(self.asked)
        return table.through(self.table.index) if self.table.index else table

    @property
    def budget(self) -> tuple[str, ...]:
        """Whose capacity the cap is of: the table's address and the kind of units."""
        return (*self.identity(), self.cap.kind)

    def identity(self) -> list[str]:
        """The table's address."""
        return [self.session.region, self.session.endpoint_url, self.table.description.get("TableArn", "")]

    def made(self) -> list[Any]:
        """Facts that a table deleted and created again does not share; JSON values."""
        description = self.table.description
        return [description.get("TableId"), str(description.get("CreationDateTime"))]
