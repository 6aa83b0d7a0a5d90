"""A DuckDB table of items, loaded batch by batch and then queried. Everything about DuckDB is here.

Batches go to a staging table with a column for each attribute and type (`ddbio.sinks.arrow_pages`); the table that is
queried is made of it at the end, when all types are known. Its column of an attribute is

- for numbers: BIGINT, or DECIMAL with 18 or 38 digits, or VARCHAR with the digits if one of them fits none of these;
- for text VARCHAR, for binary BLOB, for booleans BOOLEAN, for sets a list of these;
- for lists and maps, and if there are values of several types, JSON. Nulls are NULL.

Once it is loaded, DuckDB can reach neither files nor the network, and that cannot be changed (`lock`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from ddbio.errors import DdbioError, Stopped, TransferError, UsageError
from ddbio.sinks.arrow_pages import DIGITS, ROW
from ddbio.system.stop import StopFlag
from ddbio.values.table import KeyAttribute

STAGE = "ddbio_stage.items"
SHORT_NAME = "t"
_LOOK_EVERY_S = 0.1
_AS_JSON = {  # of a staging column, in a column of several types
    "N": "{0}::JSON",
    "L": "{0}::JSON",
    "M": "{0}::JSON",
    "B": "to_json(base64({0}))",
    "NS": "('[' || array_to_string({0}, ',') || ']')::JSON",
    "BS": "to_json(list_transform({0}, lambda each: base64(each)))",
}


class QueryTable:
    """path: of the database file, which must not exist. memory: of DuckDB, as in `1GB`; beyond that it uses the
    folder `scratch`. Raises UsageError, TransferError."""

    def __init__(self, path: Path, memory: str, scratch: Path) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(scratch),
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            "allow_persistent_secrets": "false",  # a query must not list the user's
        }
        for place in (path, scratch):
            _check_encodable(place)
        with translated():
            self._database = duckdb.connect(str(path), config=config)
            self._database.execute(f"CREATE SCHEMA ddbio_stage; CREATE TABLE {STAGE} ({ROW} BOOLEAN)")
        self._stage: dict[tuple[str, str], str] = {}  # columns of the staging table by attribute and type
        self._digits: dict[tuple[str, str], tuple[int, int]] = {}
        self.rows = 0

    def close(self) -> None:
        self._database.close()

    def add(self, page: bytes) -> None:
        """Load a batch."""
        table = pyarrow.ipc.open_stream(page).read_all()
        names = [ROW]
        with translated():
            for field in list(table.schema)[1:]:
                letter, _, name = field.name.partition(":")
                names.append(self._column(name, letter, field.type))
                if field.metadata and DIGITS in field.metadata:
                    whole, fraction = map(int, field.metadata[DIGITS].split(b","))
                    before = self._digits.get((name, letter), (0, 0))
                    self._digits[name, letter] = max(whole, before[0]), max(fraction, before[1])
            self._database.register("incoming", table.rename_columns(names))
            self._database.execute(f"INSERT INTO {STAGE} BY NAME SELECT * FROM incoming")
            self._database.unregister("incoming")
        self.rows += table.num_rows

    def _column(self, name: str, letter: str, kind: Any) -> str:
        known = self._stage.get((name, letter))
        if known is None:
            known = self._stage[name, letter] = f"c{len(self._stage)}"
            sql = {"bool": "BOOLEAN", "binary": "BLOB", "string": "VARCHAR"}.get(str(kind))
            sql = sql or ("BLOB[]" if letter == "BS" else "VARCHAR[]")
            self._database.execute(f"ALTER TABLE {STAGE} ADD COLUMN {known} {sql}")
        return known

    def make(self, name: str, keys: Sequence[KeyAttribute], *, keep: bool) -> list[str]:
        """Make the table, of that name and `t`. keys: the attributes whose columns come first; a table without items
        has these. keep: as a table of its own. Returns remarks on renamed columns."""
        first = tuple(key.name for key in keys)
        if not self.rows:
            with translated():
                for key in keys:
                    self._column(key.name, key.type, "binary" if key.type == "B" else "string")
                    self._digits[key.name, key.type] = 0, 0
        attributes = sorted({attribute for attribute, _ in self._stage}, key=lambda each: (_place(each, first), each))
        taken: set[str] = set()
        columns, remarks = [], []
        for attribute in attributes:
            column = attribute
            while column.lower() in taken:
                column += "_"
            if column != attribute:
                remarks.append(f"Attribute {attribute} is column {column}: names of columns ignore case")
            taken.add(column.lower())
            columns.append(f"{self._expression(attribute)} AS {quoted(column)}")
        select = f"SELECT {', '.join(columns) or 'NULL AS no_attributes'} FROM {STAGE}"
        with translated():
            self._database.execute(f"CREATE {'TABLE' if keep else 'VIEW'} {quoted(name)} AS {select}")
            if name.lower() != SHORT_NAME:
                self._database.execute(f"CREATE VIEW {SHORT_NAME} AS SELECT * FROM {quoted(name)}")
            if keep:
                self._database.execute("DROP SCHEMA ddbio_stage CASCADE; CHECKPOINT")
        return remarks

    def _expression(self, attribute: str) -> str:
        letters = {letter: column for (name, letter), column in self._stage.items() if name == attribute}
        letters.pop("NULL", None)
        if not letters:
            return "NULL::VARCHAR"
        if len(letters) > 1:
            each = [_AS_JSON.get(letter, "to_json({0})").format(column) for letter, column in letters.items()]
            return f"coalesce({', '.join(each)})"
        ((letter, column),) = letters.items()
        if letter in ("L", "M"):
            return f"{column}::JSON"
        if letter in ("N", "NS"):
            return f"{column}::{_number_type(*self._digits[attribute, letter])}{'[]' if letter == 'NS' else ''}"
        return column

    def lock(self) -> None:
        """From now on, no query can reach files or the network."""
        with translated():
            self._database.execute("SET enable_external_access = false; SET lock_configuration = true")

    @contextmanager
    def queried(self, query: str, stop: StopFlag, *, arrow: bool = False) -> Iterator[Any]:
        """The running query: a cursor with `description` and `fetchmany`; of arrow, a relation with
        `fetch_record_batch`. Ends with Stopped if the run is stopped."""
        with self._interrupted_by(stop), translated():
            yield self._database.sql(query) if arrow else self._database.execute(query)

    @contextmanager
    def _interrupted_by(self, stop: StopFlag) -> Iterator[None]:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_LOOK_EVERY_S):
                if stop.requests:
                    self._database.interrupt()

        watcher = threading.Thread(target=watch, name="ddbio query watcher", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _check_encodable(place: Path) -> None:
    """Raises UsageError for a name that DuckDB cannot be given."""
    try:
        str(place).encode()
    except UnicodeEncodeError:
        shown = str(place).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UsageError(
            f'the name "{shown}" is not UTF-8, as DuckDB needs',
            "set TMPDIR to another folder, or name another --keep",
        ) from None


def _place(attribute: str, first: tuple[str, ...]) -> int:
    return first.index(attribute) if attribute in first else len(first)


def _number_type(whole: int, fraction: int) -> str:
    whole, fraction = max(whole, 0), max(fraction, 0)
    if not fraction and whole <= 18:
        return "BIGINT"
    for digits in (18, 38):
        if whole + fraction <= digits:
            return f"DECIMAL({digits},{fraction})"
    return "VARCHAR"


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def tables_of(query: str) -> set[str]:
    """The tables that a query names, without DuckDB's own; none if DuckDB says so only where they exist."""
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
        try:
            return database.get_table_names(query)
        except duckdb.Error:
            return set()


