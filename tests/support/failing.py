"""A collaborator that fails at one step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ddbio.errors import TransferError


class Failing:
    """Stands before a collaborator and lets the calls of some of its methods through, except one: it raises.

    fails_at: the number of that call, counted from 0; None lets all through. calls: their names, in order.
    """

    def __init__(self, real: Any, methods: Iterable[str], fails_at: int | None) -> None:
        self._real = real
        self._methods = set(methods)
        self._fails_at = fails_at
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name not in self._methods:
            return method

        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) - 1 == self._fails_at:
                raise TransferError(f"step {self._fails_at}, {name}, failed")
            return method(*args, **options)

        return call
