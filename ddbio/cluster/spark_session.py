"""The SparkSession of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddbio.errors import UsageError, on_one_line

_LONGEST_REASON = 200


@contextmanager
def spark_session() -> Iterator[Any]:
    """The session that spark-submit or the settings of Spark on this machine describe; stopped at the end.

    Raises UsageError if there is no Spark here, or if it does not start.
    """
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError:
        raise UsageError(
            "--engine spark needs pyspark", "start the command with spark-submit: docs/spark.md"
        ) from None
    try:
        session = SparkSession.builder.appName("ddbio").getOrCreate()
    except Exception as error:  # of Spark, Py4J or the JVM: all of them say why there is no session
        reason = on_one_line(str(error))[:_LONGEST_REASON]
        raise UsageError(f"Spark does not start: {reason}", "its own messages are above") from None
    try:
        yield session
    finally:
        session.stop()
