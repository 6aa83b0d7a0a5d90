"""Turns botocore's exceptions into ddbio's, where they enter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddbio.aws.redaction import hide
from ddbio.dynamodb.errors import Kind, botocore_error, hint_for
from ddbio.errors import DdbioError, TransferError, UsageError


class NoSuchTableError(UsageError):
    pass


class UnreachableError(TransferError):
    """No connection to the endpoint could be opened."""


class ThrottledError(TransferError):
    """The request was throttled, as often as botocore sent it."""


_STUMBLES = (AttributeError, KeyError, TypeError, IndexError, RecursionError, UnicodeDecodeError)
_MOST_CHARACTERS = 80  # of an answer, in a message


def refused_settings() -> tuple[type[Exception], ...]:
    """botocore's exceptions for values of variables and profiles that it does not take."""
    from botocore import exceptions as botocore

    return (
        botocore.EndpointProviderError,
        botocore.EndpointVariantError,
        botocore.InvalidChecksumConfigError,
        botocore.InvalidConfigError,
        botocore.InvalidDefaultsMode,
        botocore.InvalidEndpointDiscoveryConfigurationError,
        botocore.InvalidProxiesConfigError,
        botocore.InvalidRetryConfigurationError,
        botocore.InvalidSTSRegionalEndpointsConfigError,
    )


@contextmanager
def of_dynamodb(what: str, endpoint_url: str) -> Iterator[None]:
    """`translated` and `readable`, for a request to DynamoDB and what is read of the answer."""
    with translated(what, endpoint_url), readable(what, endpoint_url):
        yield


@contextmanager
def readable(what: str, endpoint_url: str, service: str = "DynamoDB") -> Iterator[None]:
    """For reading an answer: stumbling over its form raises UsageError, because it is not one of the service's."""
    try:
        yield
    except _STUMBLES:
        raise _of_another_server(what, endpoint_url, service) from None


@contextmanager
def translated(what: str, endpoint_url: str = "") -> Iterator[None]:
    """Turn botocore's exceptions into ddbio's, with a suitable hint. what, endpoint_url: of a request, for the
    message."""
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as exc:
        raise _service_error(what, exc.operation_name, exc.response, endpoint_url) from None
    except botocore.ProfileNotFound as exc:
        raise UsageError(str(exc), "see ~/.aws/config for the profiles") from None
    except botocore.NoRegionError:
        raise UsageError("no AWS region is set", "add --region, or set AWS_REGION or one in the profile") from None
    except botocore.ConfigParseError as exc:
        raise UsageError(str(exc), "fix the file; AWS_CONFIG_FILE names another") from None
    except refused_settings() as exc:
        raise UsageError(f"{what}: {exc}", "check the AWS_ variables of the environment and the profile") from None
    except botocore.EndpointConnectionError as exc:
        raise UnreachableError(f"{what}: {exc}", "check --region, --endpoint-url and the network") from None
    except botocore.InvalidRegionError as exc:
        raise UsageError(f"{what}: {hide(str(exc))}", "check --region") from None
    except ValueError as exc:  # of an endpoint: it leads to no request
        raise UsageError(f"{what}: {hide(str(exc))}", "check --endpoint-url: http(s)://host[:port]") from None
    except botocore.BotoCoreError as exc:
        raise TransferError(f"{what}: {exc}", "check --region, --endpoint-url and the network") from None


def _service_error(what: str, operation: str, response: dict[str, Any], endpoint_url: str) -> DdbioError:
    error = botocore_error(response)
    # The name of an error without one is its status. A refusal may come from something on the way.
    if endpoint_url and error.name.isdigit() and error.status < 500 and error.status not in (401, 403):
        return _of_another_server(what, endpoint_url, "DynamoDB", response, error.message)
    if error.name == "ResourceNotFoundException":
        return NoSuchTableError(f"{what} does not exist", "check --table, --region and --endpoint-url")
    if error.kind is Kind.THROTTLED:
        return ThrottledError(f"{what}: {error}", "run the same command again when the table throttles less")
    if error.status >= 500:
        return TransferError(f"{what}: {error}", "run the same command again")
    return UsageError(f"{what}: {error}", hint_for(error, operation))


def _of_another_server(
    what: str, endpoint_url: str, service: str, response: dict[str, Any] | None = None, text: str = ""
) -> UsageError:
    """response: if botocore understood it as an error. text: of its body."""
    said = ""
    if response is not None:
        metadata = response.get("ResponseMetadata", {})
        location = metadata.get("HTTPHeaders", {}).get("location", "")
        words = " ".join((f"to {location}" if location else text).split())[:_MOST_CHARACTERS]
        said = f" (HTTP status {metadata.get('HTTPStatusCode')}{f', {words}' if words else ''})"
    message = f"{what}: {endpoint_url} does not answer like {service}{said}"
    return UsageError(hide(message), "check --endpoint-url, and what answers there")
