"""`--limit` and `--max-errors` at a seat: the counts are the hub's, and a lane waits for each answer.

Both are asked about rarely: a limit once or twice a page, the count of rejects once for each report that has some.
A waiting lane keeps all lanes of its seat waiting, for a round trip to the hub; so `--limit` is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddbio.cluster.messages import LimitFacts
from ddbio.engines.environment import Environment
from ddbio.steps.limit import Limit

Ask = Callable[..., Any]  # subject and values; waits for the answer. Raises StopRequested if the hub is gone

BEGIN, TAKE, GIVE_BACK, LEFT, REJECTED = "begin", "take", "give back", "left", "rejected"


class LimitAtHub(Limit):
    """The limit whose fields are in the hub."""

    def __init__(self, facts: LimitFacts, ask: Ask) -> None:
        super().__init__(facts.items, [], kept=facts.kept)
        self._ask = ask

    def begin(self, unit: int, settled: int) -> None:
        self._ask(BEGIN, unit, settled)

    def take(self, unit: int, wanted: int) -> int:
        return int(self._ask(TAKE, unit, wanted))

    def give_back(self, unit: int, items: int) -> None:
        self._ask(GIVE_BACK, unit, items)

    def left(self) -> int:
        return int(self._ask(LEFT))


class RejectCountAtHub:
    """See `ddbio.steps.reject_limit.RejectCount`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def passed_with(self, rejects: int) -> bool:
        return bool(self._ask(REJECTED, rejects))


def answer(environment: Environment, subject: str, values: tuple[Any, ...]) -> Any:
    """The hub's side. environment: of the job. Raises ValueError for anything that no seat asks."""
    if subject == REJECTED and environment.reject_count is not None:
        return environment.reject_count.passed_with(*values)
    asked = _ABOUT_LIMIT.get(subject)
    if asked is None or environment.limit is None:
        raise ValueError(f"a question about {subject!r}")
    return asked(environment.limit, *values)


_ABOUT_LIMIT: dict[str, Callable[..., Any]] = {
    BEGIN: Limit.begin,
    TAKE: Limit.take,
    GIVE_BACK: Limit.give_back,
    LEFT: Limit.left,
}
