"""A read by Spark: planned where the driver is, and done partition by partition in tasks.

    table --Scan of some segments--> lanes of one task --Arrow batches--> Spark

A task works in its own process, with its part of the cap (`ddbio.engines.share`). If it is lost, Spark does all of
its partition again.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ddbio.dynamodb.session import Session
from ddbio.engines.share import ShareEngine
from ddbio.flow.sql_job import SqlTableJob
from ddbio.library.arrow import batches, sample
from ddbio.library.arrow_types import Columns, table_of
from ddbio.library.calling import call
from ddbio.library.streams import Take, pulled
from ddbio.library.wording import in_keywords, keyword
from ddbio.options import ScanOptions
from ddbio.rate.caps import choose_cap
from ddbio.spark.columns import arrow_schema, found_type
from ddbio.spark.division import Division, divide
from ddbio.spark.filters import PushedFilters
from ddbio.system.stop import StopFlag
from ddbio.verbs.program_scan import ProgramScan
from ddbio.verbs.scan import describe_part

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """The StructType of a table, found in its first items. items: their number."""

    schema: Any
    items: int


def find_columns(options: ScanOptions, numbers: str) -> FoundColumns:
    """Read the first items of a table, with all of the cap, for the types of its columns. Raises DdbioError."""
    verb = ProgramScan(options, SqlTableJob)
    pages = _pages(verb, 1)
    try:
        _, columns = sample(map(table_of, pages), verb)
    finally:
        pages.close()
    return FoundColumns(found_type(columns.schema, numbers), columns.found)


@dataclass(frozen=True, slots=True)
class Reading:
    """The read of a table; picklable. schema: a pyarrow.Schema. found: the number of items in which its types were
    found; None if the user gave them."""

    options: ScanOptions
    division: Division
    schema: Any
    found: int | None

    @classmethod
    def plan(
        cls,
        options: ScanOptions,
        schema: Any,
        found: int | None,
        *,
        tasks: int | None,
        partitions: int | None,
        slots: int | None = None,
    ) -> Reading:
        """schema: a StructType. For the others see `divide`. Raises DdbioError, in terms of keywords."""
        with in_keywords():
            table, _ = describe_part(Session(options.aws, (options.table,)), options)
            cap = choose_cap(options.capacity, table, "RCU", over_provisioned=options.over_provisioned)
        division = divide(
            table,
            capped=math.isfinite(cap.units_per_s),
            tasks=tasks,
            partitions=partitions,
            slots=slots,
            **({"lanes": options.lanes} if options.lanes else {}),
        )
        return cls(options, division, arrow_schema(schema), found)

    def batches(self, partition: int) -> Iterator[Any]:
        """The items of a partition, as pyarrow.RecordBatch. Raises DdbioError."""
        names = self.schema.names if self.found is None else None
        verb = ProgramScan(self.options, SqlTableJob, names, self.division.units(partition))
        pages = _pages(verb, self.division.at_once)
        return batches(Columns(self.schema, self.found), map(table_of, pages), pages)


def filtered(options: ScanOptions, pushed: PushedFilters) -> ScanOptions:
    """The options of a scan with the filters that Spark pushed down, beside the user's own."""
    if not pushed.expression:
        return options
    own = f"({options.filter}) AND " if options.filter is not None else ""
    return replace(
        options,
        filter=own + pushed.expression,
        values=_joined(options.values, pushed.values),
        names=_joined(options.names, pushed.names),
    )


def _pages(verb: ProgramScan, at_once: int) -> Generator[bytes, None, None]:
    """The pages of a scan, which has one of `at_once` equal parts of the cap."""

    def job(take: Take[bytes], flag: StopFlag) -> None:
        verb.take_page = take
        call(verb, engine=ShareEngine(at_once), stop=flag, name_of=keyword)

    return pulled(job)


def _joined(own: str | None, added: Mapping[str, Any]) -> str:
    """The text of a JSON object, with more members; numbers keep their digits."""
    members = [(own or "{}").strip()[1:-1], _encode(added).decode()[1:-1]]
    return f"{{{', '.join(each for each in members if each.strip())}}}"
