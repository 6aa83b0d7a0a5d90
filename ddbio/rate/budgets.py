"""All budgets of a job, and the requests that wait for them. Pure; all times are monotonic seconds.

A request that needs several budgets, its table's and those of indexes, starts in all of them at one moment. It
queues up only where it has to wait longest. It takes a place in the others, the first one, just in time to start
with it: earlier, it would keep requests waiting that do not need the slow budget; later, the slow one's units would
be lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, NamedTuple

from ddbio.rate.buckets import NO_TICKET, BudgetRates, TokenBucket, Units

BLAME_FOR_S = 5.0  # for this time unexplained refusals are attributed to the budget that the service named last
JUST_IN_TIME_S = 0.002  # timers are this late


class Place(NamedTuple):
    """Of a request that waits. costs: units, by budget. tickets: its places; `NO_TICKET` where it has none yet."""

    costs: Units
    tickets: Units

    @classmethod
    def of(cls, *costs: float) -> Place:
        return cls(costs, (NO_TICKET,) * len(costs))

    def needed(self) -> list[int]:
        """The numbers of the budgets."""
        return [number for number, units in enumerate(self.costs) if units > 0]


class Start(NamedTuple):
    """wait_s: 0 if the request starts now, and it must; else seconds until the next attempt, with the place."""

    wait_s: float
    place: Place


@dataclass(slots=True)
class Budgets:
    """All budgets of a job, the table's first, and their shared state.

    blamed: the cause that the service named with its last explained refusal: a budget's number, or `HOT_KEYS`.
        Unexplained refusals (unprocessed items always are) are attributed to it until `blamed_until_s`.
    progress_s: time of the last consumption.
    """

    buckets: list[TokenBucket]
    blamed: float
    blamed_until_s: float
    progress_s: float

    HOT_KEYS: ClassVar = -1.0
    SHARED_FIELDS: ClassVar = ("blamed", "blamed_until_s", "progress_s")
    PROGRESS_AT: ClassVar = -1

    @classmethod
    def of(cls, caps: Sequence[float], now_s: float) -> Budgets:
        return cls([TokenBucket.of(cap, now_s) for cap in caps], 0.0, -math.inf, now_s)

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Budgets:
        width = len(TokenBucket.FIELDS)
        count = len(values) // width
        buckets = [TokenBucket(*values[at * width : (at + 1) * width]) for at in range(count)]
        return cls(buckets, *values[count * width :])

    def values(self) -> Sequence[float]:
        shared = (self.blamed, self.blamed_until_s, self.progress_s)
        return (*chain.from_iterable([bucket.values() for bucket in self.buckets]), *shared)

    def rates(self) -> Units:
        return tuple([bucket.rate for bucket in self.buckets])

    def now(self, now_s: float) -> tuple[BudgetRates, ...]:
        return tuple(
            [BudgetRates(each.cap, each.rate, each.measured_rate(now_s), each.consumed) for each in self.buckets]
        )

    def queue_up(self, now_s: float, place: Place) -> Place:
        """Take a place where the request would wait longest."""
        tickets = list(place.tickets)
        if needed := place.needed():
            slowest = max(needed, key=lambda number: self._wait_at_the_end_s(now_s, number, place.costs[number]))
            tickets[slowest] = self.buckets[slowest].queue_up(now_s, place.costs[slowest])
        return Place(place.costs, tuple(tickets))

    def start(self, now_s: float, place: Place) -> Start:
        """Start a request if all budgets allow it, else keep its place, or give it one."""
        if len(self.buckets) == 1:
            return self._start_in_one(now_s, place)
        if max(place.tickets) == NO_TICKET:
            place = self.queue_up(now_s, place)
        needed, tickets, wait_s = place.needed(), list(place.tickets), 0.0
        waits = [(self.buckets[each].wait_s(now_s, tickets[each], place.costs[each]), each) for each in needed]
        # Those where it has a place come first, then those where it would wait longest in the first place.
        for each_s, number in sorted(waits, key=lambda wait: (tickets[wait[1]] == NO_TICKET, -wait[0])):
            bucket, units = self.buckets[number], place.costs[number]
            if tickets[number] == NO_TICKET and each_s < wait_s - JUST_IN_TIME_S:
                wait_s -= each_s
                break
            if bucket.overtaken(tickets[number]):
                tickets[number] = bucket.go_first(now_s, units)
            wait_s = max(wait_s, each_s)
        if wait_s <= 0:
            for number in needed:
                self.buckets[number].start(tickets[number], place.costs[number])
        return Start(wait_s, Place(place.costs, tuple(tickets)))

    def _start_in_one(self, now_s: float, place: Place) -> Start:
        (bucket,), (units,), (ticket,) = self.buckets, place.costs, place.tickets
        if ticket == NO_TICKET:
            ticket = bucket.queue_up(now_s, units)
        elif bucket.overtaken(ticket):
            ticket = bucket.go_first(now_s, units)
        wait_s = bucket.wait_s(now_s, ticket, units)
        if wait_s <= 0:
            bucket.start(ticket, units)
        return Start(wait_s, Place(place.costs, (ticket,)))

    def _wait_at_the_end_s(self, now_s: float, number: int, units: float) -> float:
        bucket = self.buckets[number]
        return bucket.wait_s(now_s, bucket.tail + units, units)

    def leave(self, place: Place) -> None:
        """A request that waited will not start."""
        for bucket, units, ticket in zip(self.buckets, place.costs, place.tickets, strict=True):
            bucket.leave(ticket, units)

    def settle(self, now_s: float, returned: Units, consumed: Units, *, progress: bool | None = None) -> None:
        """progress: whether the job made progress; None to judge by `consumed`."""
        for bucket, back, used in zip(self.buckets, returned, consumed, strict=True):
            bucket.settle(now_s, back, used)
        if any(consumed) if progress is None else progress:
            self.progress_s = max(self.progress_s, now_s)

    def throttled(self, now_s: float, budget: int | None, *, hot: bool) -> None:
        """budget: the one that was short; None if the service named none. hot: only a range of keys is short."""
        if hot or budget is not None:
            self.blamed, self.blamed_until_s = self.HOT_KEYS if hot else float(budget or 0), now_s + BLAME_FOR_S
        short = self.blamed if now_s < self.blamed_until_s else 0.0
        if short != self.HOT_KEYS:
            self.buckets[int(short)].cut(now_s)
