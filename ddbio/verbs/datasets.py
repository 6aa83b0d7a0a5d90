"""The values of test data: columns that draw many values at once, and the datasets made of them.

A column returns its values for the next lines as one string of cells of equal width, which `ddbio.verbs.generate`
lays into the lines. Each column draws everything random from the one `random.Random` it was made with. To add a
column, add it to `COLUMNS`; to add a dataset, name the columns of its attributes in `DATASETS`.
"""

from __future__ import annotations

import binascii
import itertools
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

SORTED_RUN_ITEMS = 10  # items in a row with the same partition key, keys "sorted"
SKEWED_KEYS = 10_000  # partition keys at most, keys "skewed"


@dataclass(frozen=True, slots=True)
class DataSpec:
    """The data to generate.

    count: items, at least 1.
    dataset: a key of `DATASETS`; format: a key of `generator.FORMATS`; keys: a key of `KEYS`.
    item_size_bytes: the size of every item in DynamoDB; None leaves it to the values. By default an import takes CSV
        columns for strings, so in CSV a number counts as its text.
    seed: None gives different data every time.
    """

    count: int
    dataset: str = "default"
    format: str = "json"
    keys: str = "uuid"
    item_size_bytes: int | None = None
    seed: int | None = None


Draw = Callable[[int], bytes]
Escape = Callable[[str], str]  # a value -> its text in a line of the format


@dataclass(frozen=True, slots=True)
class Column:
    """One source of values. A line that names it twice has the same value in both places.

    pattern: its place in the line's template; the NULs are the holes.
    draw: number of lines -> that many cells, concatenated. A cell fills the holes, followed by `slack_bytes`: as much
        pad as its value is shorter than the longest, then NULs.
    value_bytes: the longest value, as UTF-8.
    """

    pattern: bytes
    draw: Draw
    value_bytes: int
    slack_bytes: int = 0

    @property
    def value(self) -> tuple[bytes, int]:
        """(pattern, its first byte in a cell) of the value."""
        return self.pattern, 0

    @property
    def slack(self) -> tuple[bytes, int]:
        """(pattern, its first byte in a cell) of the slack."""
        return bytes(self.slack_bytes), self.pattern.count(0)

    @property
    def cell_bytes(self) -> int:
        return self.pattern.count(0) + self.slack_bytes


Maker = Callable[[random.Random, DataSpec, Escape], Column]

# -- UUIDs ----------------------------------------------------------------------------------------------------

UUID_PATTERN = b"-".join(bytes(digits) for digits in (8, 4, 4, 4, 12))
VERSION_4 = bytes(byte & 0x0F | 0x40 for byte in range(256))
VARIANT_RFC = bytes(byte & 0x3F | 0x80 for byte in range(256))


def stamp_uuids(raw: bytes) -> bytes:
    """Random bytes as version 4 UUIDs, 16 bytes each."""
    stamped = bytearray(raw)
    stamped[6::16] = stamped[6::16].translate(VERSION_4)
    stamped[8::16] = stamped[8::16].translate(VARIANT_RFC)
    return bytes(stamped)


def uuid_column(draw_raw: Draw) -> Column:
    return Column(UUID_PATTERN, lambda lines: binascii.hexlify(draw_raw(lines)), len(UUID_PATTERN))


