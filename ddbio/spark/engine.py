"""Any verb, worked by the tasks of a cluster: `export_table(options, engine=run_spark(spark))`."""

from __future__ import annotations

from typing import Any

from ddbio.cluster.on_spark import SparkEngine, SparkSettings
from ddbio.errors import UsageError


def run_spark(spark: Any, slots: int | None = None, **settings: Any) -> SparkEngine:
    """The engine of a SparkSession, for the `engine` of a verb.

    slots: the tasks that work; None for as many as the cluster can run at once now.
    settings: further fields of `ddbio.cluster.on_spark.SparkSettings`, such as `address`, at which executors reach
        this machine, or `shares_disk=True` if all machines have the same files.

    Each call of a verb is one Spark job, or several; in a `with` block, all calls have the same one.
    Raises UsageError.
    """
    if slots is not None and slots < 1:
        raise UsageError(f"slots is {slots}", "give a whole number from 1 on")
    try:
        return SparkEngine(spark, SparkSettings(slots=slots, **settings))
    except TypeError as error:
        raise UsageError(f"run_spark: {error}", "give fields of SparkSettings") from None
