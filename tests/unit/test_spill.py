"""The spill of a comparison: the keys that differ are found, however its files are ordered, repeated or torn."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import AbortError
from ddbio.layouts import spill
from ddbio.layouts.spill import SpillWriter, partitions_for, read, suspects
from ddbio.values.digest import key_digest

PARTITIONS = 3
Contents = list[tuple[int, int]]  # keys and versions of their items


def written(folder: Path, contents: Contents, *, item: bytes = b"", flush_after: int = 1000) -> Path:
    writer = SpillWriter(folder, PARTITIONS)
    for count, (key, version) in enumerate(contents, 1):
        writer.add(key_digest(b"%d" % key), key_digest(b"v%d" % version), b"%d" % key, item)
        if count % flush_after == 0:
            writer.flush()
    writer.flush()
    assert writer.flushed == writer.added == len(contents)
    return folder


def different(first: Path, second: Path, most: int = 1000) -> dict[int, tuple[bool, bool]]:
    """By key: in which of the two it is."""
    found = [each for partition in range(PARTITIONS) for each in suspects(first, second, partition, most)]
    assert len({each.key_digest for each in found}) == len(found)
    keys = {}
    for each in found:
        records = [read(place) for place in (each.first, each.second) if place is not None]
        (key,) = {record.key for record in records}
        assert key_digest(key) == each.key_digest
        keys[int(key)] = (each.first is not None, each.second is not None)
    return keys


CONTENTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), max_size=40)


@given(CONTENTS, CONTENTS, st.integers(1, 50), st.integers(1, 50))
def test_exactly_the_keys_that_differ_are_found(
    tmp_path_factory: pytest.TempPathFactory, first: Contents, second: Contents, flush_after: int, most: int
) -> None:
    folder = tmp_path_factory.mktemp("spill")
    written(folder / "a", first, flush_after=flush_after)
    written(folder / "b", [*second], flush_after=7)
    versions = [{key: {v for k, v in each if k == key} for key, _ in each} for each in (first, second)]
    keys = {*versions[0], *versions[1]}
    surely = {
        key: (key in versions[0], key in versions[1]) for key in keys if versions[0].get(key) != versions[1].get(key)
    }
    found = different(folder / "a", folder / "b", most)
    assert surely.items() <= found.items()
    # What was written twice is at worst read again.
    assert all(len([k for k, _ in second if k == key]) > 1 for key in found.keys() - surely.keys())


def test_what_two_writers_wrote_is_one_spill(tmp_path: Path) -> None:
    written(tmp_path / "a", [(key, 0) for key in range(50)])
    written(tmp_path / "a", [(key, 0) for key in range(40, 100)])
    written(tmp_path / "b", [(key, int(key == 7)) for key in range(100) if key != 9])
    assert different(tmp_path / "a", tmp_path / "b") == {7: (True, True), 9: (True, False)}


def test_the_torn_end_of_a_file_counts_for_nothing(tmp_path: Path) -> None:
    written(tmp_path / "a", [(key, 0) for key in range(60)], item=b"x" * 50)
    written(tmp_path / "b", [(key, 0) for key in range(60)])
    torn = next(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    whole = torn.read_bytes()
    lost = set()
    for size in range(len(whole) - 120, len(whole)):
        torn.write_bytes(whole[:size])
        lost |= different(tmp_path / "a", tmp_path / "b").keys()
    torn.write_bytes(whole)
    assert 1 <= len(lost) <= 2
    assert different(tmp_path / "a", tmp_path / "b") == {}


def test_items_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    item = os.urandom(3 * 256 * 1024 + 17)
    written(tmp_path / "a", [(key, 0) for key in range(5)], item=item)
    written(tmp_path / "b", [(key, 0) for key in range(4)])
    (found,) = [each for number in range(PARTITIONS) for each in suspects(tmp_path / "a", tmp_path / "b", number)]
    assert found.first is not None
    assert read(found.first) == spill.Record(b"4", item)


def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SpillWriter(tmp_path / "a", PARTITIONS)
    for key in range(30):
        writer.add(key_digest(b"%d" % key), bytes(16), b"%d" % key)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _full_after(os.write, 3))
        with pytest.raises(AbortError, match="No space left on device; make room there and run the same command"):
            writer.flush()
    assert writer.flushed == 0
    writer.flush()
    assert different(written(tmp_path / "b", []), tmp_path / "a") == dict.fromkeys(range(30), (False, True))


def _full_after(write: Callable[[int, bytes], int], calls: int) -> Callable[[int, bytes], int]:
    left = [calls]

    def limited(file: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:60])

    return limited


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    written(tmp_path / "a", [(1, 1)])
    (path,) = [each for each in (tmp_path / "a").rglob("*") if each.is_file()]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_number_of_partitions() -> None:
    assert [partitions_for(items) for items in (0, 1_000_000, 1_048_577, 10_000_000, 1e9)] == [64, 64, 65, 611, 4096]
