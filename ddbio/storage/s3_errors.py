"""Turns errors of S3 and botocore into one line for the user: two tables and a look-up.

S3's codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. A HEAD has no body, so its errors
have only the HTTP status, which `_STATUS_CODES` maps back. A transient fault (the network, 5xx, throttling) is a
TransferError even before any item moved: the command is right, and running it again is the remedy.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ddbio.errors import DdbioError, PermanentError, TransferError
from ddbio.storage.s3_uris import parse_uri


class ErrorText(NamedTuple):
    """message: {uri} is the URI, {bucket} its bucket, {act} the operation as a verb, {said} the service's words,
        {reason} the same after a colon, but empty if they add nothing to the code.
    hint: {permission} is the one the operation needs.
    transient: whether it may work the next time.
    """

    message: str
    hint: str
    transient: bool = False


class Action(NamedTuple):
    """An operation as a verb, and the permission it needs."""

    act: str
    permission: str


_AGAIN = "run the same command again"
_FRESH = "leave the objects alone while they are read, and start over with --fresh"

_ACTIONS = {
    "list_objects_v2": Action("list", "s3:ListBucket"),
    "list_multipart_uploads": Action("list the unfinished uploads below", "s3:ListBucketMultipartUploads"),
    "head_object": Action("read", "s3:GetObject"),
    "get_object": Action("read", "s3:GetObject"),
    "delete_object": Action("delete", "s3:DeleteObject"),
    "list_parts": Action("resume the upload of", "s3:ListMultipartUploadParts"),
    "abort_multipart_upload": Action("abort the upload of", "s3:AbortMultipartUpload"),
}
_WRITE = Action("write", "s3:PutObject (and kms:GenerateDataKey, if the bucket is encrypted with a KMS key)")

# To callers of the same account the service names the missing permission, and the policy that denies it.
_MISSING = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_NO_REASON = ("", "Access Denied", "Forbidden")

_STATUS_CODES = {
    "301": "PermanentRedirect",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "412": "PreconditionFailed",
    "429": "SlowDown",
    "500": "InternalError",
    "502": "InternalError",
    "503": "SlowDown",
    "504": "InternalError",
    "Forbidden": "AccessDenied",
    "NotFound": "NoSuchKey",
}

_NO_BUCKET = ErrorText(
    'there is no bucket "{bucket}"', "check its name and the endpoint; the bucket is not made for you"
)
_DENIED = ErrorText("no permission to {act} {uri}{reason}", "allow these credentials {permission}")
_REGION = ErrorText("{uri} is in another region ({said})", "give the bucket's own region with -r or AWS_REGION")
_BAD_KEYS = ErrorText(
    "AWS does not accept these credentials for {uri}: {said}", "check the credentials or the profile"
)
_EXPIRED = ErrorText("the AWS credentials expired while S3 was used ({uri})", f"renew them and {_AGAIN}")
_CHANGED = ErrorText("{uri} changed after it was listed", _FRESH)
_GONE = ErrorText("{uri} does not exist", "check the name; if it was just there, it was deleted meanwhile")
_BUSY = ErrorText(
    "S3 could not {act} {uri}, after several tries: {said}", f"wait a little and {_AGAIN}", transient=True
)
_UPLOAD_GONE = ErrorText(
    "the unfinished upload of {uri} is gone: aborted, or removed by a lifecycle rule", "start over with --fresh"
)
_DAMAGED = ErrorText("{uri} arrived damaged: {said}", f"check the network and {_AGAIN}", transient=True)
_KMS = ErrorText("KMS refused the key of {uri}: {said}", "check the key, its region and its policy")
_OTHER = ErrorText("S3 refused to {act} {uri}: {said}", f"fix that and {_AGAIN}")

_BY_CODE: dict[str, ErrorText] = {
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": _GONE,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": _BAD_KEYS,
    "SignatureDoesNotMatch": _BAD_KEYS,
    "InvalidToken": _BAD_KEYS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": ErrorText("this machine's clock is wrong: {said}", "set the clock (chrony, ntpd)"),
    "400": ErrorText(  # a HEAD that failed: its answer has no body with the reason
        "S3 refused to {act} {uri} without a reason", "usually the credentials (expired?) or the region"
    ),
    "PreconditionFailed": _CHANGED,
    "InvalidRange": _CHANGED,
    "InvalidObjectState": ErrorText("{uri} is archived", "restore it from Glacier first"),
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "RequestTimeout": _BUSY,
    "OperationAborted": _BUSY,
    "NoSuchUpload": _UPLOAD_GONE,
    "InvalidPart": _UPLOAD_GONE,
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "IncompleteBody": _DAMAGED,
    "KMS.DisabledException": _KMS,
    "KMS.NotFoundException": _KMS,
    "KMS.InvalidStateException": _KMS,
    "KMS.KMSInvalidStateException": _KMS,
}

_NO_KEYS = ErrorText("no AWS credentials were found to {act} {uri}", "set a profile, AWS_ACCESS_KEY_ID, or a role")
_UNREACHABLE = ErrorText(
    "S3 could not be reached to {act} {uri}: {said}", f"check the network, region and endpoint and {_AGAIN}", True
)
_SETUP = ErrorText("cannot {act} {uri}: {said}", "check the AWS settings")
_GARBAGE = ErrorText(
    "the answer to the request to {act} {uri} is not from S3: {said}",
    f"check --s3-endpoint-url and any proxy, and {_AGAIN}",
    transient=True,
)

# By the name of the exception's class or of one it derives from.
_BY_CLASS: dict[str, ErrorText] = {
    "NoCredentialsError": _NO_KEYS,
    "PartialCredentialsError": _BAD_KEYS,
    "CredentialRetrievalError": ErrorText("the AWS credentials could not be fetched: {said}", _AGAIN, transient=True),
    "SSOError": ErrorText("the AWS sign-in is not valid: {said}", f"sign in (aws sso login) and {_AGAIN}"),
    "SSLError": ErrorText("the connection to S3 is not trusted: {said}", "check AWS_CA_BUNDLE and the endpoint"),
    "HTTPClientError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
    "IncompleteReadError": _UNREACHABLE,
    "ResponseParserError": _GARBAGE,
    "OSError": _UNREACHABLE,
}


def fault_code(error: BaseException) -> str:
    """S3's error code of `error` (botocore's, or ours translated from it); empty if there is none."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError):
        return ""
    code = str(cause.response.get("Error", {}).get("Code", ""))
    return _STATUS_CODES.get(code, code)


