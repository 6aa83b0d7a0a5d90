"""The library for programs with an event loop: each call runs in a thread of its own, and the loop stays free.

    import ddbio.aio
    result = await ddbio.aio.import_table(options)
    async for item in ddbio.aio.scan("Orders"):
        ...

Cancelling a call stops its job in order: requests in flight are settled, the journal is written, and then
CancelledError is raised. The same call resumes the job.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import aclosing
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ddbio.library.loading import load
from ddbio.system.stop import StopFlag

if TYPE_CHECKING:
    import pyarrow

    from ddbio.library import arrow, calls, items
    from ddbio.library.calling import How, Unpack
    from ddbio.library.items import Item
    from ddbio.verbs.copy_table import CopyResult
    from ddbio.verbs.count_items import CountResult
    from ddbio.verbs.diff import DiffResult
    from ddbio.verbs.edits import EditResult
    from ddbio.verbs.export_table import ExportResult
    from ddbio.verbs.import_table import ImportResult
    from ddbio.verbs.inspect_table import InspectResult
    from ddbio.verbs.options import (
        CopyOptions,
        CountOptions,
        DeleteOptions,
        DiffOptions,
        ExportOptions,
        ImportOptions,
        InspectOptions,
        RevertOptions,
        SyncOptions,
        UpdateOptions,
        VerifyOptions,
    )
    from ddbio.verbs.put_items import PutResult
    from ddbio.verbs.sync import SyncResult
    from ddbio.verbs.verify_export import VerifyResult


else:

    class _Module:
        """Loaded by its first use, which is in the thread of a call."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module(self._name), name)

    arrow, calls, items = map(_Module, ("ddbio.library.arrow", "ddbio.library.calls", "ddbio.library.items"))

T = TypeVar("T")

AHEAD = 100  # items of an async iterable
_LOOK_EVERY_S = 0.1  # for a stop, while an iterable gives nothing


async def import_table(options: ImportOptions, **how: Unpack[How]) -> ImportResult:
    """See `ddbio.import_table`."""
    return await _called(lambda: calls.import_table, options, **how)


async def export_table(options: ExportOptions, **how: Unpack[How]) -> ExportResult:
    """See `ddbio.export_table`."""
    return await _called(lambda: calls.export_table, options, **how)


async def count_items(options: CountOptions, **how: Unpack[How]) -> CountResult:
    """See `ddbio.count_items`."""
    return await _called(lambda: calls.count_items, options, **how)


async def copy_table(options: CopyOptions, **how: Unpack[How]) -> CopyResult:
    """See `ddbio.copy_table`."""
    return await _called(lambda: calls.copy_table, options, **how)


async def delete_from_table(options: DeleteOptions, **how: Unpack[How]) -> EditResult:
    """See `ddbio.delete_from_table`."""
    return await _called(lambda: calls.delete_from_table, options, **how)


async def diff_tables(options: DiffOptions, **how: Unpack[How]) -> DiffResult:
    """See `ddbio.diff_tables`."""
    return await _called(lambda: calls.diff_tables, options, **how)


async def inspect_table(options: InspectOptions, **how: Unpack[How]) -> InspectResult:
    """See `ddbio.inspect_table`."""
    return await _called(lambda: calls.inspect_table, options, **how)


async def revert_changes(options: RevertOptions, **how: Unpack[How]) -> ImportResult:
    """See `ddbio.revert_changes`."""
    return await _called(lambda: calls.revert_changes, options, **how)


async def sync_tables(options: SyncOptions, **how: Unpack[How]) -> SyncResult:
    """See `ddbio.sync_tables`."""
    return await _called(lambda: calls.sync_tables, options, **how)


async def update_table(options: UpdateOptions, **how: Unpack[How]) -> EditResult:
    """See `ddbio.update_table`."""
    return await _called(lambda: calls.update_table, options, **how)


async def verify_export(options: VerifyOptions, **how: Unpack[How]) -> VerifyResult:
    """See `ddbio.verify_export`."""
    return await _called(lambda: calls.verify_export, options, **how)


