"""Caps that change while a run works: by the clock, as the table changes, and never a number that was given."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass, field, replace

import pytest

from ddbio.errors import TransferError
from ddbio.rate import following
from ddbio.rate.buckets import UNCAPPED
from ddbio.rate.caps import choose_cap
from ddbio.rate.following import Caps, CapThread, Caretaker
from tests.support.tables import table

NOON = datetime.datetime(2030, 1, 1, 12)
TABLE = replace(table({"id": "S"}), provisioned=True, read_units=50.0, write_units=100.0)


@dataclass
class Recorded:
    """The caps that were set, by budget, and what was said."""

    caps: list[tuple[float, int]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    newest: Caps | TransferError | None = None

    def set_cap(self, cap: float, budget: int = 0) -> None:
        self.caps.append((cap, budget))

    def look(self) -> Caps:
        assert self.newest is not None
        if isinstance(self.newest, TransferError):
            raise self.newest
        return self.newest


def caps_of(capacity: str | None, units: float | None, **indexes: float) -> Caps:
    info = replace(TABLE, write_units=units, provisioned=units is not None)
    return Caps(choose_cap(capacity, info, "WCU", over_provisioned=True, now=NOON), indexes)


def followed(capacity: str | None, *later: Caps | TransferError, **indexes: float) -> Recorded:
    recorded = Recorded()
    caretaker = Caretaker(caps_of(capacity, 100.0, **indexes), recorded.set_cap, recorded.said.append, recorded.look)
    for recorded.newest in later:
        caretaker.follow()
    return recorded


def test_a_cap_of_the_table_follows_it_up_and_down() -> None:
    recorded = followed(None, *[caps_of(None, units) for units in (100.0, 400.0, 400.0, 5.0)])
    assert recorded.caps == [(400.0, 0), (5.0, 0)]
    assert recorded.said == [
        "Cap changed: 400 WCU (the table's provisioned units; -c sets another)",
        "Cap changed: 5 WCU (the table's provisioned units; -c sets another)",
    ]


def test_a_share_follows_what_it_is_a_share_of() -> None:
    recorded = followed("50%", caps_of("50%", 400.0))
    assert recorded.caps == [(200.0, 0)]
    assert recorded.said == ["Cap changed: 200 WCU (50% of the table's provisioned units of 400)"]


def test_a_number_stays() -> None:
    assert followed("80", caps_of("80", 400.0), caps_of("80", 5.0)).caps == []


def test_a_table_that_becomes_on_demand_has_no_cap_any_more() -> None:
    recorded = followed(None, caps_of(None, None), byDate=30.0)
    assert recorded.caps == [(UNCAPPED, 0), (UNCAPPED, 1)]
    assert recorded.said[0].startswith("Cap changed: no cap (")


def test_indexes_follow_too_and_new_ones_have_no_budget() -> None:
    later = caps_of("80", 100.0, new=7.0, byName=40.0, byDate=60.0)
    recorded = followed("80", later, byDate=30.0, byName=40.0)
    assert recorded.caps == [(60.0, 1)]
    assert recorded.said == ["Cap of index byDate changed: 60 WCU (its provisioned units)"]


def test_a_table_that_cannot_be_described_now_is_looked_at_later() -> None:
    assert followed(None, TransferError("unreachable"), caps_of(None, 400.0)).caps == [(400.0, 0)]


def test_a_share_that_the_clock_brought_follows_too() -> None:
    recorded = Recorded()
    caps = caps_of("10%,20:00=50%", 100.0)
    caretaker = Caretaker(caps, recorded.set_cap, recorded.said.append, recorded.look)
    recorded.newest = caps_of("10%,20:00=50%", 200.0)
    caretaker.follow()
    caretaker.make_due_changes(NOON.replace(hour=19))
    caretaker.make_due_changes(NOON.replace(hour=20))
    recorded.newest = caps_of("10%,20:00=50%", 400.0)
    caretaker.follow()
    assert recorded.caps == [(20.0, 0), (100.0, 0), (200.0, 0)]


def test_a_clock_that_was_set_loses_no_change() -> None:
    recorded = Recorded()
    caretaker = Caretaker(caps_of("10,20:00=20,22:00=30", 100.0), recorded.set_cap, recorded.said.append, None)
    caretaker.make_due_changes(NOON.replace(hour=23))
    assert recorded.caps == [(20.0, 0), (30.0, 0)]


def test_a_cap_that_is_given_replaces_the_one_of_the_table_and_its_changes() -> None:
    recorded = Recorded()
    noted: list[tuple[float, str]] = []
    caretaker = Caretaker(
        caps_of("10,20:00=20", 100.0, byDate=30.0),
        recorded.set_cap,
        recorded.said.append,
        recorded.look,
        "Copy",
        lambda units_per_s, origin: noted.append((units_per_s, origin)),
    )
    said = caretaker.replace(caps_of("70,13:00=80", 100.0), None)
    assert said == "Cap of Copy from now on: 70 WCU, 80 from 13:00 (-c, by local time)" and recorded.said == [said]
    caretaker.follow()  # a number follows no table
    caretaker.make_due_changes(NOON.replace(hour=21))
    assert recorded.caps == [(70.0, 0), (80.0, 0)]
    assert noted == [(70.0, "-c, by local time"), (80.0, "-c, by local time")]


def test_the_schedule_that_is_given_begins_when_it_is_given() -> None:
    recorded = Recorded()
    caretaker = Caretaker(caps_of("10,20:00=20", 100.0), recorded.set_cap, recorded.said.append, recorded.look)
    caretaker.make_due_changes(NOON.replace(hour=21))
    recorded.newest = caps_of("70,20:00=90", 100.0)  # chosen at noon
    caretaker.replace(recorded.newest, recorded.look)
    caretaker.follow()  # the table did not change, and the 90 have not begun
    assert recorded.caps == [(20.0, 0), (70.0, 0)]
    assert caretaker.due_at() == NOON.replace(hour=20)


def test_a_look_at_the_table_that_was_overtaken_changes_nothing() -> None:
    """The table is described while another cap is given."""
    recorded = Recorded()

    def look() -> Caps:
        caretaker.replace(caps_of("70", 100.0), None)
        return caps_of("50%", 400.0)

    caretaker = Caretaker(caps_of("50%", 100.0), recorded.set_cap, recorded.said.append, look)
    caretaker.follow()
    assert recorded.caps == [(70.0, 0)]


def test_a_thread_that_nothing_needed_begins_with_a_cap_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()

    def look() -> Caps:
        looked.set()
        raise TransferError("unreachable")

    caretaker = Caretaker(caps_of("80", 100.0), Recorded().set_cap, print, None)
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.0)
    thread = CapThread(caretaker, print)
    caretaker.replace(caps_of("50%", 100.0), look)
    assert not looked.is_set()
    thread.wake()
    assert looked.wait(10)
    thread.end()


def test_a_fault_of_the_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.0)
    told, failures = threading.Event(), []

    def broken() -> Caps:
        raise RuntimeError("a fault of ours")

    def on_failure(error: Exception) -> None:
        failures.append(error)
        told.set()

    thread = CapThread(Caretaker(caps_of(None, 100.0), Recorded().set_cap, print, broken), on_failure)
    assert told.wait(5)
    thread.end()
    assert [str(each) for each in failures] == ["a fault of ours"]
