"""The engine for a number of workers. Only the chosen one is loaded."""

from __future__ import annotations

from ddbio.engines.engine import Engine
from ddbio.system.signals import signals_held


def engine_of(workers: int) -> Engine:
    """Of that many worker processes; of this process alone if it is 0."""
    with signals_held():
        if workers:
            from ddbio.engines.pool import ProcessEngine

            return ProcessEngine(workers)
        from ddbio.engines.inline import InlineEngine

        return InlineEngine()
