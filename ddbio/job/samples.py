"""Samples the course of a run, for its report: once a second, in the parent, from the accounts and the governor."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from statistics import median

from ddbio.flow.context import TARGET
from ddbio.job.accounts import Accounts
from ddbio.messages import Tally
from ddbio.report_page.history import Sample, SideSample
from ddbio.report_page.thinning import MOST, thinned

EVERY_S = 1.0
Limits = tuple[float, float]  # units per second of a table: the cap, and the rate in force


class Sampler:
    """Adds to the samples of a job's earlier runs.

    samples: at most `MOST`; the last of this run ends at the last `look` that took one.
    keep: called with all samples whenever one was added, and whether they were thinned.
    limits: the present limits of a table, by its role. roles: of the job's tables, in the order of the sides.
    latencies: the answered requests of this run so far, by class.
    clock: seconds, monotonic. now: seconds since the epoch.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        accounts: Accounts,
        roles: Sequence[str],
        limits: Callable[[str], Limits],
        latencies: Callable[[], Sequence[int]],
        keep: Callable[[Sequence[Sample], bool], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.samples = list(samples)
        self._accounts = accounts
        self._run = accounts.past.runs + 1
        self._roles = roles
        self._limits = limits
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
            of_run = (each.seconds for each in self.samples if each.run == self._run)
            self._every_s = max(EVERY_S, median(of_run))
        self._keep(self.samples, too_many)

    def _sample(self, seconds: float, since: Tally) -> Sample:
        return Sample(
            self._run,
            self._now() - seconds,
            seconds,
            since.read,
            since.written,
            since.rejected,
            since.throttled,
            since.retries,
            [self._side(role, since) for role in self._roles],
            {reason: count for reason, count in since.reasons.items() if count},
            self._since_answered(),
        )

    def _since_answered(self) -> list[int]:
        before, self._answered = self._answered, self._latencies()
        pairs = zip_longest(self._answered, before, fillvalue=0)
        return [now - then for now, then in pairs]

    def _side(self, role: str, since: Tally) -> SideSample:
        cap, rate = self._limits(role)
        return SideSample(self._units(role, since), _finite(cap), _finite(rate))

    def _units(self, role: str, since: Tally) -> float:
        if len(self._roles) == 1:
            return since.units
        return since.target_units if role == TARGET else since.units - since.target_units


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
