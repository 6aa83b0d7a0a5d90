"""Standard error, if a signal handler writes to it while the command does."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading

import pytest

from ddbio.system.terminal import tell


def test_a_signal_handler_that_interrupts_a_message_does_not_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of a pipe is late, so a message waits; Python then refuses the handler's own."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(io.FileIO(writing, "w"))))
    handled, main, received = threading.Event(), threading.get_ident(), list[bytes]()

    def handler(_signal: int, _frame: object) -> None:
        tell("progress")
        handled.set()

    def late_reader() -> None:
        poll = select.poll()
        poll.register(writing, select.POLLOUT)
        while poll.poll(0):  # there is still room
            pass
        signal.pthread_kill(main, signal.SIGUSR1)
        handled.wait(20)
        while chunk := os.read(reading, 1 << 16):
            received.append(chunk)

    before = signal.signal(signal.SIGUSR1, handler)
    reader = threading.Thread(target=late_reader)
    try:
        reader.start()
        tell("x" * 200_000)
    finally:
        signal.signal(signal.SIGUSR1, before)
        sys.stderr.close()
        reader.join()
        os.close(reading)
    assert handled.is_set()
    assert b"".join(received).startswith(b"x" * 200_000 + b"\n")
