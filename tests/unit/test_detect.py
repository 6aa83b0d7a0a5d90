"""Which format a file has: by what is asked for, by its name, by its first bytes; and what is said of it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet
import pytest

from ddbio.errors import UsageError
from ddbio.formats import get_format
from ddbio.formats.declaration import Known
from ddbio.formats.documents import DocumentLayout
from ddbio.messages.files import STDIN, SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import AUTO, CsvOptions
from ddbio.sources.detect import Detected, detect
from ddbio.sources.heads import LONG_HEAD_BYTES
from ddbio.values.names import NO_CHANGES
from tests.support.tables import table

TABLE = table({"id": "S", "at": "N"})
NO_OPTIONS = CsvOptions()


class Files:
    """Files in memory, as a storage. looked_into: which of them were read."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.looked_into: list[str] = []

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        assert start < stop <= min(file.size_bytes, LONG_HEAD_BYTES)
        self.looked_into.append(file.uri)
        return self.contents[file.uri][start:stop]

    def detected(self, format: str = AUTO, csv: CsvOptions = NO_OPTIONS) -> Detected:
        files = [SourceFile(uri, len(content), "1") for uri, content in self.contents.items()]
        return detect(files, Known.of_table(TABLE, format, csv, NO_CHANGES), self.read_range)


def formats(contents: dict[str, bytes], **options: Any) -> dict[str, str]:
    sources = Files(contents).detected(**options).sources
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
    files = Files({"a.csv": TYPED, "b.json": PLAIN, "c.json": b"[%b]" % PLAIN})
    sources = files.detected(format="dynamodb-json").sources
    assert {each.format.name for each in sources} == {"dynamodb-json"}
    assert [each.format.layout for each in sources] == [None, None, DocumentLayout()]


def test_every_file_of_json_speaks_for_itself_and_every_header_is_read() -> None:
    names = {f"{number}.json": TYPED for number in range(50)}
    blank = {"0-blank.json": b"\n\n\n", "plain.json": PLAIN}
    files = Files({"empty.json": b"", **blank, **names, "a.csv": b"id,at\n", "b.csv": b"x;id;at\n"})
    detected = files.detected()
    assert [each.file.uri for each in detected.sources if each.format.name == "dynamodb-json"] == list(names)
    assert sorted(files.looked_into) == sorted([*blank, *names, "a.csv", "b.csv"]), "one look is enough for each"
    assert detected.remarks == [
        'Sources: "empty.json" is empty',
        "Format: json, as names end in .json",
        "Format: dynamodb-json, as all values of the first record carry types",
        "Format: csv, 2 columns between commas, as names end in .csv; "
        "3 columns between semicolons, as names end in .csv",
        "Columns that are imported as text, as they have no type: x "
        "(--csv-types x:N gives one a type, --infer-types makes cells that look like numbers numbers)",
    ]
    one, two = (each for each in detected.sources if each.format.name == "csv")
    assert (one.start, two.start) == (6, 8)
    assert one.format != two.format


