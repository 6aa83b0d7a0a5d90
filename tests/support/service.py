"""A table in memory behind the data plane's seam: what a lane sends arrives here, and the test decides what happens.

Everything between the lane and the wire is real (client, signer, operations); the connection is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from ddbio.aws.credentials import Keys
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.fake import Answer, FakeConnection
from ddbio.dynamodb.wire import Endpoint, Response, WireError
from ddbio.engines.engine import Events, RunningHere
from ddbio.engines.environment import Needs, local_environment
from ddbio.engines.inline import InlineEngine
from ddbio.flow.context import SOURCE, TARGET, JobTable, OpenTable, WorkerContext
from ddbio.flow.sleeping import ManualSleeper
from ddbio.messages import Event
from ddbio.rate.latency import LocalLatencies
from ddbio.system.clock import ManualClock
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo

DATA_PLANE = DataPlane(Endpoint("http://localhost:1", "eu-west-1"))


class RecordingPacer:
    """Stands for `ddbio.rate.pacer.Pacer`: nobody waits, everything is noted."""

    def __init__(self, most_units: float = math.inf) -> None:
        self.most_units = most_units
        self.acquired: list[tuple[float, ...]] = []
        self.settled: list[tuple[tuple[float, ...], tuple[float, ...]]] = []  # what was estimated, what was consumed
        self.throttles: list[tuple[int | None, bool]] = []
        self.vain: list[bool] = []  # of each that was settled
        self.unprocessed = 0
        self.progressed_s = -math.inf

    async def acquire(self, costs: tuple[float, ...]) -> tuple[float, ...]:
        self.acquired.append(costs)
        return costs

    def settle(
        self, estimated: tuple[float, ...], consumed: tuple[float, ...], *, in_vain: bool = False, **_: object
    ) -> None:
        self.settled.append((estimated, consumed))
        self.vain.append(in_vain)

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self.throttles.append((budget, hot))

    def left_unprocessed(self, *, partly: bool) -> None:
        self.unprocessed += 1

    def request_units(self) -> tuple[float, ...]:
        return (self.most_units,)

    def progress_s(self) -> float:
        return self.progressed_s


def job_table(info: TableInfo) -> JobTable:
    return JobTable(info, DATA_PLANE)


def worker_context(
    answer: Answer,
    report: Callable[[Event], None],
    sleep: ManualSleeper,
    clock: ManualClock,
    *,
    most_units: float = math.inf,
    **others: Any,
) -> WorkerContext:
    """The context of a worker whose requests, to a table of either role, get these answers.

    most_units: that one request should cost at most.
    """
    pacer: Any = RecordingPacer(most_units)

    def keys() -> Keys:
        return Keys("AKID", "secret")

    clients = DATA_PLANE.clients(keys, pacer, LocalLatencies().of_worker(0), lambda: FakeConnection(answer))
    tables = dict.fromkeys((SOURCE, TARGET), OpenTable("Orders", pacer, keys, clients))
    return WorkerContext(tables, report, sleep, clock, **others)


class ScriptedEngine(InlineEngine):
    """An engine that does nothing but to yield the events that a function makes of the units."""

    def __init__(self, events: Callable[[Any], Events]) -> None:
        self._events = events

    @contextmanager
    def open(self, job: Any, needs: Needs) -> Iterator[RunningHere]:
        with local_environment(needs, lanes=1) as environment:
            yield RunningHere(environment, lambda units, stop: self._events(units))


def reply(**members: Any) -> Response:
    """An answer as the service makes them: to a scan where it has items, else to a write."""
    if "Items" in members:
        members.setdefault("Count", len(members["Items"]))
    else:
        members.setdefault("UnprocessedItems", {})
    return Response(200, orjson.dumps(members))


def refusal(name: str, message: str = "said the service", status: int = 400, **members: Any) -> Response:
    return Response(status, orjson.dumps({"__type": f"com.amazonaws#{name}", "message": message, **members}))


def cut(*, sent: bool = True) -> WireError:
    return WireError("cut", "the connection was closed", sent=sent)


# --------------------------------------------------------------------------- a table that is written to


@dataclass
class FakeTable:
    """Applies BatchWriteItem, and PutItem on a condition, as the service does, and holds the client to its rules.

    script: what to do about the next requests; when it is used up, everything is written. An entry is
        - an int: a bit for each put, those set are left unprocessed;
        - a Response: refused with it, nothing is written;
        - a WireError: written if `sent`, then raised.
    poison: ids for which the service refuses the whole batch; an attribute of that name does the same.
    refuses_duplicates: a batch with two puts of a key is refused, and is no violation of the client.
    """

    key_name: str = "id"
    script: list[int | Response | WireError] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    refuses_duplicates: bool = False
    items: dict[str, AttributeMap] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)  # sizes of all requests
    body_bytes: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _deletes: set[str] = field(default_factory=set)  # ids of the last request's deletes

    def act(self, operation: str, request: dict[str, Any], body_bytes: int) -> Response | WireError:
        if operation == "PutItem":
            return self._insert(request, body_bytes)
        assert operation == "BatchWriteItem"
        ((table, requests),) = request["RequestItems"].items()
        puts = [each.get("PutRequest", {}).get("Item") or each["DeleteRequest"]["Key"] for each in requests]
        self._deletes = {self._id(put) for put, each in zip(puts, requests, strict=True) if "DeleteRequest" in each}
        self.batches.append(len(puts))
        self.body_bytes.append(body_bytes)
        refused = self._refused(puts)
        if refused is not None:
            return refused
        todo = self.script.pop(0) if self.script else 0
        if isinstance(todo, Response):
            return todo
        if isinstance(todo, WireError):
            if todo.sent:
                self._write(puts)
            return todo
        left = [put for number, put in enumerate(puts) if todo >> number & 1]
        written = [put for number, put in enumerate(puts) if not todo >> number & 1]
        self._write(written)
        return reply(
            UnprocessedItems={table: [self._request(put) for put in left]} if left else {},
            ConsumedCapacity=[{"TableName": table, "CapacityUnits": float(len(written))}],
        )

    def _request(self, put: AttributeMap) -> dict[str, Any]:
        put_again = {"PutRequest": {"Item": normalised(put)}}
        return {"DeleteRequest": {"Key": normalised(put)}} if self._id(put) in self._deletes else put_again

    def _insert(self, request: dict[str, Any], body_bytes: int) -> Response | WireError:
        assert request["ConditionExpression"] == "attribute_not_exists(#key)"
        assert request["ExpressionAttributeNames"] == {"#key": self.key_name}
        item = request["Item"]
        self.batches.append(1)
        self.body_bytes.append(body_bytes)
        todo = self._refused([item]) or (self.script.pop(0) if self.script else 0)
        if isinstance(todo, Response) or (isinstance(todo, WireError) and not todo.sent):
            return todo
        if self._id(item) in self.items:
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            members = {"Item": normalised(self.items[self._id(item)])} if shown else {}
            return refusal("ConditionalCheckFailedException", "The conditional request failed", **members)
        self._write([item])
        consumed = {"TableName": request["TableName"], "CapacityUnits": 1.0}
        return todo if isinstance(todo, WireError) else reply(ConsumedCapacity=consumed)

    def _refused(self, puts: list[AttributeMap]) -> Response | None:
        if any(self.key_name not in put for put in puts):
            return refusal("ValidationException", "One of the required keys was not given a value")
        ids = [self._id(put) for put in puts]
        marked = any("poison" in put for put in puts)
        if not 1 <= len(ids) <= 25:
            self.violations.append(f"{len(ids)} puts")
        repeated = len(set(ids)) != len(ids)
        if repeated and not self.refuses_duplicates:
            self.violations.append("duplicates")
        if repeated or self.violations or marked or self.poison & set(ids):
            return refusal("ValidationException", "One or more parameter values were invalid")
        return None

    def _write(self, puts: list[AttributeMap]) -> None:
        for put in puts:
            if self._id(put) in self._deletes:
                self.items.pop(self._id(put), None)
            else:
                self.items[self._id(put)] = put

    def _id(self, item: AttributeMap) -> str:
        return str(next(iter(normalised(item)[self.key_name].values())))


def normalised(item: AttributeMap) -> AttributeMap:
    """Numbers as the service gives them back: without needless zeros."""
    return {
        name: {"N": f"{Decimal(value['N']).normalize():f}"} if "N" in value else value for name, value in item.items()
    }
