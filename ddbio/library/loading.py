"""The modules of the library, loaded so that an event loop in another thread goes on.

Between two steps of loading, the interpreter passes its lock to the loop. But the new objects, a hundred thousand of
them, cause a full garbage collection, which keeps the lock for 20 ms and more. So collections are paused meanwhile,
and then the objects, of which hardly any is garbage, join the oldest generation without one.
"""

from __future__ import annotations

import gc
import threading
from importlib import import_module

MODULES = (
    "botocore.session",
    "botocore.httpsession",
    "ddbio.engines.pool",
    "ddbio.library.calls",
    "ddbio.library.items",
)
_lock = threading.Lock()
_loaded = False


def load() -> None:
    """Load what nearly every call needs, once in a process."""
    global _loaded
    with _lock:
        if not _loaded:
            _load()
        _loaded = True


def _load() -> None:
    collects = gc.isenabled()
    gc.disable()
    try:
        for name in MODULES:
            import_module(name)
        if gc.get_freeze_count() == 0:  # the program itself has frozen nothing
            gc.freeze()
            gc.unfreeze()
    finally:
        if collects:
            gc.enable()
