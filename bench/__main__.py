"""This project and its peers side by side, in one run on the same endpoint: `python -m bench [CASE ...]`.

A table in the terminal, everything as JSON in bench/results/. Exit code 1 when a figure is not what it must be, or is
missing. About ten minutes on two cores; `--full` moves three times as much, in more rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import environment
from bench.cases import CASES, chosen, scratch_folder
from bench.measure import ROOT
from bench.picture import draw
from bench.suite import Bar, Contender, Suite

RESULTS = ROOT / "bench" / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all without one")
    parser.add_argument("--full", action="store_true", help="larger amounts, more rounds: half an hour")
    parser.add_argument("--ours", action="store_true", help="leave out the peers that no bar is measured against")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the comparison as SVG")
    given = parser.parse_args()
    unknown = set(given.cases) - set(CASES)
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    began_s, bars = time.monotonic(), []
    rounds, share = (5, 3.0) if given.full else (3, 1.0)
    with tempfile.TemporaryDirectory(prefix="ddbio-bench-", dir=scratch_folder()) as folder:
        suite = Suite(Path(folder), rounds=rounds, share=share, everyone=not given.ours)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        for case in chosen(given.cases):
            print(f"{case.__name__}: {(case.__doc__ or '').splitlines()[0]}", flush=True)
            try:
                bars += list(case(suite))
            finally:
                suite.close()
    done = [each for each in suite.contenders if each.runs]
    show(bars, done, [each for each in suite.contenders if each.missing])
    path = keep(bars, done)
    print(f"\n{time.monotonic() - began_s:.0f} s; everything in {path.relative_to(ROOT)}")
    if given.picture:
        given.picture.write_text(draw([each.figures() for each in done]))
    return 0 if all(bar.reaches(bar.must) for bar in bars) else 1


def show(bars: Sequence[Bar], contenders: Sequence[Contender], missing: Sequence[Contender]) -> None:
    print()
    rows = [("what", "measured", "must", "aim", "")]
    for bar in bars:
        sign, value = "≤" if bar.at_most else "≥", "-" if bar.value is None else amount(bar.value)
        limits = [f"{sign} {amount(limit)}" for limit in (bar.must, bar.aim)]
        rows.append((bar.what, f"{value} {bar.unit}", *limits, bar.note or bar.verdict()))
    print_table(rows)
    print()
    rows = [("job", "who", "items/CPU-s", "CPU-s per M", "MB/CPU-s", "items/s", "MB/s", "peak MB")]
    for each in map(Contender.figures, contenders):
        names = ("items_per_cpu_s", "cpu_s_per_million_items", "mb_per_cpu_s", "items_per_s", "mb_per_s")
        peak = f"{each['peak_process_bytes'] / 1e6:.0f} of {each['peak_total_bytes'] / 1e6:.0f}"
        rows.append((each["job"], each["name"], *(amount(each[name]) for name in names), peak))
    print_table(rows)
    for contender in missing:
        print(f"{contender.job}: {contender.name}: missing: {contender.missing}")


def amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def keep(bars: Sequence[Bar], contenders: Sequence[Contender]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    result: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "cpu": cpu_name(), "python": platform.python_version()},
        "peers": environment.versions(),
        "bars": [{**vars(bar), "verdict": bar.verdict()} for bar in bars],
        "figures": [each.figures() for each in contenders],
    }
    path.write_text(json.dumps(result, indent=1))
    return path


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    sys.exit(main())
