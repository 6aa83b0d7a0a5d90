"""The plan of a job as its caller gets it: the sentences that announce it, and the figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ddbio.forecast.alternatives import Task
from ddbio.forecast.forecast import UNKNOWN, Forecast


@dataclass(frozen=True, slots=True)
class Preview:
    """sentences: what would be read and written, without the warnings of the forecast. task: the facts that decide
    which other ways there are; None if there are none."""

    sentences: tuple[str, ...]
    forecast: Forecast = UNKNOWN
    task: Task | None = None

    @classmethod
    def of(
        cls, sentences: Iterable[str], forecast: Forecast, warnings: Iterable[str] = (), task: Task | None = None
    ) -> Preview:
        """warnings: further ones; those among the sentences are not repeated."""
        warned = tuple(dict.fromkeys((*forecast.warnings, *warnings)))
        kept = tuple(sentence for sentence in sentences if sentence not in warned)
        return cls(kept, replace(forecast, warnings=warned), task)

    def followed(self, sentences: Iterable[str], forecast: Forecast) -> Preview:
        """With another job after it; no other way does both."""
        return Preview.of((*self.sentences, *sentences), self.forecast.then(forecast))

    def as_json(self) -> dict[str, Any]:
        """As JSON values: `plan`, the sentences, and `forecast`, the figures."""
        return {"plan": list(self.sentences), "forecast": self.forecast.as_json()}
