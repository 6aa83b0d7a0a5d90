"""Errors as DynamoDB sends them: a name with its namespace, an HTTP status, a message.

Every refusal of the simulator is a `ServiceError`; only the server catches it and turns it into a reply.
The tables below list the names that are not plain `com.amazonaws.dynamodb.v20120810` errors with status 400.
"""

from __future__ import annotations

from typing import Any

import msgspec

_DYNAMODB = "com.amazonaws.dynamodb.v20120810"
_CORAL = "com.amazon.coral.service"

_NAMESPACES = {
    "ValidationException": "com.amazon.coral.validate",
    "ThrottlingException": "com.amazon.coral.availability",
    "SerializationException": _CORAL,
    "UnknownOperationException": _CORAL,
    "MissingAuthenticationTokenException": _CORAL,
    "IncompleteSignatureException": _CORAL,
    "InvalidSignatureException": _CORAL,
    "UnrecognizedClientException": _CORAL,
    "ExpiredTokenException": _CORAL,
    "AccessDeniedException": _CORAL,
    "RequestEntityTooLargeException": _CORAL,
}
_STATUSES = {"InternalServerError": 500, "ServiceUnavailable": 503, "RequestEntityTooLargeException": 413}

DEFAULT_MESSAGES = {
    "InternalServerError": "Internal server error",
    "ServiceUnavailable": "Service is unavailable",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "AccessDeniedException": "User is not authorized to perform this operation",
    "RequestLimitExceeded": "Throughput exceeds the current throughput limit for your account.",
    "ThrottlingException": "Rate of requests exceeds the allowed throughput.",
    "ProvisionedThroughputExceededException": (
        "The level of configured provisioned throughput for the table was exceeded. "
        "Consider increasing your provisioning level with the UpdateTable API."
    ),
}


class ServiceError(Exception):
    """A refusal: error name without namespace, message, and further members of the error body.

    status: HTTP status; by default the service's for that name.
    """

    def __init__(self, name: str, message: str = "", *, status: int = 0, **details: Any) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message or DEFAULT_MESSAGES.get(name, "")
        self.status = status or _STATUSES.get(name, 400)
        self.details = details

    def body(self) -> bytes:
        """The JSON body of the reply."""
        namespace = _NAMESPACES.get(self.name, _DYNAMODB)
        # The one error whose message is spelled with a capital; clients must look for both.
        key = "Message" if self.name == "AccessDeniedException" else "message"
        return msgspec.json.encode({"__type": f"{namespace}#{self.name}", key: self.message, **self.details})


def invalid(message: str) -> ServiceError:
    """A ValidationException."""
    return ServiceError("ValidationException", message)


def invalid_value(message: str) -> ServiceError:
    """A ValidationException with the service's usual words for a bad value."""
    return invalid("One or more parameter values were invalid: " + message)


def unsupported(feature: str) -> ServiceError:
    """The error for a feature of the service that the simulator lacks: it never pretends to have one."""
    return invalid(f"{feature} is not supported by the simulator")
