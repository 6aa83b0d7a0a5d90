"""How long work may keep an asyncio loop from other tasks, measured so that a busy machine is not at fault.

The CPU time between two turns of the loop is measured twice: that of the loop's own thread, which is how long calls
kept it; and that of the process, which is large if the loop waited for another thread. A busy machine lengthens
neither, but a virtual machine may charge to a process the time that its host took away: so the best of
a few tries counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

OWN_S = 0.010
PROCESS_S = 0.050
TRIES = 4


# For scripts: `watch(spent)` adds the seconds of the thread and of the process between two turns of the loop.
WATCH = """
import asyncio, time

async def watch(spent):
    while True:
        own_s, process_s = time.thread_time(), time.process_time()
        await asyncio.sleep(0.001)
        spent.append((time.thread_time() - own_s, time.process_time() - process_s))
"""


def assert_loop_stays_free(longest_waits: Callable[[], Sequence[float]]) -> None:
    """`longest_waits` does the work once and returns the largest of both figures, in seconds."""
    tries = []
    for _ in range(TRIES):
        own_s, process_s = longest_waits()
        tries.append((own_s, process_s))
        if own_s < OWN_S and process_s < PROCESS_S:
            return
    pytest.fail(f"the loop waited, in seconds of its thread and of the process: {tries}")
