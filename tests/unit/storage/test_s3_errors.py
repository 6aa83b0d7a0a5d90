"""Each refusal of S3 becomes one line that says what, where and what next."""

from __future__ import annotations

import itertools
import pickle

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.storage.s3_errors import _BY_CODE, fault_code, translate
from tests.support.fake_s3 import OPERATIONS, client_error

WHERE = "s3://bkt/in/{a}.json"


def told(error: Exception, kind: type[DdbioError] = UsageError, operation: str = "get_object") -> DdbioError:
    assert isinstance(error, ClientError | exceptions.BotoCoreError | OSError)
    return translate(error, kind, operation, WHERE)


def refused(code: str, operation: str, kind: type[DdbioError] = UsageError, message: str = "said S3") -> DdbioError:
    return told(client_error(code, OPERATIONS[operation], message), kind, operation)


def test_every_code_is_one_line_with_a_hint() -> None:
    codes = [*_BY_CODE, "SomethingNew", "404", "403", "412", "503"]
    for code, operation, kind in itertools.product(codes, OPERATIONS, (UsageError, TransferError)):
        error = refused(code, operation, kind, "two\nlines")
        case = (code, operation, kind)
        assert "\n" not in str(error), case
        assert error.hint, case
        assert "bkt" in str(error) or code == "RequestTimeTooSkewed", case
        assert "{" not in str(error).replace("{a}", ""), case
        assert str(pickle.loads(pickle.dumps(error))) == str(error), case


@pytest.mark.parametrize(
    ("code", "operation", "words"),
    [
        ("NoSuchBucket", "list_objects_v2", 'no bucket "bkt"'),
        ("403", "list_objects_v2", "s3:ListBucket"),
        ("AccessDenied", "get_object", "s3:GetObject"),
        ("AccessDenied", "upload_part", "s3:PutObject"),
        ("AccessDenied", "abort_multipart_upload", "s3:AbortMultipartUpload"),
        ("404", "head_object", "does not exist"),
        ("PermanentRedirect", "get_object", "region"),
        ("412", "get_object", "changed"),
        ("ExpiredToken", "get_object", "expired"),
        ("SignatureDoesNotMatch", "get_object", "does not accept these credentials"),
        ("InvalidObjectState", "get_object", "Glacier"),
        ("SomethingNew", "get_object", "SomethingNew: said S3"),
    ],
)
def test_what_is_said(code: str, operation: str, words: str) -> None:
    assert words in str(refused(code, operation))


DENIED = "User: arn:aws:sts::1:assumed-role/loader/i-1 is not authorized to perform: {} on resource: {}"


@pytest.mark.parametrize(
    ("operation", "permission"),
    [("get_object", "kms:Decrypt"), ("put_object", "kms:GenerateDataKey"), ("put_object", "s3:PutObject")],
)
def test_the_permission_that_is_missing_is_the_one_the_service_names(operation: str, permission: str) -> None:
    said = DENIED.format(permission, "arn:aws:kms:eu-west-1:1:key/k because no identity-based policy allows it")
    error = refused("AccessDenied", operation, message=said)
    assert said in error.message
    assert error.hint == f"allow these credentials {permission}"


@pytest.mark.parametrize(("code", "message"), [("AccessDenied", "Access Denied"), ("403", "Forbidden"), ("403", "")])
def test_a_refusal_without_a_reason_names_what_the_operation_needs(code: str, message: str) -> None:
    error = refused(code, "get_object", message=message)
    assert error.message == f'no permission to read "{WHERE}"'
    assert error.hint == "allow these credentials s3:GetObject"


def test_the_bucket_may_be_an_access_point() -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/orders"
    error = translate(client_error("NoSuchBucket"), UsageError, "list_objects_v2", f"s3://{arn}/in/a.json")
    assert f'"{arn}"' in error.message


@pytest.mark.parametrize("code", ["SlowDown", "503", "InternalError", "RequestTimeout"])
def test_what_may_pass_is_a_transfer_error(code: str) -> None:
    assert isinstance(told(client_error(code)), TransferError)


@pytest.mark.parametrize("code", ["NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SomethingNew"])
def test_the_rest_is_what_the_caller_says(code: str) -> None:
    assert isinstance(told(client_error(code)), UsageError)
    assert isinstance(told(client_error(code), TransferError), TransferError)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (exceptions.NoCredentialsError(), UsageError, "no AWS credentials"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="y"), TransferError, "credentials"),
        (exceptions.UnauthorizedSSOTokenError(), UsageError, "aws sso login"),
        (exceptions.EndpointConnectionError(endpoint_url="http://here:1"), TransferError, "http://here:1"),
        (exceptions.ConnectTimeoutError(endpoint_url="http://here:1"), TransferError, "http://here:1"),
        (exceptions.SSLError(endpoint_url="https://here", error="self-signed"), UsageError, "self-signed"),
        (exceptions.ParamValidationError(report="bad\nbucket"), UsageError, "bad bucket"),
        (ConnectionResetError("reset"), TransferError, "reset"),
    ],
)
def test_botocores_own_errors(error: Exception, kind: type[DdbioError], words: str) -> None:
    translated = told(error)
    assert isinstance(translated, kind)
    assert words in str(translated)
    assert translated.hint
    assert "\n" not in str(translated)


def test_the_code_survives_the_translation() -> None:
    ours = told(client_error("NoSuchUpload"))
    ours.__cause__ = client_error("NoSuchUpload")
    assert fault_code(ours) == "NoSuchUpload"
    assert fault_code(ValueError()) == ""
