"""CSV in: where records end, what cells become, what a header says; and out."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import RecordError, UsageError
from ddbio.formats import get_format
from ddbio.formats.csv import Csv, CsvLayout, rendered_rows
from ddbio.formats.csv.cells import INFER, READERS
from ddbio.formats.csv.header import read_head
from ddbio.messages import SliceUnit
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import CSV_TYPES, CsvOptions
from ddbio.sources.cutting import MIB, Source, plan_slices
from ddbio.values.capacity import item_size_bytes
from ddbio.values.items import AttributeValue
from ddbio.values.names import NO_CHANGES, NameChanges

# --------------------------------------------------------------------------- where records end


def ends_of(
    text: bytes, delimiter: bytes = b",", line_end: bytes = b"\n", escape: bytes = b""
) -> tuple[list[int], bool]:
    """The oracle, a byte at a time: where each record ends, and whether a quote is left open."""
    ends, inside, before, escaped = [], False, line_end, False
    for at in range(len(text)):
        byte = text[at : at + 1]
        if escaped or byte == escape:
            escaped, before = not escaped, b"x" if not inside else before
            continue
        if byte == b'"' and (inside or before in (b"", line_end, delimiter)):
            inside, before = not inside, b""
            continue
        if not inside:
            before = byte
            ends += [at + 1] * (byte == line_end)
    return ends, inside


TEXTS = st.lists(st.sampled_from([b'"', b'"', b",", b"\n", b"\n", b"a", b"5", b'""', b',"', b'",']), max_size=40).map(
    b"".join
)


@given(TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=40))
@example(b'a,"b""\nc",d\ne', [4, 1, 1, 9])  # a pair of quotes across pieces
@example(b'5" pipe,x\n6" pipe,y\n', [3])  # quotes that open nothing
@example(b'a,"b\n', [1])
def test_record_ends_are_found_however_the_text_comes(text: bytes, sizes: list[int]) -> None:
    ends, _ = ends_of(text)
    find_end, at, found = Csv().end_finder(), 0, 0
    while at < len(text):
        piece = text[at : at + sizes[at % len(sizes)]]
        end = find_end(piece)
        found, at = at + end if end else found, at + len(piece)
        assert found == max((end for end in ends if end <= at), default=0)


@given(TEXTS)
@example(b'a,"b\nc\n\n')
@example(b'"\n"\n,"')
def test_splitting_loses_no_byte_and_cuts_at_record_ends(text: bytes) -> None:
    records = Csv().split(text)
    whole = b"\n".join(records)
    assert text in (whole, whole + b"\n") or (text, records) == (b"", [])
    ends, unclosed = ends_of(text)
    if not unclosed:
        cuts = [0, *ends, *([len(text)] if text[-1:] != b"\n" and text else [])]
        if len(cuts) > 1 and cuts[-1] == cuts[-2]:
            cuts.pop()
        assert records == [text[one:two].removesuffix(b"\n") for one, two in pairwise(cuts)]


OTHER_TEXTS = st.lists(
    st.sampled_from([b'"', b'"', b",", b"\n", b"\r", b"\r", b"a", b"\\", b'\\"', b'""', b',"', b'",']), max_size=40
).map(b"".join)
DIALECTS = st.sampled_from([("\r", ""), ("\n", "\\"), ("\r", "\\")])


@given(OTHER_TEXTS, DIALECTS, st.lists(st.integers(1, 9), min_size=1, max_size=40))
@example(b'a\\"b,"c\\"\n"\n', ("\n", "\\"), [3, 1, 1, 2])
@example(b"\\\n", ("\n", "\\"), [1])  # the escaped line end belongs to the record
def test_records_end_in_carriage_returns_and_not_at_what_is_escaped(
    text: bytes, dialect: tuple[str, str], sizes: list[int]
) -> None:
    line_end, escape = (each.encode() for each in dialect)
    format = Csv(CsvLayout(line_end=dialect[0], escape=dialect[1]))
    ends, unclosed = ends_of(text, line_end=line_end, escape=escape)
    find_end, at, found = format.end_finder(), 0, 0
    while at < len(text):
        piece = text[at : at + sizes[at % len(sizes)]]
        end = find_end(piece)
        found, at = at + end if end else found, at + len(piece)
        assert found == max((end for end in ends if end <= at), default=0)
    records = format.split(text)
    whole = line_end.join(records)
    assert text in (whole, whole + line_end) or (text, records) == (b"", [])
    if not unclosed:
        cuts = [0, *ends, *([len(text)] * (bool(text) and len(text) not in ends))]
        pieces = [(text[one:two], two in ends) for one, two in pairwise(cuts)]
        assert records == [piece.removesuffix(line_end) if ended else piece for piece, ended in pieces]


def test_a_quote_that_is_not_closed_harms_its_own_line_only() -> None:
    text = b'1,a\n2,"b\n3,c\n4,"d\ne"\n'
    assert Csv().split(text)[0] == b"1,a"
    broken = b'1,a\n2,"b\n3,c\n4,d\n\n'
    assert Csv().split(broken) == [b"1,a", b'2,"b', b"3,c", b"4,d", b""]
    everywhere = b'x" ,"\n' * 500  # a mistake in every line must not take forever
    assert b"\n".join(Csv().split(everywhere)) + b"\n" == everywhere


# --------------------------------------------------------------------------- units


def planned(content: bytes, size: int, start: int = 0) -> list[SliceUnit]:
    file = SourceFile("orders.csv", len(content), "1")
    source = Source(file, FormatSpec("csv", CsvLayout(("a", "b"))), start)
    plan = plan_slices([source], size, lambda _, start, stop: content[start:stop])
    units = [unit for unit in plan if unit is not None]
    assert plan.complete and plan.units == units
    assert [unit.number for unit in sorted(units, key=lambda unit: unit.start)] == list(range(len(units)))
    return sorted((unit for unit in units if isinstance(unit, SliceUnit)), key=lambda unit: unit.start)


@given(TEXTS, st.integers(1, 12), st.integers(0, 3))
def test_units_begin_and_end_with_records(text: bytes, size: int, start: int) -> None:
    start = min(start, len(text))
    ends, _ = ends_of(text[start:])
    units = planned(text, size, start)
    edges = [start, *(unit.stop for unit in units)]
    assert [unit.start for unit in units] == edges[:-1]
    assert edges[-1] == len(text)
    assert {edge - start for edge in edges[1:-1]} <= set(ends)
    assert units == planned(text, size, start), "a resumed run must find the same units"


@pytest.mark.parametrize(
    ("files", "of_bytes", "known"), [(8, 100, True), (1, MIB, True), (9, 8, False), (2, MIB, False)]
)
def test_a_few_small_files_are_cut_before_the_work_begins(files: int, of_bytes: int, known: bool) -> None:
    """So the job can be found to be small, which needs no worker processes. Neither changes the units."""
    content = b"a,b\n" * (of_bytes // 4)
    sources = [
        Source(SourceFile(f"{name}.csv", of_bytes, "1"), FormatSpec("csv", CsvLayout(("a", "b"))), 0)
        for name in range(files)
    ]
    plan = plan_slices(sources, MIB // 2, lambda _, start, stop: content[start:stop])
    assert plan.complete is known
    units = [unit for unit in plan if isinstance(unit, SliceUnit)]
    assert plan.complete and plan.units == units
    assert sum(unit.stop - unit.start for unit in units) == files * of_bytes


def test_units_of_a_broken_record_go_on_behind_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.sources.cutting.BROKEN_RECORD_BYTES", 100)
    good = b"".join(b"%03d,x\n" % number for number in range(100))
    content = good + b'bad,"x\n' + good
    units = planned(content, 50)
    assert b"".join(content[unit.start : unit.stop] for unit in units) == content
    assert [content[unit.start : unit.stop] for unit in units if b"bad" in content[unit.start : unit.stop]] == [
        b'bad,"x\n'
    ]
    assert max(unit.stop - unit.start for unit in units) < 100


# --------------------------------------------------------------------------- cells


def parsed(cell: str, letter: str, **layout: Any) -> Any:
    """What a cell becomes in a column of that type; None for no attribute."""
    format = Csv(CsvLayout(("id", "x"), ("S", letter), **layout))
    return format.parse(rendered_rows([("k", cell)]).rstrip(b"\n")).get("x")


def test_every_type_that_can_be_asked_for_can_be_read() -> None:
    assert set(READERS) == {*CSV_TYPES, INFER}


@pytest.mark.parametrize(
    ("letter", "cell", "value"),
    [
        ("S", "007", {"S": "007"}),
        ("S", 'a "b"\nc, d', {"S": 'a "b"\nc, d'}),
        ("S", " é\u2028 ", {"S": " é\u2028 "}),
        ("S", "", None),
        ("N", "007", {"N": "007"}),
        ("N", " -1.50E+3 ", {"N": "-1.50E+3"}),
        ("N", "9" * 38, {"N": "9" * 38}),
        ("B", "AAE=", {"B": "AAE="}),
        ("BOOL", "TRUE", {"BOOL": True}),
        ("BOOL", "false", {"BOOL": False}),
        ("SS", '["b", "a"]', {"SS": ["b", "a"]}),
        ("NS", "[1, 2.50]", {"NS": ["1", "2.50"]}),
        ("BS", '["AA=="]', {"BS": ["AA=="]}),
        ("L", '[1, {"a": null}]', {"L": [{"N": "1"}, {"M": {"a": {"NULL": True}}}]}),
        ("M", '{"a": {"$SS": ["x"]}}', {"M": {"a": {"SS": ["x"]}}}),
        ("JSON", '"text"', {"S": "text"}),
        ("JSON", "1e3", {"N": "1e3"}),
        ("JSON", "null", {"NULL": True}),
    ],
)
def test_what_a_cell_becomes(letter: str, cell: str, value: Any) -> None:
    assert parsed(cell, letter) == value


@pytest.mark.parametrize(
    ("letter", "cell", "code"),
    [
        ("N", "12,5", "bad-number"),
        ("N", "NaN", "not-finite"),
        ("N", "1_000", "bad-number"),
        ("N", "9" * 39, "bad-number"),
        ("B", "?", "bad-base64"),
        ("BOOL", "yes", "bad-value"),
        ("SS", "a", "bad-json"),
        ("SS", '"a"', "bad-value"),
        ("SS", "[]", "empty-set"),
        ("SS", "[1]", "bad-tag"),
        ("NS", '["x"]', "bad-number"),
        ("L", "{}", "bad-value"),
        ("M", "[]", "bad-value"),
        ("JSON", "{", "bad-json"),
    ],
)
def test_what_a_cell_cannot_be_is_said_with_its_column(letter: str, cell: str, code: str) -> None:
    with pytest.raises(RecordError, match=r"^column 'x': ") as caught:
        parsed(cell, letter)
    assert caught.value.code == code


@pytest.mark.parametrize("cell", ["0", "7", "-7", "12.50", "0.5", "-0.5", "9" * 38])
def test_what_is_inferred_to_be_a_number(cell: str) -> None:
    assert parsed(cell, INFER) == {"N": cell}


@pytest.mark.parametrize(
    "cell",
    [
        *("01234", "-01", "1e5", "1E5", "NaN", "Infinity", "1_000", "1,000", "9" * 39, "+5", " 5", "5 ", "5.", ".5"),
        *("-0", "-0.0", "--5", "1.2.3", "١", "true", "null", "0x1F", "2024-01-01", "5\n"),
    ],
)
def test_what_stays_text(cell: str) -> None:
    assert parsed(cell, INFER) == {"S": cell}


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["infer", "S"]))
def test_inference_never_changes_what_a_cell_says(cell: str, letter: str) -> None:
    value = parsed(cell, letter)
    assert value is None if not cell else cell in value.values()


@pytest.mark.parametrize(
    ("empty", "letter", "value"),
    [
        ("drop", "S", None),
        ("null", "S", {"NULL": True}),
        ("null", "N", {"NULL": True}),
        ("string", "S", {"S": ""}),
        ("string", INFER, {"S": ""}),
        ("string", "N", None),
    ],
)
def test_what_an_empty_cell_is(empty: str, letter: str, value: Any) -> None:
    assert parsed("", letter, empty=empty) == value
    assert parsed("", letter, empty=empty, never_empty=("x",)) is None


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (b"a", "wrong-cells", "the row has 1 cell, and there are 2 columns"),
        (b"a,b,c", "wrong-cells", "the row has 3 cells"),
        (b"a,\xff", "bad-utf8", "byte 3 of the row is not UTF-8"),
        (b'a,"b', "bad-csv", "a quote is not closed"),
        (b'a,"b"c', "bad-csv", "not valid CSV"),
    ],
)
def test_rows_that_are_none_are_rejected_and_the_next_is_read(record: bytes, code: str, message: str) -> None:
    format = Csv(CsvLayout(("id", "x")))
    with pytest.raises(RecordError) as caught:
        format.parse(record)
    assert (caught.value.code, message in caught.value.message) == (code, True), caught.value.message
    assert format.parse(b'"a",b\r') == {"id": {"S": "a"}, "x": {"S": "b"}}


def test_a_cell_may_be_longer_than_the_csv_module_likes() -> None:
    assert len(parsed('"' + "x" * 300_000, "S")["S"]) == 300_001


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), min_size=2, max_size=4))
def test_rows_that_the_csv_module_writes_are_read_as_it_reads_them(cells: list[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    (record,) = Csv().split(text.getvalue().encode())
    assert Csv().cells(record) == cells


CELLS = {
    "S": st.text(max_size=30),
    "N": st.integers(-(10**20), 10**20).map(str),
    INFER: st.sampled_from(["5", "-5", "1.5", "x", ""]),
    "JSON": st.sampled_from(["1", "[]", "{}", "[[[[]]]]", "null", "[1,1,1]", '{"a":[[]]}', "-1"]),
    "NS": st.just("[1,2,3]"),
}


@given(
    st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=30), st.sampled_from(["drop", "null"]), st.data()
)
def test_a_short_row_is_never_more_than_one_write_unit(letters: list[str], empty: str, data: st.DataObject) -> None:
    columns = tuple(f"column-{number}" for number in range(len(letters)))
    format = Csv(CsvLayout(columns, tuple(letters), empty=empty))
    cells = [data.draw(st.just("") | CELLS[letter]) for letter in letters]
    record = ",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in cells).encode()
    if len(record) <= format.one_unit_bytes:
        assert item_size_bytes(format.parse(record)) <= 1024


# --------------------------------------------------------------------------- headers

KEYS = {"id": "S", "at": "N"}


def head(
    text: str | bytes, uri: str = "orders.csv", changes: NameChanges = NO_CHANGES, **options: Any
) -> tuple[CsvLayout, int]:
    data = text if isinstance(text, bytes) else text.encode()
    found = read_head(data, uri, CsvOptions(**options), ["id"], KEYS, changes)
    return found.layout, found.start


@pytest.mark.parametrize(
    ("text", "columns", "delimiter", "rest"),
    [
        ("id,name\n1,2\n", ("id", "name"), ",", "1,2\n"),
        ("\ufeffid,name\r\n1,2\r\n", ("id", "name"), ",", "1,2\r\n"),
        ("\n\r\nid,name\n1,2", ("id", "name"), ",", "1,2"),
        ("id;a,b;c\n1;2;3\n", ("id", "a,b", "c"), ";", "1;2;3\n"),
        ("id\tname\n", ("id", "name"), "\t", ""),
        ("id|name\n", ("id", "name"), "|", ""),
        ('"id","a ""b""\nc"\n1,2\n', ("id", 'a "b"\nc'), ",", "1,2\n"),
        ("id", ("id",), ",", ""),
        ("\n\n   \n\t\r\nid,v\n1,x\n", ("id", "v"), ",", "1,x\n"),
        ("id, name,lat \n1,2,3\n", ("id", "name", "lat"), ",", "1,2,3\n"),
        (" id;v\n1;x\n", ("id", "v"), ";", "1;x\n"),
        ('" a ", id\n1,2\n', (" a ", "id"), ",", "1,2\n"),
        ("id,v\r1,x\r2,y\r", ("id", "v"), ",", "1,x\r2,y\r"),
        ("id,v\r1,x\r2,y\r\n", ("id", "v"), ",", "1,x\r2,y\r\n"),
        ('id,"a\nb"\r1,"x\ny"\r', ("id", "a\nb"), ",", '1,"x\ny"\r'),
        ('id,"a\rb"\n1,2\n', ("id", "a\rb"), ",", "1,2\n"),
        (" \r\r id,v\r1,x", ("id", "v"), ",", "1,x"),
    ],
)
def test_a_header_says_columns_and_delimiter(text: str, columns: tuple[str, ...], delimiter: str, rest: str) -> None:
    layout, start = head(text)
    assert (layout.columns, layout.delimiter, text.encode()[start:].decode()) == (columns, delimiter, rest)


def test_types_come_from_the_table_then_the_user_then_inference() -> None:
    layout, _ = head("id,at,age,x\n", types=(("age", "N"), ("at", "S")))
    assert layout.types == ("S", "N", "N", "S")
    assert head("id,at,age,x\n", types=(("age", "N"),), infer_types=True)[0].types == ("S", "N", "N", INFER)
    assert layout.never_empty == ("id", "at")


def test_columns_may_be_given_for_files_without_a_header() -> None:
    layout, start = head("1;2\n", columns=("id", "x"))
    assert (layout.columns, layout.delimiter, start) == (("id", "x"), ";", 0)
    assert head("\ufeff1,2\n", columns=("id", "x"))[1] == 3
    assert head("id,x\n1,2\n", columns=("id", "x"))[1] == 5, "a header that says the same is one"
    assert head("a b\n", columns=("id", "x"), delimiter=" ")[0].delimiter == " "
    assert head("1,a\rb\n2,x\n", columns=("id", "x"))[0].line_end == "\n", "it stands in a cell"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "name,x\n",
            {},
            "lacks 'id', a key of the table; its columns are 'name', 'x'; a file without a header needs",
        ),
        ("x,Id\n", {}, "its columns are 'x', 'Id'; add --rename Id=id"),
        ("I D,x\n", {}, "its columns are 'I D', 'x'; a file without"),
        ("Id,id2\n", {"columns": ("Id", "id2")}, "its columns are 'Id', 'id2'"),
        (" id,x\n", {"keep_blanks": True}, "lacks 'id', a key of the table; its columns are ' id', 'x'"),
        ("id,na\rme\n1,x\n", {}, "has a carriage return (CR) inside a name"),
        ("id,na\rme\r\n1,x\r\n", {}, "has a carriage return (CR) inside a name"),
        ("id, \n", {}, "has no name for column 2"),
        ("id,a, a\n", {}, "has 'a' twice"),
        ("id,id\n", {}, "has 'id' twice"),
        ("id,,x\n", {}, "has no name for column 2"),
        ("1,2\n", {"columns": ("a", "b")}, "--columns lacks 'id'"),
        (b"\xff\xfei\0d\0", {}, "is UTF-16"),
        (b"id,\xff\n", {}, "byte 4 of the row is not UTF-8"),
        ("", {}, "has no name for column 1"),
    ],
)
def test_headers_that_cannot_be_imported_are_refused(text: Any, options: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        head(text, **options)
    assert message in str(caught.value)


def test_the_format_is_made_of_its_layout() -> None:
    format = get_format(FormatSpec("csv", CsvLayout(("id", "n"), ("S", "N"), ";")))
    assert format.parse(b"a;1") == {"id": {"S": "a"}, "n": {"N": "1"}}


# --------------------------------------------------------------------------- names that change


def test_a_header_is_held_against_the_keys_after_the_names_have_changed() -> None:
    renamed = NameChanges({"Id": "id", "Age": "at"})
    layout, _ = head("Id;Age;x\n", changes=renamed, types=(("x", "N"),))
    assert (layout.columns, layout.types, layout.delimiter) == (("Id", "Age", "x"), ("S", "N", "N"), ";")
    assert layout.never_empty == ("Id", "Age")
    assert head("Id,x\n", changes=renamed, types=(("Id", "N"), ("x", "JSON")))[0].types == ("S", "JSON")
    assert head("x\n", changes=NameChanges(made=("id",)))[0].columns == ("x",), "--set makes the key"
    assert head("x\n", changes=NameChanges(unknown=True))[0].columns == ("x",), "a function may make the key"
    for changes in (NameChanges({"id": "Id"}), NameChanges(made=("x",))):
        with pytest.raises(UsageError, match="lacks 'id'"):
            head("id,x\n" if changes.rename else "x\n", changes=changes)


# --------------------------------------------------------------------------- escapes and null words

BACKSLASH = "\\"


def row(text: str, **layout: Any) -> Any:
    return Csv(CsvLayout(("id", "x"), **layout)).parse(text.encode())


def test_escapes_are_read_if_asked_for_and_hinted_at_if_not() -> None:
    text = r'1,"say \"hi\", ok"'
    assert row(text, escape=BACKSLASH)["x"] == {"S": 'say "hi", ok'}
    assert row(r"1,a\,b", escape=BACKSLASH)["x"] == {"S": "a,b"}
    assert row("1,a\\\nb", escape=BACKSLASH)["x"] == {"S": "a\nb"}
    assert row('1,"a""b"', escape=BACKSLASH)["x"] == {"S": 'a"b'}
    assert row("1,C:" + BACKSLASH + "x")["x"] == {"S": "C:" + BACKSLASH + "x"}
    for bad, code in ((text, "bad-csv"), (r"1,a\,b", "wrong-cells"), (r'1,"a\"' + ",", "wrong-cells")):
        with pytest.raises(RecordError) as caught:
            row(bad)
        assert (caught.value.code, r"add --csv-escape '\'" in caught.value.message) == (code, True)
    with pytest.raises(RecordError) as caught:
        row("1,2,3")
    assert "--csv-escape" not in caught.value.message


@pytest.mark.parametrize("empty", ["drop", "null", "string"])
@pytest.mark.parametrize("escape", ["", BACKSLASH])
def test_null_words_are_what_an_empty_cell_is(empty: str, escape: str) -> None:
    layout = {"empty": empty, "nulls": ("NULL", r"\N"), "escape": escape}
    for word in ("NULL", r"\N"):
        assert row(f"1,{word}", **layout) == row("1,", **layout)
    assert row("1,null", **layout)["x"] == {"S": "null"}
    assert row("1,NULL")["x"] == {"S": "NULL"}
    assert "id" not in row("NULL,x", **{**layout, "never_empty": ("id",)})


# --------------------------------------------------------------------------- out and back


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)
TEXT_CELLS = st.text(st.sampled_from([*' \t\r\n",\\Nx\u00a0\u2028']), min_size=1, max_size=6)


@given(st.lists(NAMES, min_size=0, max_size=3, unique=True), st.data())
@example([" name", "\r"], None)
def test_what_is_rendered_reads_back(names: list[str], data: st.DataObject | None) -> None:
    """Blanks and line ends in names and values, and what looks like a null word or an escape."""
    columns = ("id", *(name for name in names if name != "id"))
    draw = data.draw if data is not None else lambda _: "\\N"
    rows = [{name: draw(TEXT_CELLS) for name in columns} for _ in range(3)]
    out = Csv(CsvLayout(columns))
    items = [{name: AttributeValue(S=cell) for name, cell in each.items()} for each in rows]
    text = out.head + out.render(items)
    found = read_head(text, "out.csv", CsvOptions(), ["id"], {"id": "S"})
    assert found.layout.columns == columns
    back = Csv(found.layout)
    records = back.split(text[found.start :])
    assert not any(record.isspace() for record in records)
    assert [back.parse(record) for record in records] == [
        {name: {"S": cell} for name, cell in each.items()} for each in rows
    ]


@pytest.mark.parametrize("text", ["\0", "a\0b", 'a "quoted" \0', "two\nlines\0", "\0,\0"])
def test_the_character_nul_survives(text: str) -> None:
    format = Csv(CsvLayout(("k", "x")))
    k, x = AttributeValue(S="k"), AttributeValue(S=text)
    lines = format.render([{"k": k, "x": x}, {"k": x}])
    first, second = format.split(lines)
    assert (format.parse(first)["x"], format.parse(second)) == ({"S": text}, {"k": {"S": text}})
