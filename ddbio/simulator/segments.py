"""The hash space of a table: the hash of a partition key, and the segment or partition that owns it.

The service stores items in the order of a hash of their partition key, and both partitions and the segments of a
parallel scan are contiguous ranges of that order. Here a hash is an integer from 0 to `HASH_SPACE - 1`; of N ranges,
range i owns the hashes h with `h * N // HASH_SPACE == i`, so that ranges are disjoint and complete for every N.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

HASH_BITS = 32
HASH_SPACE = 1 << HASH_BITS


class HashRange(NamedTuple):
    """The hashes from `start` up to, not including, `stop`."""

    start: int
    stop: int


EVERYTHING = HashRange(0, HASH_SPACE)


def hash_of(partition_key: str) -> int:
    """The hash of a partition key's canonical text (its base64 text if it is binary).

    A CRC spreads keys evenly, consecutive numbers among them, and costs a tenth of a cryptographic hash.
    """
    return zlib.crc32(partition_key.encode())


def range_number(key_hash: int, count: int) -> int:
    """The number of the range, of `count` equal ones, that owns a hash: 0 ... count - 1."""
    return key_hash * count >> HASH_BITS


def range_of(number: int, count: int) -> HashRange:
    """The hashes of range `number` of `count` equal ranges."""
    return HashRange(_first_hash(number, count), _first_hash(number + 1, count))


def _first_hash(number: int, count: int) -> int:
    return (number * HASH_SPACE + count - 1) // count
