"""Processes killed and stopped at random, a service that fails at random, the same command again until it is done: as
`checks.chaos` does it with more seeds."""

from __future__ import annotations

import pytest

from checks.chaos import run_seed
from tests.support.effort import examples

pytestmark = pytest.mark.fuller


@pytest.mark.parametrize("seed", [1, 6][: examples(2)])  # with faults of the service, and without
@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_is_claimed(seed: int) -> None:
    outcome = run_seed(seed)
    assert outcome.problems == []
    assert outcome.happened.total() > 2
