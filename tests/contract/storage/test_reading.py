"""Ranges of a file are the bytes that were listed, or an error."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbio.errors import TransferError
from ddbio.messages.files import SourceFile
from ddbio.storage import Storage
from tests.support.places import Place

CONTENT = random.Random(7).randbytes(5_000)


def listed(place: Place, storage: Storage, name: str = "a.json", content: bytes = CONTENT) -> SourceFile:
    [file] = storage.list_files(place.put(name, content), (".json",))
    return file


@pytest.fixture
def storage(place: Place) -> Storage:
    return place.storage()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(CONTENT) + 100), max_size=6))
def test_ranges_side_by_side_are_the_content(place: Place, storage: Storage, cuts: list[int]) -> None:
    file = listed(place, storage)
    edges = sorted({0, len(CONTENT), *cuts})
    parts = [storage.read_range(file, start, stop) for start, stop in pairwise(edges)]
    assert b"".join(parts) == CONTENT
    assert parts[0] == CONTENT[: edges[1]]


def test_a_range_ends_with_the_file(place: Place, storage: Storage) -> None:
    file = listed(place, storage)
    assert storage.read_range(file, 4_990, 10_000) == CONTENT[4_990:]
    assert storage.read_range(file, 5_000, 10_000) == b""
    assert storage.read_range(file, 9_000, 10_000) == b""
    assert storage.read_range(file, 10, 10) == b""


def test_an_empty_file(place: Place, storage: Storage) -> None:
    assert storage.read_range(listed(place, storage, content=b""), 0, 100) == b""


def test_more_files_than_are_kept_open(place: Place, storage: Storage) -> None:
    files = [listed(place, storage, f"{number}.json", b"%d" % number) for number in range(40)]
    for _ in range(2):
        assert [storage.read_range(file, 0, 9) for file in files] == [b"%d" % number for number in range(40)]


def test_threads_may_share_a_storage(place: Place, storage: Storage) -> None:
    files = [listed(place, storage, f"{number}.json", b"%d" % number * 100) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda file: storage.read_range(file, 0, 10_000), files * 5))
    assert read == [b"%d" % number * 100 for number in range(40)] * 5


def test_a_storage_can_be_used_after_close(place: Place, storage: Storage) -> None:
    file = listed(place, storage)
    first = storage.read_range(file, 0, 10)
    storage.close()
    assert storage.read_range(file, 0, 10) == first


@pytest.mark.parametrize("changed", [CONTENT + b"longer", CONTENT[:-1], CONTENT[::-1], b""])
@pytest.mark.parametrize("reads_before", [0, 1])
def test_a_file_that_changed_after_it_was_listed(
    place: Place, storage: Storage, changed: bytes, reads_before: int
) -> None:
    file = listed(place, storage)
    for _ in range(reads_before):
        storage.read_range(file, 0, 10)
    place.put("a.json", changed)
    with pytest.raises(TransferError, match=r"a\.json"):
        storage.read_range(file, 0, 10)


def test_a_changed_file_can_be_listed_and_read_anew(place: Place, storage: Storage) -> None:
    file = listed(place, storage)
    storage.read_range(file, 0, 10)
    place.remove("a.json")
    assert storage.read_range(listed(place, storage, content=b"new"), 0, 10) == b"new"


def test_a_file_that_is_gone(place: Place, storage: Storage) -> None:
    file = listed(place, storage)
    place.remove("a.json")
    with pytest.raises(TransferError, match=r"a\.json"):
        storage.read_range(file, 0, 10)
