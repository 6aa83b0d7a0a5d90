"""Items of a Python program as a task: written to a table like the records of files."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import TARGET, WorkerContext
from ddbio.flow.import_job import ImportJob, import_task
from ddbio.flow.lane import Task
from ddbio.formats.python_items import PythonItems
from ddbio.sources.reader import RecordReader
from ddbio.storage import Storages


@dataclass(frozen=True, slots=True)
class PutJob(ImportJob):
    """An import whose units have their records with them; see `ddbio.sources.memory`."""

    def open(self, context: WorkerContext) -> Task:
        format = PythonItems()
        return import_task(self, context, RecordReader(Storages(self.aws, context.keys(TARGET))), lambda spec: format)
