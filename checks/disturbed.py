"""Runs commands, and kills or stops them and their workers at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ddbio.simulator import Simulator

CHECKOUT = Path(__file__).parents[1]
WORKERS, LANES = 2, 3
ORPHANS_S, RUN_S = 2.0, 60.0


@dataclass
class Outcome:
    """The result of a seed. problems: each in words. happened: the number of kills and stops, by kind."""

    problems: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def expect(self, truth: object, otherwise: str) -> None:
        if not truth:
            self.problems.append(otherwise)


class DisturbedRuns:
    """Runs of commands in a folder. dice: choose what happens, and when. outcome: gets what happened, and every
    worker that outlives its parent."""

    def __init__(self, folder: Path, dice: random.Random, outcome: Outcome) -> None:
        self._folder = folder
        self._dice = dice
        self._outcome = outcome

    def run(self, verb: str, simulator: Simulator, disturb: bool, *options: object) -> int:
        """Run a command to its end, or to the end that it is given. Returns its exit code, negative for a signal."""
        words = [sys.executable, "-m", "ddbio", verb, "-t", "Orders", "-p", WORKERS, "--lanes", LANES, *options]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                list(map(str, words)), cwd=self._folder, env=self._environment(simulator), stdout=log, stderr=log
            )
            try:
                for act in self._acts() if disturb else ():
                    if process.poll() is not None:
                        break
                    act(process, verb)
                return process.wait(RUN_S)
            finally:
                self._expect_no_orphans(process)

    def _acts(self) -> Iterator[Callable[[subprocess.Popen[bytes], str], None]]:
        """The disturbances of a run, one after the other, until it has ended."""
        while True:
            time.sleep(self._dice.uniform(0.2, 1.1))
            yield self._dice.choice([self._kill_worker, self._kill_worker, self._kill_parent, self._stop])

    def _kill_worker(self, process: subprocess.Popen[bytes], verb: str) -> None:
        workers = _workers_of(process.pid)
        if workers:
            with suppress(ProcessLookupError):
                os.kill(self._dice.choice(workers), signal.SIGKILL)
            self._outcome.happened[f"deaths of {verb} workers"] += 1

    def _kill_parent(self, process: subprocess.Popen[bytes], verb: str) -> None:
        process.kill()
        process.wait(5)
        self._outcome.happened["killed parents"] += 1
        self._outcome.happened[f"deaths of {verb} workers"] += WORKERS

    def _stop(self, process: subprocess.Popen[bytes], verb: str) -> None:
        process.send_signal(self._dice.choice([signal.SIGINT, signal.SIGTERM]))
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        self._outcome.happened["stops"] += 1

    def _expect_no_orphans(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
            process.wait(5)
        deadline_s = time.monotonic() + ORPHANS_S
        while (left := self._own_workers()) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        self._outcome.expect(not left, "a worker outlived its parent")

    def _own_workers(self) -> list[int]:
        """Workers that run in this seed's folder, whoever their parent is by now."""
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_worker = (proc / "cmdline").read_bytes().startswith(b"ddbio worker")
                if is_worker and (proc / "cwd").readlink() == self._folder:
                    found.append(int(proc.name))
        return found

    def _environment(self, simulator: Simulator) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "chaos",
            "AWS_SECRET_ACCESS_KEY": "chaos",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_DYNAMODB": simulator.url,
            "DDBIO_STATE_DIR": str(self._folder / "state"),
            "TMPDIR": str(self._folder),
            "PYTHONPATH": str(CHECKOUT),
        }


def _workers_of(parent: int) -> list[int]:
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (proc / "stat").read_text().rpartition(")")[2].split()
            if fields[1] == str(parent) and (proc / "cmdline").read_bytes().startswith(b"ddbio worker"):
                found.append(int(proc.name))
    return found
