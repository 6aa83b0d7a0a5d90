"""Handing out units: each is worked to its end, by one worker at a time, and what a death loses is only what was not
settled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.engines.foreman import Death, Foreman, Patience
from ddbio.errors import DdbioError, InternalError, PermanentAbortError
from ddbio.flow.checkpoint import LaneState
from ddbio.messages import ImportCursor, SliceUnit, Tally, Unit, UnitReport
from ddbio.messages.files import SourceFile

LANES, SIZE = 2, 4  # records of a unit
KILLED = Death("was killed by SIGKILL", killed=True)
FAULT = InternalError("a fault of ours")
FAILED = Death("failed", killed=False, crash=FAULT)


def units(count: int) -> list[SliceUnit]:
    return [SliceUnit(number, SourceFile("a.json", SIZE, "1"), 0, SIZE) for number in range(count)]


def foreman(plan: list[Unit | None] | list[SliceUnit], workers: int = 1, **others: object) -> Foreman:
    made = Foreman(plan, workers=workers, lanes=LANES, **others)  # type: ignore[arg-type]
    for number in range(workers):
        made.started(number)
    return made


def settled(unit: int, records: int, *, done: bool = False) -> UnitReport:
    return UnitReport(unit, ImportCursor(records, 0), Tally(read=1, written=1), done=done)


def numbers(handed: Iterator[tuple[int, Unit]]) -> list[tuple[int, int]]:
    return [(worker, unit.number) for worker, unit in handed]


# --------------------------------------------------------------------------- handing out


def test_workers_get_the_same_number_and_no_more_than_they_need() -> None:
    handed = numbers(foreman(units(100), workers=3).hand_out())
    assert [unit for _, unit in handed] == list(range(12))
    assert Counter(worker for worker, _ in handed) == {0: 4, 1: 4, 2: 4}  # two lanes, and two ready


def test_who_has_finished_units_gets_more() -> None:
    made = foreman(units(100), workers=2)
    list(made.hand_out())
    for unit in (1, 3):
        made.begun(1, unit)
        made.reported(1, settled(unit, SIZE, done=True))
    assert numbers(made.hand_out()) == [(1, 8), (1, 9)]


def test_a_plan_that_has_no_unit_now_is_asked_again() -> None:
    made = foreman([None, *units(1)])
    assert (numbers(made.hand_out()), made.hungry, made.finish()) == ([], True, [])
    assert (numbers(made.hand_out()), made.hungry) == ([(0, 0)], False)
    made.begun(0, 0)
    made.reported(0, settled(0, SIZE, done=True))
    assert not made.waits
    assert (made.finish(), made.finish()) == ([0], [])
    assert made.has_finished(0)


def test_a_job_with_code_of_the_user_begins_when_all_workers_have_opened_it() -> None:
    made = foreman(units(1), workers=2, opens_together=True)
    made.opened(1)
    assert numbers(made.hand_out()) == []
    made.opened(0)
    assert numbers(made.hand_out()) == [(0, 0)]


# --------------------------------------------------------------------------- deaths


def test_the_units_of_a_dead_worker_are_handed_out_from_their_cursors() -> None:
    made = foreman(units(2))
    list(made.hand_out())
    made.begun(0, 1)
    made.reported(0, settled(1, 1))
    state = LaneState(1, False, ImportCursor(3, 0), Tally(read=3, written=3))
    assert list(made.died(0, KILLED, [state])) == [UnitReport(1, ImportCursor(3, 0), Tally(read=2, written=2))]
    made.started(1)
    again = {unit.number: unit for _, unit in made.hand_out()}
    assert (again[0].cursor, again[1].cursor, again[1].before) == (None, ImportCursor(3, 0), Tally(read=3, written=3))


def test_who_leaves_in_order_is_not_to_blame_for_its_units() -> None:
    """However often: machines that are reclaimed are no fault of a unit."""
    made = foreman(units(1))
    for number in range(5):
        assert numbers(made.hand_out()) == [(number, 0)]
        made.begun(number, 0)
        made.left(number)
        assert not made.is_done
        made.started(number + 1)
    ((worker, unit),) = made.hand_out()
    made.reported(worker, settled(unit.number, SIZE, done=True))
    assert numbers(made.hand_out()) == [] and made.is_done


def test_a_job_that_opens_together_waits_for_the_first_worker() -> None:
    made = Foreman(units(2), workers=1, lanes=LANES, opens_together=True)
    assert numbers(made.hand_out()) == []
    made.started(7)
    assert numbers(made.hand_out()) == []
    made.opened(7)
    assert numbers(made.hand_out()) == [(7, 0), (7, 1)]


def test_what_a_dead_worker_had_done_is_not_handed_out_again() -> None:
    made = foreman(units(1))
    list(made.hand_out())
    state = LaneState(0, True, ImportCursor(SIZE, 0), Tally(read=SIZE, written=SIZE))
    (report,) = made.died(0, KILLED, [state])
    assert report.done
    made.started(1)
    assert (numbers(made.hand_out()), made.finish()) == ([], [1])


def dies_on(made: Foreman, worker: int, unit: int, death: Death = KILLED) -> list[UnitReport]:
    list(made.hand_out())
    made.begun(worker, unit)
    reports = list(made.died(worker, death, []))
    made.started(worker + 1)
    return reports


def test_a_suspect_is_worked_last_and_alone() -> None:
    made = foreman(units(3))
    assert dies_on(made, 0, 1) == dies_on(made, 1, 1) == []
    assert numbers(made.hand_out()) == [(2, 0), (2, 2)]
    for unit in (0, 2):
        made.reported(2, settled(unit, SIZE, done=True))
    assert numbers(made.hand_out()) == [(2, 1)]
    made.begun(2, 1)
    (report,) = made.died(2, KILLED, [])
    assert "a.json, bytes 0 to 4 was given up: 3 workers died on it" in str(report.error)


def test_a_unit_that_was_not_begun_is_no_suspect() -> None:
    made = foreman(units(2), patience=Patience(of_a_unit=2))
    dies_on(made, 0, 0)
    for worker in (1, 2, 3):
        assert numbers(made.hand_out()) == [(worker, 1)]
        assert list(made.died(worker, KILLED, [])) == []
        made.started(worker + 1)


@pytest.mark.parametrize("death", [KILLED, FAILED])
def test_workers_that_die_in_vain_end_the_run(death: Death) -> None:
    made = foreman(units(50), patience=Patience(in_vain=4))
    for worker in range(3):
        dies_on(made, worker, worker, death)
        assert made.why_end(death) is None
    dies_on(made, 3, 3, death)
    error = made.why_end(death)
    assert error is FAULT if death is FAILED else isinstance(error, PermanentAbortError)


@pytest.mark.parametrize(("death", "most"), [(KILLED, 7), (FAILED, 5)])
def test_workers_that_each_get_a_little_further_do_not_die_for_ever(death: Death, most: int) -> None:
    made = foreman(units(1), patience=Patience(killed=7, failed=5))
    ended: list[DdbioError | None] = []
    for worker in range(most):
        list(made.hand_out())
        made.begun(worker, 0)
        made.reported(worker, settled(0, 1))
        list(made.died(worker, death, []))
        made.started(worker + 1)
        ended.append(made.why_end(death))
    assert ended[:-1] == [None] * (most - 1)
    assert isinstance(ended[-1], InternalError if death is FAILED else PermanentAbortError)


# --------------------------------------------------------------------------- whatever happens


@dataclass
class World:
    """Workers that settle records, report them or not, and die. settled: records, by unit; of whatever worker."""

    made: Foreman
    has: dict[int, dict[int, SliceUnit]] = field(default_factory=dict)
    at: dict[int, int] = field(default_factory=dict)  # by unit: records settled by the worker that has it
    reported: dict[int, int] = field(default_factory=dict)
    counted: Counter[int] = field(default_factory=Counter)  # what the reports come to
    begun: set[int] = field(default_factory=set)
    ended: dict[int, bool] = field(default_factory=dict)  # by unit: whether it failed

    def hand_out(self) -> None:
        for worker, unit in self.made.hand_out():
            assert isinstance(unit, SliceUnit)
            assert all(unit.number not in units for units in self.has.values()), "two workers have it"
            assert unit.number not in self.ended
            offset = unit.cursor.offset if unit.cursor else 0
            assert (unit.before.read if unit.before else 0) == offset == self.counted[unit.number]
            self.has[worker][unit.number] = unit
            self.at[unit.number] = self.reported[unit.number] = offset

    def settle(self, worker: int, unit: int) -> None:
        if unit not in self.begun:
            self.made.begun(worker, unit)
            self.begun.add(unit)
        self.at[unit] = min(SIZE, self.at[unit] + 1)

    def report(self, worker: int, unit: int) -> None:
        if unit in self.begun:
            new, done = self.at[unit] - self.reported[unit], self.at[unit] == SIZE
            report = UnitReport(unit, ImportCursor(self.at[unit], 0), Tally(read=new), done=done)
            self.made.reported(worker, report)
            self.hear(report)
            self.reported[unit] = self.at[unit]
            if done:
                del self.has[worker][unit]

    def hear(self, report: UnitReport) -> None:
        self.counted[report.unit] += report.tally.read
        if report.done or report.error:
            assert report.unit not in self.ended
            self.ended[report.unit] = report.error is not None

    def die(self, worker: int, *, recorded: bool) -> None:
        mine = self.has.pop(worker)
        states = [
            LaneState(unit, False, ImportCursor(self.at[unit], 0), Tally(read=self.at[unit]))
            for unit in mine
            if recorded and unit in self.begun
        ]
        for report in self.made.died(worker, KILLED, states):
            self.hear(report)
        self.begun -= set(mine)
        self.start(worker + 10)

    def start(self, worker: int) -> None:
        self.made.started(worker)
        self.has[worker] = {}


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 12))
def test_every_unit_comes_to_its_end_once_and_every_record_is_counted_once(
    seed: int, workers: int, count: int
) -> None:
    chance = random.Random(seed)
    patience = Patience(in_vain=10**6, killed=10**6)
    world = World(Foreman(units(count), workers=workers, lanes=LANES, patience=patience))
    for worker in range(workers):
        world.start(worker)
    while True:
        world.hand_out()
        held = [(worker, unit) for worker, mine in world.has.items() for unit in mine]
        if not held:
            break
        worker, unit = chance.choice(held)
        if chance.random() < 0.1:
            world.die(worker, recorded=chance.random() < 0.5)
        elif chance.random() < 0.4 and world.at[unit] > world.reported[unit]:
            world.report(worker, unit)
        else:
            world.settle(worker, unit)
    assert sorted(world.ended) == list(range(count))
    assert all(world.counted[unit] == SIZE for unit, failed in world.ended.items() if not failed)
    assert sorted(world.made.finish()) == sorted(world.has)
