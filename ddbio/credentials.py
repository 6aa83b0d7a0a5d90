"""AWS keys as plain data, and who owns them.

The parent process owns the credentials: it alone asks the provider (instance metadata, STS, SSO, files) and hands
frozen keys to the workers before they expire. Ninety-six workers asking the instance metadata service at once is
what broke this tool's predecessor. A worker reads the keys through a `KeysProvider`: a function that returns the
newest keys it was handed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One set of AWS keys, frozen. Its repr never shows the secret."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({self.access_key[:4]}..., secret hidden)"


KeysProvider = Callable[[], Keys]
