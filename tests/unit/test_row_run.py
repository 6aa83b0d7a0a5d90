"""The rows of a slice: however many batches wait, the position is that of the next row."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.formats import RowFormat, Rows, get_format
from ddbio.messages import ImportCursor, SliceUnit, Tally
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.row_run import RowRun

SIZE = 100_000
UNIT = SliceUnit(0, SourceFile("a.avro", SIZE, "1"), 0, SIZE)


def row_format() -> RowFormat:
    format = get_format(FormatSpec("avro"))
    assert isinstance(format, RowFormat)
    return format


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), max_size=12))
@example([(3, 0), (3, 0), (3, 0)])
@example([(12, 0), (12, 0), (12, 25), (12, 0)])
def test_the_mark_is_the_next_row(steps: list[tuple[int, int]]) -> None:
    """Batches of some rows are added, and some rows are taken, in any order; a mark can be had at any time."""
    run, tally, offsets = RowRun(UNIT, row_format(), Tally()), 0, []
    for number, (rows, wanted) in enumerate(steps):
        start = 100 * (number + 1)
        run.add(Rows(start, [b"{}"] * rows))
        offsets += [start] * rows
        assert run.left == len(offsets) - tally
        taken = run.run(wanted)
        run.take(taken)
        tally += len(taken)
        offset, row = run.mark()
        assert row == tally
        if tally < len(offsets):
            assert offset == offsets[tally]
        for record in run.each(0):
            raise AssertionError(record)
    places = [record.place[0] for record in run.each()]
    assert places == offsets[tally:]


def test_a_unit_that_is_resumed_begins_at_its_cursor() -> None:
    run = RowRun(SliceUnit(0, UNIT.file, 0, SIZE, ImportCursor(700, 12)), row_format(), Tally())
    assert run.mark() == (700, 12)
    run.add(Rows(700, [b"{}"] * 3))
    run.take(run.run(2))
    assert run.mark() == (700, 14)
