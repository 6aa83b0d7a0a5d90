"""Figures that the plans of several verbs share: the scan of a table, the writes to another, time and machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ddbio.aws.location import machine_region
from ddbio.dynamodb.session import ReadPage, Session
from ddbio.errors import TransferError
from ddbio.flow.context import SOURCE, TARGET
from ddbio.forecast import warnings
from ddbio.forecast.demands import demand_of, scan_units, time_of
from ddbio.forecast.forecast import RCU, Amount, Demand, Forecast
from ddbio.forecast.needs import PAGE_LANE_BYTES, memory_of
from ddbio.forecast.table_sample import SumsOf, TableSample, sample_table
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.job.side import Side
from ddbio.messages import SegmentUnit
from ddbio.options import ScanOptions
from ddbio.rate.caps import Cap
from ddbio.rate.pacer import REQUEST_S
from ddbio.sources.page_size import PageSize
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.subset import Subset, cost_notes
from ddbio.values.capacity import MAX_PAGE_BYTES
from ddbio.values.table import TableInfo
from ddbio.verbs.scan import mean_item_bytes


def sample_of(
    session: Session, table: TableInfo, subset: Subset, cap: Cap, sums_of: SumsOf = lambda item: {}
) -> TableSample | None:
    """A sample of the table, within the cap; None if it is too small for an estimate, or the table throttles.

    sums_of: figures of an item that matches, to be summed. Raises UsageError.
    """
    members = subset.whole_items().members

    def read(segment: int, segments: int, key: object | None, most_items: int) -> ReadPage:
        return session.read_page(table.address, members, most_items, (segment, segments), key)

    try:
        return sample_table(read, table.item_count, table.size_bytes, units_per_s=cap.units_per_s, sums_of=sums_of)
    except TransferError:
        return None


@dataclass(frozen=True, slots=True)
class Scanned:
    """The part of a table that a scan has yet to read.

    demand: of the reads. of_part: for amounts of the whole table, those of the part.
    """

    sample: TableSample | None
    demand: Demand
    size_bytes: Amount | None = None
    of_part: Callable[[Amount], Amount] = lambda amount: amount

    def total(self, name: str) -> Amount:
        """The sum of a figure over the items that match. Needs a sample."""
        assert self.sample is not None
        return self.of_part(self.sample.total(name))


def scanned(
    run: Run,
    options: ScanOptions,
    sample: TableSample | None,
    plan: Plan,
    journal: Journal,
    *,
    most_items: Callable[[float], float] | None = None,
) -> Scanned:
    """most_items: of a page, by the mean size of an item."""
    return scanned_side(run.main, options, sample, plan.units, journal.past.tally.read, most_items=most_items)


def scanned_side(
    side: Side,
    options: ScanOptions,
    sample: TableSample | None,
    units: Sequence[object],
    done_items: int = 0,
    *,
    most_items: Callable[[float], float] | None = None,
) -> Scanned:
    """The same of one of two tables. units: the segments. done_items: that were read before."""
    table, cap = side.table, side.cap
    demand = demand_of(table, side.session.region, SOURCE, cap)
    if sample is None:
        return Scanned(None, demand)
    segments = [unit for unit in units if isinstance(unit, SegmentUnit)]
    of_segments = sample.share(len(segments) / segments[0].total_segments if segments else 1.0)
    share = _share_left(options, sample, of_segments(sample.items), done_items)

    def of_part(amount: Amount) -> Amount:
        sampled = of_segments(amount)
        return Amount(sampled.likely * share.likely, sampled.low * share.low, sampled.high * share.high)

    items, size_bytes = of_part(sample.items), of_part(sample.size_bytes)
    mean_bytes = size_bytes.likely / items.likely if items.likely else mean_item_bytes(table)
    page_bytes = _page_bytes(cap, mean_bytes, most_items, consistent=options.consistent_read)
    segments_left = max(1, math.ceil(len(segments) * share.likely))
    filled = replace(
        demand,
        items=items,
        item_bytes=Amount.exact(mean_bytes) if mean_bytes else None,
        units=scan_units(size_bytes, items, segments_left, page_bytes, consistent=options.consistent_read),
        table_bytes=sample.size_bytes if not table.index else None,
    )
    return Scanned(sample, filled, size_bytes, of_part)


def _share_left(options: ScanOptions, sample: TableSample, items: Amount, done_items: int) -> Amount:
    """Of the items, the share that is read, considering a limit and what earlier runs read.

    How many items a limit with a filter reads is by chance: the negative binomial distribution, at two deviations.
    """
    if not items.likely:
        return Amount.exact(1.0)
    if options.limit is None:
        return Amount.exact(max(0.0, items.likely - done_items) / items.likely)
    matching = sample.matching_items / sample.scanned_items if sample.scanned_items else 0.0
    if not matching:
        return Amount.exact(max(0.0, items.likely - done_items) / items.likely)
    off = 2 * math.sqrt((1 - matching) / options.limit)
    needed = (options.limit / matching * factor for factor in (1.0, max(0.0, 1 - off), 1 + off))
    return Amount(*(max(0.0, min(most, items.likely) - done_items) / items.likely for most in needed))


def _page_bytes(
    cap: Cap, mean_bytes: float, most_items: Callable[[float], float] | None, *, consistent: bool
) -> float:
    def most_units() -> float:
        return cap.units_per_s * REQUEST_S

    limit = PageSize(most_units, mean_bytes, consistent=consistent, most_items=most_items).limit
    return MAX_PAGE_BYTES if limit is None or not mean_bytes else limit * mean_bytes


def target_demand(side: Side) -> Demand:
    """The demand of writes to a table, with unknown figures."""
    return demand_of(side.table, side.session.region, TARGET, side.cap, side.index_caps)


def forecast_of(
    run: Run,
    left: Remainder,
    demands: Sequence[Demand],
    sample: TableSample | None = None,
    *,
    read_bytes: Amount | None = None,
    written_bytes: Amount | None = None,
    lane_bytes: int = PAGE_LANE_BYTES,
    warned: Iterable[str] = (),
) -> Forecast:
    """demands: of the run's sides, in their order."""
    workers = run.workers_for(left)
    seconds, held_by = time_of([(demand, side.cap) for demand, side in zip(demands, run.sides, strict=True)])
    return Forecast(
        demands=tuple(demands),
        read_bytes=read_bytes,
        written_bytes=written_bytes,
        seconds=seconds,
        held_by=held_by,
        processes=workers + 1,
        memory_bytes=memory_of(workers, run.lanes, lane_bytes),
        disk_bytes=Amount.exact(0),
        planning_units=sample.units if sample is not None else 0.0,
        planning_requests=sample.requests if sample is not None else 0,
        warnings=tuple(dict.fromkeys((*side_warnings(run.sides, demands), *warned))),
    )


