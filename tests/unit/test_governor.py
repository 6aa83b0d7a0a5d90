"""Governors: one contract for the local and the shared one; what the shared one survives."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ddbio.rate.buckets import NO_TICKET
from ddbio.rate.budgets import Place
from ddbio.rate.governor import Governor, LocalGovernor, SharedGovernor
from ddbio.system.clock import ManualClock


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedGovernor]:
    governor = SharedGovernor.create(tmp_path / "governor", 1000)
    yield governor
    governor.close()


def test_two_openings_share_one_budget(shared: SharedGovernor) -> None:
    other = pickle.loads(pickle.dumps(shared))
    first = shared.start(Place.of(100))
    second = other.start(Place.of(100))
    assert second.place.tickets == (first.place.tickets[0] + 100,)
    assert 0.05 < second.wait_s <= 0.2
    other.set_cap(5)
    assert shared.rates() == (5,)
    other.close()


KILLED_IN_THE_LOCK = """
import fcntl, os, pickle, signal, sys
governor = pickle.loads(bytes.fromhex(sys.argv[1]))
def die(bucket):
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
governor._change(die)
"""


def test_a_process_killed_inside_the_lock_stops_nobody(shared: SharedGovernor) -> None:
    before = shared.start(Place.of(10)).place
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_LOCK, pickle.dumps(shared).hex()],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert (killed.stdout, killed.returncode) == ("locked\n", -signal.SIGKILL)
    assert shared.start(Place.of(10)).place.tickets == (before.tickets[0] + 10,)


def test_a_state_half_written_is_not_seen(shared: SharedGovernor) -> None:
    before = shared.progress_s(), shared.rates()
    (index,) = shared._INDEX.unpack_from(shared._memory, 0)
    values = shared._fields.size // 8
    shared._fields.pack_into(shared._memory, shared._state_at(index + 1), *[9.0] * values)
    assert (shared.progress_s(), shared.rates()) == before


def test_every_governor_answers_alike(tmp_path: Path) -> None:
    clock = ManualClock()
    local = LocalGovernor(50, 7, clock=clock)
    shared = SharedGovernor.create(tmp_path / "governor", 50, 7, clock=clock)
    script: list[tuple[str, Callable[[Governor], object]]] = [
        ("start", lambda governor: governor.start(Place.of(10, 1))),
        ("settle", lambda governor: governor.settle((3, 0), (7, 1))),
        ("start with a place", lambda governor: governor.start(Place((10, 1), (10, NO_TICKET)))),
        ("leave", lambda governor: governor.leave(Place((10, 1), (10, NO_TICKET)))),
        ("progress", lambda governor: governor.progress_s()),
        ("hot", lambda governor: governor.throttled(0, hot=True)),
        ("unknown while hot", lambda governor: governor.throttled(None)),
        ("throttled", lambda governor: governor.throttled(1)),
        ("rates", lambda governor: governor.rates()),
        ("cap", lambda governor: governor.set_cap(20)),
        ("rates after", lambda governor: governor.rates()),
    ]
    for name, ask in script:
        clock.now_s += 0.05
        assert ask(local) == ask(shared), name
    shared.close()


def test_the_file_is_private(shared: SharedGovernor) -> None:
    assert shared.path.stat().st_mode & 0o077 == 0
