"""Another checkout of this project beside this one, on the same jobs in turns: `python -m bench.against FOLDER`.

For changes that must not cost speed: FOLDER is a checkout of an earlier state (`git worktree add`). Both run with
this Python and its packages. Prints CPU-seconds of the whole process tree, the least and the median of each, and the
median of the ratios, above 1 if this checkout is faster.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import AWAKE
from bench.suite import ROOT, Contender, Suite, Task

PROGRAMS = {"import": "DDBImport.py", "export": "DDBExport.py"}


@dataclass(frozen=True)
class Job:
    """direction: a key of `PROGRAMS`. shape, count: of the items; of an export, count is pages of 1 MB."""

    direction: str
    shape: str
    count: int
    options: tuple[str, ...] = ()


JOBS = {
    "import small": Job("import", "small", 600_000),
    "import nested": Job("import", "nested", 60_000),
    "import csv": Job("import", "csv", 300_000, ("--format", "csv")),
    "export json": Job("export", "small", 300),
    "export dynamodb-json": Job("export", "small", 300, ("--format", "dynamodb-json")),
}


def contenders(suite: Suite, name: str, job: Job, folders: Sequence[Path]) -> list[Contender]:
    options = ("-p", "1", *job.options)
    made = []
    for folder in folders:
        program = [sys.executable, str(folder / PROGRAMS[job.direction]), "-t", "Orders"]
        if job.direction == "import":
            source = suite.rows(job.count) if job.shape == "csv" else suite.lines(job.shape, job.count)
            sink = suite.sink(*(("--keys", "id") if job.shape == "csv" else ()), *AWAKE)
            words = [*program, "-s", str(source), *options]
            made.append(Contender(name, folder.name, Task(lambda words=words: words, sink), job.count, 0))
        else:
            sink = suite.sink("--pages", str(job.count))
            counted = suite.exporter(name, sink, job.count, job.shape)
            task = Task(lambda program=program: [*program, "-d", suite.output(), *options], sink)
            made.append(Contender(name, folder.name, task, counted.items, 0))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="another checkout")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; all without one")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    folders = [ROOT, given.folder.resolve()]
    rows = [f"{'job':22}{'this: least, median':>22}{'other: least, median':>22}{'ratio':>8}"]
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(Path(folder), rounds=given.rounds, share=1.0)
        for name in given.jobs or JOBS:
            ours, others = contenders(suite, name, JOBS[name], folders)
            suite.take_turns(ours, others)
            suite.close()
            ratio = statistics.median(b / a for a, b in zip(ours.cpu_s(), others.cpu_s(), strict=True))
            cells = [f"{min(each.cpu_s()):.2f}, {statistics.median(each.cpu_s()):.2f}" for each in (ours, others)]
            rows.append(f"{name:22}{cells[0]:>22}{cells[1]:>22}{ratio:>8.2f}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