async def put_items(table: str, data: Any, **given: Any) -> PutResult:
    """See `ddbio.put_items`. data: may also be an async iterable of dicts."""
    stop: StopFlag = given.setdefault("stop", StopFlag())
    if isinstance(data, AsyncIterable):
        data = _taken_from(data, asyncio.get_running_loop(), stop)
    return await _called(lambda: items.put_items, table, data, **given)


async def delete_items(table: str, keys: Any, **given: Any) -> PutResult:
    """See `ddbio.delete_items`. keys: may also be an async iterable of dicts."""
    return await put_items(table, keys, mode="delete", **given)


async def find_items(table: str, **given: Any) -> list[Item]:
    """See `ddbio.find_items`."""
    return await _called(lambda: items.find_items, table, **given)


async def query_table(table: str, query: str, **given: Any) -> pyarrow.Table:
    """See `ddbio.query_table`."""
    return await _called(lambda: arrow.query_table, table, query, **given)


async def scan(table: str, **given: Any) -> AsyncGenerator[Item, None]:
    """See `ddbio.scan`. It ends when the generator is closed."""
    stop: StopFlag = given.setdefault("stop", StopFlag())
    async with aclosing(_pulled(lambda: items.pages(table, **given), stop)) as pulled:
        async for page in pulled:
            for item in page:
                yield item


async def scan_arrow(table: str, **given: Any) -> AsyncGenerator[pyarrow.RecordBatch, None]:
    """See `ddbio.scan_arrow`: its batches, one by one. It ends when the generator is closed."""
    stop: StopFlag = given.setdefault("stop", StopFlag())
    async with aclosing(_pulled(lambda: arrow.scan_arrow(table, **given), stop)) as pulled:
        async for batch in pulled:
            yield batch


async def _pulled(make: Callable[[], Iterable[T]], stop: StopFlag) -> AsyncGenerator[T, None]:
    """What an iterator gives, one call of it a thread."""
    made = list[Iterator[T]]()

    def begin() -> None:
        made.append(iter(make()))

    def following() -> list[T]:
        return list(islice(made[0], 1))

    try:
        await _in_thread(begin, stop)
        while each := await _in_thread(following, stop):
            yield each[0]
    finally:
        await _in_thread(made.clear, stop)  # the iterator ends with its last reference


async def _called(function: Callable[[], Callable[..., T]], *arguments: Any, **given: Any) -> T:
    """function: looked up in the thread, so that its modules are loaded there."""
    stop: StopFlag = given.get("stop") or StopFlag()
    return await _in_thread(lambda: function()(*arguments, **{**given, "stop": stop}), stop)


async def _in_thread(work: Callable[[], T], stop: StopFlag) -> T:
    """The result of `work`, which obeys `stop`; a cancelled call waits for its end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        done.set_exception(error) if error is not None else done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            load()
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    threading.Thread(target=run, name="ddbio", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        stop.ask()
        await asyncio.wait([done])
        if not done.cancelled():
            done.exception()  # taken: the cancellation is what the caller asked for
        raise


def _taken_from(data: AsyncIterable[Any], loop: asyncio.AbstractEventLoop, stop: StopFlag) -> Iterator[Any]:
    """The items of an async iterable, in a thread other than its loop's; some at a time. They end with a stop."""
    source = aiter(data)

    async def some() -> list[Any]:
        taken = list[Any]()
        async for item in source:
            taken.append(item)
            if len(taken) == AHEAD:
                break
        return taken

    while batch := _result(asyncio.run_coroutine_threadsafe(some(), loop), stop):
        yield from batch


def _result(future: Future[list[Any]], stop: StopFlag) -> list[Any]:
    """The result; nothing if a stop comes first."""
    while not stop.requests:
        if wait([future], _LOOK_EVERY_S).done:  # not `result` with a time limit: the iterable may raise TimeoutError
            return future.result()
    future.cancel()
    return []
