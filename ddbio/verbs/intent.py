"""What an edit is about to do, for the question that a user is asked first: which table, how many items, and whether
there is a way back.

The number of items comes from a sample that costs little, or from a count of all of them.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ddbio.dynamodb.session import Session
from ddbio.engines.inline import InlineEngine
from ddbio.errors import UsageError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.forecast.forecast import Forecast
from ddbio.forecast.preview import Preview
from ddbio.forecast.text import amount
from ddbio.job.run import Caller, Run
from ddbio.job.spine import perform
from ddbio.options import EditOptions
from ddbio.rate.caps import choose_cap
from ddbio.sources.segments import MAX_SEGMENTS
from ddbio.sources.subset import Subset
from ddbio.values.capacity import MAX_PAGE_BYTES, page_read_units
from ddbio.values.table import TableArn, TableInfo
from ddbio.verbs.count_items import Count
from ddbio.verbs.options import CountOptions
from ddbio.verbs.scan import mean_item_bytes

SAMPLE_PAGES = 20  # each of another segment
PAGE_ITEMS = 250
SAMPLE_S = 5.0  # at most, under a small cap


@dataclass(frozen=True, slots=True)
class Intent:
    """table: its name, which the user types to confirm. sentences: for the user. warnings: more, on what cannot be
    undone. units: read units that were consumed to find out."""

    table: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    units: float = 0.0

    def before(self, plan: Preview) -> Preview:
        """The plan of the job, with this before it."""
        spent = replace(plan.forecast, planning_units=plan.forecast.planning_units + self.units)
        return Preview.of((*self.sentences, *plan.sentences), spent, self.warnings, plan.task)


@dataclass(frozen=True, slots=True)
class Sample:
    """matching: items of those scanned. whole: whether all items of the table were scanned. units:
    consumed."""

    matching: int
    scanned: int
    whole: bool
    units: float = 0.0

    @property
    def everything(self) -> bool:
        """Whether the filter matches all items, as far as is known."""
        return self.matching == self.scanned > 0

    def describe(self, table: TableInfo) -> str:
        """`about 1,200 of 10,000 items (from a sample of 4,000)`."""
        if self.whole:
            return f"{self.matching:,} of {self.scanned:,} items"
        if table.item_count <= self.scanned:  # the service's own number is hours old
            return f"at least {self.matching:,} items (from a sample of {self.scanned:,})"
        share = self.matching / max(self.scanned, 1)
        about = round(share * table.item_count)
        return f"about {about:,} of {table.item_count:,} items (from a sample of {self.scanned:,})"


def sampled(
    session: Session,
    table: TableInfo,
    subset: Subset,
    units_per_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Sample:
    """A page of each of some segments, within the cap. subset: of a scan that counts. units_per_s: the cap."""
    segments = min(max(SAMPLE_PAGES, math.ceil(table.item_count / PAGE_ITEMS)), MAX_SEGMENTS)
    chosen = random.Random(segments).sample(range(segments), SAMPLE_PAGES)
    limit, until_s = _page_items(table, units_per_s), clock() + SAMPLE_S
    matching = scanned = complete = 0
    units = 0.0
    for segment in chosen:
        members = {**subset.members, "Segment": segment, "TotalSegments": segments}
        page = session.count_page(table.address, members, limit)
        matching, scanned, complete = matching + page.count, scanned + page.scanned, complete + page.ended
        units += page.units
        sleep(page.units / units_per_s)
        if clock() > until_s:
            break
    return Sample(matching, scanned, complete == segments, units)


def _page_items(table: TableInfo, units_per_s: float) -> int:
    """The items of a page that costs no more than a second of the cap."""
    if math.isinf(units_per_s):
        return PAGE_ITEMS
    most_bytes = units_per_s * MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, False)
    return max(1, min(PAGE_ITEMS, int(most_bytes / (mean_item_bytes(table) or most_bytes))))


class _CountSelected(Count):
    """An exact count of the items that an edit is for."""

    def __init__(self, options: CountOptions, subset: Subset) -> None:
        super().__init__(options)
        self._selected = subset

    def check(self, caller: Caller) -> Run:
        session = Session(self.options.aws, (self.options.table,))
        self._subset = self._selected
        return Run.begin(
            self.options, session, session.describe(self.options.table), "RCU", DEFAULT_EXPORT_LANES, caller
        )

    def places(self) -> list[str]:
        return ["first", *map(str, self._selected.members.values())]


def counted(options: EditOptions, subset: Subset, caller: Caller) -> Sample:
    """The exact count, under the cap. Raises DdbioError if it is not complete."""
    of_count = CountOptions(
        table=options.table,
        aws=options.aws,
        capacity=options.capacity,
        over_provisioned=options.over_provisioned,
        consistent_read=options.consistent_read,
        state_dir=options.state_dir,
        give_up_after_s=options.give_up_after_s,
    )
    result = perform(_CountSelected(of_count, subset), Caller(caller.progress, InlineEngine(), caller.stop))
    if result.error is not None:
        raise result.error
    return Sample(result.tally.counted, result.tally.read, whole=True, units=result.tally.units)


def described(
    options: EditOptions,
    session: Session,
    table: TableInfo,
    subset: Subset,
    done: str,
    caller: Caller,
    plan: Preview | None = None,
    *,
    asks: bool = True,
) -> tuple[list[str], float]:
    """How many items will be written, as sentences, and the units consumed to find out. done: `deleted` or `updated`.
    plan: has sampled them already. asks: whether that is worth a sample."""
    if plan is not None and not options.count_first:
        return list(_planned(options, plan.forecast, done)), 0.0
    if not asks and not options.count_first:
        which = "All items" if options.filter is None else "The items that the filter matches"
        most = f", at most {options.limit:,} of them," if options.limit is not None else ""
        return [f"{which}{most} will be {done}"], 0.0
    cap = choose_cap(options.capacity, table, "RCU", over_provisioned=options.over_provisioned)
    if options.count_first:
        found = counted(options, subset, caller)
    else:
        found = sampled(session, table, subset, cap.units_per_s)
    how_many = found.describe(table)
    which = f"belong to this job, and at most {options.limit:,} of them" if options.limit is not None else ""
    sentences = [" ".join(filter(None, [how_many[0].upper() + how_many[1:], which, f"will be {done}"]))]
    if found.everything and options.filter is not None:
        sentences.append(f"The filter matches every item{' of the sample' if not found.whole else ''}")
    return sentences, found.units


def _planned(options: EditOptions, forecast: Forecast, done: str) -> Iterator[str]:
    """The same by the figures of a plan."""
    by_kind = {demand.kind: demand.items for demand in forecast.demands}
    read, written = by_kind.get("RCU"), by_kind.get("WCU")
    if options.limit is not None:
        yield f"At most {options.limit:,} of the items that belong to this job will be {done}"
    elif read is not None and written is not None:
        how_many = f"{amount(written)} of {amount(read)} items will be {done}"
        yield how_many[0].upper() + how_many[1:]
        if options.filter is not None and written.likely == read.likely > 0:
            yield f"The filter matches every item{' of the sample' if not read.is_exact else ''}"


def place(session: Session, table: TableInfo) -> str:
    """The table, its region and its account."""
    try:
        account = TableArn.parse(table.description.get("TableArn", "")).account
    except UsageError:  # of a local server
        account = "unknown"
    return f"Table {table.name} in {session.region}, account {account or 'unknown'}"


def way_back(session: Session, table: TableInfo, done: str, remedy: str) -> list[str]:
    """Whether the items could be restored, as sentences. remedy: an option that would save them; empty for none."""
    history = session.keeps_history(table.address)
    if history:
        return []
    known = "is off" if history is False else "may be off (unknown: no permission to ask, or no answer)"
    without = f", and there is no {remedy}" if remedy else ""
    return [f"Point-in-time recovery {known}{without}: items that are {done} cannot be restored"]
