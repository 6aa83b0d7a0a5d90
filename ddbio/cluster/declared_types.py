"""All types of which values may cross between the hub and its seats. A new field of a job that has another type is
added here; `tests/unit/test_declared.py` names one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ddbio.cluster.declared import Declared
from ddbio.cluster.messages import MESSAGES


@cache
def codec() -> Declared:
    return Declared(
        [*MESSAGES, *_of_leases(), *_of_reports(), *_of_tables(), *_of_formats(), *_of_writes(), *jobs()], _modes()
    )


def jobs() -> Iterator[type]:
    from ddbio.flow.compare_job import CompareJob
    from ddbio.flow.copy_job import CopyJob
    from ddbio.flow.count_job import CountJob
    from ddbio.flow.edit_job import EditJob
    from ddbio.flow.export_job import ExportJob
    from ddbio.flow.find_job import FindJob
    from ddbio.flow.import_job import ImportJob
    from ddbio.flow.inspect_job import InspectJob
    from ddbio.flow.items_job import ItemsJob
    from ddbio.flow.put_job import PutJob
    from ddbio.flow.spill_job import SpillFilesJob, SpillTableJob
    from ddbio.flow.sql_job import SqlFilesJob, SqlTableJob

    yield from (ImportJob, PutJob, ExportJob, CopyJob, CountJob, EditJob, FindJob, InspectJob, ItemsJob)
    yield from (SqlTableJob, SqlFilesJob, SpillTableJob, SpillFilesJob, CompareJob)


def _of_leases() -> Iterator[type]:
    from ddbio.messages import leases

    yield from (leases.LeaseTerms, leases.LeaseAsk, leases.LeaseGrant, leases.Refusal)
    yield from (leases.WantedPage, leases.SettledPage, leases.PageAsk, leases.PageGrant)


def _of_reports() -> Iterator[type]:
    from ddbio import messages
    from ddbio.aws.credentials import Keys
    from ddbio.messages import block, files, format_spec

    yield from (messages.SliceUnit, messages.ChunkUnit, messages.SegmentUnit, messages.PartitionUnit)
    yield from (messages.ImportCursor, messages.ExportCursor, messages.Expected, messages.Tally)
    yield from (messages.UnitReport, messages.Reject, messages.ExportedFile, messages.Notice, messages.Trouble)
    yield from (block.Block, files.SourceFile, files.WrittenFile, format_spec.FormatSpec, Keys)


def _of_tables() -> Iterator[type]:
    from ddbio.aws.settings import AwsSettings
    from ddbio.dynamodb.client import RetryPolicy
    from ddbio.dynamodb.data_plane import DataPlane
    from ddbio.dynamodb.wire import Endpoint
    from ddbio.flow.context import JobTable
    from ddbio.sources.scan import TableScan
    from ddbio.sources.subset import Subset
    from ddbio.values.capacity import SecondaryIndex
    from ddbio.values.table import KeyAttribute, TableInfo

    yield from (JobTable, TableInfo, KeyAttribute, SecondaryIndex, DataPlane, Endpoint, RetryPolicy, AwsSettings)
    yield from (TableScan, Subset)


def _of_formats() -> Iterator[type]:
    from ddbio.formats.avro import AvroLayout
    from ddbio.formats.csv import CsvLayout
    from ddbio.formats.documents.layout import DocumentLayout
    from ddbio.formats.parquet import ParquetLayout

    yield from (CsvLayout, ParquetLayout, AvroLayout, DocumentLayout)


def _of_writes() -> Iterator[type]:
    from ddbio.dynamodb.operations import Condition
    from ddbio.sinks.conditional_deletes import DeleteIf
    from ddbio.sinks.spill import SpillSpec
    from ddbio.sinks.update_expression import Action, Attribute, Call, Update, Value
    from ddbio.sinks.updates import UpdateBy, UpdateByFunction
    from ddbio.sources.suspects import SpilledSides
    from ddbio.steps.planned_update import Marker
    from ddbio.steps.transform import TransformSpec
    from ddbio.values.digest import Scope
    from ddbio.values.ordering import Order
    from ddbio.values.profile import Subject

    yield from (
        TransformSpec,
        Condition,
        DeleteIf,
        UpdateBy,
        UpdateByFunction,
        Update,
        Action,
        Value,
        Attribute,
        Call,
    )
    yield from (Marker, Order, Subject, Scope, SpillSpec, SpilledSides)


def _modes() -> Iterator[type]:
    """Classes that are the mode of a write."""
    from ddbio.sinks.conditional_changes import ConditionalChanges
    from ddbio.sinks.reverts import ForcedReverts, Reverts

    yield from (ForcedReverts, Reverts, ConditionalChanges)
