"""For checks that run the real commands: a simulator, a folder, and what the simulator's log says afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ddbio.simulator import Simulator, TableView, ThroughputSettings

ROOT = Path(__file__).resolve().parent.parent
STRICT = ThroughputSettings(burst_s=0, initial_burst_s=0)
AMPLE = 200_000
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "DDBIO_STATE_DIR": str(ROOT / ".cache" / "state"),
    "PYTHONPATH": str(ROOT),
}


@dataclass
class Verdict:
    """What a case measured, and which of its bars it missed."""

    figures: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def require(self, what: str, value: float, *, at_most: float = float("inf"), at_least: float = 0.0) -> None:
        self.figures[what] = round(value, 3)
        if not at_least <= value <= at_most:
            self.missed.append(f"{what} is {value:,.3f}, not {at_least:,.3f} to {at_most:,.3f}")


def steps_of(history: list[tuple[float, float]]) -> list[float]:
    """Units in every step of 0.1 s from the first with consumption to the last."""
    if not history:
        return []
    by_step = {round(at_s * 10): units for at_s, units in history}
    return [by_step.get(step, 0.0) for step in range(min(by_step), max(by_step) + 1)]


def busiest(steps: list[float], window_s: float = 1.0) -> float:
    width = round(window_s * 10)
    return max((sum(steps[at : at + width]) for at in range(len(steps))), default=0.0)


def steady_mean(steps: list[float]) -> float:
    """Units per second from the second second to the last but one."""
    middle = steps[10:-10]
    return sum(middle) / (len(middle) / 10) if middle else 0.0


class Place:
    """A simulator, a folder, and the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simulator = Simulator()

    def generate(self, count: int, *options: object) -> Path:
        path = self.folder / "items.json"
        self._run("GenerateTestData.py", "-c", count, "-f", path, *options)
        return path

    def load(self, *options: object, table: str = "Orders", source: Path | None = None) -> dict[str, float]:
        source = source or self.folder / "items.json"
        return self._run("DDBImport.py", *self._aws(table), "-s", source, *options)

    def export(self, *options: object) -> None:
        self._run("DDBExport.py", *self._aws("Orders"), "-d", self.folder / f"out-{time.monotonic_ns()}", *options)

    def start(self, program: str, *arguments: object) -> subprocess.Popen[str]:
        words = [sys.executable, str(ROOT / program), *map(str, arguments)]
        return subprocess.Popen(
            words, env=ENVIRONMENT, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def _aws(self, table: str) -> tuple[object, ...]:
        return ("-r", "us-east-1", "-t", table, "--endpoint-url", self.simulator.url)

    def start_load(self, *options: object) -> subprocess.Popen[str]:
        return self.start("DDBImport.py", *self._aws("Orders"), "-s", self.folder / "items.json", *options)

    def _run(self, program: str, *arguments: object) -> dict[str, float]:
        with self.start(program, *arguments) as process:
            out, err = process.communicate(timeout=400)
        if process.returncode:
            raise SystemExit(f"{program} {arguments} ended with {process.returncode}:\n{out}{err}")
        return {}


def table(place: Place, **settings: object) -> TableView:
    return place.simulator.create_table("Orders", "hash:S", "range:S", **settings)  # type: ignore[arg-type]


def fresh(place: Place, **settings: object) -> TableView:
    """A new simulator with an empty table, so that every case has a log of its own."""
    place.simulator.stop()
    place.simulator = Simulator()
    place.simulator.start()
    return table(place, **settings)
