"""CSV as people have it, imported by the real command."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ddbio.cli import ddbgenerate
from ddbio.simulator import Simulator
from tests.support.commands import Run
from tests.support.items import Item

pytestmark = pytest.mark.fuller


def items_of(simulator: Simulator, table: str = "Orders") -> dict[str, Item]:
    return {item["id"]["S"]: item for item in simulator.table(table).items()}


@pytest.mark.usefixtures("both_paths")
@pytest.mark.parametrize("key", ["id:S", "amount:N,id:S"])
def test_the_loaders_data_set_goes_into_tables_with_keys_of_both_types(
    run_import: Run, simulator: Simulator, tmp_path: Path, key: str
) -> None:
    """Their tools stored every cell as a string, and could not load a table with a numeric key."""
    simulator.create_table("Orders", *key.split(","))
    ddbgenerate.main(["-c", "2000", "-f", str(tmp_path / "in.csv"), "--dataset", "loader", "--seed", "7"])
    done = run_import("-t", "Orders", "-s", "in.csv", "-p", "2")
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 2000, 2000), done.err
    assert done.log[1] == "Format: csv, 8 columns between commas, as names end in .csv"
    items = items_of(simulator)
    assert len(items) == 2000
    letter = "N" if key != "id:S" else "S"
    assert {tuple(item["amount"]) for item in items.values()} == {(letter,)}
    assert any('"' in item["description"]["S"] for item in items.values()), "quotes in quotes"


@pytest.mark.usefixtures("both_paths")
def test_csv_as_spreadsheets_write_it(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """A mark, semicolons, CRLF, quoted line ends, empty cells, blank lines; types for some columns."""
    simulator.create_table("Orders", "id:S")
    rows = [
        "\ufeffid;note;age;tags;doc;zip",
        'a;"two\r\nlines; and ""quotes""";41;["x","y"];{"n": [1.50]};01234',
        "",
        'b;;;;;5" pipe',
        "c;;+7;;;9",
    ]
    (tmp_path / "in.csv").write_text("\r\n".join(rows), newline="")
    done = run_import("-t", "Orders", "-s", "in.csv", "--csv-types", "age:N,tags:SS,doc:JSON", "--infer-types")
    assert (done.code, done.counts["read"], done.counts["blank"]) == (0, 3, 1), done.err
    assert items_of(simulator) == {
        "a": {
            "id": {"S": "a"},
            "note": {"S": 'two\r\nlines; and "quotes"'},
            "age": {"N": "41"},
            "tags": {"SS": ["x", "y"]},
            "doc": {"M": {"n": {"L": [{"N": "1.5"}]}}},
            "zip": {"S": "01234"},
        },
        "b": {"id": {"S": "b"}, "zip": {"S": '5" pipe'}},
        "c": {"id": {"S": "c"}, "age": {"N": "7"}, "zip": {"N": "9"}},
    }


