"""The library for programs with an event loop: each call runs in a thread of its own, and the loop stays free.

Cancelling a call stops its job in order: requests in flight are settled, the journal is written, and then
CancelledError is raised. The same call resumes the job.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, TypeVar

from ddbio.library import calls, items
from ddbio.system.stop import StopFlag
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

T = TypeVar("T")

AHEAD = 100  # items of an async iterable
_LOOK_EVERY_S = 0.1  # for a stop, while an iterable gives nothing


async def import_table(options: ImportOptions, **given: Any) -> ImportResult:
    """See `ddbio.import_table`."""
    return await _in_thread(partial(calls.import_table, options, **given))


async def export_table(options: ExportOptions, **given: Any) -> ExportResult:
    """See `ddbio.export_table`."""
    return await _in_thread(partial(calls.export_table, options, **given))


async def count_items(options: CountOptions, **given: Any) -> CountResult:
    """See `ddbio.count_items`."""
    return await _in_thread(partial(calls.count_items, options, **given))


async def copy_table(options: CopyOptions, **given: Any) -> CopyResult:
    """See `ddbio.copy_table`."""
    return await _in_thread(partial(calls.copy_table, options, **given))


async def delete_from_table(options: DeleteOptions, **given: Any) -> EditResult:
    """See `ddbio.delete_from_table`."""
    return await _in_thread(partial(calls.delete_from_table, options, **given))


async def diff_tables(options: DiffOptions, **given: Any) -> DiffResult:
    """See `ddbio.diff_tables`."""
    return await _in_thread(partial(calls.diff_tables, options, **given))


async def inspect_table(options: InspectOptions, **given: Any) -> InspectResult:
    """See `ddbio.inspect_table`."""
    return await _in_thread(partial(calls.inspect_table, options, **given))


async def revert_changes(options: RevertOptions, **given: Any) -> ImportResult:
    """See `ddbio.revert_changes`."""
    return await _in_thread(partial(calls.revert_changes, options, **given))


async def sync_tables(options: SyncOptions, **given: Any) -> SyncResult:
    """See `ddbio.sync_tables`."""
    return await _in_thread(partial(calls.sync_tables, options, **given))


async def update_table(options: UpdateOptions, **given: Any) -> EditResult:
    """See `ddbio.update_table`."""
    return await _in_thread(partial(calls.update_table, options, **given))


async def verify_export(options: VerifyOptions, **given: Any) -> VerifyResult:
    """See `ddbio.verify_export`."""
    return await _in_thread(partial(calls.verify_export, options, **given))


async def put_items(table: str, data: Any, **given: Any) -> PutResult:
    """See `ddbio.put_items`. data: may also be an async iterable of dicts."""
    if not isinstance(data, AsyncIterable):
        return await _in_thread(partial(items.put_items, table, data, **given))
    stop: StopFlag = given.pop("stop", None) or StopFlag()
    data = _taken_from(data, asyncio.get_running_loop(), stop)
    return await _in_thread(partial(items.put_items, table, data, stop=stop, **given), stop)


async def delete_items(table: str, keys: Any, **given: Any) -> PutResult:
    """See `ddbio.delete_items`. keys: may also be an async iterable of dicts."""
    return await put_items(table, keys, mode="delete", **given)


async def scan(table: str, **given: Any) -> AsyncGenerator[items.Item, None]:
    """See `ddbio.scan`. It ends when the generator is closed."""
    stop = StopFlag()
    pages = items.pages(items.scan_options(table, **given), stop=stop)
    try:
        while (page := await _in_thread(partial(next, pages, None), stop)) is not None:
            for item in page:
                yield item
    finally:
        await _in_thread(pages.close, stop)  # type: ignore[attr-defined]


async def _in_thread(work: Callable[..., T], stop: StopFlag | None = None) -> T:
    """The result of `work`. stop: that it obeys; None to pass one on to it."""
    loop, flag = asyncio.get_running_loop(), stop or StopFlag()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        done.set_exception(error) if error is not None else done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work() if stop is not None else work(stop=flag)
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    threading.Thread(target=run, name="ddbio", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        flag.ask()
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
