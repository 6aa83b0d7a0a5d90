"""Which format a file has: by what is asked for, by its name, by its first bytes; and what is said of it."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from ddbio.errors import UsageError
from ddbio.formats import FormatSpec, get_format
from ddbio.imports.recognition import LONG_HEAD_BYTES, Recognised, recognise
from ddbio.options import CsvOptions, ImportOptions
from ddbio.storage import SourceFile
from tests.unit.support import table

TABLE = table({"id": "S", "at": "N"})


class Files:
    """Files in memory, as a storage. looked_into: which of them were read."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.looked_into: list[str] = []

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        assert start == 0 < stop <= min(file.size_bytes, LONG_HEAD_BYTES)
        self.looked_into.append(file.uri)
        return self.contents[file.uri][start:stop]

    def recognised(self, **options: Any) -> Recognised:
        files = [SourceFile(uri, len(content), "1") for uri, content in self.contents.items()]
        asked = ImportOptions(table="Orders", sources=("x",), **options)
        return recognise(files, asked, TABLE, self.read_range)


def formats(contents: dict[str, bytes], **options: Any) -> dict[str, str]:
    sources = Files(contents).recognised(**options).sources
    return {each.file.uri: inner_name(each.format) for each in sources}


def inner_name(format: FormatSpec) -> str:
    return inner_name(format.settings) if isinstance(format.settings, FormatSpec) else format.name


PLAIN = b'{"id": "a", "at": 1}\n'
TYPED = b'{"id": {"S": "a"}, "at": {"N": "1"}}\n'
WRAPPED = b'{"Item": %b}\n' % TYPED.strip()
PIPELINE = b'{"id":{"s":"a"},"at":{"n":"1"},"b":{"bOOL":true},"x":{"nULLValue":true},"t":{"sS":["x"]}}\n'
ROWS = b"id,at\na,1\n"
REJECT = {"source": "a", "offset": 0, "line": 1, "code": "x", "message": "y"}
ROW_REJECT = orjson.dumps({**REJECT, "record": "a;1"})


@pytest.mark.parametrize(
    ("uri", "content", "format"),
    [
        ("a.json", PLAIN, "json"),
        ("a.jsonl", PLAIN, "json"),
        ("A.JSON", b"\xef\xbb\xbf\n" + PLAIN, "json"),
        ("a.json", TYPED, "dynamodb-json"),
        ("a.json", WRAPPED, "dynamodb-json"),
        ("a.json", PIPELINE, "dynamodb-json"),
        ("a.json", WRAPPED + b"x" * 100_000, "dynamodb-json"),
        ("a.json", b'{"Item": {"a": {"S": "%b"}}}' % (b"x" * 100_000), "dynamodb-json"),
        # Whatever may be plain JSON is taken for it: a mistake here would change values.
        ("a.json", b'{"id": "a", "at": {"N": "1"}}\n', "json"),
        ("a.json", b'{"Item": "a"}\n', "json"),
        ("a.json", b'{"Item": {"a": 1}}\n', "json"),
        ("a.json", b'{"id": {"S": 1}}\n', "json"),
        ("a.json", b"{}\n", "json"),
        ("a.json", b"no json\n", "json"),
        ("a.csv", ROWS, "csv"),
        ("a.tsv", b"id\tat\n", "csv"),
        ("s3://bucket/some.folder/data", PLAIN, "json"),
        ("data.txt", WRAPPED, "dynamodb-json"),
        ("data.txt", ROWS, "csv"),
        ("data", b"\xef\xbb\xbfat;x;id\r\n", "csv"),
        ("x.rejects.jsonl", orjson.dumps({**REJECT, "record": PLAIN.decode()}), "json"),
        ("x.rejects.jsonl", orjson.dumps({**REJECT, "record": TYPED.decode()}), "dynamodb-json"),
        ("a.json.gz", gzip.compress(WRAPPED, mtime=0), "dynamodb-json"),
        ("a.csv.gz", gzip.compress(ROWS, mtime=0), "csv"),
        ("a.csv.gz", ROWS, "csv"),
        ("data", gzip.compress(ROWS * 100_000, mtime=0), "csv"),
        ("x.rejects.jsonl", WRAPPED, "dynamodb-json"),
    ],
)
def test_the_format_of_a_file(uri: str, content: bytes, format: str) -> None:
    assert formats({uri: content}) == {uri: format}


def test_a_format_that_is_asked_for_is_not_questioned() -> None:
    files = Files({"a.csv": TYPED, "b.json": PLAIN})
    assert {each.format.name for each in files.recognised(format="dynamodb-json").sources} == {"dynamodb-json"}
    assert files.looked_into == []


def test_one_file_of_json_speaks_for_all_and_every_header_is_read() -> None:
    names = {f"{number}.json": TYPED for number in range(50)}
    files = Files({"empty.json": b"", **names, "a.csv": b"id,at\n", "b.csv": b"x;id;at\n"})
    recognised = files.recognised()
    assert [each.file.uri for each in recognised.sources if each.format.name == "dynamodb-json"] == list(names)
    assert sorted(files.looked_into) == ["0.json", "a.csv", "b.csv"]
    assert recognised.remarks == [
        "Format: dynamodb-json, as all values of the first record carry types",
        "Format: csv, 2 columns between commas, as names end in .csv; "
        "3 columns between semicolons, as names end in .csv",
    ]
    one, two = (each for each in recognised.sources if each.format.name == "csv")
    assert (one.start, two.start) == (6, 8)
    assert one.format != two.format


@pytest.mark.parametrize(
    ("contents", "options", "message"),
    [
        ({"data.txt": b"hello\n"}, {}, 'what format "data.txt" has'),
        ({"data.parq": b"\x00\xff\xfe"}, {}, "say it with --format (json, dynamodb-json, csv"),
        ({"a.csv": b"x,y\n"}, {}, "lacks 'id'"),
        ({"x.rejects.jsonl": ROW_REJECT}, {"format": "csv"}, "rows of CSV without their header"),
        ({"a.csv": ROWS}, {"csv": CsvOptions(types=(("ag", "N"),))}, "--csv-types names 'ag', and no file"),
    ],
)
def test_what_cannot_be_read_is_refused(contents: dict[str, bytes], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        formats(contents, **options)
    assert message in str(caught.value)


def test_rows_in_a_rejects_file_are_read_by_the_columns_that_are_given() -> None:
    for format in ("auto", "csv"):
        files = Files({"x.rejects.jsonl": ROW_REJECT})
        (source,) = files.recognised(format=format, csv=CsvOptions(columns=("id", "at"))).sources
        assert get_format(source.format).parse(ROW_REJECT) == {"id": {"S": "a"}, "at": {"N": "1"}}
        assert (source.start, get_format(source.format).cut_anywhere) == (0, True)


@pytest.mark.parametrize("content", [b"\n", b"\xef\xbb\xbf \r\n\t\n", gzip.compress(b"\n\n", mtime=0)])
def test_a_file_of_csv_without_anything_in_it_has_no_header_and_no_rows(content: bytes) -> None:
    for uri in ("a.csv", "b.csv.gz"):
        files = Files({uri: content, "c.csv": ROWS})
        sources = files.recognised(csv=CsvOptions(types=(("at", "N"),))).sources
        assert [each.file.uri for each in sources] == [uri, "c.csv"]
        alone = Files({uri: content}).recognised(csv=CsvOptions(types=(("at", "N"),))).sources
        assert get_format(alone[0].format).split(b"") == []