def test_a_quoted_line_end_at_every_place_a_unit_could_be_cut(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    line = "text with a\nline end, " * 10
    text = "".join(f'k{number},"{line}{number}"\n' for number in range(3000))
    (tmp_path / "in.csv").write_text("id,note\n" + text)
    assert len(text) > 600_000  # units are of 64 KiB here
    done = run_import("-t", "Orders", "-s", "in.csv", "-p", "2")
    assert (done.code, done.counts["written"]) == (0, 3000), done.err
    assert {name: item["note"]["S"] for name, item in items_of(simulator).items()} == {
        f"k{number}": f"{line}{number}" for number in range(3000)
    }


def test_bad_rows_are_rejected_with_their_line_and_harm_nobody(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:N")
    rows = [b"id,x", b"1,a", b'2,"b\nb"', b"3", b"4,a,b", b"x,a", b",a", b"7,\xff", b'8,"a', b"9,a"]
    (tmp_path / "in.csv").write_bytes(b"\n".join(rows) + b"\n")
    done = run_import("-t", "Orders", "-s", "in.csv")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 3, 6), done.err
    assert sorted(item["id"]["N"] for item in simulator.table("Orders").items()) == ["1", "2", "9"]
    rejects = [json.loads(line) for line in (tmp_path / "in.rejects.jsonl").read_text().splitlines()]
    rejects.sort(key=lambda each: each["offset"])
    assert [(each["line"], each["code"]) for each in rejects] == [
        (5, "wrong-cells"),
        (6, "wrong-cells"),
        (7, "bad-number"),
        (8, "missing-key"),
        (9, "bad-utf8"),
        (10, "bad-csv"),
    ]
    content = (tmp_path / "in.csv").read_bytes()
    assert [content[each["offset"] :].split(b"\n")[0] for each in rejects] == rows[3:9]


def test_rows_are_mended_among_the_rejects_of_files_with_other_headers(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """A row brings what its own header said, types and delimiter too."""
    simulator.create_table("Orders", "id:N")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id,age\nx,7\n")
    (tmp_path / "in" / "b.csv").write_text("name;id\nb,c;y\n")
    done = run_import("-t", "Orders", "-s", "in", "--csv-types", "age:N")
    assert (done.code, done.counts["rejected"]) == (1, 2), done.err
    path = tmp_path / "in.rejects.jsonl"
    path.write_text(path.read_text().replace("x,7", "1,7").replace("b,c;y", "b,c;2"))
    again = run_import("-t", "Orders", "-s", "in.rejects.jsonl")
    assert (again.code, again.counts["written"]) == (0, 2), again.err
    items = {item["id"]["N"]: item for item in simulator.table("Orders").items()}
    assert items == {
        "1": {"id": {"N": "1"}, "age": {"N": "7"}},
        "2": {"name": {"S": "b,c"}, "id": {"N": "2"}},
    }


def test_files_of_several_formats_and_headers_in_one_run(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id,x\na,1\n")
    (tmp_path / "in" / "b.tsv").write_text("y\tid\n2\tb\n")
    (tmp_path / "in" / "c.json").write_text('{"Item": {"id": {"S": "c"}}}\n')
    (tmp_path / "in" / "d.jsonl").write_text('{"id": "d"}\n')
    (tmp_path / "in" / "e.csv").touch()
    (tmp_path / "in" / "f.csv.gz").write_bytes(gzip.compress(b"id,z\nf,3\n"))
    (tmp_path / "in" / "g.csv").write_bytes(gzip.compress(b"z;id\n4;g\n"))  # whatever its name says
    done = run_import("-t", "Orders", "-s", "in")
    assert (done.code, done.counts["written"]) == (0, 6), done.err
    assert items_of(simulator) == {
        "a": {"id": {"S": "a"}, "x": {"S": "1"}},
        "b": {"id": {"S": "b"}, "y": {"S": "2"}},
        "c": {"id": {"S": "c"}},
        "d": {"id": {"S": "d"}},
        "f": {"id": {"S": "f"}, "z": {"S": "3"}},
        "g": {"id": {"S": "g"}, "z": {"S": "4"}},
    }


def test_columns_by_option_and_what_is_refused(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "in.csv").write_text("a|1\nb|\n")
    run_import("-t", "Orders", "-s", "in.csv").assert_one_line_error(2, "lacks 'id'", "--columns")
    done = run_import("-t", "Orders", "-s", "in.csv", "--columns", "id,n", "--delimiter", "bar", "--empty", "null")
    assert done.code == 0, done.err
    assert items_of(simulator)["b"] == {"id": {"S": "b"}, "n": {"NULL": True}}
    for options, word in (
        (("--csv-types", "n:X"), "types are S, N, B"),
        (("--columns", "a,,b"), "not a list of names"),
        (("--delimiter", "ab"), "not one character"),
    ):
        refused = run_import("-t", "Orders", "-s", "in.csv", *options)
        assert (refused.code, word in refused.err.splitlines()[-1]) == (2, True), refused.err


A, B = {"id": {"S": "1"}, "v": {"S": "x"}}, {"id": {"S": "2"}, "v": {"S": "y"}}

# content, options, the items, a line that the run says (or none)
ODD: dict[str, tuple[bytes, tuple[str, ...], list[Item], str]] = {
    "CR alone": (b"id,v\r1,x\r2,y\r", (), [A, B], ""),
    "CR alone, compressed": (gzip.compress(b"id,v\r1,x\r2,y"), (), [A, B], ""),
    "nothing but blanks": (b" \n\r\n", (), [], ""),
    "CR alone, then a last CRLF": (b"id,v\r1,x\r2,y\r\n", (), [A, B], ""),
    "blanks around names": (
        b"id , v\n1,x\n",
        (),
        [A],
        "Blanks around names in the header of in.csv were trimmed, such as those of 'id ' "
        "(--keep-blanks leaves them)",
    ),
    "blanks around names, kept": (b"id, v\n1,x\n", ("--keep-blanks",), [{"id": A["id"], " v": A["v"]}], ""),
    "blank lines first": (b"\n\n   \nid,v\n1,x\n", (), [A], ""),
    "escapes": (
        b'id,v\n1,"say \\"hi\\", ok"\n',
        ("--csv-escape", "\\"),
        [{"id": {"S": "1"}, "v": {"S": 'say "hi", ok'}}],
        "",
    ),
    "null words as text": (b"id,v\n1,NULL\n", (), [{"id": {"S": "1"}, "v": {"S": "NULL"}}], ""),
    "null words": (
        b"id,v\n1,NULL\n2,\\N\n3,None\n",
        ("--csv-null", "NULL,\\N", "--empty", "null"),
        [
            {"id": {"S": "1"}, "v": {"NULL": True}},
            {"id": {"S": "2"}, "v": {"NULL": True}},
            {"id": {"S": "3"}, "v": {"S": "None"}},
        ],
        "",
    ),
    "a key that is renamed": (b"Id,v\n1,x\n", ("--rename", "Id=id"), [A], ""),
    "a key that is set": (b"v\nx\n", ("--set", 'id="1"'), [A], ""),
}


def test_odd_files_of_csv(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    for number, (case, (content, options, items, says)) in enumerate(ODD.items()):
        simulator.create_table(f"Orders{number}", "id:S")
        (tmp_path / "in.csv").write_bytes(content)
        done = run_import("-t", f"Orders{number}", "-s", "in.csv", "-p", 1, *options)
        assert (done.code, done.counts["read"], done.counts["written"]) == (0, len(items), len(items)), (
            case,
            done.err,
        )
        assert sorted(simulator.table(f"Orders{number}").items(), key=str) == sorted(items, key=str), case
        blanks = [line for line in done.log if "lanks around" in line]
        assert blanks == ([says] if says else []), case


def test_a_large_file_with_carriage_returns_alone(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """Cut into several units; the line of a reject is that of an editor, and it can be mended."""
    simulator.create_table("Orders", "id:S")
    rows = [f'k{number},"{"text " * 20}\r{number}"' for number in range(2000)]
    rows[1500] = "k1500"
    (tmp_path / "in.csv").write_text("id,note\r" + "\r".join(rows) + "\r", newline="")
    assert (tmp_path / "in.csv").stat().st_size > 3 * 65536
    done = run_import("-t", "Orders", "-s", "in.csv", "-p", 2, "--csv-null", "NULL")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 1999, 1), done.err
    notes = {name: item["note"]["S"] for name, item in items_of(simulator).items()}
    assert notes == {f"k{n}": f"{'text ' * 20}\r{n}" for n in range(2000) if n != 1500}
    path = tmp_path / "in.rejects.jsonl"
    (reject,) = map(json.loads, path.read_text().splitlines())
    content = (tmp_path / "in.csv").read_bytes()
    assert (reject["code"], content[reject["offset"] :][:6]) == ("wrong-cells", b"k1500\r")
    assert reject["line"] == 1 + 2 * 1500 + 1
    path.write_text(path.read_text().replace('"record":"k1500"', '"record":"k1500,NULL"'))
    again = run_import("-t", "Orders", "-s", "in.rejects.jsonl")
    assert (again.code, items_of(simulator)["k1500"]) == (0, {"id": {"S": "k1500"}}), again.err


def test_odd_files_of_csv_that_are_refused_or_rejected(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    for content, options, words in (
        (b"id,na\rme\n1,x\n", (), ["carriage return (CR) inside a name"]),
        (b" id,v\n1,x\n", ("--keep-blanks",), ["lacks 'id'", "its columns are ' id', 'v'"]),
        (b"Id,v\n1,x\n", ("--rename", "Id=Key"), ["lacks 'id'"]),
    ):
        (tmp_path / "in.csv").write_bytes(content)
        run_import("-t", "Orders", "-s", "in.csv", *options).assert_one_line_error(2, *words)
    (tmp_path / "in.csv").write_bytes(b'id,v\n1,"say \\"hi\\", ok"\n2,plain\n')
    done = run_import("-t", "Orders", "-s", "in.csv")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 1, 1), done.err
    (reject,) = map(json.loads, (tmp_path / "in.rejects.jsonl").read_text().splitlines())
    assert (reject["code"], "--csv-escape" in reject["message"]) == ("bad-csv", True)
    assert list(items_of(simulator)) == ["2"]


def test_an_export_to_csv_reads_back(run_export: Run, run_import: Run, simulator: Simulator) -> None:
    """Names with blanks and line ends, values that look like null words, escapes or blank lines."""
    values = ["NULL", r"\N", " x ", "a\rb", "a\r\nb", '"', 'say \\"hi\\"', "\t", "\u00a0", "a,b"]
    items: list[Item] = [
        {"id": {"S": f"k{number}"}, " name": {"S": value}, "line\rend ": {"S": value}}
        for number, value in enumerate(values)
    ]
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copy", "id:S")
    assert run_export("-t", "Orders", "-d", "out", "--format", "csv").code == 0
    done = run_import("-t", "Copy", "-s", "out")
    assert (done.code, done.counts["written"]) == (0, len(items)), done.err
    assert items_of(simulator, "Copy") == {item["id"]["S"]: item for item in items}
    assert not [line for line in done.log if "lanks around" in line]


def test_an_export_of_keys_that_are_blank_reads_back(run_export: Run, run_import: Run, simulator: Simulator) -> None:
    """A row of one column is not taken for a blank line."""
    items: list[Item] = [{"id": {"S": key}} for key in (" ", "\t", "\r", "x")]
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copy", "id:S")
    assert run_export("-t", "Orders", "-d", "out", "--format", "csv").code == 0
    done = run_import("-t", "Copy", "-s", "out")
    assert (done.code, done.counts["written"]) == (0, 4), done.err
    assert items_of(simulator, "Copy") == {item["id"]["S"]: item for item in items}