def random_uuids(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
    return uuid_column(lambda lines: stamp_uuids(rng.randbytes(16 * lines)))


def sorted_uuids(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
    """Ascending, in runs of equal ones, spread over all UUIDs: a table dumped in the order of its keys."""
    runs = -(-spec.count // SORTED_RUN_ITEMS)
    step = (1 << 48) // runs

    def one_run(run: int) -> Iterator[bytes]:
        prefix = run * step + rng.randrange(step)
        key = stamp_uuids(prefix.to_bytes(6, "big") + rng.randbytes(10))
        return itertools.repeat(key, SORTED_RUN_ITEMS)

    keys = itertools.chain.from_iterable(map(one_run, range(runs)))
    return uuid_column(lambda lines: b"".join(itertools.islice(keys, lines)))


def skewed_uuids(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
    """Zipf's law: the n-th most frequent key has about 1/n of the items of the first."""
    different = min(spec.count, SKEWED_KEYS)
    keys = [stamp_uuids(rng.randbytes(16)) for _ in range(different)]
    # different ** u follows Zipf's law if u is uniform in [0, 1); two random bytes choose one of 65,536 u
    by_chance = [keys[int(different ** (step / 65536)) - 1] for step in range(65536)]
    return uuid_column(lambda lines: b"".join(map(by_chance.__getitem__, words("H", rng.randbytes(2 * lines)))))


def words(code: str, raw: bytes) -> tuple[int, ...]:
    """`raw` as integers of the struct code `code`, little-endian on every machine."""
    return struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw)


# -- other values ---------------------------------------------------------------------------------------------


def integers(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
    """Below 2^31, uniformly distributed; if the item size matters, all of ten digits and odd."""

    def draw(lines: int) -> bytes:
        drawn = words("I", rng.randbytes(4 * lines))
        values = [word >> 1 for word in drawn] if spec.item_size_bytes is None else map(ten_digits, drawn)
        return ("%10d" * lines % tuple(values)).replace(" ", "\0").encode()

    return Column(bytes(10), draw, 10)


def ten_digits(word: int) -> int:
    return 1_000_000_000 + (word >> 2 | 1)


def timestamps(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
    """Ascending, 10 ms apart, which distinguishes the items of one partition key."""
    start = datetime(2025, 1, 1)
    seconds = ((start + timedelta(seconds=second)).isoformat() for second in itertools.count())
    texts = (f"{second}.{hundredth:02}0Z".encode() for second in seconds for hundredth in range(100))
    return Column(bytes(24), lambda lines: b"".join(itertools.islice(texts, lines)), 24)


def choice(*entries: str) -> Maker:
    """A column that draws one of up to 256 entries."""

    def make(rng: random.Random, spec: DataSpec, escape: Escape) -> Column:
        texts = [escape(entry).encode() for entry in entries]
        sizes = [len(entry.encode()) for entry in entries]
        holes, slack_bytes = max(map(len, texts)), max(sizes) - min(sizes)
        slacks = [(b"x" * (max(sizes) - size)).ljust(slack_bytes, b"\0") for size in sizes]
        cells = [text.ljust(holes, b"\0") + slack for text, slack in zip(texts, slacks, strict=True)]
        by_chance = [cells[byte * len(cells) // 256] for byte in range(256)]  # one random byte chooses

        def draw(lines: int) -> bytes:
            return b"".join(map(by_chance.__getitem__, rng.randbytes(lines)))

        return Column(bytes(holes), draw, max(sizes), slack_bytes)

    return make


# -- the tables -----------------------------------------------------------------------------------------------

KEYS: dict[str, Maker] = {"uuid": random_uuids, "sorted": sorted_uuids, "skewed": skewed_uuids}

COLUMNS: dict[str, Maker] = {
    "key": lambda rng, spec, escape: KEYS[spec.keys](rng, spec, escape),
    "uuid": random_uuids,
    "another uuid": random_uuids,
    "integer": integers,
    "timestamp": timestamps,
    "category": choice("books", "clothing", "electronics", "garden", "groceries", "music", "sports", "toys"),
    "first": choice("ada", "alan", "barbara", "dennis", "donald", "edsger", "frances", "grace", "jim", "leslie"),
    "last": choice("allen", "dijkstra", "gray", "hopper", "lamport", "liskov", "lovelace", "turing", "wu"),
    "whole": choice(*(str(whole) for whole in range(100, 1000, 4))),  # three digits: all amounts one size
    "cents": choice(*(f"{cents:02}" for cents in range(1, 100) if cents % 10)),  # no zero at the end
    "status": choice("active", "inactive", "pending", "returned", "shipped"),
    "description": choice(
        "Standard delivery",
        "Two boxes, one pallet",
        'Customer says "leave it at the door"',
        'The 24" model, in black',
        "Gift wrapped, no invoice in the box",
        "Crème brûlée set, fragile",
        "Back order",
    ),
}

NUMBERS = {"val_1", "amount"}  # the attributes that are not strings

# dataset -> attribute -> its value, in which <name> is a column
DATASETS: dict[str, dict[str, str]] = {
    "default": {"hash": "<key>", "range": "<uuid>", "val_1": "<integer>", "val_2": "<another uuid>"},
    "loader": {
        "id": "<key>",
        "timestamp": "<timestamp>",
        "category": "<category>",
        "user_name": "<first>_<last>",
        "email": "<first>.<last>@example.com",
        "amount": "<whole>.<cents>",
        "status": "<status>",
        "description": "<description>",
    },
}
