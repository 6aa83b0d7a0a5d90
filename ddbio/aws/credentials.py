"""AWS keys as plain data, and their renewal.

The parent process owns the credentials: only it asks the provider (instance metadata, STS, SSO, files), and it sends
frozen keys to the workers before the old ones expire. This tool's predecessor broke because 96 workers asked the
instance metadata service at once. A worker reads the keys through a `KeysProvider`: a function that returns the
newest keys it received.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ddbio.errors import UsageError, on_one_line

ASK_EVERY_S = 1.0  # the provider answers from memory until its keys are about to expire
LONGEST_PAUSE_S = 60.0  # between two attempts while the provider fails


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One set of AWS keys, frozen. Its repr never shows the secret.

    ends: when they expire, an aware time; None if never or unknown. renewal_failure: why newer ones could not be
    fetched, a sentence; empty if there was no failure. Comparisons ignore both.
    """

    access_key: str
    secret_key: str
    token: str | None = None
    ends: datetime | None = field(default=None, compare=False)
    renewal_failure: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"Keys({self.access_key[:4]}..., secret hidden)"


_FILES = ("shared-credentials-file", "config-file")  # botocore's names of the providers that read profiles


def check_keys(keys: Keys, method: str, profile: str) -> None:
    """Raise UsageError if a key has impossible characters. The message names the key's origin, not its value.

    method: botocore's name of the provider. profile: the one in use.
    """
    parts = (
        ("aws_access_key_id", keys.access_key),
        ("aws_secret_access_key", keys.secret_key),
        ("aws_session_token", keys.token),
    )
    for name, value in parts:
        if value is not None and not (value.isascii() and value.isprintable() and " " not in value):
            raise UsageError(
                f"{_origin(name, method, profile)} has a blank, a line end or another character that no key has",
                "set it again without that character (the value is not shown)",
            )


def _origin(name: str, method: str, profile: str) -> str:
    if method == "env":
        old = name == "aws_session_token" and "AWS_SESSION_TOKEN" not in os.environ
        return "AWS_SECURITY_TOKEN" if old else name.upper()  # botocore still reads the old name, too
    return f'{name} of the profile "{profile}"' if method in _FILES else f'{name} of the provider "{method}"'


KeysProvider = Callable[[], Keys]


class NewestKeys:
    """The newest keys of a provider. A background thread asks it periodically, because it may be slow.

    While the provider fails, the old keys stay in use: they may still be valid. The pauses between attempts double
    from 1 s to 60 s. current: the keys that it returned last. failure: why the last attempt failed, a sentence; empty
    if it succeeded.
    """

    def __init__(self, provider: KeysProvider, wait: Callable[[float], bool] | None = None) -> None:
        """wait: sleeps for the given seconds, and returns whether to end; for tests.

        Raises the provider's error if it has no keys at the start.
        """
        self._provider = provider
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._pause_s = ASK_EVERY_S
        self._news: list[str] = []
        self.failure = ""
        self._take(provider())
        threading.Thread(target=self._run, name="keys", daemon=True).start()

    def news(self) -> list[str]:
        """Failures and recoveries since the last call, for the user, a sentence each."""
        news, self._news = self._news, []
        return news

    def end(self) -> None:
        """Stop renewing the keys."""
        self._ended.set()

    def _run(self) -> None:
        while not self._wait(self._pause_s):
            try:
                self._take(self._provider())
            except Exception as error:  # only this thread renews the keys: it must survive any fault of a provider
                self._note(on_one_line(str(error)) or type(error).__name__)

    def _take(self, keys: Keys) -> None:
        self.current = keys
        self._note(keys.renewal_failure)

    def _note(self, failure: str) -> None:
        """Report the first failure, and the success that follows one; set the next pause."""
        if failure and not self.failure:
            ends = self.current.ends
            until = f"; the present ones end at {ends:%Y-%m-%d %H:%M:%S %Z}" if ends is not None else ""
            self._news.append(f"The AWS keys could not be renewed: {failure}{until}. Trying again.")
        elif self.failure and not failure:
            self._news.append("The AWS keys are renewed again.")
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S) if failure and self.failure else ASK_EVERY_S
        self.failure = failure
