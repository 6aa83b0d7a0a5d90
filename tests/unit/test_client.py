"""The one retry layer: what each way to fail leads to, what is settled with the governor, and when it gives up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.credentials import Keys
from ddbio.dynamodb.client import BACKOFF_BASE_S, BACKOFF_LIMIT_S, DataClient, backoff_s
from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import BatchWriteReply, batch_write_operation
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.wire import Response, WireError
from ddbio.engines.worker import StopRequested
from ddbio.errors import AbortError
from tests.unit.service import FakeConnection, RecordingPacer, cut, refusal, reply
from tests.unit.support import Clock, FakeSleep, run

BUDGETS = ("", "by-city")
ESTIMATE = (25.0, 5.0)
NOTHING = (0.0, 0.0)
DONE = reply(
    ConsumedCapacity=[{"CapacityUnits": 21.0, "GlobalSecondaryIndexes": {"by-city": {"CapacityUnits": 3.0}}}]
)
CONSUMED = (18.0, 3.0)
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"


class Lane:
    """A client whose service gives these answers, one a request; the last one for ever."""

    def __init__(
        self, *answers: Response | WireError, give_up_after_s: float = 600.0, keys_are_renewed: bool = True
    ) -> None:
        self.answers = list(answers)
        self.clock = Clock()
        self.sleep = FakeSleep(self.clock)
        self.pacer: Any = RecordingPacer()
        self.said: list[str] = []
        self.connection: Any = FakeConnection(self.answer)
        signer = Signer(lambda: Keys("AKID", "secret"), region="eu-west-1", host="localhost")
        self.client = DataClient(
            self.connection,
            signer,
            self.pacer,
            sleep=self.sleep,
            say=self.said.append,
            table="Orders",
            keys_are_renewed=keys_are_renewed,
            give_up_after_s=give_up_after_s,
            clock=self.clock,
        )

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
    assert lane.sleep.waits == []


def test_a_service_that_does_not_say_consumed_what_was_estimated() -> None:
    lane = Lane(reply())
    lane.call()
    assert lane.pacer.settled == [(ESTIMATE, ESTIMATE)]
    assert lane.client.tally.units == sum(ESTIMATE)


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
            "IAM policy",
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


def test_items_left_unprocessed_are_counted_and_told() -> None:
    lane = Lane(DONE)
    lane.client.left_unprocessed(7, 25)
    assert (lane.client.tally.throttled, lane.pacer.throttles) == (7, [(None, False)])


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
