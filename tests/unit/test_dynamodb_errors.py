"""Error answers: what they are called, what to do about them, and bodies that nobody expects."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.dynamodb.errors import Kind, ThrottlingReason, botocore_error, parse_error

REASON = {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": "arn:aws:dynamodb:eu-west-1:1:table/T"}


def body(**members: Any) -> bytes:
    return orjson.dumps(members)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("ProvisionedThroughputExceededException", 400, Kind.THROTTLED),
        ("ThrottlingException", 400, Kind.THROTTLED),
        ("RequestLimitExceeded", 400, Kind.THROTTLED),
        ("InternalServerError", 500, Kind.TRANSIENT),
        ("ServiceUnavailable", 503, Kind.TRANSIENT),
        ("ReplicatedWriteConflictException", 400, Kind.TRANSIENT),
        ("SomethingNewException", 500, Kind.TRANSIENT),
        ("SomethingNewException", 503, Kind.TRANSIENT),
        ("ExpiredTokenException", 400, Kind.CREDENTIALS),
        ("UnrecognizedClientException", 400, Kind.CREDENTIALS),
        ("ValidationException", 400, Kind.BAD_REQUEST),
        ("ItemCollectionSizeLimitExceededException", 400, Kind.BAD_REQUEST),
        ("SerializationException", 400, Kind.BAD_REQUEST),
        ("ResourceNotFoundException", 400, Kind.FATAL),
        ("AccessDeniedException", 400, Kind.FATAL),
        ("MissingAuthenticationTokenException", 400, Kind.FATAL),
        ("IncompleteSignatureException", 400, Kind.FATAL),
        ("InvalidSignatureException", 400, Kind.FATAL),
        ("SomethingNewException", 400, Kind.FATAL),
    ],
)
def test_every_error_has_its_kind(name: str, status: int, kind: Kind) -> None:
    for type_ in (name, f"com.amazonaws.dynamodb.v20120810#{name}", f"com.amazon.coral.validate#{name}"):
        error = parse_error(status, body(__type=type_, message="because"))
        assert (error.name, error.kind, error.status) == (name, kind, status)
        assert str(error) == f"{name}: because"


@pytest.mark.parametrize("key", ["message", "Message"])
def test_the_message_has_two_spellings(key: str) -> None:
    assert parse_error(400, body(__type="x#E", **{key: "because"})).message == "because"


@pytest.mark.parametrize("key", ["ThrottlingReasons", "throttlingReasons"])
def test_the_reasons_of_throttling_have_two_spellings(key: str) -> None:
    error = parse_error(400, body(__type="x#ThrottlingException", message="slow down", **{key: [REASON, {}]}))
    assert error.reasons == (ThrottlingReason(REASON["reason"], REASON["resource"]), ThrottlingReason("", ""))


def test_without_reasons_there_are_none() -> None:
    assert parse_error(400, body(__type="x#ThrottlingException")).reasons == ()


@pytest.mark.parametrize(
    ("status", "text", "name", "kind"),
    [
        (502, b"<html>Bad gateway</html>", "HTTP 502", Kind.TRANSIENT),
        (503, b"", "HTTP 503", Kind.TRANSIENT),
        (500, b"{}", "HTTP 500", Kind.TRANSIENT),
        (500, b"[1]", "HTTP 500", Kind.TRANSIENT),
        (403, b"<html>Forbidden</html>", "HTTP 403", Kind.FATAL),
        (400, b"\xff\xfe", "HTTP 400", Kind.FATAL),
        (404, b'{"message":"no such path"}', "HTTP 404", Kind.FATAL),
    ],
)
def test_bodies_that_are_not_dynamodbs_are_named_by_their_status(
    status: int, text: bytes, name: str, kind: Kind
) -> None:
    error = parse_error(status, text)
    assert (error.name, error.kind) == (name, kind)


@pytest.mark.parametrize("member", ["message", "Message", "ThrottlingReasons", "throttlingReasons"])
def test_a_null_beside_the_type_does_not_hide_the_type(member: str) -> None:
    error = parse_error(400, body(__type="x#ThrottlingException", **{member: None}))
    assert error.kind is Kind.THROTTLED


def test_what_is_said_of_a_page_of_a_proxy_is_one_line() -> None:
    assert len(str(parse_error(403, b"<html>\r\n<body>\n\tForbidden</body>")).splitlines()) == 1


@given(st.integers(400, 599), st.binary(max_size=50))
def test_any_bytes_are_an_error_and_not_a_crash(status: int, text: bytes) -> None:
    error = parse_error(status, text)
    expected = {408: Kind.TRANSIENT, 413: Kind.BAD_REQUEST, 425: Kind.TRANSIENT, 429: Kind.THROTTLED}
    assert error.kind is expected.get(status, Kind.TRANSIENT if status >= 500 else Kind.FATAL)
    assert len(str(error)) < 200


def test_fatal_errors_say_what_to_do() -> None:
    assert "--table" in parse_error(400, body(__type="x#ResourceNotFoundException")).hint
    assert parse_error(400, body(__type="x#ValidationException")).hint == ""


def test_botocores_errors_are_the_same() -> None:
    response = {
        "Error": {"Code": "ThrottlingException", "Message": "slow down"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    error = botocore_error(response)
    assert (error.name, error.message, error.status, error.kind) == (
        "ThrottlingException",
        "slow down",
        400,
        Kind.THROTTLED,
    )
    assert botocore_error({}).kind is Kind.FATAL


def expired(signed: str, arrived: str) -> str:
    return f"Signature expired: {signed} is now earlier than 20261121T121500Z ({arrived} - 5 min.)"


def not_yet(signed: str, arrived: str) -> str:
    return f"Signature not yet current: {signed} is still later than 20261121T122500Z ({arrived} + 5 min.)"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (expired("20261121T120000Z", "20261121T122000Z"), "is 0:20:00 behind the service's"),
        (not_yet("20261121T142001Z", "20261121T122000Z"), "is 2:00:01 ahead of the service's"),
        (expired("20261120T120000Z", "20261121T122000Z"), "is 1 day, 0:20:00 behind the service's"),
        ("The request signature we calculated does not match", "check the secret key"),
        ("", "check the secret key"),
    ],
)
def test_a_clock_that_is_wrong_is_told_by_how_much(message: str, hint: str) -> None:
    error = parse_error(400, body(__type="x#InvalidSignatureException", message=message))
    assert hint in error.hint
    assert error.kind is Kind.FATAL


def test_a_request_that_arrived_late_is_no_wrong_clock() -> None:
    """The machine slept between signing and sending."""
    message = expired("20261121T120000Z", "20261121T122000Z")
    error = parse_error(400, body(__type="x#InvalidSignatureException", message=message))
    arrived_s = datetime(2026, 11, 21, 12, 20, tzinfo=timezone.utc).timestamp()
    assert error.came_late(arrived_s + 2) and error.came_late(arrived_s - 2)
    assert not error.came_late(arrived_s - 20 * 60)
    assert not parse_error(400, body(__type="x#InvalidSignatureException", message="no")).came_late(arrived_s)


@pytest.mark.parametrize("rest", [{"ThrottlingReasons": "odd"}, {"throttlingReasons": [REASON, 5]}, {"Item": 5}])
def test_an_error_whose_details_have_another_form_is_still_known_by_its_name(rest: dict[str, Any]) -> None:
    error = parse_error(400, body(__type="x#ThrottlingException", message="slow down", **rest))
    assert (error.name, error.message, error.kind) == ("ThrottlingException", "slow down", Kind.THROTTLED)
    assert (error.reasons, error.item) == ((), None)
