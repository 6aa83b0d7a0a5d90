"""The classification of DynamoDB's errors by their meaning for the client: a table, not branches.

Source of the classes: the developer guide's "Error handling" page and the service model. A name that is not in the
table is classified by its status: 5xx may be retried, anything else may not.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import msgspec

from ddbio.dynamodb.proxy import PROXY_HINT


class Kind(Enum):
    """How to handle a failed request."""

    THROTTLED = "throttled"  # wait, then send the same again; nothing was consumed
    TRANSIENT = "transient"  # the service's or the network's fault: send the same again after a pause
    CREDENTIALS = "credentials"  # keys ran out: send the same again with newer ones
    CONDITION = "condition"  # refused because of the existing item; units are consumed nevertheless
    BAD_REQUEST = "bad request"  # something in this request: it never succeeds unchanged
    FATAL = "fatal"  # the table, the permission, the endpoint: no request of this run will succeed


# botocore's standard mode retries everything that is throttled or transient here; a test compares both lists.
_THROTTLED = (
    *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "LimitExceededException"),
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "BandwidthLimitExceeded", "SlowDown", "EC2ThrottledException", "HTTP 429"),
)
_TRANSIENT = (
    *("InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException"),
    *("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "HTTP 408", "HTTP 425"),
    # Another write is working on the item, or a replica on it: both pass.
    *("TransactionInProgressException", "TransactionConflictException", "ReplicatedWriteConflictException"),
)
_CREDENTIALS = ("ExpiredTokenException", "ExpiredToken", "RequestExpired", "UnrecognizedClientException")
_BAD_REQUEST = (
    *("ValidationException", "SerializationException", "RequestEntityTooLarge", "RequestEntityTooLargeException"),
    "HTTP 413",  # a proxy's limit: half of the batch may pass
    "ItemCollectionSizeLimitExceededException",  # until data is deleted: the item's fault
)

_KINDS = {
    **dict.fromkeys(_THROTTLED, Kind.THROTTLED),
    **dict.fromkeys(_TRANSIENT, Kind.TRANSIENT),
    **dict.fromkeys(_CREDENTIALS, Kind.CREDENTIALS),
    **dict.fromkeys(_BAD_REQUEST, Kind.BAD_REQUEST),
    "ConditionalCheckFailedException": Kind.CONDITION,
}

THROTTLED_NAMES = frozenset(_THROTTLED)
UNKNOWN_KEYS = frozenset({"UnrecognizedClientException"})  # new keys need seconds to be known everywhere

ACCESS_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "HTTP 403", "403"})

HINTS = {
    "ResourceNotFoundException": "the table was deleted or is not ACTIVE; check --table, --region and --endpoint-url",
    "InvalidSignatureException": "check the secret key, and the clock of this machine (chronyc tracking)",
    "UnrecognizedClientException": "check the access key and --region",
    "ExpiredTokenException": "renew the credentials and run the same command again",
    "MissingAuthenticationTokenException": "check --endpoint-url: it may not be a DynamoDB endpoint",
    "HTTP 407": PROXY_HINT,
}
HINTS["ExpiredToken"] = HINTS["RequestExpired"] = HINTS["ExpiredTokenException"]

# "Signature expired: 20261121T120000Z is now earlier than 20261121T121500Z (20261121T122000Z - 5 min.)", and
# "Signature not yet current: ... is still later than ... (20261121T122000Z + 5 min.)": the request's time, and the
# service's own.
_TIMES = re.compile(r"(\d{8}T\d{6}Z) is (?:now earlier|still later) than \d{8}T\d{6}Z \((\d{8}T\d{6}Z) [-+]")
_CLOSE_S = 60.0  # clocks this close are not why the service refuses


class ThrottlingReason(msgspec.Struct, frozen=True):
    """Why a request was throttled: `TableWriteKeyRangeThroughputExceeded` and its like, and the ARN it is about."""

    reason: str = ""
    resource: str = ""


class _Names(msgspec.Struct):
    type_: str | None = msgspec.field(name="__type", default="")
    message: str | None = ""
    Message: str | None = ""


class _Body(_Names):
    # The service spells the key differently in different exceptions.
    ThrottlingReasons: list[ThrottlingReason] | None = []
    throttlingReasons: list[ThrottlingReason] | None = []  # noqa: N815
    Item: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_names = msgspec.json.Decoder(_Names).decode


class ServiceError(Exception):
    """An error response of DynamoDB.

    name: `ValidationException` and the like. kind: how to handle it. reasons: why a request was throttled, if the
    service says so. item: the item that failed a condition, if the request asked for it. request_id: the service's
    id of the request, for AWS Support; empty if the answer had none. applied_before: an earlier attempt of the same
    request got no answer, and the service may have applied it.
    """

    def __init__(
        self,
        name: str,
        message: str,
        status: int,
        reasons: tuple[ThrottlingReason, ...] = (),
        *,
        item: dict[str, Any] | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(name, message, status, reasons)
        self.name = name
        self.message = message
        self.status = status
        self.reasons = reasons
        self.item = item
        self.request_id = request_id
        self.applied_before = False
        self.kind = _KINDS.get(name, Kind.TRANSIENT if status >= 500 else Kind.FATAL)

    def __str__(self) -> str:
        text = f"{self.name}: {self.message}" if self.message else self.name
        return f"{text} (request id {self.request_id})" if self.request_id else text

    @property
    def hint(self) -> str:
        times = self._times_s()
        return HINTS.get(self.name, "") if times is None else _clock_hint(times[0] - times[1])

    def came_late(self, now_s: float) -> bool:
        """Whether the clock is right and the request took minutes to arrive, because the machine slept."""
        times = self._times_s()
        return times is not None and abs(now_s - times[1]) < _CLOSE_S

    def _times_s(self) -> tuple[float, float] | None:
        """When the request was signed, by the local clock, and when it arrived, by the service's; None if unknown."""
        found = _TIMES.search(self.message)
        return None if found is None else (_seconds(found[1]), _seconds(found[2]))


