"""The one retry layer: what each way to fail leads to, what is settled with the governor, and when it gives up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
import pytest
from botocore.retries import standard
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.credentials import Keys
from ddbio.dynamodb.client import BACKOFF_BASE_S, BACKOFF_LIMIT_S, DataClient, RetryPolicy, ToTable, backoff_s
from ddbio.dynamodb.errors import Kind, ServiceError
from ddbio.dynamodb.fake import FakeConnection
from ddbio.dynamodb.operations import BatchWriteReply, batch_write_operation, single_write_operation
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.wire import Response, WireError
from ddbio.errors import AbortError
from ddbio.flow.sleeping import ManualSleeper, StopRequested
from ddbio.messages import Tally
from ddbio.rate.awaited import Awaited
from ddbio.rate.latency import LocalLatencies
from ddbio.system.clock import ManualClock
from tests.support.loops import run
from tests.support.service import RecordingPacer, cut, refusal, reply

BUDGETS = ("", "by-city")
ESTIMATE = (25.0, 5.0)
NOTHING = (0.0, 0.0)
DONE = reply(
    ConsumedCapacity=[{"CapacityUnits": 21.0, "GlobalSecondaryIndexes": {"by-city": {"CapacityUnits": 3.0}}}]
)
CONSUMED = (18.0, 3.0)
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"


class Lane:
    """A client whose service gives these answers, one a request; the last one for ever. It is its context."""

    def __init__(
        self,
        *answers: Response | WireError,
        give_up_after_s: float = 600.0,
        keys_are_renewed: bool = True,
        table_is_new: bool = False,
    ) -> None:
        self.answers = list(answers)
        self.clock = ManualClock()
        self.began_s = self.clock()
        self.sleep = ManualSleeper(self.clock)
        self.pacer: Any = RecordingPacer()
        self.awaited = Awaited()
        self.latencies = LocalLatencies()
        self.said: list[str] = []
        self.troubles: list[str] = []
        self.say, self.trouble = self.said.append, self.troubles.append
        self.connection: Any = FakeConnection(self.answer)
        signer = Signer(lambda: Keys("AKID", "secret"), region="eu-west-1", host="localhost")
        policy = RetryPolicy(keys_are_renewed, table_is_new, give_up_after_s)
        shared = ToTable(signer, self.pacer, self.latencies.of_worker(0), policy)
        self.client = DataClient(self.connection, shared, self, "Orders", Tally())

    def answer(self, *_: object) -> Response | WireError:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def call(self) -> BatchWriteReply:
        return run(self.client.call(batch_write_operation(BUDGETS), b"{}", ESTIMATE))


def test_an_answer_is_decoded_and_what_it_consumed_is_settled() -> None:
    lane = Lane(DONE)
    assert isinstance(lane.call(), BatchWriteReply)
    assert (lane.pacer.acquired, lane.pacer.settled) == ([ESTIMATE], [(ESTIMATE, CONSUMED)])
    assert lane.client.consumed == CONSUMED
    tally = lane.client.tally
    assert (tally.requests, tally.units, tally.throttled, tally.retries) == (1, 21.0, 0, 0)
    assert tally.estimated == 0
    assert lane.sleep.waits == []


def test_every_answer_has_a_latency_and_a_lost_one_has_none() -> None:
    refused = refusal("InternalServerError")
    lane = Lane(WireError("timeout", "no answer", sent=True), refused, DONE)
    asked = lane.connection.request

    async def request(*sent: Any) -> Response:
        lane.clock.now_s += 0.003  # until the answer: the pauses between the attempts are no latency
        response: Response = await asked(*sent)
        return response

    lane.connection.request = request
    lane.call()
    found = lane.latencies.histogram()
    assert (lane.client.tally.requests, found.count) == (3, 2)
    assert found.sum_s == pytest.approx(0.006)


def test_a_service_that_does_not_say_consumed_what_was_estimated() -> None:
    lane = Lane(reply())
    lane.call()
    assert lane.pacer.settled == [(ESTIMATE, ESTIMATE)]
    assert lane.client.tally.units == lane.client.tally.estimated == sum(ESTIMATE)


RETRIED = [
    # name or fault, what is settled, counted as
    (refusal("ProvisionedThroughputExceededException"), NOTHING, "throttled"),
    (refusal("ThrottlingException"), NOTHING, "throttled"),
    (refusal("RequestLimitExceeded"), NOTHING, "throttled"),
    (refusal("Throttling"), NOTHING, "throttled"),
    (refusal("LimitExceededException"), NOTHING, "throttled"),
    (refusal("InternalServerError", status=500), NOTHING, "retries"),
    (refusal("ServiceUnavailable", status=503), NOTHING, "retries"),
    (refusal("SomethingNew", status=500), NOTHING, "retries"),
    (Response(502, b"<html>Bad gateway</html>"), NOTHING, "retries"),
    (Response(503, b""), NOTHING, "retries"),
    (refusal("ExpiredTokenException"), NOTHING, "retries"),
    (refusal("UnrecognizedClientException"), NOTHING, "retries"),
    (cut(sent=True), ESTIMATE, "retries"),  # it may have been written
    (cut(sent=False), NOTHING, "retries"),
    (Response(200, b"<html>"), ESTIMATE, "retries"),
    (Response(200, b""), ESTIMATE, "retries"),
    (Response(200, b"{}"), ESTIMATE, "retries"),
    (Response(200, b'{"message":"ok"}'), ESTIMATE, "retries"),
    (Response(200, b'{"UnprocessedItems":[]}'), ESTIMATE, "retries"),
]


@pytest.mark.parametrize(("failure", "settled", "counted"), RETRIED, ids=range(len(RETRIED)))
def test_what_may_succeed_is_sent_again_after_a_pause(
    failure: Response | WireError, settled: tuple[float, ...], counted: str
) -> None:
    lane = Lane(failure, failure, DONE)
    lane.call()
    assert lane.pacer.acquired == [ESTIMATE] * 3  # every attempt passes the governor
    assert lane.pacer.settled == [(ESTIMATE, settled)] * 2 + [(ESTIMATE, CONSUMED)]
    assert len(lane.sleep.waits) == 2
    tally = lane.client.tally
    assert tally.requests == 3
    assert (tally.throttled, tally.retries) == ((2, 0) if counted == "throttled" else (0, 2))
    assert lane.pacer.throttles == ([(None, False)] * 2 if counted == "throttled" else [])


def test_an_answer_that_cannot_be_understood_ends_the_connection() -> None:
    lane = Lane(Response(200, b"<html>"), DONE)
    lane.call()
    assert lane.connection.closed == 1


@pytest.mark.parametrize(
    "name", ["ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException"]
)
def test_a_bad_request_is_told_to_the_lane(name: str) -> None:
    lane = Lane(refusal(name, "because"))
    with pytest.raises(ServiceError, match=f"{name}: because"):
        lane.call()
    assert (lane.sleep.waits, lane.pacer.settled) == ([], [(ESTIMATE, NOTHING)])
    assert lane.client.tally.requests == 1


@pytest.mark.parametrize(
    ("refused", "message", "hint"),
    [
        (
            refusal("ResourceNotFoundException"),
            'BatchWriteItem on table "Orders" was refused: ResourceNotFoundException',
            "--table",
        ),
        (
            refusal("AccessDeniedException"),
            'BatchWriteItem on table "Orders" was refused: AccessDeniedException',
            "allow these credentials dynamodb:BatchWriteItem (ddbio iam-policy prints",
        ),
        (refusal("InvalidSignatureException"), "was refused: InvalidSignatureException", "clock"),
        (refusal("SomethingNewException"), "was refused: SomethingNewException", ""),
        (Response(403, b"<html>Forbidden</html>"), "was refused: HTTP 403: <html>Forbidden", ""),
        (Response(407, b"Who are you?"), "was refused: HTTP 407: Who are you?", "HTTP_PROXY"),
    ],
)
def test_what_no_request_gets_past_ends_the_run(refused: Response, message: str, hint: str) -> None:
    lane = Lane(refused)
    with pytest.raises(AbortError) as error:
        lane.call()
    assert message in error.value.message
    assert hint in error.value.hint
    assert (lane.sleep.waits, lane.pacer.settled) == ([], [(ESTIMATE, NOTHING)])


# --------------------------------------------------------------------------- throttling


def throttled(reason: str, resource: str = TABLE_ARN, key: str = "ThrottlingReasons") -> Response:
    return refusal("ThrottlingException", **{key: [{"reason": reason, "resource": resource}]})


@pytest.mark.parametrize("key", ["ThrottlingReasons", "throttlingReasons"])
@pytest.mark.parametrize(
    ("reason", "resource", "budget", "hot", "sentence"),
    [
        ("TableWriteProvisionedThroughputExceeded", TABLE_ARN, 0, False, None),
        ("TableWriteKeyRangeThroughputExceeded", TABLE_ARN, 0, True, "One partition of table Orders is at its limit"),
        ("TableWriteAccountLimitExceeded", TABLE_ARN, 0, False, "throughput limit for table Orders is reached"),
        (
            "TableWriteMaxOnDemandThroughputExceeded",
            TABLE_ARN,
            0,
            False,
            "maximum on-demand throughput of table Orders",
        ),
        ("IndexWriteProvisionedThroughputExceeded", f"{TABLE_ARN}/index/by-city", 1, False, "Index by-city has too"),
        ("IndexWriteKeyRangeThroughputExceeded", f"{TABLE_ARN}/index/by-city", 1, True, "partition of index by-city"),
        (
            "IndexWriteProvisionedThroughputExceeded",
            f"{TABLE_ARN}/index/other",
            0,
            False,
            "Index other has too little",
        ),
    ],
)
def test_the_governor_is_told_which_budget_is_short(
    key: str, reason: str, resource: str, budget: int, hot: bool, sentence: str | None
) -> None:
    lane = Lane(throttled(reason, resource, key), DONE)
    lane.call()
    assert lane.pacer.throttles == [(budget, hot)]
    assert [sentence in said for said in lane.said] == ([True] if sentence else []), lane.said


def test_all_reasons_of_an_answer_reach_the_governor_and_the_user() -> None:
    """The first may be about hot keys alone, and a later one about an index that lacks capacity."""
    reasons = [
        {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": TABLE_ARN},
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{TABLE_ARN}/index/by-city"},
    ]
    lane = Lane(refusal("ThrottlingException", throttlingReasons=reasons), DONE)
    lane.call()
    assert lane.pacer.throttles == [(0, True), (1, False)]
    assert ["One partition" in lane.said[0], "Index by-city" in lane.said[1]] == [True, True]
    assert lane.client.tally.reasons == {reason["reason"]: 1 for reason in reasons}
    assert lane.client.tally.throttled == 1
    assert lane.pacer.vain == [True, False], "the index's shortage holds, whatever the keys do"


def test_items_left_unprocessed_are_counted_and_the_pacer_decides_what_they_mean() -> None:
    lane = Lane(DONE)
    lane.client.left_unprocessed(7, 25)
    assert (lane.client.tally.throttled, lane.pacer.unprocessed, lane.pacer.throttles) == (7, 1, [])


@pytest.mark.parametrize("checker", ["TransientRetryableChecker", "ThrottledRetryableChecker"])
def test_what_botocore_retries_is_retried(checker: str) -> None:
    rules = getattr(standard, checker)()
    names = getattr(rules, "_transient_error_codes", None) or rules._throttled_error_codes
    answers = [refusal(name) for name in names]
    answers += [Response(status, b"") for status in getattr(rules, "_transient_status_codes", ())]
    assert len(answers) >= 7
    for answer in answers:
        lane = Lane(answer, DONE)
        lane.call()
        assert len(lane.sleep.waits) == 1, answer


def test_what_the_model_of_the_service_calls_retryable_is_retried() -> None:
    model = botocore.session.get_session().get_service_model("dynamodb")
    names = {
        shape.error_code
        for operation in ("BatchWriteItem", "PutItem", "Scan")
        for shape in model.operation_model(operation).error_shapes
        if shape.metadata.get("retryable") is not None
    }
    for name in names:  # older models say it of none
        lane = Lane(refusal(name), DONE)
        lane.call()
        assert len(lane.sleep.waits) == 1, name


@pytest.mark.parametrize(
    "answer",
    [refusal("TransactionConflictException"), *(Response(status, b"") for status in (408, 425, 429, 502, 504))],
    ids=repr,
)
def test_what_passes_though_botocore_does_not_list_it_is_retried(answer: Response) -> None:
    lane = Lane(answer, DONE)
    lane.call()
    assert len(lane.sleep.waits) == 1


@pytest.mark.parametrize("answer", [Response(413, b"<html>"), refusal("RequestEntityTooLargeException", status=413)])
def test_a_request_that_is_too_large_is_the_lanes_to_cut(answer: Response) -> None:
    lane = Lane(answer)
    with pytest.raises(ServiceError) as error:
        lane.call()
    assert error.value.kind is Kind.BAD_REQUEST


def test_a_new_table_that_parts_of_the_service_do_not_know_is_waited_for() -> None:
    missing = refusal("ResourceNotFoundException")
    lane = Lane(missing, missing, DONE, table_is_new=True)
    lane.call()
    assert lane.client.tally.retries == 2


def test_a_new_table_that_stays_unknown_ends_the_run() -> None:
    lane = Lane(refusal("ResourceNotFoundException"), table_is_new=True)
    with pytest.raises(AbortError, match="ResourceNotFoundException"):
        lane.call()
    assert 60 <= lane.clock() - lane.began_s < 60 + BACKOFF_LIMIT_S


def test_keys_that_the_service_refuses_are_reported_at_once() -> None:
    lane = Lane(refusal("UnrecognizedClientException", "The security token is invalid."), DONE)
    lane.call()
    assert lane.said == [
        "The service refuses the AWS keys (UnrecognizedClientException): The security token is invalid. Retrying."
    ]


def test_an_error_names_the_request_that_the_service_refused() -> None:
    lane = Lane(refusal("AccessDeniedException", "no")._replace(request_id="REQ123"))
    with pytest.raises(AbortError, match=r"AccessDeniedException: no \(request id REQ123\)"):
        lane.call()
    lane = Lane(refusal("InternalServerError", "oh", 500)._replace(request_id="REQ123"), give_up_after_s=60)
    with pytest.raises(AbortError, match="request id REQ123"):
        lane.call()


# --------------------------------------------------------------------------- conditions

INSERT = single_write_operation("PutItem", ("",))
OLD = {"id": {"S": "1"}, "text": {"S": "x" * 2100}}


def conditional(*answers: Response | WireError, new_units: float = 1.0) -> tuple[Lane, ServiceError]:
    lane = Lane(*answers)
    with pytest.raises(ServiceError) as error:
        run(lane.client.call(INSERT, b"{}", (new_units,), new_units))
    return lane, error.value


@pytest.mark.parametrize(
    ("item", "new_units", "spent"),
    [(OLD, 1.0, 3.0), (OLD, 5.0, 5.0), (None, 2.0, 2.0), ({"id": {"S": "1"}}, 1.0, 1.0)],
)
def test_a_condition_that_fails_costs_the_larger_of_both_items(
    item: dict[str, Any] | None, new_units: float, spent: float
) -> None:
    members = {} if item is None else {"Item": item}
    lane, error = conditional(refusal("ConditionalCheckFailedException", **members), new_units=new_units)
    assert (lane.client.tally.units, lane.pacer.settled) == (spent, [((new_units,), (spent,))])
    assert (error.item, error.applied_before) == (item, False)


@pytest.mark.parametrize(
    ("before", "applied"),
    [
        (cut(sent=True), True),
        (cut(sent=False), False),
        (refusal("InternalServerError", status=500), True),
        (refusal("ThrottlingException"), False),
    ],
)
def test_a_condition_that_fails_after_a_lost_answer_says_so(before: Response | WireError, applied: bool) -> None:
    _, error = conditional(before, refusal("ConditionalCheckFailedException", Item=OLD))
    assert error.applied_before is applied


def test_where_the_wire_knows_that_no_repetition_helps_the_run_ends() -> None:
    lane = Lane(WireError("tls", "no trust", sent=False, hint="check AWS_CA_BUNDLE"))
    with pytest.raises(AbortError) as error:
        lane.call()
    assert (error.value.message, error.value.hint) == (
        "tls: no trust",
        "check AWS_CA_BUNDLE",
    )
    assert (lane.client.tally.requests, lane.pacer.settled) == (1, [(ESTIMATE, NOTHING)])


@pytest.mark.parametrize("name", ["ExpiredTokenException", "ExpiredToken", "RequestExpired"])
def test_keys_that_expired_for_good_end_the_run(name: str) -> None:
    """Keys of the environment or a file: there is nobody to wait for."""
    lane = Lane(refusal(name, "The security token included in the request is expired"), keys_are_renewed=False)
    with pytest.raises(AbortError, match=f"was refused: {name}") as error:
        lane.call()
    assert "renew the credentials" in error.value.hint
    assert lane.client.tally.requests == 1


def test_keys_that_are_not_known_everywhere_yet_are_tried_again() -> None:
    lane = Lane(refusal("UnrecognizedClientException"), DONE, keys_are_renewed=False)
    lane.call()
    assert lane.client.tally.retries == 1


def test_a_provider_that_gives_no_newer_keys_is_given_up_with_a_hint() -> None:
    lane = Lane(refusal("ExpiredTokenException"), give_up_after_s=60)
    with pytest.raises(AbortError, match="no request succeeded for 60 s") as error:
        lane.call()
    assert "renew the credentials" in error.value.hint


def test_a_request_that_was_signed_before_the_machine_slept_is_signed_again() -> None:
    now = datetime.now(timezone.utc)
    signed, arrived = (f"{at:%Y%m%dT%H%M%SZ}" for at in (now - timedelta(hours=1), now))
    message = f"Signature expired: {signed} is now earlier than {arrived} ({arrived} - 5 min.)"
    lane = Lane(refusal("InvalidSignatureException", message), DONE)
    lane.call()
    assert lane.client.tally.retries == 1


# --------------------------------------------------------------------------- pauses


@given(st.integers(0, 2000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_a_random_part_of_a_bound_that_doubles(attempt: int, drawn: float) -> None:
    bound_s = min(BACKOFF_LIMIT_S, BACKOFF_BASE_S * 2.0 ** min(attempt, 20))
    assert backoff_s(attempt, lambda: drawn) == pytest.approx(drawn * bound_s)


def test_pauses_grow_with_each_failure_and_begin_anew_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: float(attempt))
    lane = Lane(cut(), refusal("ThrottlingException"), refusal("InternalServerError", status=500), DONE, cut(), DONE)
    lane.call()
    lane.call()
    assert lane.sleep.waits == [0, 1, 2, 0]


def test_a_stop_ends_the_retries() -> None:
    lane = Lane(cut())
    lane.sleep.stopping = True
    with pytest.raises(StopRequested):
        lane.call()
    assert lane.client.tally.requests == 1


def test_it_gives_up_when_nothing_succeeded_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 10.0)
    lane = Lane(refusal("ThrottlingException", "slow down"), give_up_after_s=60)
    with pytest.raises(AbortError) as error:
        lane.call()
    assert error.value.message == "no request succeeded for 60 s (ThrottlingException: slow down)"
    assert error.value.hint
    assert 60 <= sum(lane.sleep.waits) <= 80


@pytest.mark.parametrize(("left", "gives_up"), [(25, True), (24, False)])
def test_an_answer_that_left_everything_undone_is_no_success(
    monkeypatch: pytest.MonkeyPatch, left: int, gives_up: bool
) -> None:
    """Also where the service does not say what it consumed."""
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 10.0)
    unprocessed = {"Orders": [{"PutRequest": {"Item": {"id": {"S": str(n)}}}} for n in range(left)]}
    lane = Lane(reply(UnprocessedItems=unprocessed), give_up_after_s=60)

    async def keep_sending() -> None:
        for _ in range(20):
            await lane.client.call(batch_write_operation(BUDGETS), b"{}", ESTIMATE)
            lane.client.left_unprocessed(left, 25)
            await lane.client.pause("the table leaves items unprocessed")

    if gives_up:
        with pytest.raises(AbortError, match="no request succeeded for 60 s"):
            run(keep_sending())
    else:
        run(keep_sending())


def test_a_request_that_is_never_answered_fails_from_its_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout and no pause outlasts the patience by more than two seconds."""
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 10.0)
    for patience_s in (5.0, 31.0, 60.0):
        lane = Lane(*[cut()] * 9, give_up_after_s=patience_s)
        began_s, waits = lane.clock.now_s, [min(30.0, patience_s)]
        monkeypatch.setattr(lane.connection, "hurry", lambda timeout_s, waits=waits: waits.append(timeout_s))
        attempt = lane.client._attempt_once

        async def slow(operation: Any, body: bytes, attempt: Any = attempt, lane: Lane = lane, w: Any = waits) -> Any:
            lane.clock.now_s += min(30.0, w[-1])
            return await attempt(operation, body)

        monkeypatch.setattr(lane.client, "_attempt_once", slow)
        with pytest.raises(AbortError, match=f"no request succeeded for {patience_s:.0f} s"):
            lane.call()
        assert patience_s <= lane.clock.now_s - began_s <= patience_s + 2.0


