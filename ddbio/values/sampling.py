"""The total of a table, estimated from a random sample of its segments, with a 95 % interval. Pure.

The segments are the clusters of a simple random cluster sample without replacement. The estimator of the total is the
unbiased expansion estimator: the mean of the sampled segments times the number of all segments. (A ratio estimator
would need the exact total of an auxiliary figure; the service has none: its item count is hours old.)

The interval is the wider of two, both shrunk by the share of the segments that was read:

- Student's t of the spread between segments (n - 1 degrees of freedom), right for many items. Its upper limit is
  raised by a correction of the second order, as on a logarithmic scale: of skewed segments a sample lacks, more often
  than not, the large ones, and so has too low a mean together with too low a spread;
- Poisson's, of the number of items seen, by Byar's approximation. It is the wider one for few items: if none was seen
  there is no spread, but 3.7 may be expected.

No limit is below the items seen, for they exist. Source: Cochran, Sampling Techniques, 3rd edition, 2.5 and 9A.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

CONFIDENCE_PERCENT = 95
_Z = 1.959964  # of the normal distribution, two-sided
_T_OF_FEW = {1: 12.7062, 2: 4.3027, 3: 3.1824}  # by degrees of freedom, where the series below is inexact


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total and its interval. least, most: None if a single segment of several was read: its spread is unknown."""

    total: float
    least: float | None
    most: float | None


def estimate_total(sampled: Sequence[int], segments: int) -> Estimate:
    """sampled: the number in each segment that was read, one at least. segments: the number of all."""
    seen, read = sum(sampled), len(sampled)
    total = fmean(sampled) * segments
    unread = 1 - read / segments
    if unread <= 0:
        return Estimate(float(seen), float(seen), float(seen))
    if read == 1:
        return Estimate(total, None, None)
    spread = _student(read - 1) * segments * math.sqrt(unread * variance(sampled) / read)
    few_below, few_above = _poisson(seen)
    expansion, shrunk = segments / read, math.sqrt(unread)
    below = max(spread, (seen - few_below) * expansion * shrunk)
    above = max(spread * (1 + spread / total / 2) if total else 0.0, (few_above - seen) * expansion * shrunk)
    return Estimate(total, max(float(seen), total - below), total + above)


def _student(freedom: int) -> float:
    """The quantile for 95 %, two-sided, by the expansion of Cornish and Fisher."""
    if freedom in _T_OF_FEW:
        return _T_OF_FEW[freedom]
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _poisson(seen: int) -> tuple[float, float]:
    """The limits of the expectation of a count, by Byar."""
    below = seen * (1 - 1 / (9 * seen) - _Z / (3 * math.sqrt(seen))) ** 3 if seen else 0.0
    above = (seen + 1) * (1 - 1 / (9 * (seen + 1)) + _Z / (3 * math.sqrt(seen + 1))) ** 3
    return below, above
