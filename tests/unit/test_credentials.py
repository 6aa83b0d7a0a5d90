"""Who asks for AWS keys, how often, and what is said when there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from ddbio.aws.credentials import ASK_EVERY_S, LONGEST_PAUSE_S, Keys, NewestKeys

ENDS = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
OLD, NEW = Keys("AKIDOLD", "secret", ends=ENDS), Keys("AKIDNEW", "secret", ends=ENDS)


class Asked:
    """A provider whose answers are given one by one; the thread of `NewestKeys` ends after the last."""

    def __init__(self, *answers: Keys | Exception) -> None:
        self.pauses: list[float] = []
        self._answers = iter(answers)
        self._done = threading.Event()
        self._left = len(answers)
        self.newest = NewestKeys(self.provide, self.wait)
        assert self._done.wait(10)

    def provide(self) -> Keys:
        self._left -= 1
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        if not self._left:
            self._done.set()
        return not self._left


def test_newer_keys_take_the_place_of_the_old() -> None:
    asked = Asked(OLD, OLD, NEW)
    assert asked.newest.current == NEW
    assert (asked.newest.news(), asked.pauses) == ([], [ASK_EVERY_S] * 3)


@pytest.mark.parametrize("kind", [RuntimeError, OSError, ValueError, KeyError, AssertionError, StopIteration])
def test_no_fault_of_a_provider_ends_the_renewals(kind: Callable[[str], Exception]) -> None:
    asked = Asked(OLD, kind("the provider is down"), NEW)
    assert asked.newest.current == NEW
    assert [sentence.partition(":")[0] for sentence in asked.newest.news()] == [
        "The AWS keys could not be renewed",
        "The AWS keys are renewed again.",
    ]


def test_a_failure_is_reported_once_with_its_words_and_when_the_keys_end() -> None:
    asked = Asked(OLD, *[RuntimeError("the provider is down")] * 12)
    assert asked.newest.news() == [
        "The AWS keys could not be renewed: the provider is down; the present ones end at 2026-11-30 12:00:00 UTC. "
        "Trying again."
    ]
    assert asked.newest.news() == []
    assert (asked.newest.current, asked.newest.failure) == (OLD, "the provider is down")


def test_the_pauses_after_failures_grow_to_a_minute_and_shrink_after_a_success() -> None:
    asked = Asked(OLD, *[RuntimeError("down")] * 8, OLD)
    assert asked.pauses == [1, 1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, ASK_EVERY_S]


def test_a_renewal_that_fails_while_the_keys_are_good_counts_as_a_failure() -> None:
    stale = Keys("AKIDOLD", "secret", ends=ENDS, renewal_failure="down")
    asked = Asked(OLD, stale, stale, stale)
    assert (len(asked.newest.news()), asked.newest.failure, asked.pauses) == (1, "down", [1, 1, 2, 4])
    assert stale == OLD, "the same keys are not handed out again"


def test_a_provider_without_keys_to_begin_with_is_an_error() -> None:
    def none() -> Keys:
        raise RuntimeError("none")

    with pytest.raises(RuntimeError):
        NewestKeys(none)


def test_a_secret_is_not_in_the_repr() -> None:
    assert "secret" not in repr(Keys("AKID", "s3cr3t", "t0k3n")).replace("secret hidden", "")
    assert "s3cr3t" not in repr(Keys("AKID", "s3cr3t", "t0k3n"))
