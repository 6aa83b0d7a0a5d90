"""A write by Spark: the rows of a partition become items, in the task that has the partition.

    Arrow batches of Spark --items--> lanes of one task --BatchWriteItem--> table

A task works in its own process, with its part of the cap. It keeps no journal: if it is lost, Spark writes its whole
partition again, with the same result. What it had written stays, also if the job fails in the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from ddbio.dynamodb.session import Session
from ddbio.engines.share import ShareEngine
from ddbio.errors import RejectedError, UsageError
from ddbio.formats.python_items import decode, encode
from ddbio.library.calling import call
from ddbio.library.frames import rows_of
from ddbio.library.wording import in_keywords, keyword
from ddbio.messages import Tally
from ddbio.rate.caps import choose_cap
from ddbio.spark.columns import JSON, SET, item_of, marked
from ddbio.spark.division import check_positive
from ddbio.verbs.options import PutOptions
from ddbio.verbs.put_items import PutItems

MOST_REJECTED = 100  # kept of each partition; the others are only counted


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not written, and the reason. item: None if it could not even be encoded."""

    item: dict[str, Any] | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """tally: of all partitions. rejected: the first rejected rows of each."""

    tally: Tally = field(default_factory=Tally)
    rejected: tuple[RejectedRow, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[bytes]) -> WriteResult:
        """Of the results of all partitions, as `Writing.write` returns them."""
        tally, rejected = Tally(), list[RejectedRow]()
        for part in map(msgspec.json.decode, parts):
            tally.add(Tally(**part["tally"]))
            rejected += [RejectedRow(decode(line.encode()), code, why) for line, code, why in part["rejected"]]
        return cls(tally, tuple(rejected))

    def check(self) -> None:
        """Raise RejectedError if rows were rejected."""
        if self.rejected:
            first, count = self.rejected[0], self.tally.rejected
            raise RejectedError(
                f"{count:,} row{'s were' if count != 1 else ' was'} rejected, and all others are written; the first: "
                f"{first.code}, {first.message}",
                "fix these rows and write them again",
            )


@dataclass(frozen=True, slots=True)
class Writing:
    """A write to a table; picklable. tasks: those that run at once, at most; each has this part of the cap.
    marks: by column, `JSON` or `SET`. capped: whether there is a cap to divide."""

    options: PutOptions
    tasks: int
    marks: Mapping[str, str]
    capped: bool

    @classmethod
    def plan(
        cls,
        options: PutOptions,
        schema: Any,
        *,
        tasks: int | None,
        sets: Sequence[str],
        json: Sequence[str],
        slots: int | None = None,
    ) -> Writing:
        """schema: of the DataFrame. slots: tasks to divide the cap by if the user names no number; the caller sees to
        it that no more run at once. Raises DdbioError, in terms of keywords."""
        check_positive("tasks", tasks)
        names = schema.fieldNames()
        for name in (*sets, *json):
            if name not in names:
                raise UsageError(f"there is no column {name!r}", f"there are {', '.join(names)}")
        if len(set(names)) < len(names):
            raise UsageError("two columns have one name", "rename or drop one of them")
        with in_keywords():
            table = Session(options.aws, (options.table,)).describe(options.table)
            cap = choose_cap(options.capacity, table, "WCU", over_provisioned=options.over_provisioned)
        missing = [key.name for key in table.key if key.name not in names]
        if missing:
            raise UsageError(f"no column is called {missing[0]!r}, the key of table {table.name}", "add it")
        capped = math.isfinite(cap.units_per_s) or bool(table.index_write_units)
        if capped and not (tasks or slots):
            raise UsageError(
                f"the cap ({cap}) is divided among the tasks that write at once, and nobody said how many",
                'give .option("tasks", N), and let no more than N tasks run',
            )
        marks = {**marked(schema), **dict.fromkeys(json, JSON), **dict.fromkeys(sets, SET)}
        return cls(options, tasks or slots or 1, marks, capped)

    def write(self, batches: Iterable[Any]) -> bytes:
        """Write the rows of a partition. batches: pyarrow.RecordBatch. Returns the counts, for `WriteResult.joined`.

        Raises DdbioError if the rows were not all settled.
        """
        verb = PutItems(self.options, (item_of(row, self.marks) for batch in batches for row in rows_of(batch)))
        result = call(verb, engine=ShareEngine(self.tasks), name_of=keyword)
        if verb.source.error is not None:
            raise verb.source.error
        rejected = [(encode([each.item]).decode(), each.code, each.message) for each in result.rejected]
        return msgspec.json.encode({"tally": asdict(result.tally), "rejected": rejected[:MOST_REJECTED]})
