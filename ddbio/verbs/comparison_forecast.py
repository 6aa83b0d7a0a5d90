"""The plan of a comparison: each side is read once, one after the other, and items that seem to differ once more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from ddbio.flow.context import SOURCE
from ddbio.forecast.demands import demand_of, time_of
from ddbio.forecast.forecast import ZERO, Amount, Forecast
from ddbio.forecast.needs import PAGE_LANE_BYTES, memory_of
from ddbio.forecast.preview import Preview
from ddbio.sources.subset import units_of
from ddbio.values.capacity import page_read_units
from ddbio.verbs.compared_sides import ExportSide, TableSide
from ddbio.verbs.comparison import Comparison
from ddbio.verbs.forecasts import sample_of, scanned_side, side_warnings
from ddbio.verbs.spill_side import suitable_segments


def preview_of(comparison: Comparison) -> Preview:
    run = comparison.run
    caps = [f"Cap of {side.table.name}: {side.cap}" for side in run.sides]
    figures = [_of_side(comparison, side) for side in comparison.sides]
    both = figures[0].then(figures[1])
    spill = Amount.exact(comparison.spill_bytes())
    workers = run.workers
    forecast = replace(
        both,
        processes=workers + 1,
        memory_bytes=memory_of(workers, run.lanes, PAGE_LANE_BYTES),
        disk_bytes=spill,
        warnings=tuple(dict.fromkeys((*side_warnings(run.sides, both.demands), *_rereads(both)))),
    )
    return Preview.of([*comparison.announcement(), *caps], forecast)


def announced(comparison: Comparison) -> Forecast:
    """The figures that a comparison announces, by the service's counts: they cost nothing, and may be hours old."""
    return reduce(Forecast.then, (_announced_of(comparison, side) for side in comparison.sides))


def _announced_of(comparison: Comparison, side: TableSide | ExportSide) -> Forecast:
    if isinstance(side, ExportSide):
        return Forecast(seconds=ZERO)
    of_run = next(each for each in comparison.run.sides if each.table is side.table)
    demand = replace(
        demand_of(side.table, side.session.region, SOURCE, of_run.cap),
        items=Amount.exact(side.items * (comparison.options.sample or 100) / 100),
        units=Amount.exact(side.read_units(comparison.options)),
    )
    seconds, held_by = time_of([(demand, of_run.cap)])
    return Forecast((demand,), seconds=seconds, held_by=f"{held_by}, by the table's counts of items and bytes")


def _rereads(forecast: Forecast) -> Iterable[str]:
    if forecast.demands:
        yield "Items that seem to differ are read again, consistently: the upper bounds are those of all items"


def _of_side(comparison: Comparison, side: TableSide | ExportSide) -> Forecast:
    if isinstance(side, ExportSide):
        size = Amount.exact(side.sources.total_bytes)
        return Forecast(read_bytes=size, written_bytes=ZERO, seconds=ZERO, disk_bytes=ZERO)
    options, run = comparison.options, comparison.run
    of_run = next(each for each in run.sides if each.table is side.table)
    sample = sample_of(side.session, side.table, side.subset, of_run.cap)
    segments = suitable_segments(options, replace(run, session=side.session, table=side.table, cap=of_run.cap))
    found = scanned_side(of_run, options, sample, units_of(options, segments))
    demand = found.demand
    if demand.units is not None and demand.items is not None:
        again = demand.items.high * page_read_units(math.ceil(_mean(demand.item_bytes)), True)
        demand = replace(demand, units=replace(demand.units, high=demand.units.high + again))
    seconds, held_by = time_of([(demand, of_run.cap)])
    return Forecast(
        (demand,),
        read_bytes=found.size_bytes,
        written_bytes=ZERO,
        seconds=seconds,
        held_by=held_by,
        disk_bytes=ZERO,
        planning_units=sample.units if sample is not None else 0.0,
        planning_requests=sample.requests if sample is not None else 0,
    )


def _mean(item_bytes: Amount | None) -> float:
    return item_bytes.likely if item_bytes is not None else 0.0
