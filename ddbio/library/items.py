"""Items of a program into a table, and items of a table into a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ddbio.aws.settings import AwsSettings
from ddbio.flow.items_job import ItemsJob
from ddbio.job.progress import Progress
from ddbio.library.calling import call
from ddbio.library.frames import as_items
from ddbio.library.streams import Take, pulled
from ddbio.library.wording import keyword
from ddbio.options import STDOUT
from ddbio.sinks.item_pages import lists_of
from ddbio.sinks.rows import known_types
from ddbio.system.stop import StopFlag
from ddbio.values.items import AttributeValue
from ddbio.values.python_rows import PythonRows
from ddbio.values.python_values import python_item
from ddbio.verbs.export_table import Export
from ddbio.verbs.find_items import Find
from ddbio.verbs.options import ExportOptions, FindOptions, PutOptions
from ddbio.verbs.program_scan import ProgramScan
from ddbio.verbs.put_items import PutItems, PutResult

Item = dict[str, Any]
_PLACE = ("region", "profile", "endpoint_url")  # of `AwsSettings`, accepted beside the options


def put_items(
    table: str,
    items: Any,
    *,
    mode: str = "put",
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    **options: Any,
) -> PutResult:
    """Write items into a table, by all processes, under a cap.

    items: an iterable of dicts, taken only as fast as they are written; or a DataFrame of pandas or polars, a table
        or a reader of pyarrow, a relation of DuckDB: anything with the Arrow stream interface. See
        `ddbio.library.frames`.
    mode: `put`, or `insert`, which never overwrites.
    options: further fields of `PutOptions`, such as `capacity=500`, and `region`, `profile`, `endpoint_url`.

    Of two items with the same key either may be the one that stays. Returns counts and the rejected items, each with
    its position and reason; with `on_rejects="raise"`, RejectedError is raised for these at the end. An exception of
    the iterable is raised after the items before it are written. Raises the errors of `call`.
    """
    verb = PutItems(PutOptions(table=table, mode=mode, **with_place(options)), as_items(items))
    result = call(verb, progress=progress, on_rejects=on_rejects, stop=stop, name_of=keyword)
    if verb.source.error is not None:
        raise verb.source.error
    return result


def delete_items(table: str, keys: Any, **options: Any) -> PutResult:
    """Delete the items that have these keys.

    keys: dicts or a frame, as for `put_items`; other attributes than the key's are ignored.
    """
    return put_items(table, keys, mode="delete", **options)


def scan(
    table: str,
    *,
    filter: str | None = None,
    attributes: Any = None,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    **options: Any,
) -> Iterator[Item]:
    """The items of a table by a parallel scan, in no order, as dicts of Python values (Decimal, set, bytes ...).

    The scan proceeds only as fast as the items are used, a few pages ahead. It ends when the iterator is closed.
    options: further fields of `ExportOptions`, such as `values={"p": 10}` for the filter, `index`, `limit`,
    `capacity`, and `region`, `profile`, `endpoint_url`. Raises the errors of `call`.
    """
    for page in pages(table, filter=filter, attributes=attributes, progress=progress, stop=stop, **options):
        yield from page


def find_items(
    table: str,
    *,
    filter: str | None = None,
    attributes: Any = None,
    order_by: str | None = None,
    descending: bool = False,
    limit: int | None = None,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    **options: Any,
) -> list[Item]:
    """The items that match a filter, as a list, by a parallel scan.

    order_by: an attribute, by which the first `limit` of all items that match are found, in order; items without it
        are last. descending: the largest first. Without it, the scan ends at the limit.
    options: further fields of `FindOptions`, as for `scan`. Raises the errors of `call`.
    """
    found = list[Item]()
    asked = FindOptions(
        table=table,
        format="dynamodb-json",
        filter=filter,
        attributes=attributes,
        order_by=order_by,
        descending=descending,
        limit=limit,
        **with_place(options),
    )
    call(Find(asked, lambda page: found.extend(items_of(page))), progress=progress, stop=stop, name_of=keyword)
    return found


def pages(
    table: str, *, progress: Progress | bool = False, stop: StopFlag | None = None, **options: Any
) -> Iterator[list[Item]]:
    """The items of a scan, some at a time; see `scan`."""
    asked = ExportOptions(
        table=table, destination=STDOUT, format="dynamodb-json", journal=False, **with_place(options)
    )
    if asked.transform or asked.rename or asked.drop or asked.assign:
        return pulled(lambda take, flag: _export(asked, take, progress, flag), stop)
    verb, rows = ProgramScan(asked, ItemsJob), PythonRows()

    def job(take: Take[list[Item]], flag: StopFlag) -> None:
        def take_page(page: bytes) -> None:
            for each in lists_of(page):
                with known_types(f"table {table}"):
                    items = rows.items(each)
                take(items)

        verb.take_page = take_page
        call(verb, progress=progress, stop=flag, name_of=keyword)

    return pulled(job, stop)


def _export(options: ExportOptions, take: Take[list[Item]], progress: Progress | bool, stop: StopFlag) -> None:
    """The same with transforms, which workers apply."""
    call(
        Export(options, lambda page: take(items_of(page)) if page else None),
        progress=progress,
        stop=stop,
        name_of=keyword,
    )


class _Line(msgspec.Struct, gc=False):
    Item: dict[str, AttributeValue]


_decode_lines: Callable[[bytes], list[_Line]] = msgspec.json.Decoder(_Line).decode_lines


def items_of(lines: bytes) -> list[Item]:
    """The items of lines of DynamoDB JSON."""
    return [python_item(line.Item) for line in _decode_lines(lines)]


def with_place(options: dict[str, Any]) -> dict[str, Any]:
    """The options with region, profile and endpoint as settings of AWS."""
    place = {name: options.pop(name) for name in _PLACE if name in options}
    return {**options, "aws": AwsSettings(**place)} if place else options
