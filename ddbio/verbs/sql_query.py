"""What a query is, whatever its items come from: checked before anything is read, run when all is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.job.run import Caller
from ddbio.options import STDOUT
from ddbio.sinks.stdout import StandardOutput
from ddbio.system.scratch import Scratch
from ddbio.system.stop import StopFlag
from ddbio.values.query import attributes_of
from ddbio.values.table import KeyAttribute
from ddbio.verbs.options import SQL_OUTPUTS, SqlOptions

_SELECT = "SELECT"
TakeRows = Callable[[Any], int]  # takes a pyarrow.RecordBatchReader; returns the number of its rows
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B)", re.IGNORECASE)


class Query:
    """name: of the table. attributes: to read, because the query or the table that is kept needs them; None for all.

    Raises UsageError for a query that is not a single SELECT or names another table, and for outputs that cannot be.
    """

    def __init__(self, options: SqlOptions, name: str) -> None:
        check_installed()
        from ddbio.sinks.query_table import SHORT_NAME, syntax_tree, tables_of

        check_outputs(options)
        self._options, self._name = options, name
        statements, tree = syntax_tree(options.query)
        if statements != [_SELECT]:
            given = (
                f"{len(statements)} statements" if len(statements) != 1 else f"a statement of type {statements[0]}"
            )
            raise UsageError(f"only a single SELECT can be run, and not {given}", "write one SELECT")
        others = [each for each in tables_of(options.query) if each.lower() not in (SHORT_NAME, name.lower())]
        if others:
            also = f", or {name}" * (name != SHORT_NAME)
            listed = ", ".join(sorted(others))
            raise UsageError(f"the query names another table, {listed}", f"the items are the table t{also}")
        self.attributes = attributes_of(tree(), name) if options.keep is None else None
        self._scratch: Scratch | None = None
        self._table: Any = None

    def open(self) -> None:
        from ddbio.sinks.query_table import QueryTable

        self._scratch = Scratch.create()
        folder = self._scratch.path
        keep = self._options.keep
        path = Path(keep) if keep is not None else folder / "items.duckdb"
        try:
            self._table = QueryTable(path, self._options.memory, folder / "spill")
        except DdbioError:
            self.close(failed=False)
            raise

    def load(self, page: bytes) -> None:
        if page:
            self._table.add(page)

    def run(
        self, keys: tuple[KeyAttribute, ...], caller: Caller, stop: StopFlag, take_rows: TakeRows | None = None
    ) -> tuple[int, list[str]]:
        """Returns the number of rows, and remarks. keys: of the table and its indexes, whose columns come first.

        Raises DdbioError, BrokenPipeError.
        """
        read = [key for key in keys if self.attributes is None or key.name in self.attributes]
        remarks: list[str] = self._table.make(self._name, read, keep=self._options.keep is not None)
        for remark in remarks:
            if caller.progress is not None:
                caller.progress.say(remark)
        self._table.lock()
        from ddbio.sinks.query_output import WRITERS, arrow_reader

        if take_rows is not None:
            with self._table.queried(self._options.query, stop, arrow=True) as cursor:
                return take_rows(arrow_reader(cursor)), remarks
        output, kind = self._options.output, output_kind(self._options)
        with self._table.queried(self._options.query, stop, arrow=kind == "parquet") as cursor:
            if output in (None, STDOUT):
                return WRITERS[kind](cursor, StandardOutput(stop).write), remarks
            return _into_file(Path(str(output)), WRITERS[kind], cursor), remarks

    def close(self, *, failed: bool) -> None:
        if self._table is not None:
            self._table.close()
        if self._scratch is not None:
            self._scratch.remove()
        if failed and self._table is not None and self._options.keep is not None:
            for suffix in ("", ".wal"):
                with suppress(OSError):
                    Path(self._options.keep + suffix).unlink()


def output_kind(options: SqlOptions) -> str:
    if options.output is None:
        return "table"
    if options.output == STDOUT:
        return options.format
    return SQL_OUTPUTS[Path(options.output).suffix]


def check_outputs(options: SqlOptions) -> None:
    """Raises UsageError."""
    if not _MEMORY.fullmatch(options.memory):
        raise UsageError(f"--memory {options.memory} is no size", "write 500MB or 2GB")
    output, keep = options.output, options.keep
    if output not in (None, STDOUT) and Path(str(output)).suffix not in SQL_OUTPUTS:
        raise UsageError(f'"{output}" has no format', f"name a file that ends in {', '.join(SQL_OUTPUTS)}, or -")
    for option, path in (("--output", None if output == STDOUT else output), ("--keep", keep)):
        if path is None:
            continue
        if Path(path).exists() or Path(path).is_symlink():
            raise UsageError(f'{option} "{path}" exists: it is not overwritten', "remove it, or name another file")
        if not Path(path).absolute().parent.is_dir():
            raise UsageError(f'there is no folder for {option} "{path}"', "make it first")


def check_installed() -> None:
    """Raises UsageError if the libraries are missing."""
    try:
        import duckdb  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(f"sql needs the package {error.name}", "pip install 'ddbio[sql]'") from None


def _into_file(path: Path, write: Any, cursor: Any) -> int:
    """The file appears when it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            rows = int(write(cursor, file.write))
        part.rename(path)
    except OSError as error:
        raise TransferError(f'cannot write "{path}": {error.strerror}', "make room, or name another file") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return rows