def test_all_left_over_and_no_word_of_consumption_is_no_progress() -> None:
    """Else a table that takes nothing would be asked for ever."""
    unprocessed = {"Orders": [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]}
    lane = Lane(reply(UnprocessedItems=unprocessed))
    answered: list[bool] = []
    settle = lane.client._pacer.settle

    def noting(*arguments: Any, answered_so: list[bool] = answered, **options: Any) -> None:
        answered_so.append(options.get("answered", True))
        settle(*arguments, **options)

    lane.client._pacer.settle = noting  # type: ignore[method-assign]
    run(lane.client.call(batch_write_operation(BUDGETS), b"{}", ESTIMATE))
    assert answered == [False]


def test_trouble_is_told_when_nothing_succeeds_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 2.0)
    lane = Lane(*[refusal("ThrottlingException", "slow down")] * 6, DONE)
    lane.call()
    assert lane.troubles == ["ThrottlingException: slow down"] * 3  # of six, those after more than 5 s


def test_a_success_in_between_begins_the_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 25.0)
    lane = Lane(cut(), cut(), DONE, cut(), cut(), DONE, give_up_after_s=60)
    lane.call()
    lane.call()
    assert len(lane.sleep.waits) == 4


def test_while_other_lanes_get_on_nobody_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: 50.0)
    lane = Lane(*[refusal("ThrottlingException")] * 20, DONE, give_up_after_s=60)

    class OthersGetOn(RecordingPacer):
        def progress_s(self) -> float:
            return lane.clock.now_s - 1

    lane.client._pacer = OthersGetOn()  # type: ignore[assignment]
    lane.call()
    assert len(lane.sleep.waits) == 20


def test_closing_the_client_closes_its_connection() -> None:
    lane = Lane(DONE)
    lane.client.close()
    assert lane.connection.closed == 1
