"""The driver's knowledge of its seats: which are at work, and the share and the newest terms of each. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ddbio.messages.leases import LeaseTerms
from ddbio.rate.buckets import Units
from ddbio.rate.governor import Governor

AT_WORK_S = 1.0  # a seat that asked within this time is at work
COUNT_EVERY_S = 0.05
USE_OVER_S = 0.5  # time constant of the units granted to a seat
TERMS_EVERY_S = 0.25  # if the rates change slowly: they rise step by step after a cut
SAME_TERMS_EVERY_S = 1.0  # if they do not: the progress of the job
SUDDEN = 0.05  # a change of a rate by this part is told to all at once


@dataclass(slots=True)
class _Seat:
    """heard_s: when it asked last. told_s, told: its newest terms. use: the part of the rate granted to it lately."""

    heard_s: float
    told_s: float = -math.inf
    told: Units = ()
    use: float = 0.0
    granted_s: float = -math.inf


class KnownSeats:
    def __init__(self, governor: Governor, clock: Callable[[], float]) -> None:
        self._governor = governor
        self._clock = clock
        self._seats: dict[int, _Seat] = {}
        self._at_work = 1
        self._counted_s = self._looked_s = -math.inf
        self._seen = governor.rates()

    def joined(self, seat: int) -> None:
        self._seats[seat] = _Seat(self._clock())
        self._counted_s = -math.inf

    def left(self, seat: int) -> None:
        del self._seats[seat]
        self._counted_s = -math.inf

    def heard(self, seat: int) -> None:
        self._seats[seat].heard_s = self._clock()

    def granted(self, seat: int, units: Sequence[float], rates: Units) -> None:
        known, now_s = self._seats[seat], self._clock()
        part = max((each / rate for each, rate in zip(units, rates, strict=True) if rate), default=0.0)
        known.use = known.use * math.exp((known.granted_s - now_s) / USE_OVER_S) + part / USE_OVER_S
        known.granted_s = now_s

    def at_work(self) -> int:
        """How many seats asked lately; 1 if none did."""
        now_s = self._clock()
        if now_s - self._counted_s > COUNT_EVERY_S:
            self._counted_s = now_s
            self._at_work = max(1, sum(now_s - seat.heard_s <= AT_WORK_S for seat in self._seats.values()))
        return self._at_work

    def terms(self, seat: int | None) -> LeaseTerms:
        """To be sent to it now. None: for one that is about to join.

        A seat may spend more than an even share, while others spend less. All shares together are less than two.
        """
        now_s, rates = self._clock(), self._governor.rates()
        share = 1 / self.at_work()
        if seat is not None:
            known = self._seats[seat]
            known.told_s, known.told = now_s, rates
            share = min(1.0, max(share, known.use * math.exp((known.granted_s - now_s) / USE_OVER_S)))
        return LeaseTerms(rates, share, max(0.0, now_s - self._governor.progress_s()), now_s)

    def to_inform(self, rates: Units) -> Iterator[int]:
        """Seats that have to hear of the rates now, without a grant."""
        now_s = self._clock()
        if now_s - self._looked_s < TERMS_EVERY_S and not _differ(rates, self._seen):
            return
        self._looked_s, self._seen = now_s, rates
        for number, seat in list(self._seats.items()):
            age_s = now_s - seat.told_s
            if (
                _differ(rates, seat.told)
                or age_s > SAME_TERMS_EVERY_S
                or (rates != seat.told and age_s > TERMS_EVERY_S)
            ):
                yield number


def _differ(rates: Units, others: Units) -> bool:
    """Whether one has changed suddenly."""
    if len(rates) != len(others):
        return True
    return any(_sudden(rate, other) for rate, other in zip(rates, others, strict=True))


def _sudden(rate: float, before: float) -> bool:
    return rate != before and (math.isinf(before) or abs(rate - before) > SUDDEN * before)
