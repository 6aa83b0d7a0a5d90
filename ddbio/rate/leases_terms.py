"""The driver's governor as a seat knows it: its rates, the seat's share of them, the job's progress. Pure."""

from __future__ import annotations

from ddbio.messages.leases import LeaseTerms, Refusal
from ddbio.rate.buckets import Units

LATE_S = 0.025  # beyond the usual transit: units that arrive later are not spent
_SLOWER_BY = 0.02  # the usual transit grows by this part of the time, and falls at once to that of a quicker message
ASK_EVERY_S = 0.0025  # times the seats at work: between two messages for units, while earlier ones are still wanted
ASK_AT_LEAST_EVERY_S = 0.05
REPORT_EVERY_S = 0.1  # between two messages that only report consumption
_REPORT_EACH_S = 0.0005  # the same, times the seats at work, if they are many
REFUSALS_EVERY_S = 0.05  # the rate is cut once in half a second


class KnownTerms:
    """The newest terms. Clocks of machines differ: the quickest transit of a message is taken for none."""

    def __init__(self, terms: LeaseTerms, now_s: float) -> None:
        self.rates: Units = tuple(terms.rates)
        self.share = terms.share
        self.progress_s = now_s - terms.progress_age_s  # on the seat's clock
        self._transit_s = now_s - terms.sent_s  # the difference of the clocks included
        self._heard_s = now_s

    def hear(self, terms: LeaseTerms, now_s: float) -> float:
        """Adopt them; returns the seconds by which they arrived later than usual."""
        self.rates = tuple(terms.rates)
        self.share = terms.share
        transit_s = now_s - terms.sent_s
        usual_s = self._transit_s + _SLOWER_BY * (now_s - self._heard_s)
        self._transit_s, self._heard_s = min(transit_s, usual_s), now_s
        late_s = max(0.0, transit_s - self._transit_s)
        self.progressed(now_s - late_s - terms.progress_age_s)
        return late_s

    def progressed(self, at_s: float) -> None:
        self.progress_s = max(self.progress_s, at_s)

    def lose(self) -> None:
        """The driver is out of reach: no cap, no requests."""
        self.rates = (0.0,) * len(self.rates)

    @property
    def ask_every_s(self) -> float:
        return min(ASK_AT_LEAST_EVERY_S, ASK_EVERY_S / self.share)

    @property
    def report_every_s(self) -> float:
        return max(REPORT_EVERY_S, _REPORT_EACH_S / self.share)


class Refusals:
    """Refused requests that the driver does not know of yet: each kind once."""

    def __init__(self) -> None:
        self._kinds: dict[Refusal, None] = {}
        self._sent_s = -REFUSALS_EVERY_S

    def add(self, budget: int | None, *, hot: bool) -> None:
        self._kinds[Refusal(budget, hot)] = None

    def due_s(self) -> float:
        """When they are to be sent; infinite for none."""
        return self._sent_s + REFUSALS_EVERY_S if self._kinds else float("inf")

    def take(self, now_s: float) -> tuple[Refusal, ...]:
        if not self._kinds:
            return ()
        taken, self._kinds, self._sent_s = tuple(self._kinds), {}, now_s
        return taken
