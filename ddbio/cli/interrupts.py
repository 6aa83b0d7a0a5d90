"""Handles Ctrl-C and SIGTERM once a command has begun: they stop its engine in order, or end the command at once.

Until then they end the process at once (`ddbio.cli.start`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbio.cli.run import Command
from ddbio.cli.start import ENDING, end_at_once

if TYPE_CHECKING:
    from ddbio.system.stop import StopFlag

_AGAIN_AFTER_S = 0.01


def stop_on_signals(command: Command) -> StopFlag:
    """A flag that Ctrl-C and SIGTERM raise: the first stops in order, the second at once.

    While no engine is running there is nothing to settle, so a signal ends the command right away. After
    the engine has finished, a first signal is too late to stop anything, and must not make a finished job look
    unfinished.
    """
    from ddbio.system.stop import StopFlag

    stop = StopFlag()

    def handler(_signal: int, _frame: object) -> None:
        stop.ask()
        if stop.finishing:
            stop.finishing = False  # a second signal takes effect
        elif not stop.heeded:
            interrupt(command)

    for each in ENDING:
        signal.signal(each, handler)
    command.on_thread_error = stop.ask
    sys.unraisablehook = _again_if_lost(sys.unraisablehook)
    return stop


def interrupt_on_signals(command: Command) -> None:
    """Make Ctrl-C and SIGTERM raise KeyboardInterrupt, for a command that reports on its interruption."""
    for each in ENDING:
        signal.signal(each, lambda _signal, _frame: interrupt(command))
    sys.unraisablehook = _again_if_lost(sys.unraisablehook)


def interrupt(command: Command) -> None:
    """Raise KeyboardInterrupt, once: the next signal ends the command without cleaning up."""
    if command.interrupted:
        end_at_once()
    command.interrupted = True
    raise KeyboardInterrupt


def _again_if_lost(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A `sys.unraisablehook`: Python drops an exception raised in a finalizer. If that was the interrupt, the
    signal is sent again."""

    def unraisable(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            threading.Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            hook(lost)

    return unraisable
