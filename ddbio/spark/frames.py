"""DataFrames of a table, and tables from DataFrames, in Spark 3.5 and 4, also through Spark Connect.

Both are done by `mapInArrow`, whose tasks need no SparkContext.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ddbio.cluster.on_spark import context_of
from ddbio.errors import UsageError
from ddbio.library.arrow import check_installed
from ddbio.spark.columns import FOUND, arrow_schema
from ddbio.spark.division import DEFAULT_TASKS
from ddbio.spark.options import put_options, scan_options
from ddbio.spark.reading import Reading, find_columns
from ddbio.spark.writing import WriteResult, Writing

ON_REJECTS = ("keep", "raise")


def read(
    spark: Any,
    table: str,
    *,
    schema: Any = None,
    tasks: int | None = None,
    partitions: int | None = None,
    numbers: str = FOUND,
    **options: Any,
) -> Any:
    """The items of a table as a DataFrame of the session `spark`, by a parallel scan in its tasks.

    schema: a StructType, or its DDL text, of the attributes to read; without it, the types are found from the first
        10,000 items, which are read at once (`ddbio.spark.columns`). An item that does not fit fails the job:
        nothing is changed to fit.
    tasks: your word that no more tasks read at once; each has that part of the cap. Without it, each has the part
        that it could have if all partitions ran at once.
    partitions: of the DataFrame; by default the slots of the cluster, or more for a large table.
    numbers: `found`, or `string` for their digits as text.
    options: fields of `ScanOptions`: `capacity`, `filter`, `values`, `names`, `attributes`, `index`,
        `consistent_read`, `lanes`, `over_provisioned`, `give_up_after_s`; and `region`, `profile`, `endpoint_url`.

    The table is scanned once for every action on the DataFrame: cache it, or write it somewhere first. Raises
    UsageError, TransferError.
    """
    check_installed("ddbio.spark", "spark")
    asked, found = scan_options(table, options), None
    if schema is None:
        columns = find_columns(asked, numbers)
        schema, found = columns.schema, columns.items
    reading = Reading.plan(asked, _struct(schema), found, tasks=tasks, partitions=partitions, slots=_slots(spark))
    numbered = spark.range(0, reading.division.partitions, 1, reading.division.partitions)
    return numbered.mapInArrow(partial(_read_partitions, reading), _struct(schema))


def write(
    df: Any,
    table: str,
    *,
    mode: str = "put",
    tasks: int | None = None,
    sets: Sequence[str] = (),
    json: Sequence[str] = (),
    on_rejects: str = "keep",
    **options: Any,
) -> WriteResult:
    """Write the rows of a DataFrame to a table, as items, in the tasks of its session. Returns when all are settled.

    mode: `put`, which replaces items; or `delete`, which deletes the items with the keys in the rows.
    tasks: the number of tasks that write at once; by default the slots of the cluster. Each has that part of the
        cap. If there is a cap, the DataFrame is coalesced to as many partitions.
    sets: names of array columns that become sets. json: names of string columns whose JSON becomes lists and maps.
        Columns that `read` made of such attributes become them again without being named.
    on_rejects: `raise` raises RejectedError at the end if rows were rejected; the others are written in any case.
    options: fields of `PutOptions`: `capacity`, `lanes`, `over_provisioned`, `give_up_after_s`; and `region`,
        `profile`, `endpoint_url`.

    A missing value (null) is no attribute. There is no journal: a task that is repeated writes its rows again, with
    the same result. If the job fails, what was written stays. Raises UsageError, and the errors of Spark.
    """
    check_installed("ddbio.spark", "spark")
    if on_rejects not in ON_REJECTS:
        raise UsageError(f"on_rejects is {on_rejects!r}", f"give one of {', '.join(ON_REJECTS)}")
    slots = _slots(df.sparkSession) or DEFAULT_TASKS
    writing = Writing.plan(
        put_options(table, mode, options), df.schema, tasks=tasks, sets=sets, json=json, slots=slots
    )
    rows = df.coalesce(writing.tasks) if writing.capped else df
    written = rows.mapInArrow(partial(_write_partition, writing), "result binary").collect()
    result = WriteResult.joined(bytes(row.result) for row in written)
    if on_rejects == "raise":
        result.check()
    return result


def _read_partitions(reading: Reading, numbers: Iterator[Any]) -> Iterator[Any]:
    """numbers: record batches of the numbers of partitions, one a task."""
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            yield from reading.batches(number)


def _write_partition(writing: Writing, rows: Iterator[Any]) -> Iterator[Any]:
    import pyarrow

    yield pyarrow.record_batch([pyarrow.array([writing.write(rows)], pyarrow.binary())], names=["result"])


def _slots(spark: Any) -> int | None:
    """Tasks that the cluster can run at once now; None if the session does not say, as in Spark Connect."""
    context = context_of(spark)
    return int(context.defaultParallelism) if context is not None else None


def _struct(schema: Any) -> Any:
    from pyspark.sql.types import StructType

    if isinstance(schema, str):
        from pyspark.sql.types import _parse_datatype_string

        schema = _parse_datatype_string(schema)
    if not isinstance(schema, StructType):
        raise UsageError("schema is no StructType", 'give one, or its DDL text, such as "id string, price long"')
    arrow_schema(schema)
    return schema
