"""AWS keys as plain data, and who owns them.

The parent process owns the credentials: it alone asks the provider (instance metadata, STS, SSO, files) and hands
frozen keys to the workers before they expire. Ninety-six workers asking the instance metadata service at once is
what broke this tool's predecessor. A worker reads the keys through a `KeysProvider`: a function that returns the
newest keys it was handed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ddbio.errors import DdbioError

ASK_EVERY_S = 1.0  # the provider answers from memory until its keys are about to end


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One set of AWS keys, frozen. Its repr never shows the secret."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({self.access_key[:4]}..., secret hidden)"


KeysProvider = Callable[[], Keys]


class NewestKeys:
    """The newest keys of a provider, which is asked again and again from a thread of its own: it may take its time.

    While it fails the old keys stay; they may still serve. current: what it gave last.
    """

    def __init__(self, provider: KeysProvider) -> None:
        """Raises what the provider raises when it has none to begin with."""
        self.current = provider()
        self._provider = provider
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="keys", daemon=True).start()

    def _run(self) -> None:
        while not self._ended.wait(ASK_EVERY_S):
            with suppress(DdbioError):
                self.current = self._provider()

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()
