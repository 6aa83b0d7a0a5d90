"""Never two at work: a seat has stopped by itself before the hub gives its units away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ddbio.cluster.fencing import BEATS, Lease, Watch

T = 5.0


def test_a_seat_whose_beats_are_answered_works_on() -> None:
    lease = Lease(T, 0.0)
    for second in range(100):
        lease.heard(lease.beat(float(second)))
        assert not lease.is_over(second + T)


def test_silence_ends_the_lease() -> None:
    lease = Lease(T, 0.0)
    lease.heard(lease.beat(3.0))
    lease.beat(6.0)  # no answer
    assert not lease.is_over(8.0)
    assert lease.is_over(8.1)


def test_an_answer_that_waited_while_the_seat_was_stopped_entitles_to_nothing() -> None:
    lease = Lease(T, 0.0)
    old = [lease.beat(each / 10) for each in range(10)]
    woken_s = 3 * T
    for number in old:  # they were in the socket's buffer
        lease.heard(number)
    assert lease.is_over(woken_s)


def test_an_answer_to_no_beat_entitles_to_nothing() -> None:
    lease = Lease(T, 0.0)
    lease.heard(77)
    assert lease.is_over(T + 0.1)


def test_a_silent_seat_is_given_up_after_twice_the_time() -> None:
    watch = Watch(T)
    watch.heard(1, 0.0)
    watch.heard(2, 0.0)
    seen = {}
    for tick in range(1, 24):
        now_s = tick / 2
        watch.heard(2, now_s)
        for seat in watch.silent(now_s):
            seen.setdefault(seat, now_s)
    assert seen == {1: 10.5}


def test_a_hub_that_was_held_up_gives_seats_the_time() -> None:
    """Their beats wait in its buffers."""
    watch = Watch(T)
    watch.heard(1, 0.0)
    assert watch.silent(0.5) == []
    assert watch.silent(60.0) == [], "it was stopped for a minute"
    watch.heard(1, 60.1)
    assert watch.silent(61.0) == []


@given(
    beats=st.lists(st.tuples(st.floats(0.01, 4.0), st.floats(0.0, 6.0), st.floats(0.0, 6.0)), max_size=12),
    skew=st.floats(-1000, 1000),
)
def test_no_seat_works_when_its_units_are_given_away(beats: list[tuple[float, float, float]], skew: float) -> None:
    """Whatever the delays of beats and answers, and however the clocks differ: (pause before a beat, way there, way
    back), in seconds."""
    lease, watch, now_s = Lease(T, 0.0), Watch(T), 0.0
    watch.heard(1, skew + 0.1)
    happened: list[tuple[float, str, int]] = []
    for pause_s, there_s, back_s in beats:
        now_s += pause_s
        happened.append((now_s + there_s, "beat", len(happened)))
        happened.append((now_s + there_s + back_s, "answer", len(happened) - 1))
    sent, at_s, number = {}, 0.0, 0
    for pause_s, _, _ in beats:
        at_s += pause_s
        sent[number] = (at_s, lease.beat(at_s))
        number += 2
    events = sorted([*happened, *((tick / BEATS, "look", 0) for tick in range(1, 300))])
    given_away = False
    for when_s, kind, which in events:
        if kind == "beat" and not given_away:
            watch.heard(1, when_s + skew)
        elif kind == "answer" and not given_away:
            lease.heard(sent[which][1])
        elif kind == "look" and not given_away and watch.silent(when_s + skew):
            given_away = True
            assert lease.is_over(when_s), "the seat may still send requests"
