"""What the parent reads for the workers: every record once, the same chunks in every run, and damage told last."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import TransferError, UsageError
from ddbio.messages import ChunkUnit, Expected, ImportCursor, SliceUnit
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.cutting import Source, plan_slices
from ddbio.sources.prefetch import Prefetch, prefetched
from ddbio.sources.reader import RecordReader
from ddbio.sources.stream import FILES_AT_ONCE, Stream, evenly, file_pieces, in_turns, stream_pieces
from ddbio.storage.stdin import StandardInput
from tests.support.loops import run

JSON = FormatSpec("json")
LINES = [b'{"id": "%06d", "x": "%032x"}\n' % (number, hash((number, 1)) % 2**120) for number in range(6000)]
TEXT = b"".join(LINES)


def file_of(data: bytes, name: str = "orders.json.gz") -> SourceFile:
    return SourceFile(name, len(data), "1")


def chunks(data: bytes, chunk_bytes: int = 10_000, step: int = 777, **options: Any) -> list[ChunkUnit]:
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    return list(Stream(file_of(data), JSON, pieces, chunk_bytes=chunk_bytes, **options).chunks())


def text(units: list[ChunkUnit]) -> bytes:
    return b"".join(unit.block.data for unit in units)


def test_chunks_are_whole_records_that_follow_each_other() -> None:
    packed = gzip.compress(TEXT)
    units = chunks(packed)
    assert text(units) == TEXT
    assert units[0].start == 0
    assert [unit.start for unit in units[1:]] == [unit.stop for unit in units[:-1]]
    assert all(unit.block.data.endswith(b"\n") for unit in units)
    assert max(len(unit.block.data) for unit in units) <= 11_000
    assert sum(unit.bytes for unit in units) == len(packed)


@given(step=st.integers(1, 5000), level=st.integers(1, 9))
def test_chunks_do_not_depend_on_how_the_stream_arrives(step: int, level: int) -> None:
    units, others = chunks(gzip.compress(TEXT, level), step=step), chunks(TEXT, step=9999)
    assert [unit.block for unit in units] == [unit.block for unit in others]


def test_a_header_is_passed_over() -> None:
    units = chunks(gzip.compress(b"id,x\n" + TEXT), start=5)
    assert (text(units), units[0].start) == (TEXT, 5)


def test_a_file_that_breaks_off_gives_what_is_whole_and_then_fails() -> None:
    packed = gzip.compress(TEXT)
    *units, last = chunks(packed[: len(packed) // 2])
    assert last.error is not None and "is truncated" in str(last.error)
    assert TEXT.startswith(text(units)) and text(units).endswith(b"\n")
    assert len(text(units)) > len(TEXT) * 0.4
    assert all(unit.error is None for unit in units)


def expected(stored: bytes, items: int) -> Expected:
    return Expected(base64.b64encode(hashlib.md5(stored).digest()).decode(), items)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (lambda packed: expected(packed, 6000), None),
        (lambda packed: expected(packed + b" ", 6000), "has the MD5 "),
        (lambda packed: expected(packed, 5999), "has 6,000 items, but the manifest says 5,999"),
    ],
)
def test_what_was_written_down_of_a_file_is_verified(says: Any, words: str | None) -> None:
    packed = gzip.compress(TEXT)
    units = chunks(packed, expected=says(packed))
    assert text(units) == TEXT
    said = [str(unit.error) for unit in units if unit.error]
    assert bool(said) == (words is not None)
    assert words is None or (words in said[0] and '"orders.json.gz"' in said[0])


@given(pieces=st.lists(st.binary(max_size=30)), size=st.integers(1, 20))
def test_evenly(pieces: list[bytes], size: int) -> None:
    even = list(evenly(pieces, size))
    assert b"".join(even) == b"".join(pieces)
    assert all(len(piece) == size for piece in even[:-1])
    assert not even or 0 < len(even[-1]) <= size


def test_files_are_read_in_turns() -> None:
    """Not one after the other, and not all at once."""
    opened: list[int] = []

    def stream(number: int) -> Iterator[Any]:
        opened.append(number)
        for chunk in range(number % 3 + 1):
            yield number, chunk

    units = in_turns([stream(number) for number in range(20)])
    first = [next(units) for _ in range(FILES_AT_ONCE)]
    assert [number for number, _ in first] == list(range(FILES_AT_ONCE)) == opened
    assert sorted([*first, *units]) == [(n, chunk) for n in range(20) for chunk in range(n % 3 + 1)]


# --------------------------------------------------------------------------- planned and read


def planned(files: dict[str, bytes], size: int) -> list[Any]:
    def read(file: SourceFile, start: int, stop: int) -> bytes:
        return files[file.uri][start:stop]

    sources = [Source(file_of(data, name), JSON, packed=name.endswith(".gz")) for name, data in files.items()]
    plan = plan_slices(sources, size, read)
    units, deadline_s = list[Any](), time.monotonic() + 10
    for unit in plan:
        assert time.monotonic() < deadline_s
        if unit is None:
            time.sleep(0.001)
        else:
            units.append(unit)
    assert plan.complete
    assert [unit.number for unit in plan.units] == [unit.number for unit in units]
    assert not any(isinstance(unit, ChunkUnit) and unit.block.data for unit in plan.units)
    assert [unit.stop for unit in plan.units] == [unit.stop for unit in units]
    return units


def test_small_compressed_files_are_units_and_large_ones_come_in_chunks() -> None:
    small = {f"small-{n}.json.gz": gzip.compress(b"".join(LINES[n * 100 : n * 100 + 100])) for n in range(5)}
    large = {f"large-{n}.json.gz": gzip.compress(b"".join(LINES[n * 3000 : n * 3000 + 3000])) for n in range(2)}
    units = planned({**small, **large, "plain.json": TEXT}, 16 * 1024)
    assert sorted(unit.number for unit in units) == list(range(len(units)))
    whole = [unit for unit in units if isinstance(unit, SliceUnit) and unit.packed]
    assert {unit.file.uri for unit in whole} == set(small)
    assert all((unit.start, unit.stop) == (0, unit.file.size_bytes) for unit in whole)
    assert sum(unit.stop - unit.start for unit in units if unit.file.uri == "plain.json") == len(TEXT)
    fed = [unit for unit in units if isinstance(unit, ChunkUnit)]
    assert sorted(text(fed).splitlines()) == sorted(TEXT.splitlines())
    assert {unit.file.uri for unit in fed[:2]} == set(large)
    assert units == planned({**small, **large, "plain.json": TEXT}, 16 * 1024)


@pytest.mark.parametrize("data", [gzip.compress(TEXT), gzip.compress(TEXT[:9999]) + gzip.compress(TEXT[9999:]), TEXT])
def test_a_unit_that_is_a_file_is_read_whatever_it_is(data: bytes) -> None:
    class Storage:
        remote = False

        def of(self, _uri: str) -> Storage:
            return self

        def read_range(self, _file: SourceFile, start: int, stop: int) -> bytes:
            return data[start:stop]

    async def story(unit: SliceUnit) -> bytes:
        blocks = RecordReader(Storage()).blocks(unit, Lines())  # type: ignore[arg-type]
        return b"".join([block.data async for block in blocks])

    from ddbio.formats.json_lines import JsonLines as Lines

    unit = SliceUnit(0, file_of(data), 0, len(data))
    assert run(story(unit)) == TEXT
    done = sum(map(len, LINES[:100]))
    going_on = SliceUnit(0, file_of(data), 0, len(data), ImportCursor(done, 100))
    assert run(story(going_on)) == TEXT[done:]
    assert unit.source_bytes(0) == 0 and unit.source_bytes(len(TEXT)) == len(data)


# --------------------------------------------------------------------------- made ahead


def all_of(ahead: Prefetch[Any]) -> list[Any]:
    deadline_s, found = time.monotonic() + 10, []
    for item in ahead:
        assert time.monotonic() < deadline_s
        if item is None:
            time.sleep(0.001)
        else:
            found.append(item)
    return found


def test_ahead_gives_all_in_order_and_never_waits() -> None:
    gate = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        gate.wait(10)
        yield from range(2, 100)

    ahead = Prefetch(slow(), 4)
    while next(ahead) is None:
        time.sleep(0.001)
    assert next(ahead) is None
    gate.set()
    assert all_of(ahead) == list(range(2, 100))
    assert list(ahead) == []


def test_ahead_raises_what_was_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise TransferError("the file is gone")

    with pytest.raises(TransferError, match="the file is gone"):
        all_of(Prefetch(broken(), 4))


def test_who_is_closed_makes_no_more() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    ahead = Prefetch(numbers(), 2)
    while next(ahead) is None:
        time.sleep(0.001)
    ahead.close()
    assert ahead._thread is not None
    ahead._thread.join(10)
    assert not ahead._thread.is_alive() and len(made) <= 5


def test_a_file_is_read_ahead_in_pieces() -> None:
    reads: list[tuple[int, int]] = []
    data = bytes(range(256)) * 10_000

    def read(_file: SourceFile, start: int, stop: int) -> bytes:
        reads.append((start, stop))
        return data[start:stop]

    assert b"".join(file_pieces(file_of(data), read)) == data
    assert len(reads) == 3
    assert list(prefetched([], 2)) == []


def _range_of(stdin: StandardInput, _file: SourceFile, start: int, stop: int) -> bytes:
    return stdin.read_range(start, stop)


def test_all_that_was_looked_at_of_standard_input_is_read() -> None:
    """However much that was: also where it was looked at to its end."""
    data = os.urandom(40_000).hex().encode()
    for looks in (1, 2, 9):
        reader, writer = os.pipe()
        os.write(writer, data[:50_000])
        os.close(writer)
        stdin, seen = StandardInput(reader), 0
        for _ in range(looks):
            seen += len(stdin.read_range(seen, seen + 20_000))
        pieces = stream_pieces(SourceFile("-", 0, ""), partial(_range_of, stdin))
        assert b"".join(pieces) == data[:50_000]
        os.close(reader)


def test_standard_input_comes_as_it_comes() -> None:
    """What lies there is taken together; nobody waits for more for long; the end is the end."""
    reader, writer = os.pipe()
    stdin = StandardInput(reader)
    (file,) = stdin.list_files()

    def read(_file: SourceFile, start: int, stop: int) -> bytes:
        return stdin.read_range(start, stop)

    os.write(writer, b"a\n")
    os.write(writer, b"b\n")
    assert read(file, 0, 1000) == b"a\nb\n"  # a look at it
    pieces = stream_pieces(file, read)
    assert next(pieces) == b"a\nb\n"
    os.write(writer, b"c")
    os.close(writer)
    assert list(pieces) == [b"c"]
    os.close(reader)


def test_standard_input_that_cannot_be_read(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(UsageError, match="standard input cannot be read"):
        StandardInput(folder).list_files()
    os.close(folder)
