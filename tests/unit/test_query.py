"""A query's table: columns typed from the items, every digit kept, and only the attributes that it names."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.sinks.arrow_pages import TYPED_ITEMS, as_batch
from ddbio.sinks.query_output import write_json
from ddbio.sinks.query_table import QueryTable, syntax_tree
from ddbio.system.stop import StopFlag
from ddbio.values.query import attributes_of
from ddbio.values.table import KeyAttribute

KEYS = (KeyAttribute("id", "S", 2048),)


def loaded(path: Path, *pages: list[Any], keys: tuple[KeyAttribute, ...] = KEYS) -> QueryTable:
    table = QueryTable(path / "items.duckdb", "200MB", path / "spill")
    for page in pages:
        table.add(as_batch(msgspec.json.decode(msgspec.json.encode(page), type=TYPED_ITEMS)))
    table.make("Orders", keys, keep=False)
    table.lock()
    return table


def rows(table: QueryTable, query: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
    with table.queried(query, StopFlag()) as cursor:
        return [(each[0], str(each[1])) for each in cursor.description], cursor.fetchall()


def test_the_types_of_columns(tmp_path: Path) -> None:
    table = loaded(
        tmp_path,
        [
            {
                "id": {"S": "a"},
                "n": {"N": "1"},
                "price": {"N": "1.25"},
                "tags": {"SS": ["x", "y"]},
                "mixed": {"N": "7"},
            }
        ],
        [{"id": {"S": "b"}, "n": {"NULL": True}, "m": {"M": {"k": {"N": "1.0"}}}, "mixed": {"S": "text"}}],
        [{"id": {"S": "c"}, "nums": {"NS": ["1", "2.5"]}, "b": {"B": "AAE="}, "mixed": {"NS": ["1"]}}, {}],
    )
    columns, _ = rows(table, "SELECT * FROM t")
    assert columns == [
        ("id", "VARCHAR"),
        ("b", "BLOB"),
        ("m", "JSON"),
        ("mixed", "JSON"),
        ("n", "BIGINT"),
        ("nums", "DECIMAL(18,1)[]"),
        ("price", "DECIMAL(18,2)"),
        ("tags", "VARCHAR[]"),
    ]
    _, found = rows(table, 'SELECT id, mixed, price, tags, nums, b, m FROM "Orders" ORDER BY id')
    assert found == [
        ("a", "7", Decimal("1.25"), ["x", "y"], None, None, None),
        ("b", '"text"', None, None, None, None, '{"k":1.0}'),
        ("c", "[1]", None, None, [Decimal("1.0"), Decimal("2.5")], b"\0\1", None),
        (None, None, None, None, None, None, None),
    ]
    table.close()


NUMBERS = st.lists(
    st.one_of(
        st.integers(-(10**38) + 1, 10**38 - 1).map(str),
        st.decimals(-(10**12), 10**12, places=6).map(str),
        st.sampled_from(
            ["0", "-0.5", "0." + "1" * 38, "1E+37", "1E-130", "9.9E+125", "123456789012345678901234567890.12345678"]
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(NUMBERS)
def test_every_digit_of_a_number_is_kept(tmp_path_factory: pytest.TempPathFactory, numbers: list[str]) -> None:
    path = tmp_path_factory.mktemp("query")
    table = loaded(path, [{"n": {"N": number}} for number in numbers])
    columns, found = rows(table, "SELECT n FROM t")
    assert "DOUBLE" not in columns[0][1]
    assert sorted(Decimal(value) for (value,) in found) == sorted(map(Decimal, numbers))
    table.close()


def test_a_table_without_items_has_the_columns_of_its_keys(tmp_path: Path) -> None:
    keys = (*KEYS, KeyAttribute("n", "N", 1024), KeyAttribute("b", "B", 1024))
    table = loaded(tmp_path, keys=keys)
    columns, found = rows(table, "SELECT * FROM t WHERE id = 'a' OR n > 5")
    assert (columns, found) == ([("id", "VARCHAR"), ("n", "BIGINT"), ("b", "BLOB")], [])
    table.close()


def test_a_place_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    for path, spill in ((Path("a\udcff.duckdb"), tmp_path), (tmp_path / "a.duckdb", Path("a\udcff"))):
        with pytest.raises(UsageError, match=r'"a\\xff.*is not UTF-8'):
            QueryTable(path, "200MB", spill)


def test_names_that_differ_only_in_case(tmp_path: Path) -> None:
    table = QueryTable(tmp_path / "x.duckdb", "200MB", tmp_path / "spill")
    page = [{"Price": {"N": "1"}, "price": {"N": "2"}, 'a "b"': {"S": "x"}}]
    table.add(as_batch(msgspec.json.decode(msgspec.json.encode(page), type=TYPED_ITEMS)))
    assert table.make("t", (), keep=True) == ["Attribute price is column price_: names of columns ignore case"]
    assert rows(table, 'SELECT price, price_, "a ""b""" FROM t')[1] == [(1, 2, "x")]
    table.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM table",
    ],
)
def test_a_query_reaches_neither_files_nor_the_network(tmp_path: Path, query: str) -> None:
    table = loaded(tmp_path, [{"id": {"S": "a"}}])
    with pytest.raises(UsageError) as refused:
        rows(table, query)
    assert "\n" not in str(refused.value)
    table.close()