@pytest.mark.parametrize(
    ("contents", "options", "message"),
    [
        ({"data.txt": b"hello\n"}, {}, 'the format of "data.txt" is clear neither'),
        ({"data.parq": b"\x00\xff\xfe"}, {}, "name it with --format (json, dynamodb-json, csv"),
        ({"a.csv": b"x,y\n"}, {}, "lacks 'id'"),
        ({"x.rejects.jsonl": ROW_REJECT}, {"format": "csv"}, "CSV rows without their header"),
        ({"a.csv": ROWS}, {"csv": CsvOptions(types=(("ag", "N"),))}, "--csv-types names 'ag', and no file"),
        ({"a.json": b'{"id":"1"}\n'}, {"csv": CsvOptions(infer_types=True)}, "no source is CSV; omit them"),
    ],
)
def test_what_cannot_be_read_is_refused(contents: dict[str, bytes], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        formats(contents, **options)
    assert message in str(caught.value)


def test_rows_in_a_rejects_file_are_read_by_the_columns_that_are_given() -> None:
    for format in ("auto", "csv"):
        files = Files({"x.rejects.jsonl": ROW_REJECT})
        (source,) = files.detected(format=format, csv=CsvOptions(columns=("id", "at"))).sources
        assert get_format(source.format).parse(ROW_REJECT) == {"id": {"S": "a"}, "at": {"N": "1"}}
        assert (source.start, get_format(source.format).cut_anywhere) == (0, True)


@pytest.mark.parametrize("content", [b"\n", b"\xef\xbb\xbf \r\n\t\n", gzip.compress(b"\n\n", mtime=0)])
def test_a_file_of_csv_without_anything_in_it_has_no_header_and_no_rows(content: bytes) -> None:
    for uri in ("a.csv", "b.csv.gz"):
        files = Files({uri: content, "c.csv": ROWS})
        sources = files.detected(csv=CsvOptions(types=(("at", "N"),))).sources
        assert [each.file.uri for each in sources] == [uri, "c.csv"]
        alone = Files({uri: content}).detected(csv=CsvOptions(types=(("at", "N"),))).sources
        assert get_format(alone[0].format).split(b"") == []


# --------------------------------------------------------------------------- JSON that is not one object a line

OBJECTS, PAGES = DocumentLayout(), DocumentLayout("pages")
REQUESTS = DocumentLayout("requests", ("Orders",))
PUT = b'{"PutRequest": {"Item": %b}}' % TYPED.strip()
DELETE = b'{"DeleteRequest": {"Key": %b}}' % TYPED.strip()


def filled(part: bytes) -> bytes:
    """As often as it takes to be longer than what is looked at."""
    return part * (LONG_HEAD_BYTES // len(part) + 1)


LONG = b'{"id": "%b", "at": 1}' % (b"x" * 100_000)


@pytest.mark.parametrize(
    ("content", "name", "layout", "words"),
    [
        (b"[%b]" % PLAIN.strip(), "json", OBJECTS, "a JSON array"),
        (b"\xef\xbb\xbf \n[\n%b,\n%b]" % (TYPED, TYPED), "dynamodb-json", OBJECTS, "a JSON array"),
        (b"[]", "json", OBJECTS, "a JSON array"),
        (b"[1, 2]\n", "json", OBJECTS, "a JSON array"),
        (b'[{"id": "order", "lines": [\n{"id": "line", "at": 1}\n]}]', "json", OBJECTS, "a JSON array"),
        (b'{\n"id": "a",\n"at": 1\n}\n', "json", OBJECTS, "JSON objects over several lines"),
        (PLAIN.strip() * 2, "json", OBJECTS, "JSON objects over several lines, or several on a line"),
        (PLAIN + b'{"id": "b",\n"at": 1}\n' * 2, "json", OBJECTS, "JSON objects over several lines"),
        (PLAIN.strip() + b",\n" + PLAIN, "json", OBJECTS, "JSON objects over several lines"),
        (b"[%b, %b]" % (LONG, LONG), "json", OBJECTS, "a JSON array"),
        (LONG * 2, "json", OBJECTS, "JSON objects over several lines"),
        (b'{"Items": [%b], "Count": 1}' % TYPED.strip(), "dynamodb-json", PAGES, "the items in answers to Scan"),
        (b'{"Items": [%b], "Count": 1}\n' % PLAIN.strip() * 9, "json", PAGES, "the items in answers to Scan"),
        (b'{"Count": 1, "Items": [\n%b,\n' % TYPED.strip(), "dynamodb-json", PAGES, "the items in answers"),
        (b'[{"Items": [%b]}]' % TYPED.strip(), "dynamodb-json", PAGES, "the items in answers to Scan"),
        (b'{"Items": [], "Count": 0, "ScannedCount": 0}', "json", PAGES, "the items in answers to Scan"),
        (b'{"Items": [%b' % filled(TYPED.strip() + b", "), "dynamodb-json", PAGES, "the items in answers"),
        (b'{"Orders": [%b, %b]}' % (PUT, DELETE), "write-requests", REQUESTS, "write requests"),
        (b'{"RequestItems": {"Orders": [%b]}}' % PUT, "write-requests", REQUESTS, "write requests"),
        (b'{"UnprocessedItems": {"Orders": [\n%b]}}' % PUT, "write-requests", REQUESTS, "write requests"),
        (b'{"Orders": [%b' % filled(PUT + b", "), "write-requests", REQUESTS, "write requests"),
    ],
    ids=range(21),
)
def test_json_that_is_not_one_object_a_line(content: bytes, name: str, layout: DocumentLayout, words: str) -> None:
    every_kind = ("a.json", "a", "b.json.gz")
    for uri in every_kind if len(content) < LONG_HEAD_BYTES else every_kind[-1:]:  # a long head takes seconds
        detected = Files({uri: gzip.compress(content, 1) if "gz" in uri else content}).detected()
        (source,) = detected.sources
        assert (source.format.name, source.format.layout) == (name, layout)
        assert f'"{uri}" is read as {words}' in detected.remarks[-1]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN * 3,
        PLAIN + b"\xef\xbb\xbf" + PLAIN,
        b'{"id": "a", "at": 1, "Items": [%b]}\n' % PLAIN.strip(),  # its key makes it an item
        b'{"id": "a", "Items": [%b]}\n' % PLAIN.strip(),  # and so does a name that no page has
        b'{"id": "a", "t\n' + PLAIN * 3,  # a line that was cut
        b'{"id": "a", "v": [\n' + PLAIN * 3,
        b'{"id": nope}\n' + PLAIN,
        PLAIN + PLAIN.strip() * 2 + b"\nno json\n" + PLAIN,
        b'{"Items": [%b,\n' % PLAIN.strip(),  # what is missing may make it an item
        b'{"Items": []}\n' + PLAIN * 3,  # a record without its key, and no page
        LONG + b"\n" + LONG,
        b'{"id": {"S": "a"}, "Orders": []}\n',
        b"no json\n",
        b"\n \n",
    ],
)
def test_one_object_a_line_is_still_cut_anywhere(content: bytes) -> None:
    (source,) = Files({"a.json": content}).detected().sources
    assert source.format == FormatSpec("json")


