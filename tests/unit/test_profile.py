"""Profiles and the sketch of heavy keys: merged in any order and grouping they say the same, and are right."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ddbio.values import profile as module
from ddbio.values.capacity import SecondaryIndex, item_size_bytes, write_units
from ddbio.values.heavy_hitters import HeavyHitters
from ddbio.values.profile import EXPIRY_LOOKBACK_S, Profile, Subject, decode_profile, encode_profile

NOW_S = 1_800_000_000
BY_DAY = SecondaryIndex("byDay", ("day",), ("id", "at"), "INCLUDE", ("extra",))
SUBJECT = Subject(("id", "at"), (BY_DAY,), "ttl", NOW_S)
TIMES = st.sampled_from([NOW_S + 5, NOW_S, NOW_S - 5, NOW_S - EXPIRY_LOOKBACK_S - 1])
ITEMS = st.lists(
    st.builds(
        lambda key, at, day, time, extra: {
            "id": {"S": key},
            "at": {"N": str(at)},
            **({"day": {"S": day}} if day else {}),
            **({"ttl": {"N": str(time)}} if time else {}),
            **({"extra": extra} if extra else {}),
        },
        st.sampled_from("abcdef"),
        st.integers(0, 10**6),
        st.sampled_from(["", "monday", "é"]),
        st.one_of(st.none(), TIMES),
        st.one_of(st.none(), st.sampled_from([{"S": "x" * 3000}, {"SS": ["a", "b"]}, {"M": {"n": {"N": "1"}}}])),
    ),
    max_size=40,
)


def merged(parts: list[list[Any]], chance: random.Random) -> Profile:
    """Each part is a report of a lane; they are merged in a random order, as pairs, as they come from a journal."""
    profiles = []
    for part in parts:
        made = Profile()
        made.add(part, SUBJECT)
        profiles.append(decode_profile(encode_profile(made)))
    chance.shuffle(profiles)
    while len(profiles) > 1:
        first, second = (profiles.pop(chance.randrange(len(profiles))) for _ in range(2))
        first.merge(second)
        profiles.append(first)
    return profiles[0] if profiles else Profile()


def figures(profile: Profile) -> Any:
    """All of it but the examples, which depend on the pages."""
    plain = msgspec.to_builtins(profile, str_keys=True)
    for each in plain["attributes"].values():
        del each["example"]
    return plain


@given(ITEMS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_and_grouping_of_merges_do_not_matter(items: list[Any], size: int, chance: random.Random) -> None:
    whole = Profile()
    whole.add(items, SUBJECT)
    parts = [items[at : at + size] for at in range(0, len(items), size)]
    first, second = merged(parts, chance), merged(parts, chance)
    assert figures(first) == figures(second) == figures(whole)
    assert first.attributes == second.attributes, "the examples, too: of the same pages"


@given(ITEMS)
def test_the_figures_are_those_of_the_items(items: list[Any]) -> None:
    profile = Profile()
    profile.add(items, SUBJECT)
    sizes = [item_size_bytes(item) for item in items]
    assert (profile.total.items, profile.total.bytes) == (len(items), sum(sizes))
    assert profile.total.write_units == sum(map(write_units, sizes))
    assert [size for size, _ in profile.largest] == sorted(sizes, reverse=True)[:10]
    for bits, each in profile.sizes.items():
        assert each.items == sum(1 << bits - 1 <= size < 1 << bits for size in sizes)
    assert sum(each.bytes for each in profile.attributes.values()) == sum(sizes)
    for name, attribute in profile.attributes.items():
        assert attribute.types == Counter(next(iter(item[name])) for item in items if name in item)
    entries = [entry for item in items if (entry := BY_DAY.entry(item)) is not None]
    found = profile.indexes.get("byDay")
    assert (found.items, found.bytes) == (len(entries), sum(map(item_size_bytes, entries))) if found else not entries
    times = [int(item["ttl"]["N"]) for item in items if "ttl" in item]
    expiry = profile.expiry
    assert expiry.never == len(items) - len(times)
    assert expiry.later == sum(time > NOW_S for time in times)
    assert expiry.expired == sum(NOW_S - EXPIRY_LOOKBACK_S < time <= NOW_S for time in times)
    assert expiry.too_old == sum(time <= NOW_S - EXPIRY_LOOKBACK_S for time in times)


WEIGHTS = st.lists(st.tuples(st.integers(0, 30).map(str), st.integers(1, 100)), max_size=200)


@given(WEIGHTS, st.integers(1, 8), st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_sketch_keeps_its_bound_however_the_stream_is_divided(
    stream: list[tuple[str, int]], most: int, size: int, chance: random.Random
) -> None:
    true: Counter[str] = Counter()
    parts = []
    for at in range(0, len(stream), size):
        part = HeavyHitters(most)
        for key, weight in stream[at : at + size]:
            part.add(key, weight)
            true[key] += weight
        part.prune()
        parts.append(part)
    chance.shuffle(parts)
    while len(parts) > 1:
        first, second = (parts.pop(chance.randrange(len(parts))) for _ in range(2))
        first.merge(second)
        parts.append(first)
    sketch = parts[0] if parts else HeavyHitters(most)
    assert len(sketch.weights) <= most
    assert sketch.error <= sum(true.values()) / (most + 1)
    for key, weight in true.items():
        assert weight - sketch.error <= sketch.weights.get(key, 0) <= weight
    if len(true) <= most:
        assert sketch.weights == true and sketch.error == 0
    heaviest = [weight for _, weight, _ in sketch.heaviest(3)]
    assert heaviest == sorted(sketch.weights.values(), reverse=True)[:3]


def test_names_are_bounded_and_the_common_ones_stay() -> None:
    profile = Profile()
    for start in range(0, 3000, 100):
        items = [
            {"id": {"S": "a"}, "at": {"N": "1"}, f"n{number}": {"S": "x"}} for number in range(start, start + 100)
        ]
        profile.add(items, Subject(("id", "at")))
    assert len(profile.attributes) == module.MOST_NAMES and {"id", "at"} <= {*profile.attributes}
    assert profile.rare + sum(each.items for each in profile.attributes.values()) == 3 * 3000