def syntax_tree(query: str) -> tuple[list[Any], Callable[[], str]]:
    """The types of the statements of a query, and its tree as JSON. Raises UsageError for what is no SQL."""
    database = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    with translated():
        statements = [str(each.type).rpartition(".")[2] for each in database.extract_statements(query)]

    def tree() -> str:
        (text,) = database.execute("SELECT json_serialize_sql(?)", [query]).fetchone() or ("{}",)
        return str(text)

    return statements, tree


_OF_THE_MACHINE = (duckdb.IOException, duckdb.OutOfMemoryException)


@contextmanager
def translated() -> Iterator[None]:
    """Raises ddbio's errors for DuckDB's, of one line."""
    try:
        yield
    except duckdb.InterruptException:
        raise Stopped("stopped during the query") from None
    except duckdb.Error as error:
        raise _translated(error) from None


def _translated(error: duckdb.Error) -> DdbioError:
    message = " ".join(str(error).partition("\n\nLINE ")[0].partition("\nLINE ")[0].split())
    if isinstance(error, _OF_THE_MACHINE):
        return TransferError(f"DuckDB: {message}", "give it more --memory, or make room in the temporary folder")
    if isinstance(error, duckdb.PermissionException | duckdb.CatalogException):
        return UsageError(f"the query is refused: {message}", "only the table can be read, as t or by its name")
    if isinstance(error, duckdb.ParserException):
        return UsageError(f"the query is no SQL: {message}", "put names that are words of SQL in double quotes")
    return UsageError(f"the query fails: {message}", "fix it; the query DESCRIBE t lists the columns")
