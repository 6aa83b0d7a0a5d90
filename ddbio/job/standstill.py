"""Reports why nothing in a job has succeeded for a while, in the words of the service: once, then every minute."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_AFTER_S = 15.0
AGAIN_AFTER_S = 60.0
_NO_ANSWER = "no request was answered or refused; it may wait for the service, or for its turn under the cap"


class Standstill:
    """say: takes the notice. give_up_after_s: when the run then ends. clock: seconds."""

    def __init__(
        self, say: Callable[[str], None], give_up_after_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._give_up_after_s = give_up_after_s
        self._clock = clock
        self.success()

    def success(self) -> None:
        """Items were settled, or a page was received."""
        self._since_s, self._reason = self._clock(), ""
        self._due_s = self._since_s + FIRST_AFTER_S

    def trouble(self, reason: str) -> None:
        """A request failed. reason: its error."""
        self._reason = reason

    def look(self) -> None:
        """Give the notice if it is due."""
        now_s = self._clock()
        if now_s >= self._due_s:
            self._due_s = now_s + AGAIN_AFTER_S
            self._say(
                f"Nothing has succeeded for {now_s - self._since_s:.0f} s: {self._reason or _NO_ANSWER}. Retrying; "
                f"the run stops after {self._give_up_after_s:,.0f} s without success (--give-up-after)."
            )
