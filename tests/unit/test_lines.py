"""The lines of a slice: what is taken of them, and how far their source is, from the unit's start or a cursor."""

from __future__ import annotations

import pytest

from ddbio.formats import get_format
from ddbio.formats.csv import CsvLayout
from ddbio.messages import ImportCursor, Reject, SliceUnit, Tally
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.lines import Lines

FILE = SourceFile("orders.json", 1000, "")
CSV = FormatSpec("csv", CsvLayout(("id", "x")))


def lines_of(unit: SliceUnit) -> Lines:
    return Lines(unit, get_format(unit.format), Tally())


def test_they_begin_at_the_start_of_the_unit() -> None:
    lines = lines_of(SliceUnit(0, FILE, 300, 600))
    assert (lines.mark(), lines.more, lines.left) == ((300, 0), True, 0)


def test_they_begin_at_the_cursor_of_a_unit_that_was_begun() -> None:
    assert lines_of(SliceUnit(0, FILE, 300, 600, cursor=ImportCursor(450, 7))).mark() == (450, 7)


def test_bytes_of_the_source_are_counted_by_the_mark() -> None:
    tally = Tally()
    lines = Lines(SliceUnit(0, FILE, 300, 600, cursor=ImportCursor(450, 7)), get_format("json"), tally)
    lines.mark()
    assert tally.bytes == 150
    lines.end()
    assert (lines.mark(), tally.bytes) == ((600, 7), 300)


@pytest.mark.parametrize(
    ("spec", "block", "expected"),
    [
        (FormatSpec("json"), Block(100, b'{"id": 1}\n'), (110, 4)),  # a record and its line end
        (FormatSpec("json"), Block(100, b'{"id": 1}'), (110, 4)),  # which the last one of a file may lack
        (FormatSpec("json"), Block(100, b"\n  \n{bad\n"), (109, 6)),  # blank lines and records that are none
        (CSV, Block(100, b'"a\nb",c\n'), (108, 5)),  # a quoted line end is in the record
        (CSV, Block(100, b'a,"\n\n"\n1,2\n'), (111, 7)),
        (FormatSpec("json"), Block(100, b"x" * 10, 30, 3), (140, 6)),  # the rest was left out
        (FormatSpec("json"), Block(150, b"1\n"), (152, 4)),  # a block says where it begins
    ],
)
def test_a_record_that_was_taken_counts_with_its_line_ends(
    spec: FormatSpec, block: Block, expected: tuple[int, int]
) -> None:
    lines = lines_of(SliceUnit(0, FILE, 0, 600, cursor=ImportCursor(100, 3), format=spec))
    lines.add(block)
    marks = [lines.mark() for _ in lines.each()]
    assert all(mark < expected for mark in marks), "it is taken when the next one is asked for"
    assert (lines.mark(), lines.left) == (expected, 0)


def test_a_run_of_lines_is_taken_at_once() -> None:
    tally = Tally()
    lines = Lines(SliceUnit(0, FILE, 0, 600), get_format("json"), tally)
    lines.add(Block(0, b"1\n22\n333\n"))
    assert lines.usual and lines.run(2) == [b"1", b"22"]
    assert (lines.mark(), lines.left, tally.read) == ((0, 0), 3, 0), "to look at them takes none"
    lines.take(lines.run(2))
    assert (lines.mark(), lines.left, tally.read) == ((5, 2), 1, 2)
    lines.add(Block(9, b"4\n"))  # joined to what is left
    assert lines.run(9) == [b"333", b"4"]
    lines.take(lines.run(9))
    assert lines.mark() == (11, 4)


def test_the_place_of_a_record_is_where_it_begins() -> None:
    lines = lines_of(SliceUnit(0, FILE, 0, 600))
    lines.add(Block(0, b'{"id": 1}\n\n{bad\n{"id": 2}\n'))
    places = [(record.place[:2], record.error is not None) for record in lines.each()]
    assert places == [((0, 0), False), ((11, 2), True), ((16, 3), False)]


class Places:
    """The places of a block that begins at `start`; see `ddbio.messages.block.RecordPlaces`."""

    def __init__(self, start: int) -> None:
        self.start = start

    def placed(self, reject: Reject) -> Reject:
        return reject


def test_a_record_has_the_places_of_its_block() -> None:
    lines = lines_of(SliceUnit(0, FILE, 0, 600))
    first, second = Places(0), Places(10)
    lines.add(Block(0, b'{"id": 1}\n', places=first))
    lines.add(Block(10, b'{"id": 2}\n', places=second))
    assert [record.place[2] for record in lines.each()] == [first, second]


def test_every_record_that_is_taken_is_counted() -> None:
    tally = Tally()
    lines = Lines(SliceUnit(0, FILE, 0, 600), get_format("json"), tally)
    lines.add(Block(0, b'{"id": 1}\n\n{bad\n{"id": 2}\n'))
    assert len(list(lines.each())) == 3
    assert (tally.read, tally.blank) == (3, 1)
    lines.add(Block(30, b"x" * 10, 30, 3))
    (too_long,) = lines.each()
    assert too_long.text_bytes == 39
    assert (tally.read, lines.mark()) == (4, (70, 7))
    lines.add(Block(70, b'{"id": 3}\n{"id": 4}\n'))
    lines.take(lines.run(2))
    assert (tally.read, lines.mark(), lines.left) == (6, (90, 9), 0)


def test_only_records_that_are_known_to_cost_one_unit_are_called_small() -> None:
    for spec, short, long in (
        (FormatSpec("json"), b'{"id": 1}', b'{"id": "%s"}' % (b"x" * 2000)),
        (CSV, b"1,2", b"1,%s" % (b"x" * 2000)),
    ):
        lines = lines_of(SliceUnit(0, FILE, 0, 9000, format=spec))
        lines.add(Block(0, short + b"\n" + long + b"\n"))
        assert [record.small for record in lines.each()] == [True, False]


def test_only_records_of_one_line_each_are_usual() -> None:
    csv, json = (lines_of(SliceUnit(0, FILE, 0, 600, format=spec)) for spec in (CSV, FormatSpec("json")))
    csv.add(Block(0, b"1,2\n"))
    json.add(Block(0, b'{"id": 1}\n'))
    assert csv.usual and json.usual
    assert (len(list(csv.each())), len(list(json.each()))) == (1, 1)
    csv.add(Block(4, b'1,"2\n3"\n'))  # a record of two lines
    json.add(Block(10, b'{"id": 2}\n', before=b","))  # which may be part of an array
    assert not csv.usual and not json.usual
    json = lines_of(SliceUnit(0, FILE, 0, 600))
    json.add(Block(0, b"x" * 10, 30, 3))  # the beginning of one
    assert not json.usual
    document = Lines(
        SliceUnit(0, FILE, 0, 600, format=FormatSpec("json", layout=object())), get_format("json"), Tally()
    )
    document.add(Block(10, b'{"id": 2}\n', before=b","))  # the scanner of documents knows that it is a record
    assert document.usual
