"""CSV out by the real command, and in again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run, assert_holds
from tests.support.items import Item, data_files

pytestmark = pytest.mark.fuller

ITEMS: list[Item] = [
    {
        "id": {"S": f"k{number}"},
        "at": {"N": str(number)},
        "note": {"S": f'two\nlines, "quotes"\r and {number}'},
        "price": {"N": "12.5"},
        "tags": {"SS": ["a", "b"]},
        "sizes": {"NS": ["1", "2.5"]},
        "photo": {"B": "AAE="},
        "ok": {"BOOL": number % 2 == 0},
        "mixed": {"N": "7"} if number % 2 else {"S": "7"},
        "doc": {"M": {"list": {"L": [{"N": "1"}, {"NULL": True}, {"B": "AA=="}]}}},
    }
    | ({"rare": {"S": "x"}} if number == 499 else {})
    for number in range(500)
]


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    simulator.create_table("Orders", "id:S", "at:N").put_items(ITEMS)
    return simulator


def rows_of(folder: Path) -> list[list[str]]:
    rows = []
    for path in data_files(folder):
        with path.open(newline="") as file:
            rows.append(list(csv.reader(file)))
    headers = {tuple(each[0]) for each in rows}
    assert len(headers) == 1, "every file has the same header"
    return [rows[0][0], *(row for each in rows for row in each[1:])]


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_a_table_comes_back_with_the_types_of_its_manifest(
    run_export: Run, run_import: Run, table: Simulator, tmp_path: Path, compress: str
) -> None:
    before = table.table("Orders").consumed("read")
    done = run_export("-t", "Orders", "-d", "out", "--format", "csv", "-p", "2", "--compress", compress)
    assert (done.code, done.counts["read"], done.counts["exported"]) == (0, 500, 500), done.err
    assert any("--columns avoids that" in line for line in done.log)
    assert any("(the manifest has them)" in line for line in done.log)
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    types = {each["name"]: each["type"] for each in manifest["columns"]}
    others = {"note": "S", "price": "N", "tags": "SS", "sizes": "NS", "photo": "B", "ok": "BOOL", "doc": "M"}
    assert types == {"id": "S", "at": "N", "rare": "S", "mixed": "JSON", **others}
    assert table.table("Orders").consumed("read") - before == pytest.approx(done_units(done.out), rel=0.01)
    table.create_table("Copy", "id:S", "at:N")
    again = run_import("-t", "Copy", "-s", "out")
    assert (again.code, again.counts["written"]) == (0, 500), again.err
    assert_holds(table, "Copy", ITEMS)
    table.create_table("Text", "id:S", "at:N")
    (first, *_) = data_files(tmp_path / "out")
    text = run_import("-t", "Text", "-s", first, "--csv-types", "price:S")
    assert text.code == 0, text.err
    assert {item["price"]["S"] for item in table.table("Text").items()} == {"12.5"}, "what the user says wins"


def done_units(out: str) -> float:
    return float(out.partition(" RCU consumed")[0].rpartition(" ")[2].replace(",", ""))


def test_columns_are_those_that_are_asked_for_in_their_order(
    run_export: Run, table: Simulator, tmp_path: Path
) -> None:
    asked = ("-t", "Orders", "--format", "csv", "--segments", "3")
    done = run_export(*asked, "-d", "out", "--columns", "price,id,no-such")
    assert (done.code, any("twice" in line for line in done.log)) == (0, False), done.err
    header, *rows = rows_of(tmp_path / "out")
    assert header == ["price", "id", "no-such"]
    assert sorted(rows) == sorted(["12.5", item["id"]["S"], ""] for item in ITEMS)
    assert run_export(*asked, "-d", "other", "--attributes", "id,doc.list").code == 0
    header, *rows = rows_of(tmp_path / "other")
    assert (header, rows[0][1]) == (["id", "doc"], '{"list":[1,null,{"$B":"AA=="}]}')


def test_files_are_cut_between_records_and_begin_with_the_header(
    run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    items: list[Item] = [{"id": {"S": f"{n}"}, "x": {"S": "line\n" * 20_000}} for n in range(30)]
    simulator.create_table("Orders", "id:S").put_items(items)
    done = run_export("-t", "Orders", "-d", "out", "--format", "csv", "--segments", "1", "-s", "1")
    assert (done.code, done.counts["exported"]) == (0, 30), done.err
    assert len(data_files(tmp_path / "out")) == 4
    header, *rows = rows_of(tmp_path / "out")
    assert (header, len(rows)) == (["id", "x"], 30)
    assert {cell for _, cell in rows} == {"line\n" * 20_000}


def test_an_empty_table_and_what_is_refused(run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    done = run_export("-t", "Orders", "-d", "out", "--format", "csv")
    assert (done.code, data_files(tmp_path / "out")) == (0, []), done.err
    refused = run_export("-t", "Orders", "-d", "other", "--format", "csv", "--limit", "5")
    refused.assert_error(2, "--columns")
    run_export("-t", "Orders", "-d", "other", "--columns", "id").assert_error(2, "--columns", "CSV, Parquet and Avro")


def test_columns_are_those_of_what_a_transform_makes(run_export: Run, table: Simulator, tmp_path: Path) -> None:
    shape = ("--attributes", "id,price,ok", "--rename", "price=cost", "--set", "new=x", "--drop", "ok")
    filter = ("--filter", "ok = :yes", "--values", '{"yes": true}')
    done = run_export("-t", "Orders", "-d", "out", "--format", "csv", *shape, *filter)
    assert (done.code, done.counts["exported"], done.counts["filtered"]) == (0, 250, 250), done.err
    rows = rows_of(tmp_path / "out")
    assert rows[0] == ["id", "cost", "new"]
    assert {tuple(row[1:]) for row in rows[1:]} == {("12.5", "x")}
