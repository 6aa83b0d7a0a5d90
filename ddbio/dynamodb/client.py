"""The only retry layer: a lane's connection to the data plane. Nothing below it retries, nothing above it does.

Every attempt, the first and each retry, passes the governor. An attempt's reservation is settled by its known
consumption: as the service reports it; none if it was refused or never sent; all of the reservation if the service
may have executed it but no answer arrived.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from ddbio.dynamodb.errors import UNKNOWN_KEYS, Kind, ServiceError, hint_for, parse_error
from ddbio.dynamodb.operations import Operation
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.throttling import UNPROCESSED, explain
from ddbio.dynamodb.wire import Exchange, WireError
from ddbio.errors import AbortError, PermanentAbortError
from ddbio.messages import Tally
from ddbio.rate.awaited import Awaited
from ddbio.rate.buckets import Units
from ddbio.rate.governor import Pacing
from ddbio.rate.latency import Latencies
from ddbio.values.capacity import item_size_bytes, write_units

Reply = TypeVar("Reply")

BACKOFF_BASE_S = 0.05  # DynamoDB answers in single milliseconds: "soon" on its scale
BACKOFF_LIMIT_S = 10.0
DEFAULT_GIVE_UP_AFTER_S = 600.0
NEW_TABLE_PATIENCE_S = 60.0
SHORTEST_TIMEOUT_S = 2.0  # for the last attempt before the job gives up
TELL_AFTER_S = 5.0  # without success; a single failure is not worth reporting


def backoff_s(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """Exponential backoff with full jitter. attempt: 0 after the first failure."""
    return draw() * min(BACKOFF_LIMIT_S, BACKOFF_BASE_S * 2.0 ** min(attempt, 30))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits and conditions of retrying; plain data.

    keys_are_renewed: the parent's provider returns newer keys when these have expired.
    table_is_new: just created, so parts of the service may not know it for `NEW_TABLE_PATIENCE_S`.
    give_up_after_s: after this time without any success of the whole job, the lane gives up with AbortError. There is
        no other limit: throttled requests are retried as long as any request of the job succeeds.
    """

    keys_are_renewed: bool = True
    table_is_new: bool = False
    give_up_after_s: float = DEFAULT_GIVE_UP_AFTER_S


DEFAULT_POLICY = RetryPolicy()


class ClientContext(Protocol):
    """Shared by the clients of a worker and its lanes; see `ddbio.flow.context.WorkerContext`."""

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]: ...

    @property
    def clock(self) -> Callable[[], float]: ...

    @property
    def awaited(self) -> Awaited: ...

    def say(self, sentence: str) -> None:
        """Takes a sentence for the user, such as the reason why the table throttles."""

    def trouble(self, reason: str) -> None:
        """Takes the reason of a failure, while nothing of the job succeeds."""


@dataclass(frozen=True, slots=True)
class ToTable:
    """What the clients of a worker's lanes share on their way to a table. latencies: of answered requests."""

    signer: Signer
    pacer: Pacing
    latencies: Latencies
    policy: RetryPolicy = DEFAULT_POLICY


