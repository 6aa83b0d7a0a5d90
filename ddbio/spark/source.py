"""`spark.read.format("dynamodb")` and `.write.format("dynamodb")`: a Python data source of Spark 4.

    from ddbio.spark import DynamoDB

    spark.dataSource.register(DynamoDB)
    spark.read.format("dynamodb").option("capacity", 500).load("Orders")

The options are those of `ddbio.spark.read` and `write`, as text. Spark makes copies of these objects in several
processes, and never calls them in that of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceReader,
    InputPartition,
    WriterCommitMessage,
)

from ddbio.errors import UsageError
from ddbio.spark.columns import FOUND, letters
from ddbio.spark.filters import PushedFilters
from ddbio.spark.options import put_options, scan_options, table_of, typed
from ddbio.spark.reading import FoundColumns, Reading, filtered, find_columns
from ddbio.spark.writing import WriteResult, Writing


class DynamoDB(DataSource):  # type: ignore[misc]
    """A table of DynamoDB. pushdown: an option; `true` also pushes filters down, which Spark 4.1 does if its setting
    spark.sql.python.filterPushdown.enabled is true."""

    _found: FoundColumns | None = None

    @classmethod
    def name(cls) -> str:
        return "dynamodb"

    def schema(self) -> Any:
        options = self._options()
        numbers = options.pop("numbers", FOUND)
        for name in _OF_PLANS:
            options.pop(name, None)
        self._found = find_columns(scan_options(table_of(options), options), numbers)
        return self._found.schema

    def reader(self, schema: Any) -> DataSourceReader:
        options = self._options()
        table, _ = table_of(options), options.pop("numbers", None)
        tasks, partitions, pushdown = (options.pop(name, None) for name in _OF_PLANS)
        found = self._found.items if self._found is not None else None
        asked = scan_options(table, options)
        reading = Reading.plan(asked, schema, found, tasks=tasks, partitions=partitions)
        return _FilteringReader(reading, letters(schema)) if pushdown else _Reader(reading)

    def writer(self, schema: Any, overwrite: bool) -> DataSourceArrowWriter:
        if overwrite:
            raise UsageError("a table is not overwritten", 'use .mode("append"): it replaces items by their keys')
        options = self._options()
        table, mode, tasks = table_of(options), options.pop("write_mode", "put"), options.pop("tasks", None)
        sets, json = options.pop("sets", ()), options.pop("json", ())
        return _Writer(Writing.plan(put_options(table, mode, options), schema, tasks=tasks, sets=sets, json=json))

    def _options(self) -> dict[str, Any]:
        return typed(self.options)


_OF_PLANS = ("tasks", "partitions", "pushdown")


@dataclass
class _Reader(DataSourceReader):  # type: ignore[misc]
    """Planned before Spark copies it to the tasks: all of them must divide the table alike."""

    reading: Reading

    def partitions(self) -> Sequence[InputPartition]:
        return [InputPartition(number) for number in range(self.reading.division.partitions)]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        return self.reading.batches(partition.value)


@dataclass
class _FilteringReader(_Reader):
    """letters: of the columns, for their comparison."""

    letters: Mapping[str, str]

    def pushFilters(self, filters: list[Any]) -> Iterable[Any]:  # noqa: N802 - the name is Spark's
        """Spark evaluates all of them again: see `ddbio.spark.filters`."""
        pushed = PushedFilters(self.letters)
        for each in filters:
            pushed.push(each)
        self.reading = replace(self.reading, options=filtered(self.reading.options, pushed))
        return filters


@dataclass
class _Written(WriterCommitMessage):  # type: ignore[misc]
    result: bytes


@dataclass
class _Writer(DataSourceArrowWriter):  # type: ignore[misc]
    writing: Writing

    def write(self, iterator: Iterator[Any]) -> WriterCommitMessage:
        return _Written(self.writing.write(iterator))

    def commit(self, messages: list[Any]) -> None:
        """Fails the job if rows were rejected: nothing else could say so."""
        WriteResult.joined(each.result for each in messages if each is not None).check()
