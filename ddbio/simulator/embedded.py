"""The simulator inside a process: a separate thread with its own event loop, for tests and the demo."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

from ddbio.simulator.database import Database, Rates
from ddbio.simulator.faults import FaultPlan
from ddbio.simulator.requests import decode
from ddbio.simulator.schema import IndexSchema, KeySchema, TableSchema
from ddbio.simulator.server import Connection, Service
from ddbio.simulator.tables import Table, encode_json
from ddbio.simulator.throughput import ThroughputSettings
from ddbio.simulator.values import Item, check_item

Result = TypeVar("Result")


async def listen(service: Service, host: str, port: int) -> asyncio.Server:
    """Start to accept connections. port: 0 for any free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(service), host, port, backlog=1024)


def url_of(server: asyncio.Server) -> str:
    """The URL of a listening server."""
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def shut_down(server: asyncio.Server, service: Service) -> None:
    """Stop listening and cut every connection; returns when they are gone."""
    server.close()
    for connection in list(service.connections):
        connection.abort()
    await server.wait_closed()
    while service.connections:
        await asyncio.sleep(0)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Others should not, because requests are not authenticated."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, if it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class TableView:
    """Inspects one table of a running simulator. Every call runs between two requests."""

    def __init__(self, simulator: Simulator, name: str) -> None:
        self._simulator = simulator
        self._name = name

    def items(self) -> list[Item]:
        """All items as attribute maps, in scan order."""
        return self._ask(lambda table: [item for key in table.items.in_order() if (item := table.get(key))])

    def item_count(self) -> int:
        """The number of items."""
        return self._ask(lambda table: len(table.items))

    def size_bytes(self) -> int:
        """The sum of the sizes of all items."""
        return self._ask(lambda table: table.items.size_bytes)

    def put_items(self, items: Iterable[Item]) -> None:
        """Put items in the table without a request: they are checked, but not charged or throttled."""
        checked = [decode(encode_json(item), Item) for item in items]

        def load(table: Table) -> None:
            for item in checked:
                check_item(item)
                table.load(table.prepare_put(item, table.schema.keys.key_of_put(item)))

        self._ask(load)

    def consumed(self, access: str, index: str = "") -> float:
        """Units consumed since the start. access: "read" or "write". index: of a global index, not the table."""
        return sum(units for _, units in self.consumption(access, index))

    def consumption(self, access: str, index: str = "") -> list[tuple[float, float]]:
        """The log: (seconds since the start at which a step begins, units consumed in it), in order.

        Steps are a tenth of a second long; those without consumption are omitted.
        """
        return self._ask(lambda table: getattr(table.throughput.pair(index), access).history())

    def refusals(self) -> dict[str, int]:
        """The number of throttled writes and reads, by reason; each item of a batch counts."""
        return self._ask(lambda table: dict(table.throughput.refusals))

    def configure(self, settings: ThroughputSettings) -> None:
        """Change its throughput settings. Its budgets start anew; its log continues."""
        service = self._simulator.service
        self._simulator.call(lambda: service.database.reconfigure(self._name, settings, service.now_s()))

    def _ask(self, question: Callable[[Table], Result]) -> Result:
        database = self._simulator.service.database
        return self._simulator.call(lambda: question(database.table(self._name)))


class Simulator:
    """An embedded DynamoDB: `with Simulator() as simulator:` listens on `simulator.url` until the block ends.

    host, port: the address to listen on, which only this machine may reach; port 0 for any free one.
    clock: seconds, never running backwards, from which throughput is computed. Delays are always in real time.
    throughput: the throughput settings of tables created without any.
    activation_s: seconds until a new or updated table is ACTIVE.
    faults: see `FaultPlan`; can be replaced at any time.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        throughput: ThroughputSettings | None = None,
        activation_s: float = 0.0,
        faults: FaultPlan | None = None,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"the simulator serves this machine only, not {host}")
        self._address = (host, port)
        self.url = ""
        self.service = Service(Database(defaults=throughput, activation_s=activation_s), clock)
        if faults is not None:
            self.service.faults = faults
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError if the port is in use, OverflowError if it is out of range."""
        started: Future[str] = Future()
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), name="ddbio-simulator", daemon=True)
        self._thread.start()
        try:
            self.url = started.result()
        except (OSError, OverflowError):
            self._thread.join()
            self._thread = self._loop = None
            raise

    def stop(self) -> None:
        """Cut all connections and end the thread. The tables can still be inspected."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = None

    @property
    def faults(self) -> FaultPlan:
        """The faults of the requests to come."""
        return self.service.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self.call(lambda: setattr(self.service, "faults", plan))

    def create_table(
        self,
        name: str,
        *keys: str,
        wcu: float | None = None,
        rcu: float | None = None,
        throughput: ThroughputSettings | None = None,
        global_indexes: Mapping[str, Sequence[str]] | None = None,
        index_rates: Mapping[str, Rates] | None = None,
    ) -> TableView:
        """Create a table without a request. keys: `"id:S"`, or partition and sort key `"id:S", "sort:N"`.

        wcu, rcu: provisioned units per second; with neither the table is on-demand, with one the other has no limit.
        throughput: by default the simulator's.
        global_indexes: keys by name, such as `{"byDate": ["date:S"]}`; all attributes are projected.
        index_rates: (rcu, wcu) of global indexes by name; by default the table's.
        """
        service = self.service
        table_keys = KeySchema.parse(*keys)
        indexes = [IndexSchema.parse(index, specs, table_keys) for index, specs in (global_indexes or {}).items()]
        schema = TableSchema(name, table_keys, tuple(indexes))
        provisioned = wcu is not None or rcu is not None
        rates: dict[str, Rates] = dict.fromkeys(["", *(index.name for index in indexes)], (rcu, wcu))
        rates.update(index_rates or {})

        def create() -> None:
            if throughput is not None:
                service.database.settings[name] = throughput
            service.database.create(schema, rates, provisioned, service.now_s())

        self.call(create)
        return self.table(name)

    def table(self, name: str) -> TableView:
        """A view of a table."""
        return TableView(self, name)

    def table_names(self) -> list[str]:
        """The names of all tables, sorted."""
        return self.call(lambda: sorted(self.service.database.tables))

    def requests(self) -> dict[str, int]:
        """The number of requests so far, by operation, including those that got a fault."""
        return self.call(lambda: dict(self.service.requests))

    def call(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the simulator's thread, between two requests; in this thread if the simulator is stopped."""
        if self._loop is None or threading.current_thread() is self._thread:
            return work()
        done: Future[Result] = Future()
        self._loop.call_soon_threadsafe(_run_into, done, work)
        return done.result()

    def _run(self, started: Future[str]) -> None:
        assert self._loop is not None
        try:
            self._loop.run_until_complete(self._serve(started))
        finally:
            self._loop.close()

    async def _serve(self, started: Future[str]) -> None:
        self._stop = asyncio.Event()
        try:
            server = await listen(self.service, *self._address)
        except (OSError, OverflowError) as error:
            started.set_exception(error)
            return
        started.set_result(url_of(server))
        await self._stop.wait()
        await shut_down(server, self.service)


def _run_into(done: Future[Any], work: Callable[[], Any]) -> None:
    try:
        done.set_result(work())
    except Exception as error:  # any error is raised in the thread that called
        done.set_exception(error)