class DataClient:
    """Sends one request at a time and returns once its outcome is known.

    table: the requests' table, for messages.
    tally: the lane's, to which requests, units, throttles and retries are added. of_target: count the units as those
        of the job's target, too; see `ddbio.messages.counts`.
    """

    def __init__(
        self,
        connection: Exchange,
        shared: ToTable,
        context: ClientContext,
        table: str,
        tally: Tally,
        *,
        of_target: bool = False,
    ) -> None:
        self._connection = connection
        self._signer = shared.signer
        self._context = context
        self._pacer = shared.pacer
        self._awaited = context.awaited
        self._latencies = shared.latencies
        self._table = table
        self._policy = policy = shared.policy
        self._clock = clock = context.clock
        self._may_be_missing_until_s = clock() + NEW_TABLE_PATIENCE_S if policy.table_is_new else -math.inf
        self._attempt = 0
        self._failing_since_s: float | None = None
        self.tally = tally
        self._of_target = of_target
        self.consumed: Units = ()  # by the last call, by budget

    async def call(
        self, operation: Operation[Reply], body: bytes, estimate: Units, condition_units: float = 0.0
    ) -> Reply:
        """The answer to a request, after as many attempts as it takes.

        estimate: expected consumption in capacity units, by budget. condition_units: the table's units that it
            consumes at least if its condition does not hold, which the service does not report.
        Raises ServiceError for a request that cannot succeed unchanged (BAD_REQUEST, CONDITION; `applied_before` says
        whether an earlier attempt may have been applied), AbortError for errors that would fail every request of this
        run, and after too long without a success.
        """
        may_be_applied = False
        while True:
            claim = await self._pacer.acquire(estimate)
            if self._failing_since_s is None:
                self._failing_since_s = self._clock()  # an unanswered request has been failing since its start
            self.tally.requests += 1
            try:
                reply = await self._attempt_once(operation, body)
            except WireError as failure:
                may_be_applied |= failure.sent
                self._pacer.settle(claim, estimate if failure.sent else _nothing(estimate), answered=False)
                if failure.hint:
                    raise PermanentAbortError(str(failure), failure.hint) from None
                self.tally.retries += 1
                self.tally.blame(failure.kind)
                await self.pause(str(failure))
            except ServiceError as failure:
                failure.applied_before = may_be_applied
                may_be_applied |= failure.status >= 500
                spent = (_spent_on_condition(failure, condition_units), *_nothing(estimate[1:]))
                self._refused(operation, failure, claim, spent)
                await self.pause(str(failure), failure.hint)
            else:
                left_over = operation.left_over(reply)
                reported = operation.consumed(reply)
                if reported is None:
                    self.tally.estimated += sum(estimate)
                self.consumed = reported or estimate
                if not left_over:  # else: status 200, but possibly nothing was written; see `left_unprocessed`
                    self._succeeded()
                # An answer with unprocessed items that does not report its consumption is no sign of progress.
                answered = bool(reported) or not left_over
                self._pacer.settle(claim, self.consumed, in_vain=left_over, answered=answered)
                self._count_units(sum(self.consumed))
                return reply

    async def pause(self, reason: str, hint: str = "") -> None:
        """Wait a little longer than before. Raises AbortError after too long without success."""
        now_s = self._clock()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        failing_s = now_s - max(self._failing_since_s, self._pacer.progress_s())
        left_s = self._policy.give_up_after_s - failing_s
        if failing_s > TELL_AFTER_S:
            self._context.trouble(reason)
        if left_s <= 0:
            raise AbortError(
                f"no request succeeded for {self._policy.give_up_after_s:.0f} s ({reason})",
                hint or "run the same command again when the service answers",
            )
        wait_s = min(backoff_s(self._attempt), left_s)
        self._attempt += 1
        self._connection.hurry(max(left_s - wait_s, SHORTEST_TIMEOUT_S))
        await self._context.sleep(wait_s)

    def left_unprocessed(self, count: int, sent: int) -> None:
        """Count items sent back, out of those sent; the service gives no reason."""
        if count < sent:
            self._succeeded()
        self.tally.throttled += count
        self.tally.blame(UNPROCESSED, count)
        self._pacer.left_unprocessed(partly=count < sent)

    def repeated(self, reason: str) -> None:
        """Count a request that will be repeated in another form."""
        self.tally.retries += 1
        self.tally.blame(reason)

    def close(self) -> None:
        self._connection.close()

    def _count_units(self, units: float) -> None:
        self.tally.units += units
        if self._of_target:
            self.tally.target_units += units

    def _succeeded(self) -> None:
        self._failing_since_s, self._attempt = None, 0

    async def _attempt_once(self, operation: Operation[Reply], body: bytes) -> Reply:
        began_s = self._clock()
        self._awaited.begin()
        try:
            response = await self._connection.request(self._signer.headers(operation.target, body), body)
        finally:
            self._awaited.end()
        self._latencies.add(self._clock() - began_s)
        if response.status != 200:
            raise parse_error(response.status, bytes(response.body), response.request_id)
        try:
            return operation.decode(response.body)
        except (msgspec.MsgspecError, ValueError) as exc:
            self._connection.close()
            raise WireError("garbage", f"the answer is not of the expected form: {exc}", sent=True) from None

    def _refused(self, operation: Operation[Reply], failure: ServiceError, claim: Any, spent: Units) -> None:
        """Settle and count a refusal; raise it if retrying cannot help."""
        throttles = explain(failure.reasons, operation.budgets)
        hot = all(throttle.hot for throttle in throttles)  # hot keys do not slow the table's other requests
        in_vain = failure.kind is Kind.THROTTLED and not hot
        self._count_units(sum(spent))
        self.tally.estimated += sum(spent)
        self._pacer.settle(claim, spent, in_vain=in_vain)
        if failure.kind is Kind.THROTTLED:
            self.tally.throttled += 1
            for reason in dict.fromkeys(each.reason for each in failure.reasons) or [failure.name]:
                self.tally.blame(reason)
            for throttle in throttles:
                self._pacer.throttled(throttle.budget, hot=throttle.hot)
                if throttle.sentence:
                    self._context.say(throttle.sentence)
        elif self._may_pass(failure):
            self.tally.retries += 1
            self.tally.blame(failure.name)
            if failure.kind is Kind.CREDENTIALS:
                self._context.say(f"The service refuses the AWS keys ({failure.name}): {failure.message} Retrying.")
        elif failure.kind in (Kind.BAD_REQUEST, Kind.CONDITION):
            self._succeeded()  # the service answered the request
            raise failure
        else:
            name = operation.target.rpartition(".")[2]
            message = f'{name} on table "{self._table}" was refused: {failure}'
            raise PermanentAbortError(message, hint_for(failure, name))

    def _may_pass(self, failure: ServiceError) -> bool:
        """Whether sending the same request again may help."""
        if failure.kind is Kind.CREDENTIALS:
            return self._policy.keys_are_renewed or failure.name in UNKNOWN_KEYS
        if failure.name == "ResourceNotFoundException":
            return self._clock() < self._may_be_missing_until_s
        return failure.kind is Kind.TRANSIENT or failure.came_late(time.time())


def _spent_on_condition(failure: ServiceError, of_new_item: float) -> float:
    """Units of the table consumed by a condition that did not hold: those of the larger of the new and the existing
    item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html (conditional writes)
    """
    if failure.kind is not Kind.CONDITION:
        return 0.0
    of_old_item = 0.0 if failure.item is None else write_units(item_size_bytes(failure.item))
    return max(of_new_item, of_old_item)


def _nothing(units: Units) -> Units:
    return (0.0,) * len(units)