def test_files_that_are_read_alike_are_named_in_one_line() -> None:
    files = Files({"a.json": b"[]", "b.json": b"[]", "c.json": b"[]", "d.json": PLAIN})
    assert files.detected().remarks[1:] == ['"a.json" and 2 more files are read as a JSON array']


def test_requests_for_another_table_are_refused() -> None:
    content = b'{"Orders": [%b],\n "Others": [%b]}' % (PUT, PUT)
    with pytest.raises(UsageError, match=r"these requests are for table 'Others', and -t is 'Orders'"):
        formats({"a.json": content})
    assert formats({"a.json": content.replace(b"Others", b"Orders")}) == {"a.json": "write-requests"}


def test_requests_name_the_table_by_its_name_or_its_arn() -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"
    files = Files({"a.json": b'{"%b": [%b]}' % (arn.encode(), PUT)})
    listed = [SourceFile(uri, len(content), "1") for uri, content in files.contents.items()]
    named = replace(TABLE, description={"TableArn": arn})
    known = Known.of_table(named, AUTO, CsvOptions(), NO_CHANGES)
    (source,) = detect(listed, known, files.read_range).sources
    assert source.format == FormatSpec("write-requests", layout=DocumentLayout("requests", ("Orders", arn)))


def test_requests_put_and_delete() -> None:
    requests = Files({"a.json": b'{"Orders": [%b]}' % DELETE}).detected()
    rejected = Files({"x.rejects.jsonl": orjson.dumps({**REJECT, "record": DELETE.decode()})}).detected()
    for detected in (requests, rejected):
        assert detected.mode("put") == detected.mode("changes") == "changes"
        with pytest.raises(UsageError, match="does not go with --mode insert"):
            detected.mode("insert")
    assert Files({"a.json": PLAIN}).detected().mode("insert") == "insert"


@pytest.mark.parametrize("content", [PLAIN, b"[%b]" % PLAIN])
def test_other_encodings_are_refused_by_name(content: bytes) -> None:
    for uri in ("a.json", "a", "x.rejects.jsonl", "a.csv"):
        with pytest.raises(UsageError, match=f'"{uri}" is UTF-16LE, not UTF-8; iconv -f UTF-16LE'):
            formats({uri: content.decode().encode("utf-16-le")})


