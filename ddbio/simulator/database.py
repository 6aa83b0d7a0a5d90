"""The simulated account: its tables by name, and the settings of new tables.

Knows nothing of HTTP. Time is passed in as seconds since the simulator started; only creation dates, which are for
display, come from the wall clock.
"""

from __future__ import annotations

import time
import uuid

from ddbio.simulator.errors import ServiceError, unsupported
from ddbio.simulator.schema import TableSchema
from ddbio.simulator.tables import Table, not_found
from ddbio.simulator.throughput import Budget, BudgetPair, Limit, Refusal, TableThroughput, ThroughputSettings

Rates = tuple[float | None, float | None]
"""Read and write units per second; None for no limit."""

UNLIMITED: Rates = (None, None)


class Database:
    """Tables by name.

    defaults: the throughput settings of tables that are not in `settings`.
    activation_s: seconds until a new or updated table is ACTIVE.
    """

    def __init__(
        self,
        *,
        defaults: ThroughputSettings | None = None,
        activation_s: float = 0.0,
        region: str = "us-east-1",
        account: str = "000000000000",
    ) -> None:
        self.tables: dict[str, Table] = {}
        self.defaults = defaults or ThroughputSettings()
        self.settings: dict[str, ThroughputSettings] = {}
        self.activation_s = activation_s
        self.region = region
        self.account = account

    def create(self, schema: TableSchema, rates: dict[str, Rates], provisioned: bool, now_s: float) -> Table:
        """Create a table. rates: by index name, "" for the table itself."""
        if schema.name in self.tables:
            raise ServiceError("ResourceInUseException", f"Table already exists: {schema.name}")
        throughput = TableThroughput(self.settings.get(schema.name, self.defaults), now_s)
        table = Table(
            schema=schema,
            throughput=throughput,
            table_id=str(uuid.uuid4()),
            created_s=time.time(),
            ready_s=now_s + self.activation_s,
        )
        for index in schema.indexes:
            if index.is_global:
                throughput.add_index(index.name, now_s)
        set_rates(table, rates, provisioned, now_s)
        self.tables[schema.name] = table
        return table

    def reconfigure(self, name: str, settings: ThroughputSettings, now_s: float) -> None:
        """Change the throughput settings of a table, existing or future; its budgets start anew."""
        self.settings[name] = settings
        table = self.tables.get(name)
        if table is None:
            return
        rates = current_rates(table)
        old, table.throughput = table.throughput, TableThroughput(settings, now_s)
        for index in old.indexes:
            table.throughput.add_index(index, now_s)
        set_rates(table, rates, table.provisioned, now_s)
        for index, pair in all_pairs(table.throughput).items():
            previous = old.pair(index)
            pair.read.inherit_history(previous.read)
            pair.write.inherit_history(previous.write)
        table.throughput.refusals.update(old.refusals)

    def table(self, name: str) -> Table:
        """A table in any state."""
        table = self.tables.get(name)
        if table is None:
            raise not_found(f": Table: {name} not found")
        return table

    def active_table(self, name: str, now_s: float) -> Table:
        """A table whose items can be read and written."""
        table = self.tables.get(name)
        if table is None or (table.pending_status == "CREATING" and now_s < table.ready_s):
            raise not_found()
        return table

    def arn(self, table: str, index: str = "") -> str:
        """The Amazon resource name of a table or index."""
        suffix = f"/index/{index}" if index else ""
        return f"arn:aws:dynamodb:{self.region}:{self.account}:table/{table}{suffix}"

    def throttled(self, refusals: dict[str, list[Refusal]]) -> ServiceError:
        """The error for a request of which no part was admitted. refusals: by table name."""
        found = {
            (refusal.reason, self.arn(name, refusal.index)): refusal
            for name, table_refusals in refusals.items()
            for refusal in table_refusals
        }
        reasons = [{"reason": reason, "resource": resource} for reason, resource in found]
        if all(refusal.limit == "provisioned" for refusal in found.values()):
            return ServiceError("ProvisionedThroughputExceededException", ThrottlingReasons=reasons)
        # the service's model spells this member differently
        return ServiceError("ThrottlingException", throttlingReasons=reasons)


def all_pairs(throughput: TableThroughput) -> dict[str, BudgetPair]:
    """Budgets by index name, "" for the table itself."""
    return {"": throughput.table, **throughput.indexes}


def current_rates(table: Table) -> dict[str, Rates]:
    """Read and write units per second by index name, "" for the table itself."""
    return {
        name: (pair.read.rate_units_per_s, pair.write.rate_units_per_s)
        for name, pair in all_pairs(table.throughput).items()
    }


def set_rates(table: Table, rates: dict[str, Rates], provisioned: bool, now_s: float) -> None:
    """Change the capacity of a table and its indexes; those not in `rates` keep theirs."""
    table.provisioned = provisioned
    table.was_on_demand |= not provisioned
    limit: Limit = "provisioned" if provisioned else "on-demand"
    pairs = all_pairs(table.throughput)
    for name, (read_rate, write_rate) in rates.items():
        if name not in pairs:
            raise unsupported(f"Changing the throughput of an index that does not exist ({name})")
        _set_rate(pairs[name].read, read_rate, limit, now_s)
        _set_rate(pairs[name].write, write_rate, limit, now_s)


def _set_rate(budget: Budget, rate_units_per_s: float | None, limit: Limit, now_s: float) -> None:
    if rate_units_per_s != budget.rate_units_per_s or limit != budget.limit:
        budget.set_rate(rate_units_per_s, limit, now_s)
