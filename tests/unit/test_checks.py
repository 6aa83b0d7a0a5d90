"""The large jobs of `checks.scale`, shorter."""

from __future__ import annotations

import pytest

from checks.scale import balance, hold


@pytest.mark.parametrize("workers", [1, 64, 256])
def test_a_cap_is_used_and_kept_by_any_number_of_workers(workers: int) -> None:
    held = hold("read", 192_000, workers, max(8, 128 // workers), 2000, 12_000, seconds=5)
    assert held.busiest_second <= 1.02
    assert held.mean >= (0.95 if workers > 1 else 0.2)  # one worker has one CPU


def test_the_segments_of_a_large_table_end_together() -> None:
    assert balance(12_000, 768, 6_000_000, 192_000, 0.03) < 1.001
