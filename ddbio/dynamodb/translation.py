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


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into ddbio's, with a suitable hint. what: the request, for the message."""
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as exc:
        raise _service_error(what, exc.operation_name, exc.response) from None
    except botocore.ProfileNotFound as exc:
        raise UsageError(str(exc), "see ~/.aws/config for the profiles") from None
    except botocore.NoRegionError:
        raise UsageError("no AWS region is set", "add --region, or set AWS_REGION or one in the profile") from None
    except botocore.ConfigParseError as exc:
        raise UsageError(str(exc), "fix the file; AWS_CONFIG_FILE names another") from None
    except (botocore.InvalidConfigError, botocore.EndpointProviderError, botocore.EndpointVariantError) as exc:
        raise UsageError(f"{what}: {exc}", "check the AWS_ variables of the environment and the profile") from None
    except botocore.EndpointConnectionError as exc:
        raise UnreachableError(f"{what}: {exc}", "check --region, --endpoint-url and the network") from None
    except botocore.InvalidRegionError as exc:
        raise UsageError(f"{what}: {hide(str(exc))}", "check --region") from None
    except ValueError as exc:  # of an endpoint: it leads to no request
        raise UsageError(f"{what}: {hide(str(exc))}", "check --endpoint-url: http(s)://host[:port]") from None
    except botocore.BotoCoreError as exc:
        raise TransferError(f"{what}: {exc}", "check --region, --endpoint-url and the network") from None


def _service_error(what: str, operation: str, response: dict[str, Any]) -> DdbioError:
    error = botocore_error(response)
    if error.name == "ResourceNotFoundException":
        return NoSuchTableError(f"{what} does not exist", "check --table, --region and --endpoint-url")
    if error.kind is Kind.THROTTLED:
        return ThrottledError(f"{what}: {error}", "run the same command again when the table throttles less")
    if error.status >= 500:
        return TransferError(f"{what}: {error}", "run the same command again")
    return UsageError(f"{what}: {error}", hint_for(error, operation))
