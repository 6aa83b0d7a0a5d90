"""Which charts a job has, and their numbers. Pure: nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ddbio.report_page.history import History, Part, Sample
from ddbio.report_page.shapes import Bars, Curves, Line
from ddbio.report_page.stages import ALL_TABLES

MOST_BARS = 120
MOST_REASONS = 5  # with a colour of their own
PERCENTILES = (50, 90, 99)
AVERAGED_S = 4.0
_LABEL = 14  # characters of a bar's name
ESTIMATED = (
    "Estimated: each worker measures its first items, and then ever fewer. The items are those that were read, "
    "before any transform."
)


@dataclass(frozen=True, slots=True)
class Chart:
    """id: of the element in the page. note: a sentence below it."""

    id: str
    title: str
    drawing: Curves | Bars
    note: str = ""


def charts(history: History, kinds: Sequence[str]) -> Iterator[Chart]:
    """kinds: of the units of each side, RCU or WCU."""
    if sum(each.seconds for each in history.samples) > 0:
        yield from _over_time(history, kinds)
    yield from _by_part(history)
    if history.by_index:
        names, units = list(history.by_index), list(history.by_index.values())
        yield Chart("units-by-index", "Capacity units by index", Bars(names, [Line("units", units)]))
    if history.item_sizes:
        names = [f"≤ {_bytes(bound)}" for bound, _ in history.item_sizes]
        counts = [float(number) for _, number in history.item_sizes]
        yield Chart("item-sizes", "Items by size", Bars(names, [Line("items", counts)]), ESTIMATED)


def _over_time(history: History, kinds: Sequence[str]) -> Iterator[Chart]:
    time = _Time(history.samples)
    for at, role in enumerate(history.sides):
        kind = kinds[at] if at < len(kinds) and role != ALL_TABLES else "units"
        lines = [
            Line(f"{kind}/s", time.rate(lambda each, at=at: each.sides[at].units)),  # type: ignore[misc]
            Line("rate in force", [each.sides[at].rate for each in time.samples]),
            Line("cap", [each.sides[at].cap for each in time.samples], dashed=True),
        ]
        of_side = f" of the {role}" if len(history.sides) > 1 else ""
        shown = [line for line in lines if any(value is not None for value in line.values)]
        missing = "" if len(shown) == len(lines) or role == ALL_TABLES else "There was no cap."
        yield Chart(f"units-{at}", f"Capacity units per second{of_side}", time.curves(shown), missing)
    items = [Line("read", time.rate(lambda each: each.read)), Line("written", time.rate(lambda each: each.written))]
    yield Chart("items", "Items per second", time.curves([line for line in items if any(line.values)] or items[:1]))
    if lines := list(_reasons(time)):
        yield Chart("troubles", "Throttles and retries per second, by reason", time.curves(lines, stacked=True))
    if any(each.latencies for each in time.samples):
        of_share = [Line(f"p{share}", _percentiles(history, time, share / 100)) for share in PERCENTILES]
        yield Chart("latencies", "Latency of requests, milliseconds", time.curves(of_share))


class _Time:
    """samples: those of some length. The time axis of all runs together, without the pauses between them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = [each for each in samples if each.seconds > 0]
        self._ends = list(accumulate(each.seconds for each in self.samples))

    def rate(self, count: Callable[[Sample], float]) -> list[float]:
        """Per second, as averages over `AVERAGED_S`: workers report once a second, so a shorter interval may have
        the reports of two seconds, and the next one none."""
        counts = [count(each) for each in self.samples]
        return [
            sum(counts[first:last]) / sum(each.seconds for each in self.samples[first:last])
            for first, last in map(self._around, range(len(counts)))
        ]

    def _around(self, at: int) -> tuple[int, int]:
        """The neighbours in the same run, from the first to before the last, that are averaged with a sample."""
        first, last, run = at, at + 1, self.samples[at].run
        seconds = self.samples[at].seconds
        while seconds < AVERAGED_S:
            before = first > 0 and self.samples[first - 1].run == run
            after = last < len(self.samples) and self.samples[last].run == run
            if not before and not after:
                break
            if before:
                first -= 1
                seconds += self.samples[first].seconds
            if after:
                last += 1
                seconds += self.samples[last - 1].seconds
        return first, last

    def curves(self, lines: Sequence[Line], *, stacked: bool = False) -> Curves:
        pairs = zip(self.samples, self.samples[1:], self._ends, strict=False)
        marks = [end for one, other, end in pairs if one.run != other.run]
        return Curves(self._ends, lines, marks, stacked)


def _reasons(time: _Time) -> Iterator[Line]:
    sums: dict[str, int] = {}
    for each in time.samples:
        for reason, count in each.reasons.items():
            sums[reason] = sums.get(reason, 0) + count
    largest = sorted(sums, key=lambda reason: (-sums[reason], reason))
    for reason in largest[:MOST_REASONS]:
        yield Line(reason, time.rate(lambda each, reason=reason: each.reasons.get(reason, 0)))  # type: ignore[misc]
    if rest := {*largest[MOST_REASONS:]}:
        yield Line("others", time.rate(lambda each: sum(each.reasons.get(reason, 0) for reason in rest)))


def _percentiles(history: History, time: _Time, share: float) -> list[float | None]:
    return [percentile_ms(history.latency_bounds, each.latencies, share) for each in time.samples]


def percentile_ms(bounds_s: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Milliseconds that this share of the requests did not exceed, interpolated within a class; None without
    requests. Those above the last bound count as that."""
    rank, before = share * sum(counts), 0
    if not sum(counts):
        return None
    for number, count in enumerate(counts[: len(bounds_s)]):
        if count and before + count >= rank:
            lower = bounds_s[number - 1] if number else 0.0
            return 1000 * (lower + (bounds_s[number] - lower) * (rank - before) / count)
        before += count
    return 1000 * bounds_s[-1]


def _by_part(history: History) -> Iterator[Chart]:
    parts = history.parts
    if len(parts) < 2:
        return
    noun, note = history.parts_are, ""
    if len(parts) > MOST_BARS:
        parts = sorted(parts, key=lambda part: -part.read)[:MOST_BARS]
        note = f"The {MOST_BARS} largest of {len(history.parts):,}."
    names = [_label(part) for part in parts]
    items = [Line("read", [part.read for part in parts])]
    if any(part.rejected for part in parts):
        items.append(Line("rejected", [part.rejected for part in parts]))
    yield Chart("items-by-part", f"Items by {noun}", Bars(names, items), note)
    if any(part.units for part in parts):
        units = [Line("units", [part.units for part in parts])]
        yield Chart("units-by-part", f"Capacity units by {noun}", Bars(names, units), note)


def _label(part: Part) -> str:
    name = part.name.rstrip("/").rpartition("/")[2] or part.name
    return name if len(name) <= _LABEL else f"…{name[1 - _LABEL :]}"


def _bytes(number: float) -> str:
    return f"{number / 1024:g} KiB" if number >= 1024 else f"{number:g} B"
