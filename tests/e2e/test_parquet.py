"""Parquet out and in, by the real commands."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run, assert_holds
from tests.support.items import Item, plain_items, rich_items

pytestmark = pytest.mark.fuller

ITEMS: list[Item] = [
    {
        "id": {"S": f"k{number}"},
        "n": {"N": f"{number}.5"},
        "big": {"N": "1234567890123456789012345678901234567.8"},
        "tags": {"SS": ["a", "b"]},
        "sizes": {"NS": ["1", "2.5"]},
        "photos": {"BS": ["AA==", "AQ=="]},
        "photo": {"B": "AAE="},
        "ok": {"BOOL": number % 2 == 0},
        "doc": {"M": {"$B": {"L": [{"N": "1E-130"}, {"NULL": True}, {"B": "AA=="}]}}},
        "mixed": {"S": "text"} if number % 2 else {"N": "7"},
    }
    | ({"rare": {"S": ""}} if number == 299 else {})
    for number in range(300)
]


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return lambda folder: sorted((tmp_path / folder).glob("*.parquet"))


def test_a_table_comes_back_with_its_types(
    run_export: Run, run_import: Run, simulator: Simulator, files: Any
) -> None:
    simulator.create_table("Orders", "id:S").put_items(ITEMS)
    done = run_export("-t", "Orders", "-d", "out", "--format", "parquet", "-p", "2", "--segments", "5")
    assert (done.code, done.counts["exported"]) == (0, 300), done.err
    schemas = {pyarrow.parquet.read_schema(path) for path in files("out")}
    assert len(schemas) == 1
    simulator.create_table("Copy", "id:S")
    again = run_import("-t", "Copy", "-s", "out", "-p", "2")
    assert (again.code, again.counts["written"]) == (0, 300), again.err
    assert_holds(simulator, "Copy", ITEMS)


def test_decimals_are_exact_or_refused(run_export: Run, run_import: Run, simulator: Simulator, files: Any) -> None:
    small = [{name: item[name] for name in ("id", "n", "sizes")} for item in ITEMS]
    simulator.create_table("Orders", "id:S").put_items(small)
    options = ("-t", "Orders", "--format", "parquet", "--numbers", "decimal")
    done = run_export(*options, "-d", "out", "--columns", "id:S,n:N,sizes:NS")
    assert (done.code, any("twice" in line for line in done.log)) == (0, False), done.err
    (path, *_) = files("out")
    assert pyarrow.parquet.read_table(path).column("n").type == pyarrow.decimal128(38, 9)
    simulator.create_table("Copy", "id:S")
    assert run_import("-t", "Copy", "-s", "out").code == 0
    assert_holds(simulator, "Copy", small)
    simulator.table("Orders").put_items([{"id": {"S": "x"}, "n": {"N": "1E-20"}}])
    run_export(*options, "-d", "other").assert_error(3, "'n'", "decimal128(38, 9)", "--numbers string")


def test_files_are_closed_by_their_size(run_export: Run, simulator: Simulator, files: Any) -> None:
    simulator.create_table("Orders", "id:S").put_items(
        [
            {
                "id": {"S": f"{n}"},
                "x": {"B": __import__("base64").b64encode(__import__("random").Random(n).randbytes(90_000)).decode()},
            }
            for n in range(60)
        ]
    )
    done = run_export("-t", "Orders", "-d", "out", "--format", "parquet", "--segments", "1", "-s", "2")
    assert (done.code, done.counts["exported"]) == (0, 60), done.err
    assert len(files("out")) == 3
    assert sum(pyarrow.parquet.read_metadata(path).num_rows for path in files("out")) == 60


def test_what_other_tools_write(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:N")
    table = pyarrow.table(
        {
            "id": pyarrow.array([1, 2, 3], pyarrow.int64()),
            "f32": pyarrow.array([0.1, None, 1e10], pyarrow.float32()),
            "f64": pyarrow.array([0.1, 1e100, float("nan")]),
            "d": pyarrow.array([Decimal("1.50"), None, None]),
            "when": pyarrow.array(
                [datetime.datetime(2024, 1, 2, 3, 4, 5, 678)] * 3, pyarrow.timestamp("us", tz="UTC")
            ),
            "day": pyarrow.array([datetime.date(2024, 1, 2)] * 3),
            "list": pyarrow.array([[1, 2], [], None]),
            "struct": pyarrow.array([{"a": 1, "b": b"\x00"}] * 3),
            "map": pyarrow.array([[("k", 1.5)]] * 3, pyarrow.map_(pyarrow.string(), pyarrow.float64())),
            "word": pyarrow.array(["x", "y", "x"]).dictionary_encode(),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    done = run_import("-t", "Orders", "-s", "in.parquet")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2, 1), done.err
    (reject,) = map(json.loads, (tmp_path / "in.rejects.jsonl").read_text().splitlines())
    assert (reject["code"], reject["line"]) == ("not-finite", 3)
    assert "Format: parquet, as names end in .parquet" in done.log
    items = {item["id"]["N"]: item for item in simulator.table("Orders").items()}
    assert items["1"] == {
        "id": {"N": "1"},
        "f32": {"N": "0.1"},
        "f64": {"N": "0.1"},
        "d": {"N": "1.5"},
        "when": {"S": "2024-01-02T03:04:05.000678Z"},
        "day": {"S": "2024-01-02"},
        "list": {"L": [{"N": "1"}, {"N": "2"}]},
        "struct": {"M": {"a": {"N": "1"}, "b": {"B": "AA=="}}},
        "map": {"M": {"k": {"N": "1.5"}}},
        "word": {"S": "x"},
    }
    assert "f32" not in items["2"]


def test_what_cannot_be(run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(3))
    (tmp_path / "in.parquet").write_bytes(b"PAR1 and nothing else")
    run_import("-t", "Orders", "-s", "in.parquet").assert_one_line_error(2, "cannot be read as Parquet")
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "other.parquet")
    run_import("-t", "Orders", "-s", "other.parquet").assert_one_line_error(2, "has no column 'id'")
    run_export("-t", "Orders", "-d", "out", "--format", "parquet", "--compress", "gzip").assert_error(2, "inside")
    run_export("-t", "Orders", "-d", "-", "--format", "parquet").assert_error(2, "standard output")
    mistyped = run_export("-t", "Orders", "-d", "o2", "--format", "parquet", "--columns", "id:N")
    mistyped.assert_error(3, "'id'", "--columns ...,id:JSON")


def test_any_items_come_back(run_export: Run, run_import: Run, simulator: Simulator) -> None:
    items = [{name: value for name, value in item.items() if "NULL" not in value} for item in rich_items(200)]
    simulator.create_table("Orders", "id:S").put_items(items)
    assert run_export("-t", "Orders", "-d", "out", "--format", "parquet").code == 0
    simulator.create_table("Copy", "id:S")
    done = run_import("-t", "Copy", "-s", "out")
    assert done.code == 0, done.err
    assert_holds(simulator, "Copy", items)
