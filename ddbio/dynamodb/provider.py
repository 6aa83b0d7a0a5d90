"""AWS keys as botocore's providers give them: the environment, files, SSO, a role, a process, the metadata service.

Only the parent process asks. Any failure of a provider becomes one sentence with a remedy, which never contains the
value of a key.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ddbio.aws.credentials import Keys, check_keys
from ddbio.aws.redaction import remember
from ddbio.errors import UsageError, on_one_line

if TYPE_CHECKING:
    from botocore.session import Session

_NONE_FOUND = (
    "set AWS_PROFILE or --profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run on an instance with a role"
)


_ANY_KEYS = "a local endpoint accepts any: export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any"


class KeySource:
    """The provider that botocore chooses for a session. Raises UsageError if it has no keys at first.

    are_renewed: whether it returns newer keys before the present ones expire.
    """

    def __init__(self, session: Session, *, is_local: bool = False) -> None:
        """is_local: whether the keys are for an endpoint on this machine."""
        from botocore.credentials import RefreshableCredentials

        self._profile = session.profile or "default"
        with _explained(self._profile):
            session.get_component("credential_provider").get_provider("assume-role")._prompter = _ask_for_code
            self._credentials = session.get_credentials()
        if self._credentials is None:
            raise UsageError("no AWS credentials were found", _ANY_KEYS if is_local else _NONE_FOUND)
        self.are_renewed = isinstance(self._credentials, RefreshableCredentials)
        self._failure: Exception | None = None  # why the last renewal failed
        if self.are_renewed:
            self._watch_renewals(self._credentials)
        self.keys()

    def keys(self) -> Keys:
        """The newest keys; asks the provider if they are about to expire.

        If a renewal fails while the present keys are still valid, they carry a note of it (`Keys.renewal_failure`).
        Raises UsageError if the provider has none.
        """
        with _explained(self._profile):
            frozen = self._credentials.get_frozen_credentials()
        remember(frozen.access_key, frozen.secret_key, frozen.token)
        keys = Keys(
            frozen.access_key,
            frozen.secret_key,
            frozen.token,
            ends=getattr(self._credentials, "_expiry_time", None),
            renewal_failure="" if self._failure is None else explain(self._failure, self._profile).message,
        )
        check_keys(keys, str(self._credentials.method), self._profile)
        return keys

    def _watch_renewals(self, credentials: Any) -> None:
        """botocore hides a failed renewal while the keys are valid for some minutes more, but the user should
        know."""
        renew = credentials._refresh_using

        def watched() -> Any:
            try:
                renewed = renew()
            except Exception as error:
                self._failure = error
                raise
            self._failure = None
            return renewed

        credentials._refresh_using = watched


def _ask_for_code(prompt: str) -> str:
    """Ask for an MFA code. Without a terminal, getpass would wait for a line of standard input, which may be data."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        raise EOFError from None
    return getpass.getpass(prompt)


@contextmanager
def _explained(profile: str) -> Iterator[None]:
    """Turn any exception of a provider into a UsageError."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # a provider runs programs, reads files, calls services: it may raise anything
        raise explain(error, profile) from None


def explain(error: Exception, profile: str) -> UsageError:
    """The reason for having no keys, and a remedy. profile: the one in use."""
    reason = on_one_line(_reason(error)).rstrip(".")
    return UsageError(f"no usable AWS credentials: {reason}", _hint(error, profile))


def _reason(error: Exception) -> str:
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return f"{error.operation_name} was refused: {said.get('Code', 'Unknown')}: {said.get('Message', '')}"
    if isinstance(error, FileNotFoundError):
        return f'"{error.filename}" does not exist'
    if isinstance(error, OSError) and error.strerror:
        return f'"{error.filename}": {error.strerror}' if error.filename else error.strerror
    if isinstance(error, EOFError):
        return "the profile asks for an MFA code, and there is no terminal to ask at"
    if isinstance(error, ValueError):  # also JSONDecodeError and UnicodeDecodeError; their texts may quote the input
        return "the provider did not return valid JSON"
    if isinstance(error, KeyError):
        return f"the provider's answer has no {error}"
    return str(error) or type(error).__name__


def _hint(error: Exception, profile: str) -> str:
    from botocore import exceptions as botocore

    of_profile = f'profile "{profile}" in ~/.aws/config'
    login = f"aws sso login --profile {profile}"
    hints: list[tuple[tuple[type[Exception], ...], str]] = [
        ((botocore.SSOError, botocore.TokenRetrievalError), f"log in: {login}"),
        (
            (getattr(botocore, "LoginError", botocore.SSOError),),
            f"log in: aws login --profile {profile}",
        ),  # since 1.41
        ((botocore.ConfigParseError, botocore.ConfigNotFound), "fix the file"),
        ((botocore.InvalidConfigError, botocore.UnknownCredentialError), f"fix the {of_profile}"),
        (
            (botocore.ProfileNotFound,),
            "check --profile and AWS_PROFILE; the profiles are in ~/.aws/config and ~/.aws/credentials",
        ),
        ((botocore.PartialCredentialsError,), "give both the access key and the secret key"),
        ((EOFError, botocore.RefreshWithMFAUnsupportedError), "get keys with aws sts get-session-token and set them"),
        ((botocore.ClientError,), f"check role_arn and source of the {of_profile}, and whom the role trusts"),
        ((botocore.MetadataRetrievalError,), "check the role of the instance or container"),
        ((FileNotFoundError,), f"check the {of_profile}, and AWS_WEB_IDENTITY_TOKEN_FILE and its like"),
        ((botocore.EndpointConnectionError, botocore.HTTPClientError), "check the network to the provider"),
    ]
    for kinds, hint in hints:
        if isinstance(error, kinds):
            return hint
    if isinstance(error, ValueError | KeyError) or _is_of_process(error):
        return f"run the credential_process of the {of_profile} by hand and see what it prints"
    return "renew the keys, or check --profile and the role of the instance"


def _is_of_process(error: Exception) -> bool:
    return getattr(error, "kwargs", {}).get("provider") == "custom-process"
