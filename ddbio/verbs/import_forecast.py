"""The figures of an import: its records are sampled, and measured as the import itself measures them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ddbio.errors import RecordError
from ddbio.forecast.demands import part_of
from ddbio.forecast.forecast import ZERO, Amount, Demand, Forecast
from ddbio.forecast.hot_keys import KeyUnits
from ddbio.forecast.needs import REMOTE_SOURCE_LANE_BYTES, SOURCE_LANE_BYTES
from ddbio.forecast.source_sample import SourceSample, sample_sources
from ddbio.forecast.write_weights import WriteWeights
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.cutting import PLANNED_LANES, unit_bytes
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.records import Record
from ddbio.steps.transform import TransformSpec, open_transform
from ddbio.storage.s3_uris import is_s3
from ddbio.values.capacity import write_units
from ddbio.values.table import TableInfo
from ddbio.verbs.forecasts import forecast_of, history_warning, target_demand
from ddbio.verbs.import_sources import ImportSources
from ddbio.verbs.scan import mean_item_bytes

_REJECTED = "rejected"
_NEW_ENTRIES, _MOVED_ENTRIES = 1.0, 2.0  # index writes for a new item, and for one whose index key changes


class _Weigher:
    """Called with each record of the sample. codes: of the rejected ones. keys: of the others."""

    def __init__(self, weights: WriteWeights, transform: TransformSpec | None, table: TableInfo) -> None:
        self._weights = weights
        self._transform = open_transform(transform)
        self.codes: Counter[str] = Counter()
        self.keys = KeyUnits(table)

    def __call__(self, record: Record) -> Mapping[str, float]:
        try:
            if record.error is not None:
                raise record.error
            items = record.items
            if self._transform is not None:
                items = [made for item in items for made in self._transform(item)]
            sums: Counter[str] = Counter()
            for item in items:
                self._weights.check_key(item)
                of_item = self._weights.of(item)
                sums.update(of_item)
                self.keys.add(item, of_item)
        except RecordError as error:
            self.codes[error.code] += 1
            return {_REJECTED: 1.0}
        return sums


def import_forecast(
    run: Run,
    sources: ImportSources,
    mode: str | OpenMode,
    transform: TransformSpec | None,
    plan: Plan,
    left: Remainder,
    journal: Journal,
    lost: str,
) -> Forecast:
    """transform: of items. A function of the user's is not called: what it makes is unknown. lost: what happens to
    items of the table that could not be restored, as a participle; empty for nothing."""
    of_function = transform is not None and transform.function is not None
    weigher = _Weigher(WriteWeights(run.table, mode), transform if not of_function else None, run.table)
    sample = sample_sources(sources.all_sources(), sources.storages, weigher) if not of_function else None
    share = 1 - journal.past.tally.bytes / max(1, sources.total_bytes)
    demand = target_demand(run.main)
    warned = list(_function_warning()) if of_function else []
    if sample is not None:
        demand = part_of(_filled(demand, sample, weigher, run.table, mode), share)
        warned += [*_rejects_warning(sample, weigher), *weigher.keys.warning(run.cap.units_per_s)]
    remote = any(is_s3(file.uri) for file in sources.files)
    found = forecast_of(
        run,
        left,
        [demand],
        read_bytes=Amount.exact(sources.total_bytes * share) if not sources.found.has_stdin else None,
        written_bytes=ZERO,
        lane_bytes=REMOTE_SOURCE_LANE_BYTES if remote else SOURCE_LANE_BYTES,
        warned=[*warned, *(history_warning(run.session, run.table, lost) if lost else ())],
    )
    return replace(found, s3_requests=_gets(run, sources, plan)) if remote else found


def _filled(
    demand: Demand, sample: SourceSample, weigher: _Weigher, table: TableInfo, mode: str | OpenMode
) -> Demand:
    """With the figures of the sample, and bounds that consider the items that are in the table already."""
    filled = WriteWeights(table, mode).fill(demand, sample.total)
    there = table.item_count > 0
    units, items = filled.units, filled.items
    if not there or units is None or items is None:
        return filled
    old_units = write_units(math.ceil(mean_item_bytes(table)))
    if mode == "delete":  # an item that is not there costs a unit, and all of the table cost all of its units
        most = max(units.high, items.high * old_units)
        return replace(filled, units=Amount(units.likely, min(units.low, items.low), most))
    moved = {
        name: Amount(entries.likely, 0.0, entries.high * _MOVED_ENTRIES / _NEW_ENTRIES)
        for name, entries in filled.by_index.items()
    }
    return replace(filled, units=replace(units, high=units.high + items.high * (old_units - 1)), by_index=moved)


def _function_warning() -> Iterator[str]:
    yield "What the function of --transform makes is unknown until it is called: a plan does not call it"


def _rejects_warning(sample: SourceSample, weigher: _Weigher) -> Iterator[str]:
    if not weigher.codes:
        return
    rejected, read = sum(weigher.codes.values()), sum(weigher.codes.values()) + weigher.keys.items
    codes = ", ".join(f"{code} {count:,}" for code, count in weigher.codes.most_common())
    of_sample = "" if sample.is_whole else " of the sample"
    yield f"{rejected:,} of {read:,} records{of_sample} will be rejected: {codes}"


def _gets(run: Run, sources: ImportSources, plan: Plan) -> Mapping[str, Amount]:
    """Each slice is read at once, with the end of its last record in a request of its own. Files that are cut while
    the job runs have as many slices as their bytes make."""
    lanes = run.workers * min(run.lanes, PLANNED_LANES)
    slice_bytes = unit_bytes(sources.total_bytes, lanes, run.cap.units_per_s)
    expected = sum(math.ceil(file.size_bytes / slice_bytes) for file in sources.files)
    slices = len(plan.units) if plan.complete else max(len(plan.units), expected)
    return {"GET": Amount(2 * slices, slices, 4 * slices)}
