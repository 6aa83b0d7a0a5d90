"""Parquet: a row group is read from any cursor, and a segment whose worker died leaves every item in one file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import AbortError, RecordError
from ddbio.flow.export_job import ExportJob
from ddbio.formats import get_format
from ddbio.formats.parquet import ParquetLayout
from ddbio.formats.parquet.reading import row_groups, rows_of_row_group
from ddbio.formats.parquet.writing import ColumnsWriter
from ddbio.messages import ExportCursor, ImportCursor, SegmentUnit, SliceUnit, Tally
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.segment_files import RowFiles
from ddbio.sources.reader import RecordReader
from ddbio.sources.slices import SliceSource
from ddbio.storage.local import LocalStorage
from ddbio.storage.ranged import RangedFile
from ddbio.values.items import AttributeValue
from tests.support.loops import run
from tests.support.memory import MemoryStorage
from tests.support.service import job_table
from tests.support.tables import table

LAYOUT = ParquetLayout((("id", "S"), ("n", "N")))
FORMAT = FormatSpec("parquet", LAYOUT)


def file_of_rows(rows: int, row_group: int) -> bytes:
    out = io.BytesIO()
    rows_of = pyarrow.table({"id": [f"k{number}" for number in range(rows)]})
    pyarrow.parquet.write_table(rows_of, out, row_group_size=row_group)
    return out.getvalue()


@pytest.mark.parametrize("remote", [False, True])
def test_rows_are_delivered_once_from_any_cursor(remote: bool) -> None:
    content = file_of_rows(2500, 1100)
    file = SourceFile("in.parquet", len(content), "1")
    storage: Any = MemoryStorage(content, remote=remote)
    names, cuts = row_groups(RangedFile(file, storage.read_range), file.uri)  # type: ignore[arg-type]
    assert (names, len(cuts)) == (["id"], 3)

    async def rows(unit: SliceUnit) -> list[bytes]:
        """All at once and one by one in turns; a mark is a number of rows, and an offset that only grows."""
        tally, found, marks = Tally(), list[bytes](), list[tuple[int, int]]()
        source = SliceSource(RecordReader(storage), get_format, tally)
        source.begin(unit)
        async for batch in source.batches():
            assert batch.lines is not None
            while batch.lines.left > (3 if batch.lines.more else 0):
                marks.append(source.mark())
                taken = batch.lines.run(7)
                if len(marks) % 2:
                    batch.lines.take(taken)
                else:
                    assert [each.text for each in batch.lines.each(7)] == taken
                found += taken
        marks.append(source.end())
        assert [number for _, number in marks] == sorted({number for _, number in marks})
        assert [offset for offset, _ in marks] == sorted(offset for offset, _ in marks)
        assert (marks[-1][0], tally.bytes, tally.read) == (unit.stop, unit.stop - unit.start, len(found))
        return found

    delivered = []
    for number, cut in enumerate(cuts):
        unit = SliceUnit(number, file, *cut, format=FORMAT)
        whole = run(rows(unit))
        delivered += [get_format(FORMAT).parse(record) for record in whole]
        for place in (1, 999, 1000, 1001):
            if place < len(whole):
                rest = run(rows(replace(unit, cursor=ImportCursor(unit.start, place))))
                assert rest == whole[place:]
    assert delivered == [{"id": {"S": f"k{number}"}} for number in range(2500)]


def test_a_file_without_rows_has_no_units() -> None:
    content = file_of_rows(0, 1)
    storage: Any = MemoryStorage(content)
    file = SourceFile("in.parquet", len(content), "1")
    assert row_groups(RangedFile(file, storage.read_range), file.uri)[1] == []  # type: ignore[arg-type]


def export_job(folder: Path) -> ExportJob:
    return ExportJob(job_table(table({"id": "S"})), 0.0, FORMAT, str(folder), AwsSettings(), 4000, False, lanes=1)


def items(first: int, count: int) -> list[dict[str, AttributeValue]]:
    return [
        {"id": AttributeValue(S=f"{number:032x}"), "n": AttributeValue(N=str(number))}
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("dies_after", range(8))
def test_whoever_goes_on_begins_the_unfinished_file_again(tmp_path: Path, dies_after: int) -> None:
    """Seven pages; the first worker dies after some of them, and what it did not report is not kept."""
    cursors: list[ExportCursor] = []

    async def work(cursor: ExportCursor | None, pages: range, *, to_the_end: bool) -> None:
        files = RowFiles(LocalStorage(), export_job(tmp_path), get_format(FORMAT), Tally())
        files.begin(SegmentUnit(0, 0, 1, cursor))
        await files.open()
        for page in pages:
            await files.write_page(items(page * 40, 40))
            if files.settled:
                cursors.append(ExportCursor(str(page + 1), *files.state()))
                assert cursors[-1].output is None
        if to_the_end:
            await files.finish()

    run(work(None, range(dies_after), to_the_end=False))
    cursor = cursors[-1] if cursors else None
    first = int(cursor.last_key or 0) if cursor is not None else 0
    run(work(cursor, range(first, 7), to_the_end=True))
    ids = [
        each
        for path in sorted(tmp_path.glob("*.parquet"))
        for each in pyarrow.parquet.read_table(path)["n"].to_pylist()
    ]
    assert sorted(map(int, ids)) == list(range(280))


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (pyarrow.array([float("nan")]), "not-finite"),
        (pyarrow.array([float("-inf")], pyarrow.float32()), "not-finite"),
        (pyarrow.array([[0.5, float("inf")]]), "not-finite"),
        (pyarrow.array([{"a": {"b": float("nan")}}]), "not-finite"),
        (pyarrow.array([[("k", float("nan"))]], pyarrow.map_(pyarrow.string(), pyarrow.float64())), "not-finite"),
        (pyarrow.array([[("", 1.0)]], pyarrow.map_(pyarrow.string(), pyarrow.float64())), "empty-name"),
    ],
)
def test_what_parquet_has_and_dynamodb_has_not_is_rejected_by_its_name(column: Any, code: str) -> None:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a"], "v": column}), out)
    ((start, _),) = row_groups(out, "in.parquet")[1]
    (line,) = next(rows_of_row_group(out, start, start + 1, 0, {})).texts
    with pytest.raises(RecordError) as caught:
        get_format(FORMAT).parse(line)
    assert caught.value.code == code


def test_a_value_that_does_not_fit_is_refused_by_name() -> None:
    writer = ColumnsWriter(LAYOUT)
    with pytest.raises(AbortError, match="'n' is of type S in one item, and its column of type N"):
        writer.add([{"id": AttributeValue(S="a"), "n": AttributeValue(S="x")}])
    decimal = ColumnsWriter(replace(LAYOUT, numbers="decimal"))
    with pytest.raises(AbortError, match="--numbers string"):
        decimal.add([{"id": AttributeValue(S="a"), "n": AttributeValue(N="1E+60")}])
