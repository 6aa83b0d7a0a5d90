"""What the requests of the last second cost, and the budget of an export, which is held to it. Pure; time passed in.

What a page costs is known from its answer alone: items vary, and `Limit` counts items. Three rules make the ceiling
hold whatever the pages turn out to cost:

- a page counts at the most that a page can cost, from its start until its answer;
- from then on it counts at its true cost, for one second;
- a page starts only while those of the last second count no more than `WINDOW_SHARE` of the cap together.

So the pages that start in any second cost at most 1.01 of the cap and one page. Where one page may cost more than the
cap allows, one is under way at a time.

The service reads at some time between start and answer: a page counts from its answer, and from before that only
if the service is far away and every answer takes long (`far_s`). One that was held up reads late, and counts late.

The spacing of the pages is the token bucket's. It is paid after the page, not before: the next one starts when the
last one is paid for, at its true cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ddbio.rate.buckets import NOTHING, Budgets, TokenBucket

WINDOW_S = 1.0
WINDOW_SHARE = 1.01  # of the cap
CELL_S = 0.005  # costs are kept for so long together: the window is that much longer, never shorter
_CELLS = round(WINDOW_S / CELL_S) + 1
CATCH_UP_S = 0.2  # of the rate: pages that start late may catch up so much, if the window allows
LOOK_AGAIN_S = 0.002  # while pages that are under way hold others up: an answer may come at any time


class Window:
    """Units by the time they count at, for the last second.

    memory: `FIELDS` numbers, zero at first; shared by all processes, of which the caller lets in one at a time. A
        process that is killed in between leaves too much in it at worst, for a second.
    """

    FIELDS = _CELLS + 1  # the number of the newest cell, then the cells in turn

    def __init__(self, memory: list[float] | memoryview[float]) -> None:
        self._memory = memory

    def move(self, now_s: float, units: float, at_s: float) -> None:
        """Count so many more at this time; nothing if that is too long ago."""
        self._forget(now_s)
        cell = at_s // CELL_S
        if self._memory[0] - _CELLS < cell <= self._memory[0]:
            self._memory[_at(cell)] += units

    def units(self, now_s: float) -> float:
        """All that counts now."""
        self._forget(now_s)
        return sum(self._memory[1:])

    def _forget(self, now_s: float) -> None:
        newest = now_s // CELL_S
        for age in range(min(_CELLS, max(0, int(newest - self._memory[0])))):
            self._memory[_at(newest - age)] = 0.0
        self._memory[0] = max(self._memory[0], newest)


def _at(cell: float) -> int:
    return 1 + int(cell) % _CELLS


class PageStart(NamedTuple):
    """wait_s: 0 when the page starts now, and then `started_s` is now; else when to ask again."""

    wait_s: float
    started_s: float


@dataclass(frozen=True, slots=True)
class PageCost:
    """What is known of a page when its answer is there, or will not come.

    started_s: when it started. most: what it counted at since. reserved: what was reserved in the bucket.
    far_s: how long before its answer it counts from. consumed: units. in_vain: refused for lack of capacity: what was
    reserved is spent then. answered: the service said what it consumed.
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
    """The budget of a job whose requests are pages, and the window they are held to."""

    budgets: Budgets
    window: Window

    @property
    def bucket(self) -> TokenBucket:
        (bucket,) = self.budgets.buckets
        return bucket

    def reserve(self, now_s: float, units: float) -> float:
        """Queue up; the ticket: what must be paid for before this page, itself not included."""
        self.bucket.burst_s = CATCH_UP_S
        return self.bucket.reserve(now_s, units) - units

    def start(self, now_s: float, ticket: float, most: float) -> PageStart:
        bucket = self.bucket
        wait_s = bucket.wait_s(now_s, ticket)
        if not math.isinf(bucket.cap) and self.window.units(now_s) > bucket.cap * WINDOW_SHARE + NOTHING:
            wait_s = max(wait_s, LOOK_AGAIN_S)
        if wait_s <= 0:
            bucket.start(ticket)
            self.window.move(now_s, most, now_s)
        return PageStart(wait_s, now_s)

    def settle(self, now_s: float, page: PageCost) -> None:
        unused = page.reserved - page.consumed
        returned = min(unused, 0.0) if page.in_vain else unused
        self.budgets.settle(now_s, (returned,), (page.consumed if page.answered else 0.0,))
        # Counted anew before it is no longer counted: a process that is killed in between counts it twice.
        self.window.move(now_s, page.consumed, max(page.started_s, now_s - page.far_s))
        self.window.move(now_s, -page.most, page.started_s)
