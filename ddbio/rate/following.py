"""Changes the caps of a run while it works: at the times of day that `-c` names, as the table changes, and if the
user gives others (`Caretaker.replace`).

Auto scaling changes a table's units. A cap that came from the table, or that is a percentage of it, follows within
`LOOK_EVERY_S`, up and down, and so do the budgets of its indexes. A number given with `-c` stays.
"""

from __future__ import annotations

import datetime
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from ddbio.errors import DdbioError
from ddbio.rate.buckets import UNCAPPED
from ddbio.rate.caps import Cap, CapChange

LOOK_EVERY_S = 60.0  # auto scaling acts on minutes
_LONGEST_SLEEP_S = 60.0  # between two readings of the wall clock, which may be set


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of the table and of the indexes with separate write capacity: units per second by name."""

    table: Cap
    indexes: Mapping[str, float]


class SetCap(Protocol):
    def __call__(self, cap: float, budget: int = 0) -> None: ...


class Caretaker:
    """Knows the caps in force and changes them. Thread-safe: `replace` may come from another thread.

    caps: the initial ones; the indexes in the order of their budgets. set_cap: sets that of a budget.
    look: returns the caps that would be chosen now; None if none depends on the table. Raises DdbioError.
    of_which: the table's name, for messages, if the job has two.
    note: called with each new cap of the table, infinite for none, and its origin.
    """

    def __init__(
        self,
        caps: Caps,
        set_cap: SetCap,
        say: Callable[[str], None],
        look: Callable[[], Caps] | None,
        of_which: str = "",
        note: Callable[[float, str], None] = lambda units_per_s, origin: None,
    ) -> None:
        self._caps = caps
        self._names = tuple(caps.indexes)
        self._set_cap = set_cap
        self._say = say
        self._of = f" of {of_which}" if of_which else ""
        self._look = look
        self._note = note
        self._since = caps.table.chosen_at  # changes up to then have been made
        self._change: CapChange | None = None  # the last of them
        self._lock = threading.RLock()

    @property
    def is_needed(self) -> bool:
        return self._look is not None or bool(self._caps.table.changes)

    def due_at(self) -> datetime.datetime | None:
        """Local time of the next change by `-c`, counted from the last one: if the clock is set, or the machine
        sleeps, a change may be late but is not lost."""
        with self._lock:
            change = self._caps.table.next_change(self._since)
            return change.next_after(self._since) if change else None

    def make_due_changes(self, now: datetime.datetime) -> None:
        with self._lock:
            while (due_at := self.due_at()) is not None and due_at <= now:
                change = self._caps.table.next_change(self._since)
                assert change is not None
                self._since, self._change = due_at, change
                self._set_table(change.units_per_s, self._caps.table.origin)
                self._say(f"Cap{self._of}: {change.units_per_s:,.10g} {self._caps.table.kind} from now on (-c)")

    def follow(self) -> None:
        """Describe the table, and apply its changes. If that fails now, the next call tries again."""
        look = self._look
        if look is None:
            return
        with suppress(DdbioError):
            newest = look()  # may take long
            with self._lock:
                if look is self._look:  # no other caps were given meanwhile
                    self._take_over(newest)

    def replace(self, caps: Caps, look: Callable[[], Caps] | None) -> str:
        """Other caps were given: they and their changes apply from now on. Says the new cap, and returns the
        sentence."""
        with self._lock:
            self._look = look
            self._since, self._change = caps.table.chosen_at, None
            self._caps = Caps(caps.table, self._caps.indexes)
            self._set_table(caps.table.units_per_s, caps.table.origin)
            sentence = f"Cap{self._of} from now on: {caps.table}"
            self._say(sentence)
            return sentence

    def _set_table(self, units_per_s: float, origin: str) -> None:
        self._set_cap(units_per_s)
        self._note(units_per_s, origin)

    def _take_over(self, newest: Caps) -> None:
        before_units, before = self._units_in_force(), self._caps
        self._caps = Caps(newest.table, {name: newest.indexes.get(name, UNCAPPED) for name in self._names})
        units_per_s = self._units_in_force()
        if units_per_s != before_units:
            self._set_table(units_per_s, newest.table.origin)
            self._say(f"Cap{self._of} changed: {replace(newest.table, units_per_s=units_per_s, changes=())}")
        for budget, name in enumerate(self._names, 1):
            units_per_s = self._caps.indexes[name]
            if units_per_s != before.indexes[name]:
                self._set_cap(units_per_s, budget)
                has = "no cap" if math.isinf(units_per_s) else f"{units_per_s:,.0f} WCU (its provisioned units)"
                self._say(f"Cap of index {name} changed: {has}")

    def _units_in_force(self) -> float:
        changes = self._caps.table.changes
        of_change = [each.units_per_s for each in changes if self._change and each.at == self._change.at]
        return of_change[0] if of_change else self._caps.table.units_per_s


class CapThread:
    """Runs a caretaker in a background thread until `end`, once it is needed.

    on_failure: called with the exception; otherwise the cap would silently stay as it is.
    """

    def __init__(self, caretaker: Caretaker, on_failure: Callable[[Exception], None]) -> None:
        self._caretaker = caretaker
        self._on_failure = on_failure
        self._ended = False
        self._woken = threading.Event()
        self._look_at_s = time.monotonic() + LOOK_EVERY_S
        self._thread: threading.Thread | None = None
        self.wake()

    def wake(self) -> None:
        """The caretaker has other caps."""
        if self._thread is None and self._caretaker.is_needed:
            self._thread = threading.Thread(target=self._run, name="caps", daemon=True)
            self._thread.start()
        self._woken.set()

    def _run(self) -> None:
        try:
            while True:
                self._woken.wait(self._seconds_left())
                self._woken.clear()
                if self._ended:
                    return
                self._caretaker.make_due_changes(_now())
                if time.monotonic() >= self._look_at_s:
                    self._look_at_s = time.monotonic() + LOOK_EVERY_S
                    self._caretaker.follow()
        except Exception as error:
            self._on_failure(error)

    def _seconds_left(self) -> float:
        due_at = self._caretaker.due_at()
        until_change_s = math.inf if due_at is None else (due_at - _now()).total_seconds()
        return max(0.0, min(until_change_s, self._look_at_s - time.monotonic(), _LONGEST_SLEEP_S))

    def end(self) -> None:
        self._ended = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()


def _now() -> datetime.datetime:
    return datetime.datetime.now()  # `-c` has local times
