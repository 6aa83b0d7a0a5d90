"""Mutates the targets, each mutant in a copy of this tree, and prints those that no test noticed.

    scripts/mutate                          all targets
    scripts/mutate ddbio/messages.py:Tally     only some, by the beginning of their names

The exit code is 1 if a mutant survives that docs/testing.md does not list with a reason. After 20 minutes no further
mutant is tried, and the last line says how many that left out; the mutants are tried in random order.
"""

from __future__ import annotations

import os
import queue
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db

from tests.mutation.operators import Mutations
from tests.mutation.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
COPIES = ROOT / ".cache" / "mutation"
PYTEST = f"{ROOT}/.venv/bin/python -m pytest -x -p no:xdist"
LISTED = re.compile(r"^\| `(?P<target>ddbio/[^`]*)` \| `(?P<mutant>.*)` \|", re.MULTILINE)
TIME_S = 20 * 60


@dataclass(frozen=True)
class Mutant:
    target: Target
    mutation: Any  # cosmic-ray's MutationSpec; its path is that in the tree


@dataclass
class Outcome:
    killed: int = 0
    survivors: list[str] = field(default_factory=list)
    left_out: int = 0


def copied(number: int) -> Path:
    """A copy of this tree, as it is now, without what git ignores."""
    copy = COPIES / str(number)
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=-1
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def test_command(copy: Path, tests: Sequence[str]) -> str:
    return f"env -C {copy} {PYTEST} " + " ".join(f"tests/unit/{each}" for each in tests)


def prepare(copy: Path, targets: Sequence[Target]) -> None:
    """Run all the tests once: they must pass, and what they compile is kept but for the targets themselves."""
    tests = sorted({each for target in targets for each in target.tests})
    subprocess.run(test_command(copy, tests).split(), check=True, stdout=sys.stderr)
    for target in targets:
        module = copy / target.module
        for compiled in (module.parent / "__pycache__").glob(f"{module.stem}.*"):
            compiled.unlink()


def mutants_of(target: Target) -> Iterator[Mutant]:
    with use_db(":memory:") as found:
        init([ROOT / target.module], found, {})
        for item in found.pending_work_items:
            (mutation,) = item.mutations
            if _is_within(target, mutation):
                yield Mutant(target, mutation)


def _is_within(target: Target, mutation: Any) -> bool:
    if not target.only:
        return True
    lines = (ROOT / target.module).read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if re.match(rf"class {target.only}\b", line))
    last = next((number for number, line in enumerate(lines, 1) if number > first and line[:1].strip()), len(lines))
    return bool(first <= mutation.start_pos[0] < last)


def shown(diff: str) -> str:
    """The changed lines of a diff, without their comments, on one: `old -> new`."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    old, new = (
        "; ".join(line[1:].partition("  # ")[0].strip() for line in lines if line[0] == sign) for sign in "-+"
    )
    return f"{old} is swapped with its neighbour" if old == new else f"{old} -> {new}"


class Work:
    """Mutants, and a worker for each copy that takes one after the other."""

    def __init__(self, mutants: Sequence[Mutant], test_time_s: float) -> None:
        self._waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
        for mutant in mutants:
            self._waiting.put(mutant)
        self._timeout_s = 20 + 5 * test_time_s
        self._ends_s = time.monotonic() + TIME_S
        self._lock = threading.Lock()
        self.outcome = Outcome()

    def run_in(self, copy: Path) -> None:
        while True:
            try:
                mutant = self._waiting.get_nowait()
            except queue.Empty:
                return
            if time.monotonic() > self._ends_s:
                self.outcome.left_out += 1
            else:
                self._try(mutant, copy)

    def _try(self, mutant: Mutant, copy: Path) -> None:
        spec = mutant.mutation
        spec = type(spec)(
            copy / mutant.target.module,
            spec.operator_name,
            spec.occurrence,
            spec.start_pos,
            spec.end_pos,
            spec.operator_args,
            spec.definition_name,
        )
        result = mutate_and_test([spec], test_command(copy, mutant.target.tests), self._timeout_s)
        with self._lock:
            if result.worker_outcome != "normal":
                raise RuntimeError(result.output)
            if result.is_killed:
                self.outcome.killed += 1
                return
            line = f"| `{mutant.target.name}` | `{shown(result.diff)}` |"
            self.outcome.survivors.append(line)
            print(f"{mutant.target.module}:{spec.start_pos[0]} survived", line, flush=True)


def main(names: Sequence[str]) -> int:
    targets = [target for target in TARGETS if not names or target.name.startswith(tuple(names))]
    plugins.OPERATOR_PROVIDERS.clear()
    plugins.OPERATOR_PROVIDERS["ddbio"] = Mutations()
    copies = [copied(number) for number in range(min(os.cpu_count() or 1, 4))]
    began_s = time.monotonic()
    for copy in copies:
        prepare(copy, targets)
    mutants = [each for target in targets for each in mutants_of(target)]
    random.shuffle(mutants)
    work = Work(mutants, time.monotonic() - began_s)
    with ThreadPoolExecutor(len(copies)) as workers:
        list(workers.map(work.run_in, copies))
    return judged(work.outcome)


def judged(outcome: Outcome) -> int:
    listed = {match.group() for match in LISTED.finditer((ROOT / "docs" / "testing.md").read_text())}
    unlisted = sorted(set(outcome.survivors) - listed)
    print("\n".join(["", *(unlisted or ["every survivor is listed in docs/testing.md"])]))
    left_out = f", {outcome.left_out} left out for lack of time" if outcome.left_out else ""
    survived = f"{len(outcome.survivors)} survived, {len(unlisted)} of them unlisted"
    print(f"{outcome.killed} mutants killed, {survived}{left_out}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
