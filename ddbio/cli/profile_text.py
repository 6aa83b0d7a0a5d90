"""The profile of a table as text. Control characters of keys and values are shown as escapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddbio.values.distribution import bars

if TYPE_CHECKING:
    from ddbio.values.capacity import SecondaryIndex
    from ddbio.values.profile import Profile, Sizes
    from ddbio.verbs.inspect_table import InspectResult

SHOWN = {"largest": 5, "heavy": 5, "attributes": 40}
_KEY_CHARACTERS = 60


def profile_lines(result: InspectResult) -> list[str]:
    """Figures are of the items that were read: of all, or of the sample."""
    profile, total = result.profile, result.profile.total
    lines = [_head(result, total)]
    if not total.items:
        return lines
    lines += ["sizes of items:", *bars([(_span(bits), each.items) for bits, each in sorted(profile.sizes.items())])]
    lines += [
        "largest items:",
        *(f"  {size:,} B  {_shown(key)}" for size, key in profile.largest[: SHOWN["largest"]]),
    ]
    lines += [*_attributes(profile, total), *_heavy(profile, total), *_capacity(result, total)]
    lines += [line for index in result.indexes for line in _index(index, profile, total)]
    lines += _expiry(result, total)
    return lines + (result.distribution.lines("items") if result.distribution is not None else [])


def _head(result: InspectResult, total: Sizes) -> str:
    mean = f", {total.bytes / total.items:,.1f} B each" if total.items else ""
    head = f"{total.items:,} item{'s' * (total.items != 1)} of {total.bytes:,} B{mean}"
    if result.estimate is None:
        return head
    between = ""
    if result.estimate.least is not None and result.estimate.most is not None:
        between = f", {result.estimate.least:,.0f} to {result.estimate.most:,.0f} with 95 % confidence"
    return (
        f"{head}, in {result.read_segments:,} of {result.segments:,} segments; about {result.estimate.total:,.0f} "
        f"items in the whole table{between}"
    )


def _attributes(profile: Profile, total: Sizes) -> Iterator[str]:
    ordered = sorted(profile.attributes.items(), key=lambda each: (-each[1].bytes, each[0]))
    yield f"attributes, by their share of the bytes ({len(ordered):,} names):"
    for name, each in ordered[: SHOWN["attributes"]]:
        types = ", ".join(f"{letter} {_share(count, total.items)}" for letter, count in sorted(each.types.items()))
        mean = each.bytes / each.items
        yield (
            f"  {_shown(name)}: {_share(each.bytes, total.bytes)} of the bytes, {mean:,.1f} B each; in the items: "
            f"{types}; as {_shown(each.example)}"
        )
    if len(ordered) > SHOWN["attributes"] or profile.rare:
        more = max(0, len(ordered) - SHOWN["attributes"])
        yield f"  and {more:,} more names, {profile.rare:,} values of rare names"


def _heavy(profile: Profile, total: Sizes) -> Iterator[str]:
    exact = "exact" if not profile.heavy.error else f"each at most {_share(profile.heavy.error, total.bytes)} more"
    yield f"heaviest partition keys, by bytes ({exact}):"
    for key, weight, items in profile.heavy.heaviest(SHOWN["heavy"]):
        yield f"  {_share(weight, total.bytes)}, {items:,} item{'s' * (items != 1)}: {_shown(key)}"


def _capacity(result: InspectResult, total: Sizes) -> Iterator[str]:
    scan, each = total.bytes / 8192, total.write_units / total.items
    yield (
        f"capacity: to read all by a scan about {scan:,.1f} RCU, {2 * scan:,.1f} consistently; to get each "
        f"{total.read_units:,.1f} RCU; to put each {total.write_units:,} WCU, {each:,.2f} each"
    )


def _index(index: SecondaryIndex, profile: Profile, total: Sizes) -> Iterator[str]:
    entries = profile.indexes.get(index.name)
    if entries is None:
        yield f"index {index.name} ({index.projection}): no entries"
        return
    share = _share(entries.items, total.items)
    yield (
        f"index {index.name} ({index.projection}): {entries.items:,} entries ({share} of the items) of "
        f"{entries.bytes:,} B; putting them costs {entries.write_units:,} WCU more"
    )


def _expiry(result: InspectResult, total: Sizes) -> Iterator[str]:
    if not result.ttl:
        yield "TTL: off" if result.ttl is not None else "TTL: unknown, DescribeTimeToLive was refused"
        return
    each = result.profile.expiry
    old = f", {_share(each.too_old, total.items)} expired over five years ago, which TTL leaves" * bool(each.too_old)
    yield (
        f"TTL by {_shown(result.ttl)}: {_share(each.expired, total.items)} of the items expired and still there "
        f"({each.expired_bytes:,} B), {_share(each.later, total.items)} expire later, "
        f"{_share(each.never, total.items)} never{old}"
    )


def _share(part: float, whole: float) -> str:
    share = part / whole if whole else 0.0
    return f"{share:.0%}" if share in (0, 1) else f"{share:.1%}" if share >= 0.001 else "<0.1%"


def _span(bits: int) -> str:
    return f"{1 << bits - 1:,} to {(1 << bits) - 1:,} B" if bits else "0 B"


def _shown(text: str) -> str:
    """On one line, shortened."""
    plain = text if text.isprintable() else text.encode("unicode_escape").decode()
    return plain if len(plain) <= _KEY_CHARACTERS else f"{plain[: _KEY_CHARACTERS - 3]}..."