def test_a_query_sees_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions of DuckDB refuse to list them; those that do not find none of the user's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    secret = "CREATE PERSISTENT SECRET mine (TYPE http, BEARER_TOKEN 'hush')"
    with duckdb.connect(config={"secret_directory": str(tmp_path / ".duckdb/stored_secrets")}) as database:
        try:
            database.execute(secret)
        except duckdb.Error as error:
            pytest.skip(f"this DuckDB keeps no secrets: {error}")
    table = loaded(tmp_path, [{"id": {"S": "a"}}])
    with suppress(UsageError):
        assert rows(table, "SELECT name FROM duckdb_secrets()")[1] == []
    table.close()


def test_the_lock_cannot_be_undone(tmp_path: Path) -> None:
    table = loaded(tmp_path, [{"id": {"S": "a"}}])
    for statement in (
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET memory_limit = '9GB'",
    ):
        with pytest.raises(UsageError):
            rows(table, statement)
    table.close()


@pytest.mark.parametrize(
    ("query", "needs"),
    [
        ("SELECT status, count(*), sum(price) FROM t GROUP BY status", ["status", "price"]),
        ("SELECT count(*) FROM t", []),
        ("SELECT * FROM t", None),
        ("FROM t", None),
        ("SELECT t FROM t", None),
        ("SELECT x FROM Orders AS x", None),
        ("SELECT main.t FROM t", None),
        ("SELECT count(*) FROM (SELECT DISTINCT main.Orders FROM Orders)", None),
        ("SELECT u.x FROM t AS u(x)", None),
        ("SELECT count(*) FROM query('SELECT DISTINCT * FROM t')", None),
        ("SELECT count(*) FROM query_table('t')", None),
        ("SELECT each FROM t, unnest(t.tags) AS u(each)", ["each", "tags"]),
        ("SELECT main.t.a FROM t", ["main", "t", "a"]),
        ("SELECT COLUMNS('a') FROM t", None),
        ("SELECT a FROM t NATURAL JOIN t AS u", None),
        ("SELECT u.a FROM t JOIN t AS u USING (id) WHERE t.b > 1", ["a", "id", "b"]),
        ("SELECT address.city FROM t", ["address", "city"]),
        ('SELECT a FROM t WHERE EXISTS (SELECT "q x" FROM t) ORDER BY d', ["d", "a", "q x"]),
        ("WITH q AS (SELECT a FROM t) SELECT * FROM q", None),
        ("SELECT a FROM t UNION ALL SELECT b FROM Orders", ["a", "b"]),
        ("DESCRIBE t", None),
        ("SELECT * EXCLUDE (a) FROM t", None),
        ("SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t QUALIFY c > 1", ["a", "b", "c"]),
    ],
)
def test_the_attributes_that_a_query_needs(query: str, needs: list[str] | None) -> None:
    statements, tree = syntax_tree(query)
    assert statements == ["SELECT"]
    found = attributes_of(tree(), "Orders")
    assert (found if found is None else sorted(found)) == (needs if needs is None else sorted(needs))


def test_the_copy_of_it_that_is_kept_needs_no_ddbio(tmp_path: Path) -> None:
    table = QueryTable(tmp_path / "x.duckdb", "200MB", tmp_path / "spill")
    table.add(as_batch(msgspec.json.decode(b'[{"id":{"S":"a"},"n":{"N":"1.5"}}]', type=TYPED_ITEMS)))
    table.make("Orders", KEYS, keep=True)
    table.close()
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        assert database.execute('SELECT * FROM "Orders"').fetchall() == [("a", Decimal("1.5"))]
        assert database.execute("SELECT n FROM t").fetchall() == [(Decimal("1.5"),)]


def test_json_has_every_column_also_of_the_same_name(tmp_path: Path) -> None:
    table, written = loaded(tmp_path, [{"id": {"S": "a"}}]), bytearray()
    with table.queried("SELECT 1 AS x, 2 AS x, 3 AS x_1, 4 AS x", StopFlag()) as cursor:
        assert write_json(cursor, written.extend) == 1
    assert msgspec.json.decode(written) == {"x": 1, "x_2": 2, "x_1": 3, "x_3": 4}
    table.close()
