"""Where a lane is in its unit: bytes and lines, from the unit's start or from a cursor."""

from __future__ import annotations

import pytest

from ddbio.flow.position import Position
from ddbio.messages import ImportCursor, SliceUnit, Tally
from ddbio.messages.files import SourceFile

FILE = SourceFile("orders.json", 1000, "")


def place(position: Position) -> tuple[int, int]:
    return position.offset, position.lines


def test_it_begins_at_the_start_of_the_unit() -> None:
    assert place(Position.of(SliceUnit(0, FILE, 300, 600))) == (300, 0)


def test_it_begins_at_the_cursor_of_a_unit_that_was_begun() -> None:
    unit = SliceUnit(0, FILE, 300, 600, cursor=ImportCursor(450, 7), before=Tally(read=7, written=6, rejected=1))
    position = Position.of(unit)
    assert place(position) == (450, 7)
    assert (position.read, position.written, position.rejected) == (7, 6, 1)


@pytest.mark.parametrize(
    ("record", "left_out", "lines", "expected"),
    [
        (b'{"id": 1}', 1, 1, (110, 4)),  # and its line end
        (b'"a\nb",c', 1, 1, (108, 5)),  # a quoted line end is in the record
        (b'"a\n\nb"', 0, 0, (106, 5)),
        (b"x" * 10, 30, 3, (140, 6)),  # the rest was left out
    ],
)
def test_a_record_that_was_passed_by_counts_with_its_line_ends(
    record: bytes, left_out: int, lines: int, expected: tuple[int, int]
) -> None:
    position = Position.of(SliceUnit(0, FILE, 0, 600, cursor=ImportCursor(100, 3)))
    position.pass_by(record, b"\n", left_out, lines)
    assert place(position) == expected


def test_a_record_is_followed_by_one_line_end() -> None:
    position = Position.of(SliceUnit(0, FILE, 0, 600))
    position.pass_by(b"12345", b"\n")
    assert place(position) == (6, 1)
