"""Items of a program into a table, and items of a table into a program."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ddbio.aws.settings import AwsSettings
from ddbio.job.progress import Progress
from ddbio.library.calling import call
from ddbio.library.frames import as_items
from ddbio.options import STDOUT
from ddbio.system.stop import StopFlag
from ddbio.values.items import AttributeValue
from ddbio.values.python_values import python_item
from ddbio.verbs.export_table import Export
from ddbio.verbs.options import ExportOptions, PutOptions
from ddbio.verbs.put_items import PutItems, PutResult

Item = dict[str, Any]
PAGES_AHEAD = 4  # decoded, while the program uses one

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
    verb = PutItems(PutOptions(table=table, mode=mode, **_with_place(options)), as_items(items))
    result = call(verb, progress=progress, on_rejects=on_rejects, stop=stop)
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
    for page in pages(scan_options(table, filter=filter, attributes=attributes, **options), progress, stop):
        yield from page


def scan_options(table: str, **options: Any) -> ExportOptions:
    return ExportOptions(
        table=table, destination=STDOUT, format="dynamodb-json", journal=False, **_with_place(options)
    )


def pages(
    options: ExportOptions, progress: Progress | bool = False, stop: StopFlag | None = None
) -> Iterator[list[Item]]:
    """The same, some items at a time."""
    flag, left = stop or StopFlag(), threading.Event()
    ready = queue.Queue[list[Item] | BaseException | None](PAGES_AHEAD)
    thread = threading.Thread(target=_scan, args=(options, progress, flag, left, ready), name="scan", daemon=True)
    thread.start()
    finished = False
    try:
        while (page := ready.get()) is not None:
            if isinstance(page, BaseException):
                finished = True
                raise page
            yield page
        finished = True
    finally:
        if not finished:  # nobody wants the other items; the flag may be the caller's
            left.set()
            flag.ask()
        while thread.is_alive():  # it may wait for room in the queue
            _drain(ready)
            thread.join(0.05)


def _scan(
    options: ExportOptions,
    progress: Progress | bool,
    stop: StopFlag,
    left: threading.Event,
    ready: queue.Queue[Any],
) -> None:
    """left: set when nobody takes items any more. A stop alone loses none: what was read is still handed over."""

    def take(page: bytes) -> None:
        if page and not left.is_set():
            ready.put(items_of(page))

    try:
        call(Export(options, take), progress=progress, stop=stop)
        ready.put(None)
    except BaseException as error:
        ready.put(error)


def _drain(ready: queue.Queue[Any]) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return


class _Line(msgspec.Struct, gc=False):
    Item: dict[str, AttributeValue]


_decode_lines: Callable[[bytes], list[_Line]] = msgspec.json.Decoder(_Line).decode_lines


def items_of(page: bytes) -> list[Item]:
    """The items of lines of DynamoDB JSON."""
    return [python_item(line.Item) for line in _decode_lines(page)]


def _with_place(options: dict[str, Any]) -> dict[str, Any]:
    """The options with region, profile and endpoint as settings of AWS."""
    place = {name: options.pop(name) for name in _PLACE if name in options}
    return {**options, "aws": AwsSettings(**place)} if place else options
