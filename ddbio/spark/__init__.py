"""Tables of DynamoDB as DataFrames of Spark. Needs the extra `spark` where the driver and the executors run.

    df = ddbio.spark.read(spark, "Orders", capacity=500)
    ddbio.spark.write(df, "Copy", capacity=500)

    export_table(options, engine=run_spark(spark))       # any verb, in the tasks of a cluster

With Spark 4 also `format("dynamodb")`, by the data source `DynamoDB`. docs/spark.md has all options.

engine     any verb, worked by the tasks of a cluster
frames     read and write, for Spark 3.5 and 4
source     the data source, for Spark 4
options    the options, from keywords or from text
reading    the plan of a read, and the read of a partition
writing    the same of a write
division   how a scan and its cap are divided among tasks
columns    types of columns in Spark, Arrow and DynamoDB
filters    filters that Spark pushes down, as a FilterExpression
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbio.errors import UsageError

if TYPE_CHECKING:
    from ddbio.spark.engine import run_spark as run_spark
    from ddbio.spark.frames import read as read
    from ddbio.spark.frames import write as write
    from ddbio.spark.source import DynamoDB as DynamoDB
    from ddbio.spark.writing import RejectedRow as RejectedRow
    from ddbio.spark.writing import WriteResult as WriteResult

_HOMES = {
    "run_spark": "engine",
    "DynamoDB": "source",
    "RejectedRow": "writing",
    "WriteResult": "writing",
    "read": "frames",
    "write": "frames",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"ddbio.spark.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name == "pyspark.sql.datasource":
            raise UsageError(
                'format("dynamodb") needs Spark 4', "with Spark 3.5, use ddbio.spark.read and ddbio.spark.write"
            ) from None
        if error.name == "pyspark":
            raise UsageError("ddbio.spark needs pyspark", "run it where Spark is: docs/spark.md") from None
        raise