def scan_forecast(
    run: Run, options: ScanOptions, subset: Subset, plan: Plan, left: Remainder, journal: Journal
) -> Forecast:
    """Of a verb that reads a table and writes nothing to any."""
    sample = sample_of(run.session, run.table, subset, run.cap)
    found = scanned(run, options, sample, plan, journal)
    return forecast_of(
        run,
        left,
        [found.demand],
        sample,
        read_bytes=found.size_bytes,
        written_bytes=Amount.exact(0),
        warned=cost_notes(options),
    )


def side_warnings(sides: Sequence[Side], demands: Sequence[Demand]) -> Iterator[str]:
    quotas: Mapping[int, tuple[float, float] | None] = {id(s.session): s.session.table_quotas() for s in sides}
    for side, demand in zip(sides, demands, strict=True):
        quota = quotas[id(side.session)]
        of_kind = None if quota is None else quota[side.cap.kind != RCU]
        yield from warnings.of_table(side.table, side.cap, demand, of_kind)
        if side.cap.kind == RCU and demand.units is None:
            yield f"Table {side.table.name} could not be sampled within its capacity and the cap: it is unknown"
    yield from warnings.of_regions(machine_region(), [side.session.region for side in sides])


def history_warning(session: Session, table: TableInfo, done: str) -> list[str]:
    return list(warnings.of_history(table, session.keeps_history(table.address), done)) if table.item_count else []
