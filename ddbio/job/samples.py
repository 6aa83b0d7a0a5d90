"""Samples the course of a run, for its report: once a second, in the parent, from the accounts and the governor."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from ddbio.job.accounts import Accounts
from ddbio.messages import Tally
from ddbio.rate.buckets import BudgetRates
from ddbio.report_page.history import Sample, SideSample
from ddbio.report_page.thinning import MOST, thinned

EVERY_S = 1.0


class Sampler:
    """Adds to the samples of a job's earlier runs.

    samples: at most `MOST`; the last of this run ends at the last `look` that took one.
    keep: called with all samples whenever one was added, and whether they were thinned.
    budgets: those of a table at this moment, by its role. indexes: the names of those after the first, by the roles
    of the job's tables, in the order of the sides.
    latencies: the answered requests of this run so far, by class.
    clock: seconds, monotonic. now: seconds since the epoch.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        accounts: Accounts,
        indexes: Mapping[str, Sequence[str]],
        budgets: Callable[[str], Sequence[BudgetRates]],
        latencies: Callable[[], Sequence[int]],
        keep: Callable[[Sequence[Sample], bool], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.samples = list(samples)
        self._accounts = accounts
        self._run = accounts.past.runs + 1
        self._indexes = indexes
        self._budgets = budgets
        self._consumed: dict[str, list[float]] = {}
        self._latencies = latencies
        self._keep = keep
        self._clock = clock
        self._now = now
        self._every_s = EVERY_S
        self._from_s = clock()
        self._before = accounts.tally.copy()
        self._answered: Sequence[int] = ()

    def look(self) -> None:
        """Take a sample if it is time. Cheap otherwise: called for every event of the run."""
        if self._clock() - self._from_s >= self._every_s:
            self.take()

    def take(self) -> None:
        """Take a sample of the time since the last one."""
        now_s = self._clock()
        seconds, self._from_s = now_s - self._from_s, now_s
        total = self._accounts.tally.copy()
        since, self._before = total.minus(self._before), total
        self.samples.append(self._sample(seconds, since))
        too_many = len(self.samples) > MOST
        if too_many:
            self.samples = thinned(self.samples)
            from statistics import median  # which loads fractions and decimals, and only long runs need it

            of_run = (each.seconds for each in self.samples if each.run == self._run)
            self._every_s = max(EVERY_S, median(of_run))
        self._keep(self.samples, too_many)

    def _sample(self, seconds: float, since: Tally) -> Sample:
        tables = {role: self._of_table(role) for role in self._indexes}
        return Sample(
            self._run,
            self._now() - seconds,
            seconds,
            since.read,
            since.written,
            since.rejected,
            since.throttled,
            since.retries,
            [SideSample(units[0], _finite(now[0].cap), _finite(now[0].in_force)) for now, units in tables.values()],
            {reason: count for reason, count in since.reasons.items() if count},
            self._since_answered(),
            {
                index: consumed
                for role, (_, units) in tables.items()
                for index, consumed in zip(self._indexes[role], units[1:], strict=True)
            },
        )

    def _of_table(self, role: str) -> tuple[Sequence[BudgetRates], list[float]]:
        """The budgets of a table, and the units that each has consumed since the last sample."""
        now, before = self._budgets(role), self._consumed.get(role)
        totals = self._consumed[role] = [budget.total for budget in now]
        return now, [total - then for total, then in zip(totals, before or [0.0] * len(totals), strict=True)]

    def _since_answered(self) -> list[int]:
        before, self._answered = self._answered, self._latencies()
        pairs = zip_longest(self._answered, before, fillvalue=0)
        return [now - then for now, then in pairs]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
