"""What comes back, and who can read it: any items go table, export, import, table unchanged; what CSV and Parquet
lose is what docs/formats.md says; DuckDB and pandas read the files as users do."""

from __future__ import annotations

import base64
import math
import uuid
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.options import CsvOptions
from ddbio.simulator import Simulator
from ddbio.verbs.columns import in_order
from ddbio.verbs.options import ExportOptions, ImportOptions
from tests.support.items import AWKWARD, Item, contents
from tests.support.strategies import ITEMS, TEXTS, numbers
from tests.support.tables import table
from tests.support.transfers import export_table, import_table

pytestmark = pytest.mark.fuller

WAYS = [("json", "none"), ("dynamodb-json", "none"), ("json", "gzip"), ("json", "zstd"), ("dynamodb-json", "gzip")]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def aws(simulator: Simulator) -> AwsSettings:
    return AwsSettings(region="us-east-1", endpoint_url=simulator.url)


def export(simulator: Simulator, items: list[Item], folder: Path, **options: Any) -> list[Path]:
    """Export a table of these items; the data files."""
    name = f"T-{uuid.uuid4().hex}"
    simulator.create_table(name, "id:S").put_items(items)
    asked = ExportOptions(
        table=name, destination=str(folder), aws=aws(simulator), processes=1, lanes=2, segments=2, **options
    )
    result = export_table(asked, engine=InlineEngine())
    assert (result.exit_code, result.tally.written) == (0, len(items)), result.error
    return sorted(path for path in folder.iterdir() if path.name != "_manifest.json")


def imported(simulator: Simulator, folder: Path, **options: Any) -> list[Item]:
    """The items of a new table after an import of the folder."""
    name = f"I-{uuid.uuid4().hex}"
    view = simulator.create_table(name, "id:S")
    asked = ImportOptions(
        table=name, sources=(str(folder),), aws=aws(simulator), processes=1, lanes=2, journal=False, **options
    )
    result = import_table(asked, engine=InlineEngine())
    assert result.exit_code == 0, (result.error, result.rejects and result.rejects.read_text())
    return list(view.items())


def with_keys(items: list[Item]) -> list[Item]:
    return [{**item, "id": {"S": f"k{number}"}} for number, item in enumerate(items)]


# Not shrunk: an example is two transfers.
MANY = settings(
    max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(("format", "compress"), WAYS)
@MANY
@given(st.lists(ITEMS, min_size=1, max_size=60).map(with_keys))
def test_any_items_come_back_unchanged(simulator: Simulator, format: str, compress: str, items: list[Item]) -> None:
    with TemporaryDirectory() as folder:
        export(simulator, items, Path(folder) / "out", format=format, compress=compress)
        assert contents(imported(simulator, Path(folder) / "out")) == contents(items)


NULL = {"NULL": True}


def without_nulls(item: Item) -> Item:
    return {name: value for name, value in item.items() if value != NULL}


def with_nulls_of_text(items: list[Item]) -> list[Item]:
    """What Parquet keeps: all but the nulls in columns of one type. A column of none or several is JSON text."""
    types: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for name, value in item.items():
            types[name] |= set(value) - {"NULL"}
    typed = {name for name, letters in types.items() if len(letters) == 1 and not letters & {"L", "M"}}
    return [{name: value for name, value in item.items() if value != NULL or name not in typed} for item in items]


@MANY
@example(with_keys([{"none": NULL, "one": NULL, "two": NULL, "map": NULL}]), "avro")
@example(
    with_keys(
        [
            {"none": NULL, "one": NULL, "two": NULL, "map": NULL},
            {"one": {"S": "a"}, "two": {"S": "a"}, "map": {"M": {}}},
            {"two": {"N": "1"}},
        ]
    ),
    "parquet",
)
@given(st.lists(ITEMS, min_size=1, max_size=60).map(with_keys), st.sampled_from(["parquet", "avro"]))
def test_typed_columns_lose_nulls_and_nothing_else(simulator: Simulator, items: list[Item], format: str) -> None:
    with TemporaryDirectory() as folder:
        export(simulator, items, Path(folder) / "out", format=format)
        assert contents(imported(simulator, Path(folder) / "out")) == contents(with_nulls_of_text(items))


ROWS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS.map(lambda text: {"S": text}),
        "number": numbers().map(lambda text: {"N": text}),
        "truth": st.booleans().map(lambda truth: {"BOOL": truth}),
        "data": st.binary(min_size=1, max_size=5).map(lambda data: {"B": base64.b64encode(data).decode()}),
        "words": st.sets(TEXTS, min_size=1, max_size=3).map(lambda words: {"SS": sorted(words)}),
        "doc": st.lists(st.integers(-9, 9).map(lambda n: {"N": str(n)}), max_size=3).map(lambda each: {"L": each}),
        "none": st.just({"NULL": True}),
    },
)
TYPES = tuple({"number": "N", "truth": "BOOL", "data": "B", "words": "SS", "doc": "L"}.items())


