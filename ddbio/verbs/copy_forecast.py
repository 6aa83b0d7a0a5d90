"""The figures of a copy: the items are sampled, and measured as writes to the other table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from ddbio.errors import RecordError
from ddbio.flow.copy_job import LEAST_PAGE_ITEMS, PAGE_S
from ddbio.forecast.forecast import ZERO, Forecast
from ddbio.forecast.hot_keys import KeyUnits
from ddbio.forecast.table_sample import SumsOf
from ddbio.forecast.write_weights import WriteWeights
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.subset import Subset, cost_notes
from ddbio.steps.transform import TransformSpec, open_transform, transform_of
from ddbio.values.capacity import write_units
from ddbio.values.items import AttributeMap
from ddbio.verbs.forecasts import forecast_of, history_warning, sample_of, scanned, target_demand
from ddbio.verbs.options import CopyOptions


def copy_forecast(
    run: Run, options: CopyOptions, subset: Subset, plan: Plan, left: Remainder, journal: Journal
) -> Forecast:
    other, spec = run.other, transform_of(options)
    assert other is not None
    weights = WriteWeights(other.table, options.mode)
    known = options.attributes is None and (spec is None or spec.function is None)
    keys = KeyUnits(other.table)
    sums_of: SumsOf = _sums_of(weights, spec, keys) if known else lambda item: {}
    sample = sample_of(run.session, run.table, subset, run.cap, sums_of)
    found = scanned(run, options, sample, plan, journal, most_items=_most_items(other.cap.units_per_s, subset))
    written = target_demand(other)
    if known and sample is not None:
        written = weights.fill(written, found.total)
    hot = keys.warning(other.cap.units_per_s, written.units.likely) if written.units is not None else ()
    replaced = history_warning(other.session, other.table, "replaced") if options.mode == "put" else []
    return forecast_of(
        run,
        left,
        [found.demand, written],
        sample,
        read_bytes=found.size_bytes,
        written_bytes=ZERO,
        warned=[*cost_notes(options), *hot, *replaced, *([] if known else [_why_unknown(options)])],
    )


def _why_unknown(options: CopyOptions) -> str:
    if options.attributes is not None:
        return "The writes are unknown: with --attributes the items become smaller"
    return "What the function of --transform makes is unknown until it is called: a plan does not call it"


def _sums_of(weights: WriteWeights, spec: TransformSpec | None, keys: KeyUnits) -> SumsOf:
    transform = open_transform(spec)

    def sums_of(item: AttributeMap) -> Mapping[str, float]:
        sums: Counter[str] = Counter()
        try:
            for made in [item] if transform is None else transform(item):
                weights.check_key(made)
                of_item = weights.of(made)
                keys.add(made, of_item)
                sums.update(of_item)
        except RecordError:  # it will be rejected
            return {}
        return sums

    return sums_of


def _most_items(write_units_per_s: float, subset: Subset) -> Callable[[float], float] | None:
    """See `ddbio.flow.copy_job.most_items`."""
    if subset.filters:
        return None
    return lambda item_bytes: max(LEAST_PAGE_ITEMS, write_units_per_s * PAGE_S / write_units(math.ceil(item_bytes)))
