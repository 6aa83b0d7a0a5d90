"""Avro out and in, by the real commands."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from ddbio.simulator import Simulator
from tests.e2e.test_parquet import ITEMS
from tests.support.commands import Run, assert_holds
from tests.support.items import plain_items, rich_items

pytestmark = pytest.mark.fuller


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return lambda folder: sorted((tmp_path / folder).glob("*.avro"))


def written(path: Path, schema: Any, rows: list[Any], **options: Any) -> None:
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows, **options)


def test_a_table_comes_back_with_its_types(
    run_export: Run, run_import: Run, simulator: Simulator, files: Any
) -> None:
    named = [{**item, "größe-1": {"N": "1"}} for item in ITEMS]
    simulator.create_table("Orders", "id:S").put_items(named)
    done = run_export("-t", "Orders", "-d", "out", "--format", "avro", "-p", "2", "--segments", "5")
    assert (done.code, done.counts["exported"]) == (0, 300), done.err
    assert any("Avro keeps types by column" in line for line in done.log)
    rows = []
    for path in files("out"):
        with path.open("rb") as file:
            rows += list(fastavro.reader(file))
    assert len(rows) == 300 and rows[0]["tags"] == ["a", "b"]
    simulator.create_table("Copy", "id:S")
    again = run_import("-t", "Copy", "-s", "out", "-p", "2")
    assert (again.code, again.counts["written"]) == (0, 300), again.err
    assert_holds(simulator, "Copy", named)


def test_any_items_come_back(run_export: Run, run_import: Run, simulator: Simulator) -> None:
    items = [{name: value for name, value in item.items() if "NULL" not in value} for item in rich_items(200)]
    simulator.create_table("Orders", "id:S").put_items(items)
    assert run_export("-t", "Orders", "-d", "out", "--format", "avro").code == 0
    simulator.create_table("Copy", "id:S")
    done = run_import("-t", "Copy", "-s", "out")
    assert done.code == 0, done.err
    assert_holds(simulator, "Copy", items)


def test_files_are_closed_by_their_size(run_export: Run, simulator: Simulator, files: Any) -> None:
    photo = {"B": __import__("base64").b64encode(__import__("random").Random(1).randbytes(90_000)).decode()}
    simulator.create_table("Orders", "id:S").put_items([{"id": {"S": f"{n}"}, "x": photo} for n in range(60)])
    done = run_export("-t", "Orders", "-d", "out", "--format", "avro", "--segments", "1", "-s", "2")
    assert (done.code, done.counts["exported"], len(files("out"))) == (0, 60, 3), done.err


def test_what_other_tools_write(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:N")
    schema = {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "price", "type": ["null", "double"]},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "SENT"]}},
        ],
    }
    at = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    prices = [0.1, None, float("nan")]
    rows = [{"id": n, "price": price, "at": at, "state": "SENT"} for n, price in enumerate(prices)]
    written(tmp_path / "in.avro", schema, rows, codec="deflate")
    done = run_import("-t", "Orders", "-s", "in.avro")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2, 1), done.err
    assert "Format: avro, as names end in .avro" in done.log
    (reject,) = map(json.loads, (tmp_path / "in.rejects.jsonl").read_text().splitlines())
    assert (reject["code"], reject["line"]) == ("not-finite", 3)
    items = {item["id"]["N"]: item for item in simulator.table("Orders").items()}
    sent = {"at": {"S": "2024-01-02T03:04:05.000Z"}, "state": {"S": "SENT"}}
    assert items == {"0": {"id": {"N": "0"}, "price": {"N": "0.1"}, **sent}, "1": {"id": {"N": "1"}, **sent}}


def test_a_large_file_is_cut_and_a_damaged_one_fails_with_what_comes_before(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    schema = {"type": "record", "name": "R", "fields": [{"name": each, "type": "string"} for each in ("id", "v")]}
    rows = [{"id": f"k{n}", "v": "x" * 100} for n in range(20_000)]
    written(tmp_path / "in.avro", schema, rows)
    done = run_import("-t", "Orders", "-s", "in.avro", "-p", "2")
    assert (done.code, done.counts["written"], len(simulator.table("Orders").items())) == (0, 20_000, 20_000), (
        done.err
    )
    content = (tmp_path / "in.avro").read_bytes()
    (tmp_path / "cut.avro").write_bytes(content[:-500])
    simulator.create_table("Copy", "id:S")
    done = run_import("-t", "Copy", "-s", "cut.avro", "-p", "2")
    done.assert_error(3, "it breaks off in the block at byte", "import a whole copy of it")
    assert 19_000 < len(simulator.table("Copy").items()) < 20_000


def test_what_cannot_be(run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(3))
    (tmp_path / "in.avro").write_bytes(b"Obj\x01 and nothing else")
    run_import("-t", "Orders", "-s", "in.avro").assert_one_line_error(2, "cannot be read as Avro")
    run_export("-t", "Orders", "-d", "out", "--format", "avro", "--compress", "gzip").assert_error(2, "inside")
    run_export("-t", "Orders", "-d", "-", "--format", "avro").assert_error(2, "standard output")
    mistyped = run_export("-t", "Orders", "-d", "o2", "--format", "avro", "--columns", "id:N")
    mistyped.assert_error(3, "'id'", "--columns ...,id:JSON")
