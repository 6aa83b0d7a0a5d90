"""How many examples property-based tests try: a quarter of them, or as DDBIO_TESTS says:

    thorough   all of them
    quick      a sixteenth, to see that other versions of packages do the same

Hypothesis chooses other examples in every run, so all runs together get through them, too, only more slowly.
"""

from __future__ import annotations

import os

_DIVISORS = {"thorough": 1, "quick": 16}
DIVISOR = _DIVISORS.get(os.environ.get("DDBIO_TESTS", ""), 4)


def examples(most: int) -> int:
    """What `max_examples` is to be where a thorough run tries `most`."""
    return -(-most // DIVISOR)
