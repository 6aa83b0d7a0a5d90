"""Who may work, while nobody can see whether the other end still lives. Pure: time is passed in.

A seat sends beats and the hub answers each. A beat that was answered entitles the seat to work until `silence_s`
after it *sent* that beat, by its own clock: an answer that waited in a buffer while the seat was stopped entitles to
nothing. The hub gives a seat's units to others only `2 * silence_s` after it *received* the seat's last beat, which
is later, by any two clocks of which neither runs twice as fast as the other.
"""

from __future__ import annotations

import math

BEATS = 5  # in `silence_s`
_KEPT_BEATS = 64  # of which no answer has come


class Lease:
    """The seat's side. valid_until_s: on the seat's clock."""

    def __init__(self, silence_s: float, now_s: float) -> None:
        """now_s: before the seat sent its proof."""
        self._silence_s = silence_s
        self._sent_s: dict[int, float] = {}
        self._next = 0
        self.valid_until_s = now_s + silence_s

    def beat(self, now_s: float) -> int:
        """The number of the beat that is sent now."""
        number, self._next = self._next, self._next + 1
        self._sent_s[number] = now_s
        while len(self._sent_s) > _KEPT_BEATS:
            self._sent_s.pop(next(iter(self._sent_s)))
        return number

    def heard(self, number: int) -> None:
        """The hub has answered this beat."""
        sent_s = self._sent_s.pop(number, -math.inf)
        self.valid_until_s = max(self.valid_until_s, sent_s + self._silence_s)

    def is_over(self, now_s: float) -> bool:
        """Once it is, it stays over: the seat joins anew."""
        return now_s > self.valid_until_s


class Watch:
    """The hub's side: of which seats nothing was heard for too long."""

    def __init__(self, silence_s: float) -> None:
        self._patience_s = 2 * silence_s
        self._heard_s: dict[int, float] = {}
        self._looked_s = math.inf

    def heard(self, seat: int, now_s: float) -> None:
        """It joined, or sent a beat."""
        self._heard_s[seat] = now_s

    def forget(self, seat: int) -> None:
        """It has said that it stopped, or is given up."""
        self._heard_s.pop(seat, None)

    def silent(self, now_s: float) -> list[int]:
        """The seats whose units may be given to others.

        If the hub itself was held up since the last call, beats may wait unread: the seats get that time, too.
        """
        held_s = now_s - self._looked_s
        self._looked_s = now_s
        if held_s > self._patience_s / BEATS:
            self._heard_s = {seat: heard_s + held_s for seat, heard_s in self._heard_s.items()}
        return [seat for seat, heard_s in self._heard_s.items() if now_s - heard_s > self._patience_s]
