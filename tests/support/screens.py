"""A terminal in memory for a command: what a user sees, at a width of the test's choice."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pyte

ROWS = 40


class Terminal:
    """A command whose streams are a terminal. Leaving the block kills it if it still runs."""

    def __init__(
        self, columns: int, script: Path, words: list[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.received = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, str(script), *words],
            cwd=folder,
            env={**environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the other end is closed
            while data := os.read(self._ours, 65536):
                with self._lock:
                    self.received += data
                    self._stream.feed(data)

    def lines(self) -> list[str]:
        """What is on the screen, without empty lines."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display if line.strip()]

    def until(self, condition: Callable[[list[str]], bool], timeout_s: float = 30.0) -> list[str]:
        """The screen as soon as it is as the test wants it, while the command runs."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if condition(shown := self.lines()):
                return shown
            assert self.process.poll() is None, f"it ended too early: {self.lines()}"
            time.sleep(0.02)
        raise AssertionError(f"never shown: {self.lines()}")

    def end(self, timeout_s: float = 60.0) -> int:
        """Its exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(5.0)
        return code

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5.0)
        os.close(self._ours)
