"""The operations of the service by the name in the X-Amz-Target header."""

from __future__ import annotations

from collections.abc import Callable

from ddbio.simulator import administration, batch_reads, batch_writes, reads, single_writes
from ddbio.simulator.database import Database
from ddbio.simulator.errors import ServiceError

Operation = Callable[[Database, bytes, float], bytes]
"""(database, request body, seconds since the simulator started) -> reply body; raises ServiceError."""

OPERATIONS: dict[str, Operation] = {
    "BatchWriteItem": batch_writes.batch_write_item,
    "PutItem": single_writes.put_item,
    "DeleteItem": single_writes.delete_item,
    "UpdateItem": single_writes.update_item,
    "GetItem": reads.get_item,
    "BatchGetItem": batch_reads.batch_get_item,
    "Scan": reads.scan,
    "CreateTable": administration.create_table,
    "DescribeTable": administration.describe_table,
    "UpdateTable": administration.update_table,
    "DeleteTable": administration.delete_table,
    "ListTables": administration.list_tables,
    "DescribeTimeToLive": administration.describe_time_to_live,
    "UpdateTimeToLive": administration.update_time_to_live,
    "UpdateContinuousBackups": administration.update_continuous_backups,
    "DescribeContinuousBackups": administration.describe_continuous_backups,
    "ListTagsOfResource": administration.list_tags_of_resource,
}


def execute(database: Database, operation: str, body: bytes, now_s: float) -> bytes:
    """The reply body of one request; raises ServiceError if it is refused."""
    handler = OPERATIONS.get(operation)
    if handler is None:
        raise ServiceError("UnknownOperationException")
    return handler(database, body, now_s)
