"""The figures of a delete or an update: the items that match are sampled, and measured as they are in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ddbio.forecast.forecast import ZERO, Amount, Demand, Forecast
from ddbio.forecast.hot_keys import KeyUnits
from ddbio.forecast.write_weights import Changed, WriteWeights
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.options import EditOptions
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.subset import Subset, cost_notes
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo
from ddbio.verbs.forecasts import forecast_of, sample_of, scanned, target_demand


def edit_forecast(
    run: Run,
    options: EditOptions,
    subset: Subset,
    changed: Changed | None,
    page_items: int | None,
    plan: Plan,
    left: Remainder,
    journal: Journal,
) -> Forecast:
    """changed: by an update; None for a delete. page_items: the most of a page; None for any number."""
    assert run.other is not None
    weights = WriteWeights(run.table)
    keys = KeyUnits(run.table)

    def sums_of(item: AttributeMap) -> Mapping[str, float]:
        of_item = weights.of(item)
        keys.add(item, of_item)
        return of_item

    sample = sample_of(run.session, run.table, subset, run.cap, sums_of)
    most = None if page_items is None else float(page_items)
    found = scanned(run, options, sample, plan, journal, most_items=None if most is None else lambda item_bytes: most)
    written = target_demand(run.other)
    if sample is not None:
        written = weights.fill(written, found.total)
        if changed is not None:
            written = _of_update(written, changed, run.table)
    hot = keys.warning(run.other.cap.units_per_s, written.units.likely) if written.units is not None else ()
    return forecast_of(
        run,
        left,
        [found.demand, written],
        sample,
        read_bytes=found.size_bytes,
        written_bytes=ZERO,
        warned=[*cost_notes(options), *hot],
    )


def _of_update(written: Demand, changed: Changed, table: TableInfo) -> Demand:
    """An update costs the larger of the item before and after it. A function may leave items as they are."""
    by_index = {}
    for index in table.indexes:
        entries = written.by_index.get(index.name)
        if entries is not None:  # a local index is charged to the table
            least, most = changed.writes_to(index)
            by_index[index.name] = Amount(
                entries.likely * (least + most) / 2, entries.low * least, entries.high * most
            )
    if changed.names is not None or written.units is None or written.items is None:
        return replace(written, by_index=by_index)
    return replace(
        written, units=replace(written.units, low=0.0), items=replace(written.items, low=0.0), by_index=by_index
    )
