"""The cost of the last second's pages, and the budget of an export, which depends on it. Pure; time passed in.

The cost of a page is known only from its answer: items vary in size, and `Limit` counts items. Three rules make the
ceiling hold for any cost of the pages:

- a page counts as the maximal cost of a page from its start until its answer;
- from then on it counts at its true cost, for one second;
- a page starts only while those of the last second count no more than `WINDOW_SHARE` of the cap together.

So the pages that start in any second cost at most 1.01 of the cap plus one page. If one page may cost more than the
cap allows, only one is under way at a time.

The service reads at some time between start and answer. So a page counts from its answer on, and earlier only if the
service is far away and every answer takes long (`far_s`). A delayed page reads late, and counts late.

The token bucket spaces the pages. A page is paid for afterwards: the next one starts as soon as the last one is paid
for, at its true cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ddbio.rate.buckets import NO_TICKET, NOTHING, TokenBucket
from ddbio.rate.budgets import Budgets, Place

WINDOW_S = 1.0
WINDOW_SHARE = 1.01  # of the cap
CELL_S = 0.005  # costs within this time share a cell: the window is up to this much longer, never shorter
_CELLS = round(WINDOW_S / CELL_S) + 1
CATCH_UP_S = 0.2  # of the rate: pages that start late may catch up this much, if the window allows
NEAR_S = 0.01  # if the service usually answers within this time, pages count from their answer
_KNOWN_AFTER = 5  # answers: the first ones are late, over new connections
_SLOWER_BY, _SLOWER_BY_S = 0.05, 0.0001  # the usual latency grows by this with each slower answer
LOOK_AGAIN_S = 0.002  # while a page waits for the answers of others, which may arrive at any time


class Window:
    """The units of the last second by the time at which they count.

    memory: `FIELDS` numbers, initially zero; shared by all processes, which the caller admits one at a time. If a
        process is killed meanwhile, at worst too many units count for a second.
    """

    FIELDS = _CELLS + 1  # the number of the newest cell, then the cells in turn

    def __init__(self, memory: list[float] | memoryview[float]) -> None:
        self._memory = memory

    def move(self, now_s: float, units: float, at_s: float) -> None:
        """Add units at the time `at_s`; ignored if that is too long ago."""
        self._forget(now_s)
        cell = at_s // CELL_S
        if self._memory[0] - _CELLS < cell <= self._memory[0]:
            self._memory[_at(cell)] += units

    def units(self, now_s: float) -> float:
        """The sum of the units that count now."""
        self._forget(now_s)
        return sum(self._memory[1:])

    def _forget(self, now_s: float) -> None:
        newest = now_s // CELL_S
        for age in range(min(_CELLS, max(0, int(newest - self._memory[0])))):
            self._memory[_at(newest - age)] = 0.0
        self._memory[0] = max(self._memory[0], newest)


def _at(cell: float) -> int:
    return 1 + int(cell) % _CELLS


class Distance:
    """How far away the service is: how long answers take at least, lately."""

    def __init__(self) -> None:
        self._usual_s = math.inf
        self._answers = 0

    @property
    def far_s(self) -> float:
        """How long before its answer a page counts."""
        return max(0.0, self._usual_s - NEAR_S) if self._answers > _KNOWN_AFTER else 0.0

    def answered(self, latency_s: float) -> None:
        self._answers += 1
        self._usual_s = min(latency_s, self._usual_s * (1 + _SLOWER_BY) + _SLOWER_BY_S)


class PageStart(NamedTuple):
    """wait_s: 0 if the page starts now, at `started_s`; else seconds until the next attempt, with this place."""

    wait_s: float
    started_s: float
    place: Place


@dataclass(frozen=True, slots=True)
class PageCost:
    """The facts about a page when its answer has arrived or has failed.

    started_s: time of its start. most: the units at which it counted since then. reserved: units reserved in the
    bucket. far_s: seconds before its answer from which on it counts. consumed: units. in_vain: refused for lack of
    capacity: the reserved units are then spent. answered: the answer reported the consumption.
    """

    started_s: float
    most: float
    reserved: float
    far_s: float
    consumed: float
    in_vain: bool = False
    answered: bool = True


@dataclass(frozen=True, slots=True)
class PageBudget:
    """The budget of a job whose requests are pages, and the window that limits them."""

    budgets: Budgets
    window: Window

    @property
    def bucket(self) -> TokenBucket:
        (bucket,) = self.budgets.buckets
        return bucket

    def start(self, now_s: float, place: Place, most: float) -> PageStart:
        """Start a page if the units of those before it are paid for and the window allows it, else keep its place."""
        bucket, (units,), (ticket,) = self.bucket, place.costs, place.tickets
        bucket.burst_s = CATCH_UP_S
        if ticket == NO_TICKET:
            ticket = bucket.queue_up(now_s, units)
        elif bucket.overtaken(ticket):
            ticket = bucket.go_first(now_s, units)
        wait_s = bucket.wait_on_credit_s(now_s, ticket, units)
        if not math.isinf(bucket.cap) and self.window.units(now_s) > bucket.cap * WINDOW_SHARE + NOTHING:
            wait_s = max(wait_s, LOOK_AGAIN_S)
        if wait_s <= 0:
            bucket.start_on_credit(ticket, units)
            self.window.move(now_s, most, now_s)
        return PageStart(wait_s, now_s, Place(place.costs, (ticket,)))

    def settle(self, now_s: float, page: PageCost) -> None:
        unused = page.reserved - page.consumed
        returned = min(unused, 0.0) if page.in_vain else unused
        self.budgets.settle(now_s, (returned,), (page.consumed if page.answered else 0.0,))
        # Added before it is subtracted: if the process is killed in between, the page counts twice rather than never.
        self.window.move(now_s, page.consumed, max(page.started_s, now_s - page.far_s))
        self.window.move(now_s, -page.most, page.started_s)