def is_of_service(error: DdbioError) -> bool:
    """Whether S3 refused a request or could not be reached, which says nothing about its objects."""
    return isinstance(error.__cause__, BotoCoreError) or fault_code(error) not in ("", "NoSuchKey")


def translate(error: Exception, kind: type[DdbioError], operation: str, uri: str) -> DdbioError:
    """`error` as a `kind`, or as a TransferError if it is transient.

    operation: the botocore method that was called (`get_object`). uri: the URI it was called for.
    """
    text, action, said = _text_for(error), _ACTIONS.get(operation, _WRITE), _said(error)
    missing = _MISSING.search(said)  # may differ from the operation's own: kms:Decrypt, for example
    words = {
        "act": action.act,
        "permission": missing[1] if missing else action.permission,
        "uri": f'"{uri}"',
        "bucket": parse_uri(uri)[0],
        "said": said,
        "reason": "" if said.partition(": ")[2] in _NO_REASON else f": {said}",
    }
    lasting = PermanentError if kind is TransferError and _AGAIN not in text.hint else kind
    chosen = TransferError if text.transient else lasting
    return chosen(text.message.format(**words), text.hint.format(**words))


def _text_for(error: Exception) -> ErrorText:
    if isinstance(error, ClientError):
        return _BY_CODE.get(fault_code(error), _OTHER)
    names = (base.__name__ for base in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), _SETUP)


def _said(error: Exception) -> str:
    """The service's own words on one line, without botocore's preamble about the operation."""
    text = str(error)
    if isinstance(error, ClientError):
        fields = error.response.get("Error", {})
        text = f"{fields.get('Code', 'unknown error')}: {fields.get('Message', '')}".rstrip(": ")
        if "ServerTime" in fields and "RequestTime" in fields:
            text += f" (it is {fields['ServerTime']} there and {fields['RequestTime']} here)"
    return " ".join(text.split())


def garbage(operation: str, uri: str, said: str) -> TransferError:
    """The error for an answer with status 200 that S3 cannot have sent."""
    words = {"act": _ACTIONS.get(operation, _WRITE).act, "uri": f'"{uri}"', "said": said}
    return TransferError(_GARBAGE.message.format(**words), _GARBAGE.hint)


def changed(uri: str) -> TransferError:
    """The error for an object that is not the one that was listed."""
    return PermanentError(_CHANGED.message.format(uri=f'"{uri}"'), _CHANGED.hint)


def upload_gone(uri: str) -> TransferError:
    """The error for an unfinished upload that no longer exists."""
    return PermanentError(_UPLOAD_GONE.message.format(uri=f'"{uri}"'), _UPLOAD_GONE.hint)
