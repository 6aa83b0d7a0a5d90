"""What the benchmarks make of their runs: a wrong ratio would be believed."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.measure import CommandError, Run, measure
from bench.picture import draw
from bench.suite import ENVIRONMENT, Bar, Contender, Task

SPIN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
NESTED = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}]); {SPIN}"
NO_TASK = Task(list)


def contender(items: int, *cpu_s: float, start_cpu_s: float = 0.0) -> Contender:
    runs = [Run(each, 0.0, 1.0, 0.0, 0) for each in cpu_s]
    return Contender("job", "who", NO_TASK, items, items, start_cpu_s=start_cpu_s, runs=runs)


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    ours, theirs = contender(1000, 1.0, 2.0, 9.0), contender(100, 1.0, 1.0, 1.0)
    assert ours.against(theirs) == 5.0


def test_what_a_peer_costs_over_nothing_is_not_held_against_it() -> None:
    assert contender(100, 1.5, start_cpu_s=0.5).items_per_cpu_s() == 100


@pytest.mark.parametrize(
    ("value", "at_most", "verdict"),
    [
        (30, False, "aim"),
        (25, False, "must"),
        (19, False, "MISSED"),
        (25, True, "must"),
        (31, True, "MISSED"),
        (None, False, "missing"),
    ],
)
def test_verdicts(value: float | None, at_most: bool, verdict: str) -> None:
    must, aim = (30, 20) if at_most else (20, 30)
    assert Bar("", value, must, aim, at_most=at_most).verdict() == verdict


def test_the_cpu_of_a_whole_tree_is_measured_and_the_parents_own(tmp_path: Path) -> None:
    run = measure([sys.executable, "-c", NESTED], ENVIRONMENT, tmp_path)
    assert 0.6 <= run.cpu_s < 2.4
    assert 0.3 <= run.parent_cpu_s <= run.cpu_s - 0.3
    assert len(run.peak_bytes) == 2
    assert run.peak_total_bytes > max(run.peak_bytes.values()) > 1_000_000


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="ended with 3"):
        measure([sys.executable, "-c", "import sys; print('why'); sys.exit(3)"], ENVIRONMENT, tmp_path)


def test_the_picture_has_a_bar_for_everyone() -> None:
    figures = [{"job": "import, csv", "name": name, "items_per_cpu_s": 10.0} for name in ("ddbio", "<peer>")]
    tree = ElementTree.fromstring(draw(figures))
    assert len([each for each in tree if each.tag.endswith("rect")]) == 2
