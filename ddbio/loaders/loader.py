"""The two classes. An import is loaded by the first call of `load_csv`, so that the names cost next to nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbio.loaders.config import LoaderConfig, LoadResult

if TYPE_CHECKING:
    import asyncio


class _Loader:
    def __init__(
        self,
        table_name: str,
        region: str = "us-east-1",
        max_workers: int | None = None,
        batch_size: int = 25,
        max_retries: int = 3,
        base_delay: float = 0.1,
        max_delay: float = 10.0,
    ) -> None:
        """The arguments are explained at `LoaderConfig`. Raises ValueError."""
        self.config = LoaderConfig(table_name, region, max_workers, batch_size, max_retries, base_delay, max_delay)


class ThreadedDynamoDBLoader(_Loader):
    """Loads CSV files into a table. Several threads may use a loader at once, for different files."""

    def load_csv(self, csv_file: str | os.PathLike[str]) -> LoadResult:
        """Load a file: every value is a string, but a key has the type that the table requires.

        A load of the same file that did not finish is resumed. Raises OSError if the file cannot be opened; all other
        failures are in the result. Ctrl-C stops the load in order before KeyboardInterrupt is raised.
        """
        from ddbio.loaders.csv_file import readable
        from ddbio.loaders.load import load
        from ddbio.system.stop import StopFlag

        outcome = load(self.config, readable(csv_file), StopFlag())
        if outcome.stopped:
            raise KeyboardInterrupt
        return outcome.result


class AsyncDynamoDBLoader(_Loader):
    """The same for asyncio."""

    async def load_csv(self, csv_file: str | os.PathLike[str]) -> LoadResult:
        """Load a file, in another process, so that the event loop never waits for it.

        If the call is cancelled, the load stops in order before CancelledError is raised: requests in flight are
        settled, and a later load of the same file resumes it. If it is cancelled again, they are abandoned.
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        from ddbio.loaders.child import ChildLoad

        child = ChildLoad(self.config, csv_file)
        executor = ThreadPoolExecutor(1)  # its own: the loop's default has few threads, which others need too
        loading = asyncio.get_running_loop().run_in_executor(executor, child.result)
        executor.shutdown(wait=False)
        try:
            await asyncio.wait({loading})
        except asyncio.CancelledError:
            await _ended(loading, child.ask_to_stop)
            raise
        return loading.result()


async def _ended(loading: asyncio.Future[Any], stop: Callable[[], None]) -> None:
    """Ask a load to stop, once more at each further cancellation, until it has ended."""
    import asyncio

    stop()
    while not loading.done():
        try:
            await asyncio.wait({loading})
        except asyncio.CancelledError:
            stop()
    loading.exception()  # which is of no interest any more
