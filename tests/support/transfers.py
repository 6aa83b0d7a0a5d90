"""Transfers without a process of their own: the result is returned, also that of a job that is not complete."""

from __future__ import annotations

from ddbio.engines.engine import Engine
from ddbio.job.run import Caller
from ddbio.verbs.export_table import Export, ExportResult
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.options import ExportOptions, ImportOptions


def import_table(options: ImportOptions, *, engine: Engine | None = None) -> ImportResult:
    return Import(options).perform(Caller(engine=engine))


def export_table(options: ExportOptions, *, engine: Engine | None = None) -> ExportResult:
    return Export(options).perform(Caller(engine=engine))
