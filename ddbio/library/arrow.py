"""Items of a table as Arrow data: a stream of batches, or the result of a query."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from ddbio.errors import UsageError
from ddbio.flow.sql_job import SqlTableJob
from ddbio.job.progress import Progress
from ddbio.library.calling import call
from ddbio.library.items import with_place
from ddbio.library.streams import Take, pulled
from ddbio.library.wording import keyword
from ddbio.options import ScanOptions
from ddbio.system.stop import StopFlag
from ddbio.verbs.options import SqlOptions
from ddbio.verbs.program_scan import ProgramScan
from ddbio.verbs.sql import SqlTable

if TYPE_CHECKING:
    import pyarrow

SAMPLE_ITEMS = 10_000  # from which types are found,
SAMPLE_BYTES = 16_000_000  # unless they are large


def scan_arrow(
    table: str,
    *,
    schema: pyarrow.Schema | None = None,
    filter: str | None = None,
    attributes: Any = None,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    **options: Any,
) -> pyarrow.RecordBatchReader:
    """The items of a table by a parallel scan, in no order, as a stream of Arrow batches. Needs pyarrow.

        reader = scan_arrow("Orders", capacity=500)
        duckdb.sql("SELECT status, sum(price) FROM reader GROUP BY status")

    schema: a pyarrow.Schema, or what makes one, as {"id": pyarrow.string()}; only its attributes are read. Without
        it, the types are found from the first 10,000 items, or 16 MB of them, which are read at once
        (`ddbio.library.arrow_types` has the types). A later item that does not fit ends the stream with
        TransferError, which names the attribute: nothing is changed to fit.
    options: further fields of `ScanOptions`, as for `scan`.

    The scan proceeds only as fast as the batches are used, a few ahead. It ends in order when the reader is deleted;
    to close the reader does not end it. The errors of `call` are raised here, and by the reader.
    """
    check_installed("scan_arrow", "parquet")
    schema = _checked(schema) if schema is not None else None
    asked = ScanOptions(table=table, filter=filter, attributes=attributes, **with_place(options))
    names = schema.names if schema is not None else None
    verb = ProgramScan(asked, SqlTableJob, names)

    def job(take: Take[bytes], flag: StopFlag) -> None:
        verb.take_page = take
        call(verb, progress=progress, stop=flag, name_of=keyword)

    return _reader(pulled(job, stop), schema, verb)


def query_table(
    table: str,
    query: str,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    **options: Any,
) -> pyarrow.Table:
    """The rows of a SELECT over the items of a table, which is called t, as a pyarrow.Table. Needs the extra `sql`.

    Only the attributes that the query names are read. options: further fields of `SqlOptions`, such as `capacity`,
    `memory="2GB"` or `index`, and `region`, `profile`, `endpoint_url`. Raises the errors of `call`.
    """
    if "output" in options:
        raise UsageError("query_table returns the rows, and writes no output", "leave output out")
    made: list[Any] = []

    def take(reader: Any) -> int:
        made.append(reader.read_all())
        return int(made[0].num_rows)

    call(
        SqlTable(SqlOptions(table=table, query=query, **with_place(options)), take),
        progress=progress,
        stop=stop,
        name_of=keyword,
    )
    return made[0]


def _reader(pages: Generator[bytes, None, None], schema: Any, verb: ProgramScan) -> Any:
    import pyarrow

    from ddbio.library.arrow_types import Columns, table_of

    tables: Iterator[Any] = map(table_of, pages)
    if schema is not None:
        columns = Columns(schema)
    else:
        first, columns = sample(tables, verb)
        tables = chain(first, tables)
    return pyarrow.RecordBatchReader.from_batches(columns.schema, batches(columns, tables, pages))


def sample(tables: Iterator[Any], verb: ProgramScan) -> tuple[list[Any], Any]:
    """The first of the tables, and the `ddbio.library.arrow_types.Columns` that were found in them."""
    from ddbio.library.arrow_types import Columns, Found

    first, found, size = [], Found(), 0
    for table in tables:
        found.add(table)
        first.append(table)
        size += table.nbytes
        if found.items >= SAMPLE_ITEMS or size >= SAMPLE_BYTES:
            break
    return first, Columns(found.schema(verb.keys), found.items)


def batches(columns: Any, tables: Iterator[Any], pages: Generator[bytes, None, None]) -> Iterator[Any]:
    """An error ends them, so that no batch is skipped by a program that goes on."""
    try:
        yield from map(columns.batch, tables)
    finally:
        pages.close()


def _checked(schema: Any) -> Any:
    import pyarrow

    try:
        made = schema if isinstance(schema, pyarrow.Schema) else pyarrow.schema(schema)
    except (TypeError, ValueError, pyarrow.ArrowException) as error:
        raise UsageError(
            f"schema makes no pyarrow.Schema: {error}", 'give one, or {"id": pyarrow.string()}'
        ) from None
    if not len(made) or len(set(made.names)) < len(made):
        raise UsageError("schema has no columns, or two of one name", "name each attribute to read once")
    return made


def check_installed(what: str, extra: str) -> None:
    """Raise UsageError if pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise UsageError(f"{what} needs pyarrow", f"run: pip install 'ddbio[{extra}]'") from None
