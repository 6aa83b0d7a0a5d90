"""Other ways to do the same job: what DynamoDB itself offers, with its cost and conditions. Pure.

Times are None: no source states how long these operations take. Sources: the developer guide, "DynamoDB data export
to Amazon S3", "Importing data from Amazon S3", "Bulk put items", "Backing up and restoring"; the API reference of
StartBulkPutItems and DescribeTable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ddbio.forecast.costs import Charge, Costs, Tariff, dollars
from ddbio.forecast.forecast import ZERO, Amount, Forecast, total
from ddbio.forecast.prices import GB, Price, Prices

LEAST_BULK_UNITS_PER_S = 1024  # of MaxWriteRequestUnits
NATIVE = "native"  # as a format: an export by DynamoDB itself
# Whether DynamoDB itself reads the files of a format. It needs an `Item` in each line, which ours may lack.
_IMPORTABLE: Mapping[str, bool | None] = {NATIVE: True, "dynamodb-json": None, "csv": True}
_BULK: Mapping[str, bool | None] = {NATIVE: True, "dynamodb-json": None}


@dataclass(frozen=True, slots=True)
class Task:
    """The facts of a job that decide which other ways there are. None is unknown.

    whole: whether it takes all items, as they are. table_bytes: of the items that are read. file_bytes: of the files
    that are read, uncompressed. file_format: of all of these, one of ddbio's, or `native`. from_s3, to_s3: whether
    all files are there. creates_table: whether the table that it writes does not exist yet. same_place: whether
    source and target are in one region and account. is_global: whether the table that it writes is a global one.
    history: whether the table that it reads has point-in-time recovery. indexes: global ones of the table that it
    writes. cap_units_per_s: of the writes.
    """

    verb: str
    region: str
    whole: bool = True
    table_bytes: Amount | None = None
    file_bytes: Amount | None = None
    file_format: str | None = None
    from_s3: bool = False
    to_s3: bool = False
    creates_table: bool = False
    same_place: bool = True
    is_global: bool = False
    history: bool | None = None
    indexes: int = 0
    cap_units_per_s: float | None = None

    def with_figures(self, forecast: Forecast) -> Task:
        """With the facts that the job's forecast has."""
        reads = next((each for each in forecast.demands if each.role == "source"), None)
        writes = next((each for each in forecast.demands if each.kind == "WCU"), None)
        task = self if reads is None else replace(self, table_bytes=reads.table_bytes)
        if writes is None:
            return task
        return replace(
            task,
            is_global=bool(writes.replicas),
            indexes=len(writes.by_index),
            cap_units_per_s=writes.cap_units_per_s,
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """met: None if it is unknown, or for the user to judge."""

    text: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Way:
    """operations: of DynamoDB's API. cost: of the job, once. month: what it costs for each month that its result is
    kept; None if that is nothing, or the same as with this command. seconds: if a source states it."""

    name: str
    operations: tuple[str, ...]
    cost: Charge
    month: Charge | None = None
    conditions: tuple[Condition, ...] = ()
    seconds: Amount | None = None

    @property
    def possible(self) -> bool | None:
        """None if a condition is unknown and none is known not to be met."""
        answers = {condition.met for condition in self.conditions}
        return False if False in answers else None if None in answers else True

    @property
    def usd(self) -> Amount | None:
        """With the first month."""
        return total(each.usd for each in (self.cost, self.month) if each is not None)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """cheapest: the names of the ways of least cost among those whose conditions can be met and whose cost is known;
    THIS for the command itself; empty if no cost is known. unpriced: the names of those that could be cheaper, for
    their cost is unknown. prices: those that were used."""

    ways: tuple[Way, ...] = ()
    cheapest: str = ""
    unpriced: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As JSON values; what is unknown is null."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        for way, described in zip(self.ways, values["ways"], strict=True):
            described["possible"] = way.possible
        return values


THIS = "this command"


def alternatives_to(task: Task, costs: Costs, prices: Prices) -> Alternatives:
    """costs: of the job itself."""
    tariff = Tariff(prices)
    ways = tuple(way for make in _WAYS.get(task.verb, ()) for way in make(task, tariff))
    open_ways = [way for way in ways if way.possible is not False]
    known = {way.name: way.usd.likely for way in open_ways if way.usd is not None}
    if costs.usd is not None:
        known[THIS] = costs.usd.likely
    unpriced = [way.name for way in open_ways if way.usd is None]
    return Alternatives(
        ways=ways,
        cheapest=min(known, key=lambda name: (known[name], name != THIS), default=""),
        unpriced=(*unpriced, *([THIS] if costs.usd is None else [])),
        prices=tariff.used,
    )


def _export(task: Task, tariff: Tariff) -> Iterator[Way]:
    yield Way(
        "DynamoDB's export to S3",
        ("ExportTableToPointInTime",),
        _export_cost(task, tariff),
        conditions=(
            _has_history(task, tariff),
            Condition("the destination is on S3", task.to_s3),
            Condition("all items, unchanged", task.whole),
        ),
    )
    yield Way(
        "on-demand backup",
        ("CreateBackup",),
        Charge("the backup itself", ZERO),
        tariff.charge("backup, a month", task.region, "backup_gb_month", task.table_bytes, GB, "the table's size"),
        (Condition("no files are needed (only a restore can read it)", None), Condition("all items", task.whole)),
    )


def _import(task: Task, tariff: Tariff) -> Iterator[Way]:
    size = "the uncompressed size of the files"
    yield Way(
        "DynamoDB's import from S3",
        ("ImportTable",),
        tariff.charge("import", task.region, "import_gb", task.file_bytes, GB, size),
        conditions=(
            Condition("into a new table", task.creates_table),
            Condition("the files are on S3", task.from_s3),
            Condition('CSV, or DynamoDB JSON with "Item"', _read_by(_IMPORTABLE, task.file_format)),
            Condition("unchanged", task.whole),
        ),
    )
    yield Way("StartBulkPutItems", ("StartBulkPutItems",), *_bulk_put(task, tariff, task.file_bytes, size))


def _bulk_put(
    task: Task, tariff: Tariff, written: Amount | None, size: str
) -> tuple[Charge, None, tuple[Condition, ...]]:
    """The cost and the conditions. It is billed for what it writes, to the table and its indexes."""
    amount, lacking = (None, "the size of the indexes' entries") if task.indexes else (written, size)
    enough = task.cap_units_per_s is None or task.cap_units_per_s >= LEAST_BULK_UNITS_PER_S
    return (
        tariff.charge("bulk put", task.region, "bulk_put_gb", amount, GB, lacking),
        None,
        (
            Condition("into an existing table", not task.creates_table),
            Condition("the files are on S3", task.from_s3),
            Condition('DynamoDB JSON with "Item"', _read_by(_BULK, task.file_format)),
            Condition("no global table", not task.is_global),
            Condition(f"at least {LEAST_BULK_UNITS_PER_S:,} WCU may be used", enough),
            Condition("unchanged", task.whole),
        ),
    )


def _copy(task: Task, tariff: Tariff) -> Iterator[Way]:
    yield Way(
        "on-demand backup and restore",
        ("CreateBackup", "RestoreTableFromBackup"),
        tariff.charge("restore", task.region, "restore_gb", task.table_bytes, GB, "the table's size"),
        tariff.charge("backup, a month", task.region, "backup_gb_month", task.table_bytes, GB, "the table's size"),
        (
            Condition("into a new table", task.creates_table),
            Condition("in the same region and account", task.same_place),
            Condition("all items, unchanged", task.whole),
        ),
    )
    yield Way(
        "export to S3, then import from S3",
        ("ExportTableToPointInTime", "ImportTable"),
        _both(_export_cost(task, tariff), _of_exported_files(task, tariff, "import_gb")),
        conditions=(
            _has_history(task, tariff),
            Condition("into a new table", task.creates_table),
            Condition("all items, unchanged", task.whole),
        ),
    )
    yield Way(
        "export to S3, then StartBulkPutItems",
        ("ExportTableToPointInTime", "StartBulkPutItems"),
        _both(_export_cost(task, tariff), _of_exported_files(task, tariff, "bulk_put_gb")),
        conditions=(
            _has_history(task, tariff),
            Condition("into an existing table", not task.creates_table),
            Condition("no global table", not task.is_global),
            Condition("all items, unchanged", task.whole),
        ),
    )


def _read_export(task: Task, tariff: Tariff) -> Iterator[Way]:
    yield Way(
        "DynamoDB's export to S3, then ddbio sql -s",
        ("ExportTableToPointInTime",),
        _export_cost(task, tariff),
        conditions=(
            _has_history(task, tariff),
            Condition("the state at one point in time will do", None),
        ),
    )


def _delete(task: Task, tariff: Tariff) -> Iterator[Way]:
    yield Way(
        "delete the table and create it again",
        ("DeleteTable", "CreateTable"),
        Charge("both requests", ZERO),
        conditions=(
            Condition("all items", task.whole),
            Condition("nothing uses the table meanwhile", None),
        ),
    )


def _count(task: Task, tariff: Tariff) -> Iterator[Way]:
    yield Way(
        "ItemCount of DescribeTable",
        ("DescribeTable",),
        Charge("the request", ZERO),
        conditions=(
            Condition("all items", task.whole),
            Condition("a number up to 6 hours old will do", None),
        ),
    )


_WAYS: dict[str, Sequence[Callable[[Task, Tariff], Iterator[Way]]]] = {
    "export": (_export,),
    "import": (_import,),
    "copy": (_copy,),
    "find": (_read_export,),
    "sql": (_read_export,),
    "delete": (_delete,),
    "count": (_count,),
}


def _export_cost(task: Task, tariff: Tariff) -> Charge:
    return tariff.charge("export", task.region, "export_gb", task.table_bytes, GB, "the table's size")


def _of_exported_files(task: Task, tariff: Tariff, rate: str) -> Charge:
    return tariff.charge("import", task.region, rate, None, GB, "the uncompressed size of the exported files")


def _both(first: Charge, second: Charge) -> Charge:
    return Charge(
        f"{first.label} and {second.label}",
        total([first.usd, second.usd]),
        "; ".join(filter(None, (first.why, second.why))),
    )


def _has_history(task: Task, tariff: Tariff) -> Condition:
    text = "point-in-time recovery is on"
    if task.history is False:
        month = tariff.charge("", task.region, "pitr_gb_month", task.table_bytes, GB).usd
        text += f" (it would cost {dollars(month.likely)} a month)" if month is not None else ""
    return Condition(text, task.history)


def _read_by(formats: Mapping[str, bool | None], name: str | None) -> bool | None:
    return None if name is None else formats.get(name, False)
