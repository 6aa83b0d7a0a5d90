"""`ddbio sql`: a SELECT over a table or files; only what it names is sent; nothing else can be run or reached."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, Commands, Run

pytestmark = pytest.mark.fuller

ODD = "12345678901234567890123456789.123456789"


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def sql(commands: Commands) -> Run:
    return lambda query, *arguments, **options: commands.run(
        Path("-m"), "ddbio", "sql", query, "-p", 1, *arguments, **options
    )


def fill(simulator: Simulator) -> Any:
    table = simulator.create_table("Orders", "id:S")
    table.put_items(
        [
            {
                "id": {"S": f"{number:03}"},
                "n": {"N": str(number)},
                "odd": {"N": ODD},
                "day": {"S": "even" if number % 2 == 0 else "odd"},
                "tags": {"SS": ["a", "b"]},
            }
            for number in range(200)
        ]
    )
    return table


GROUPS = "SELECT day, count(*) AS items, sum(n) AS total, max(odd) AS odd FROM t GROUP BY day ORDER BY day"


def test_a_query_over_a_table_as_text_csv_and_json(sql: Run, simulator: Simulator) -> None:
    fill(simulator)
    done = sql(GROUPS, "-t", "Orders")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "day   items  total" + "odd".rjust(len(ODD) + 2),
        "----  -----  -----  " + "-" * len(ODD),
        f"even    100   9900  {ODD}",
        f"odd     100  10000  {ODD}",
    ]
    assert "Only the attributes that the query names are sent (it still reads every item): day, " in done.err
    assert "2 rows of 200 items" in done.err and " RCU consumed" in done.err
    done = sql(GROUPS, "-t", "Orders", "--output", "-")
    assert done.out.splitlines()[1] == f"even,100,9900,{ODD}"
    done = sql(GROUPS, "-t", "Orders", "--output", "-", "--format", "json")
    assert json.loads(done.out.splitlines()[0], parse_float=Decimal)["odd"] == Decimal(ODD)


def test_into_files_and_a_database_that_is_kept(sql: Run, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator)
    query = 'SELECT id, odd, tags FROM "Orders" WHERE n < 3 ORDER BY id'
    done = sql(query, "-t", "Orders", "--output", "out.parquet", "--keep", "kept.duckdb")
    assert done.code == 0, done.err
    assert done.out.startswith("3 rows to out.parquet of 200 items\n")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()[0] == {
        "id": "000",
        "odd": Decimal(ODD),
        "tags": ["a", "b"],
    }
    with duckdb.connect(str(tmp_path / "kept.duckdb"), read_only=True) as kept:
        assert kept.execute('SELECT count(day), max(n) FROM "Orders"').fetchall() == [(200, 199)], "all attributes"
    sql(query, "-t", "Orders", "--output", "out.csv")
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert rows[1] == ["000", ODD, '["a","b"]']
    done = sql(query, "-t", "Orders", "--output", "out.json", "--json")
    assert json.loads(done.out)["rows"] == 3 and len((tmp_path / "out.json").read_text().splitlines()) == 3


def test_files_of_several_formats(commands: Commands, sql: Run, simulator: Simulator, tmp_path: Path) -> None:
    fill(simulator)
    assert commands.run(Path("-m"), "ddbio", "export", "-t", "Orders", "-d", "exported").code == 0
    done = sql("SELECT count(*) AS items, max(odd) AS odd FROM t", "-s", "exported", "--output", "-")
    assert (done.code, done.out.splitlines()) == (0, ["items,odd", f"200,{ODD}"]), done.err
    (tmp_path / "in.csv").write_text("id,n\na,1\nb,2\n")
    done = sql("SELECT id FROM t ORDER BY id", "-s", "in.csv", "--output", "-")
    assert done.out.splitlines() == ["id", "a", "b"], done.err


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("DELETE FROM t", "only a single SELECT can be run, and not a statement of type DELETE"),
        ("SELECT 1; SELECT 2", "only a single SELECT can be run, and not 2 statements"),
        ("COPY (SELECT 1) TO 'x.csv'", "not a statement of type COPY"),
        ("SELEC 1", "the query is no SQL"),
        ("SELECT * FROM read_csv('/etc/passwd')", "the query is refused: Permission Error: Cannot access file"),
        ("SELECT nothing FROM t", 'Referenced column "nothing" not found'),
    ],
)
def test_what_cannot_be_asked(sql: Run, simulator: Simulator, tmp_path: Path, query: str, says: str) -> None:
    fill(simulator)
    done = sql(query, "-t", "Orders", "--keep", "kept.duckdb")
    done.assert_error(2, says)
    assert done.out == "" and not (tmp_path / "kept.duckdb").exists()


@pytest.mark.parametrize("query", ["SELECT count(*) FROM items", 'SELECT 1 FROM t, "it ems"'])
def test_a_query_of_another_table_reads_nothing(sql: Run, simulator: Simulator, query: str) -> None:
    fill(simulator)
    sql(query, "-t", "Orders").assert_one_line_error(2, "; the items are the table t, or Orders")
    sql(query, "-t", "Orders", "--plan").assert_one_line_error(2, "the query names another table, it")
    assert "Scan" not in simulator.requests()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "a query reads either a table or files; give one of -t TABLE and -s PLACE"),
        (["-t", "Orders", "--json"], "--json applies only with --output FILE or --plan"),
        (
            ["-t", "Orders", "--output", "x.txt"],
            '"x.txt" has no format; name a file that ends in .csv, .json, .parquet, or -',
        ),
        (["-t", "Orders", "--output", "there.csv"], '--output "there.csv" exists: it is not overwritten'),
        (["-t", "Orders", "--memory", "much"], "--memory much is no size; write 500MB or 2GB"),
    ],
)
def test_options_that_cannot_work(sql: Run, tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "there.csv").write_text("kept")
    sql("SELECT 1", *words).assert_one_line_error(2, says)
    assert (tmp_path / "there.csv").read_text() == "kept"


def test_the_plan(sql: Run, simulator: Simulator) -> None:
    table = fill(simulator)
    done = sql("SELECT n FROM t", "-t", "Orders", "--plan")
    assert done.out.splitlines()[0].startswith("Reading table Orders in us-east-1 in ")
    assert 0 < table.consumed("read") <= 1.5, "the trial of the projection, and the plan's sample"
