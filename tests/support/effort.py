"""How many examples property-based tests try: all of them with DDBIO_TESTS=thorough, as CI sets it, else a quarter.

Hypothesis chooses other examples in every run, so everyday runs get through them all, too, only more slowly.
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("DDBIO_TESTS") == "thorough"


def examples(most: int) -> int:
    """What `max_examples` is to be where a thorough run tries `most`."""
    return most if THOROUGH else -(-most // 4)