def _seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _clock_hint(ahead_s: float) -> str:
    apart = timedelta(seconds=abs(ahead_s))
    return (
        f"the clock of this machine is {apart} {'ahead of' if ahead_s > 0 else 'behind'} the service's "
        "(hours:minutes:seconds): set it (chronyc tracking) and run the same command again"
    )


def parse_error(status: int, body: bytes, request_id: str = "") -> ServiceError:
    """The error in an answer whose status is not 200; understands bodies that are not DynamoDB's, too."""
    try:
        parsed = _parsed(body)
    except (msgspec.MsgspecError, ValueError):
        beginning = " ".join(body[:300].decode("utf-8", "replace").split())  # a proxy's page has many lines
        return ServiceError(f"HTTP {status}", beginning, status, request_id=request_id)
    name = (parsed.type_ or "").rpartition("#")[2] or f"HTTP {status}"
    reasons = tuple(parsed.ThrottlingReasons or parsed.throttlingReasons or ())
    message = parsed.message or parsed.Message or ""
    return ServiceError(name, message, status, reasons, item=parsed.Item, request_id=request_id)


def _parsed(body: bytes) -> _Body:
    """Details in an unknown form do not hide the error's name and message."""
    try:
        return _decode(body)
    except msgspec.ValidationError:
        names = _decode_names(body)
        return _Body(names.type_, names.message, names.Message)


def hint_for(error: ServiceError, operation: str) -> str:
    """A remedy for an error that ended an operation (`Scan`)."""
    if error.name in ACCESS_DENIED:
        return f"allow these credentials dynamodb:{operation} (ddbio iam-policy prints all that a command needs)"
    return error.hint


def botocore_error(response: dict[str, Any]) -> ServiceError:
    """The same, from `botocore.exceptions.ClientError.response`."""
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    return ServiceError(
        error.get("Code", "Unknown"),
        error.get("Message", ""),
        metadata.get("HTTPStatusCode", 400),
        request_id=metadata.get("RequestId", ""),
    )