def test_what_the_first_readable_reject_is_counts() -> None:
    rejects = [orjson.dumps({**REJECT, "record": text}) for text in ("[", "{", TYPED.decode())]
    assert formats({"x.rejects.jsonl": b"\n".join(rejects)}) == {"x.rejects.jsonl": "dynamodb-json"}


def test_parquet_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a"], "at": ["1"]}), tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    detected = Files({"data": content, "empty.txt": gzip.compress(b"", mtime=0)}).detected()
    assert detected.remarks == ['Format: parquet, as "data" begins with PAR1']
    with pytest.raises(UsageError, match=r"is a Parquet file; import it with --format parquet"):
        Files({"a.json": content}).detected()
    with pytest.raises(UsageError, match=r"Parquet cannot be read from standard input"):
        detect([SourceFile(STDIN, 0, "")], Known("parquet"), lambda *_: b"")


@pytest.mark.parametrize("name", ["bad.jsonl", "bad", "bad.json.gz"])
def test_a_rejects_file_is_known_under_any_name(name: str) -> None:
    lines = [orjson.dumps({**REJECT, "record": text}) for text in (PLAIN.decode(), "x" * 300_000)]
    for content in (b"\n".join(lines), b"\n".join(reversed(lines))):
        detected = Files({name: gzip.compress(content) if name.endswith(".gz") else content}).detected()
        assert detected.sources[0].format.name == "rejected"
        assert detected.remarks == [f'Format: json, in rejects of "{name}"']


@pytest.mark.parametrize(
    "line",
    [
        {**REJECT, "record": "{}", "id": "an attribute more"},
        {name: value for name, value in REJECT.items() if name != "code"} | {"record": "{}"},
        {**REJECT, "record": {"id": "no text"}},
    ],
)
def test_an_item_that_resembles_a_reject_is_an_item(line: dict[str, Any]) -> None:
    assert formats({"a.json": orjson.dumps(line)}) == {"a.json": "json"}


def test_rejects_are_data_if_the_user_says_so() -> None:
    files = Files({"bad.jsonl": orjson.dumps({**REJECT, "record": PLAIN.decode()})})
    assert files.detected(format="json").sources[0].format.name == "json"


WIDE = b"id,at,a,b,c,d,e,f\n"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (CsvOptions(), "a, b, c, d, e and 1 more (--csv-types a:N"),
        (CsvOptions(types=(("a", "N"), ("c", "S"))), "b, d, e, f (--csv-types b:N"),
        (CsvOptions(infer_types=True), None),
        (CsvOptions(types=tuple((name, "S") for name in "abcdef")), None),
    ],
)
def test_columns_without_a_type_are_named_once(options: CsvOptions, named: str | None) -> None:
    remarks = Files({"a.csv": WIDE, "b.csv": WIDE}).detected(csv=options).remarks[1:]
    if named is None:
        assert remarks == []
    else:
        (remark,) = remarks
        assert f"no type: {named}" in remark


def test_csv_that_is_called_json_is_refused_and_text_that_is_neither_is_not() -> None:
    with pytest.raises(
        UsageError, match=r'"a.csv" is CSV: its first row has the keys of the table; add --format csv'
    ):
        Files({"a.csv": ROWS}).detected(format="json")
    assert len(Files({"a.txt": b"neither,nor\n"}).detected(format="json").sources) == 1


def test_types_of_rejected_rows_are_those_of_their_import() -> None:
    line = orjson.dumps(
        {**REJECT, "record": "a,1,2", "csv": {"columns": ["id", "at", "n"], "types": ["S", "N", "S"]}}
    )
    types = CsvOptions(types=(("n", "N"),))
    with pytest.raises(UsageError, match="--csv-types has no effect on rejected rows"):
        Files({"a.rejects.jsonl": line}).detected(csv=types)
    assert len(Files({"a.rejects.jsonl": line, "b.csv": b"id,at,n\n"}).detected(csv=types).sources) == 2


def test_several_empty_files_are_one_remark() -> None:
    assert Files({"a.json": b"", "b.json": b"", "c.json": b""}).detected().remarks == [
        'Sources: "a.json" and 2 more files are empty'
    ]
