"""The figures of an export: the sampled items are written as the export would write them, to nowhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from ddbio.errors import DdbioError
from ddbio.forecast.forecast import ZERO, Amount, Forecast
from ddbio.forecast.needs import PAGE_LANE_BYTES, PART_BYTES, disk_warnings
from ddbio.forecast.table_sample import TableSample
from ddbio.formats import RowFormat, as_lines, get_format
from ddbio.formats.compression import get_compression
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import MEGABYTE, STDOUT
from ddbio.sinks.attributes_seen import NAMES_AND_TYPES
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.subset import Subset, cost_notes
from ddbio.storage.s3_output import MIN_PART_BYTES, part_bytes_for
from ddbio.storage.s3_uris import is_s3
from ddbio.values.capacity import MAX_PAGE_BYTES, item_size_bytes
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo
from ddbio.verbs.columns import columns_of, in_order, needs_look
from ddbio.verbs.forecasts import forecast_of, sample_of, scanned
from ddbio.verbs.options import ExportOptions

_BYTES = "bytes"


class _Kept:
    """The sampled items, as JSON."""

    def __init__(self) -> None:
        self.items: list[bytes] = []

    def __call__(self, item: AttributeMap) -> Mapping[str, float]:
        self.items.append(msgspec.json.encode(item))
        return {_BYTES: float(item_size_bytes(item))}


def export_forecast(
    run: Run, options: ExportOptions, subset: Subset, plan: Plan, left: Remainder, journal: Journal
) -> Forecast:
    kept = _Kept()
    sample = sample_of(run.session, run.table, subset, run.cap, kept)
    found = scanned(run, options, sample, plan, journal)
    demand = found.demand
    if _looks_first(options, journal):
        demand = replace(demand, units=demand.units and demand.units.times(2))
    written = None if sample is None else _written(options, run.table, kept.items, sample, found.total(_BYTES))
    to_s3, local = is_s3(options.destination), options.destination != STDOUT and not is_s3(options.destination)
    warned = [*cost_notes(options), *_columns_warning(options, journal)]
    if local:
        warned += disk_warnings(Path(options.destination).absolute(), written)
    made = forecast_of(
        run,
        left,
        [demand],
        sample,
        read_bytes=found.size_bytes,
        written_bytes=written,
        lane_bytes=PAGE_LANE_BYTES + (PART_BYTES if to_s3 else 0),
        warned=warned,
    )
    if to_s3:
        return replace(made, s3_bytes=written, s3_requests=_puts(options, len(plan.units), written))
    return replace(made, disk_bytes=written) if local else made


def _looks_first(options: ExportOptions, journal: Journal) -> bool:
    """Whether a first scan finds the columns."""
    return needs_look(options) and not (journal.resumed and journal.noted("columns"))


def _columns_warning(options: ExportOptions, journal: Journal) -> list[str]:
    if not _looks_first(options, journal):
        return []
    return [f"{options.format} needs its columns: the table is read twice; --columns or --attributes save a scan"]


def _written(
    options: ExportOptions, table: TableInfo, items: list[bytes], sample: TableSample, of_items: Amount
) -> Amount | None:
    """The bytes of the files, in proportion to the items' own. None if the items are changed first, or the format
    cannot write these."""
    shaped = options.transform or options.rename or options.drop or options.assign or options.attributes
    own = sample.total(_BYTES).likely
    if shaped or (items and not own):
        return None
    if not items:
        return ZERO
    try:
        text = _rendered(options, table, items)
    except (DdbioError, msgspec.MsgspecError):
        return None
    seen = sum(each.sums.get(_BYTES, 0.0) for each in sample.read)
    return of_items.times(len(text) / seen)


def _rendered(options: ExportOptions, table: TableInfo, items: list[bytes]) -> bytes:
    """The content of a file with all items of the sample."""
    rules, spec = columns_of(options), FormatSpec(options.format)
    joined = b"[%b]" % b",".join(items)
    if rules is not None:
        types: dict[str, set[str]] = {}
        for item in msgspec.json.decode(joined, type=NAMES_AND_TYPES):
            for name, value in item.items():
                types.setdefault(name, set()).update(value)
        columns = [(name, rules.type_of(types[name] - {"NULL"})) for name in in_order(types, table)]
        spec = rules.spec(columns, options.numbers)
    format = get_format(spec)
    rows = msgspec.json.decode(joined, type=format.page_items)
    if isinstance(format, RowFormat):
        encoder = format.new_encoder()
        return encoder.add(rows) + encoder.finish()
    packer, text = get_compression(options.compress).packer(), as_lines(format).render(rows)
    pages = (text[at : at + MAX_PAGE_BYTES] for at in range(0, len(text), MAX_PAGE_BYTES))
    return b"".join(map(packer.pack, pages))


def _puts(options: ExportOptions, segments: int, written: Amount | None) -> Mapping[str, Amount]:
    """A small file is one request; a larger one a request for each part, and one each to begin and to end."""
    if written is None:
        return {}
    file_bytes = options.file_megabytes * MEGABYTE
    part_bytes = part_bytes_for(file_bytes)

    def requests(size_bytes: float) -> float:
        files = max(segments, math.ceil(size_bytes / file_bytes))
        each = size_bytes / files
        return files * (1 if each < MIN_PART_BYTES else 2 + math.ceil(each / part_bytes)) + 1  # and the manifest

    return {"PUT": Amount(*map(requests, (written.likely, written.low, written.high)))}
