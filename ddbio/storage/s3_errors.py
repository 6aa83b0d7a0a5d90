"""What S3 or botocore said, in one line for the person at the terminal: two tables and a look-up.

S3's codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. A HEAD has no body, so its errors
carry only the HTTP status, which `_STATUS_CODES` maps back. Trouble that may pass (the network, 5xx, throttling) is a
TransferError even before anything moved: the command is right, and running it again is the remedy.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from botocore.exceptions import ClientError

from ddbio.errors import DdbioError, PermanentError, TransferError
from ddbio.storage.s3_uris import parse_uri


class Telling(NamedTuple):
    """what: the message; {where} is the URI, {bucket} its bucket, {act} what was tried, {said} the service's words,
        {reason} the same after a colon, but empty if they say no more than the code.
    hint: the hint; {permission} is what the operation needs.
    passing: whether it may work the next time.
    """

    what: str
    hint: str
    passing: bool = False


class Action(NamedTuple):
    """What an operation does, and the permission it needs."""

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
    "list_parts": Action("go on with the upload of", "s3:ListMultipartUploadParts"),
    "abort_multipart_upload": Action("abort the upload of", "s3:AbortMultipartUpload"),
}
_WRITE = Action("write", "s3:PutObject (and kms:GenerateDataKey, if the bucket is encrypted with a KMS key)")

# The service names the permission that is missing, and which policy denies it, to callers of the same account.
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

_NO_BUCKET = Telling(
    'there is no bucket "{bucket}"', "check its name and the endpoint; the bucket is not made for you"
)
_DENIED = Telling("no permission to {act} {where}{reason}", "allow these credentials {permission}")
_REGION = Telling("{where} is in another region ({said})", "give the bucket's own region with -r or AWS_REGION")
_BAD_KEYS = Telling(
    "AWS does not accept these credentials for {where}: {said}", "check the credentials or the profile"
)
_EXPIRED = Telling("the AWS credentials expired while S3 was used ({where})", f"renew them and {_AGAIN}")
_CHANGED = Telling("{where} changed after it was listed", _FRESH)
_GONE = Telling("{where} does not exist", "check the name; if it was just there, it was deleted meanwhile")
_BUSY = Telling(
    "S3 could not {act} {where}, after several tries: {said}", f"wait a little and {_AGAIN}", passing=True
)
_UPLOAD_GONE = Telling(
    "the unfinished upload of {where} is gone: aborted, or removed by a lifecycle rule", "start over with --fresh"
)
_DAMAGED = Telling("{where} arrived damaged: {said}", f"check the network and {_AGAIN}", passing=True)
_KMS = Telling("KMS refused the key of {where}: {said}", "check the key, its region and its policy")
_OTHER = Telling("S3 refused to {act} {where}: {said}", f"put it right and {_AGAIN}")

_BY_CODE: dict[str, Telling] = {
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
    "RequestTimeTooSkewed": Telling("this machine's clock is wrong: {said}", "set the clock (chrony, ntpd)"),
    "400": Telling(  # a HEAD that failed for a reason only a body could tell
        "S3 refused to {act} {where} without a reason", "it is mostly the credentials (expired?) or the region"
    ),
    "PreconditionFailed": _CHANGED,
    "InvalidRange": _CHANGED,
    "InvalidObjectState": Telling("{where} is archived", "restore it from Glacier first"),
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

_NO_KEYS = Telling("no AWS credentials were found to {act} {where}", "set a profile, AWS_ACCESS_KEY_ID, or a role")
_UNREACHABLE = Telling(
    "S3 could not be reached to {act} {where}: {said}", f"check the network, region and endpoint and {_AGAIN}", True
)
_SETUP = Telling("cannot {act} {where}: {said}", "check the AWS settings")
_GARBAGE = Telling(
    "the answer to the request to {act} {where} is not one of S3's: {said}",
    f"check --s3-endpoint-url and any proxy, and {_AGAIN}",
    passing=True,
)

# By the name of the exception's class or of one it derives from.
_BY_CLASS: dict[str, Telling] = {
    "NoCredentialsError": _NO_KEYS,
    "PartialCredentialsError": _BAD_KEYS,
    "CredentialRetrievalError": Telling("the AWS credentials could not be fetched: {said}", _AGAIN, passing=True),
    "SSOError": Telling("the AWS sign-in is not valid: {said}", f"sign in (aws sso login) and {_AGAIN}"),
    "SSLError": Telling("the connection to S3 is not trusted: {said}", "check AWS_CA_BUNDLE and the endpoint"),
    "HTTPClientError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
    "IncompleteReadError": _UNREACHABLE,
    "ResponseParserError": _GARBAGE,
    "OSError": _UNREACHABLE,
}


def fault_code(error: BaseException) -> str:
    """S3's error code behind `error` (one of botocore's, or ours made from it); empty if there is none."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError):
        return ""
    code = str(cause.response.get("Error", {}).get("Code", ""))
    return _STATUS_CODES.get(code, code)


def translate(error: Exception, kind: type[DdbioError], operation: str, where: str) -> DdbioError:
    """`error` as a `kind`, or as a TransferError if it may pass.

    operation: the botocore method that was called (`get_object`). where: the URI it was called for.
    """
    telling, action, said = _telling(error), _ACTIONS.get(operation, _WRITE), _said(error)
    missing = _MISSING.search(said)  # it may be another one: kms:Decrypt, say
    words = {
        "act": action.act,
        "permission": missing[1] if missing else action.permission,
        "where": f'"{where}"',
        "bucket": parse_uri(where)[0],
        "said": said,
        "reason": "" if said.partition(": ")[2] in _NO_REASON else f": {said}",
    }
    lasting = PermanentError if kind is TransferError and _AGAIN not in telling.hint else kind
    chosen = TransferError if telling.passing else lasting
    return chosen(telling.what.format(**words), telling.hint.format(**words))


def _telling(error: Exception) -> Telling:
    if isinstance(error, ClientError):
        return _BY_CODE.get(fault_code(error), _OTHER)
    names = (base.__name__ for base in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), _SETUP)


def _said(error: Exception) -> str:
    """The service's own words on one line; botocore's preamble about the operation adds nothing to ours."""
    text = str(error)
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        text = f"{told.get('Code', 'unknown error')}: {told.get('Message', '')}".rstrip(": ")
        if "ServerTime" in told and "RequestTime" in told:
            text += f" (it is {told['ServerTime']} there and {told['RequestTime']} here)"
    return " ".join(text.split())


def garbage(operation: str, where: str, said: str) -> TransferError:
    """The answer has status 200 and is none all the same."""
    words = {"act": _ACTIONS.get(operation, _WRITE).act, "where": f'"{where}"', "said": said}
    return TransferError(_GARBAGE.what.format(**words), _GARBAGE.hint)


def changed(where: str) -> TransferError:
    """The object at `where` is not the one that was listed."""
    return PermanentError(_CHANGED.what.format(where=f'"{where}"'), _CHANGED.hint)


def upload_gone(where: str) -> TransferError:
    """What was uploaded of `where` is not there any more."""
    return PermanentError(_UPLOAD_GONE.what.format(where=f'"{where}"'), _UPLOAD_GONE.hint)