def with_text_kept(item: Item) -> Item:
    """What CSV keeps: no null, no empty string; and a line end at the end of a row is not lost."""
    return {name: value for name, value in without_nulls(item).items() if value != {"S": ""}}


@MANY
@given(st.lists(ROWS, min_size=1, max_size=60).map(with_keys))
def test_csv_comes_back_with_its_types_but_for_empty_strings_and_nulls(
    simulator: Simulator, items: list[Item]
) -> None:
    """A null is kept if its column is JSON text, as one of nulls alone is. Without the manifest all is text."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        export(simulator, items, out, format="csv")
        names = {name for item in items for name in item}
        types = tuple((name, letter) for name, letter in TYPES if name in names)
        for given_types in ((), types):
            back = imported(simulator, out, csv=CsvOptions(types=given_types))
            assert contents(map(with_text_kept, back)) == contents(map(with_text_kept, items))
        (out / "_manifest.json").unlink()
        (untyped, *_) = imported(simulator, out)
        assert {letter for value in untyped.values() for letter in value} == {"S"}


# --------------------------------------------------------------------------- readers

PLAIN: list[Item] = [
    {
        "id": {"S": f"k{number:03}"},
        "n": {"N": str(number)},
        "price": {"N": f"{number}.25"},
        "note": {"S": f'a "quoted"\nline, {number}'},
        "ok": {"BOOL": number % 2 == 0},
        "tags": {"SS": ["a", "b"]},
        "doc": {"M": {"list": {"L": [{"N": "1"}, {"S": "x"}]}}},
        "data": {"B": "AAE="},
    }
    for number in range(100)
]


def glob(files: list[Path]) -> str:
    return str(files[0].parent / f"T-*{files[0].suffix}")


def test_duckdb_reads_json(simulator: Simulator, tmp_path: Path) -> None:
    files = export(simulator, PLAIN, tmp_path / "json")
    rows = duckdb.sql(f"select id, n, price, note, ok, doc.list[1], tags from read_json('{glob(files)}') order by id")
    first, *_, last = rows.fetchall()
    assert first[:5] == ("k000", 0, 0.25, 'a "quoted"\nline, 0', True)
    assert last[:3] == ("k099", 99, 99.25)
    assert first[6] == {"$SS": ["a", "b"]}


def test_duckdb_reads_csv(simulator: Simulator, tmp_path: Path) -> None:
    files = export(simulator, PLAIN, tmp_path / "csv", format="csv")
    rows = duckdb.sql(f"select id, n, price, note, ok, tags from read_csv('{glob(files)}') order by id").fetchall()
    assert len(rows) == 100
    assert rows[7] == ("k007", 7, 7.25, 'a "quoted"\nline, 7', False, '["a","b"]')


@pytest.mark.parametrize("numbers_as", ["string", "decimal"])
def test_duckdb_reads_parquet(simulator: Simulator, tmp_path: Path, numbers_as: str) -> None:
    files = export(simulator, PLAIN, tmp_path / numbers_as, format="parquet", numbers=numbers_as)
    query = f"select id, price, ok, tags, doc, data from read_parquet('{glob(files)}') order by id"
    rows = duckdb.sql(query).fetchall()
    price = Decimal("7.25") if numbers_as == "decimal" else "7.25"
    assert (len(rows), rows[7]) == (100, ("k007", price, False, ["a", "b"], '{"list":[1,"x"]}', b"\x00\x01"))


def test_pandas_reads_all_three(simulator: Simulator, tmp_path: Path) -> None:
    readers = {
        "json": lambda path: pandas.read_json(path, lines=True),
        "csv": pandas.read_csv,
        "parquet": pandas.read_parquet,
    }
    for format, read in readers.items():
        files = export(simulator, PLAIN, tmp_path / format, format=format)
        frame = pandas.concat([read(path) for path in files]).sort_values("id")
        assert list(frame["id"]) == [item["id"]["S"] for item in PLAIN]
        assert math.isclose(sum(map(float, frame["price"])), sum(number + 0.25 for number in range(100)))
        assert list(frame["note"])[3] == 'a "quoted"\nline, 3'


def test_duckdb_reads_what_is_awkward(simulator: Simulator, tmp_path: Path) -> None:
    """Every value that has been lost or changed by some tool, as text."""
    item: Item = {"id": {"S": "k"}, **{f"a{place}": value for place, value in enumerate(AWKWARD.values())}}
    (file,) = export(simulator, [item], tmp_path / "parquet", format="parquet")
    columns, (row,) = (
        duckdb.sql(f"describe select * from '{file}'").fetchall(),
        duckdb.sql(f"from '{file}'").fetchall(),
    )
    assert [name for name, *_ in columns] == in_order(set(item), table({"id": "S"}))
    values = dict(zip([name for name, *_ in columns], row, strict=True))
    assert values["a6"] == "12345678901234567890123456789012345678"
    assert values["a1"] == AWKWARD["unicode"]["S"]
