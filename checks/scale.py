"""Past this machine: `python -m checks.scale`. Large jobs in simulated time, by the real governor, pacer and planner.

Two questions, for the headline jobs of the tools before this one:

- Does the cap stay used and kept when 1 to 256 workers share it? Every worker has a real `Pacer`, all of them one
  governor, on an event loop whose clock jumps to the next event. The service has thousands of partitions, each with
  its own limit, and takes as long as DynamoDB does; a worker has one CPU, which a request keeps busy for as long as
  was measured (`COSTS`).
- Do the segments of the plan end together? The lanes share the cap evenly and take the next segment when they are
  through with one; sizes vary.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import selectors
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.sink import description
from ddbio.dynamodb.client import backoff_s
from ddbio.messages import SegmentUnit
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.pacer import Pacer
from ddbio.sources.segments import segment_count, segment_units
from ddbio.values.table import TableInfo

WORKERS = (1, 4, 16, 64, 96, 256)
SECONDS = 20.0  # of simulated time
MB = 1e6
BATCH_UNITS, PAGE_UNITS = 25.0, 128.0
PAGES_A_S_OF_A_PARTITION = 3000 / PAGE_UNITS
SEGMENT_VARIATION = 0.05  # standard deviation of the size of a segment


@dataclass(frozen=True)
class Costs:
    """CPU seconds a worker spends on a request, as measured (docs/performance.md); and how long the service takes."""

    cpu_s: float
    latency_s: float


COSTS = {"write": Costs(cpu_s=150e-6, latency_s=0.008), "read": Costs(cpu_s=0.003, latency_s=0.030)}


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting it moves the clock."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.now_s += max(timeout, 0.0)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now_s


class Service:
    """A table of so many partitions, each of which gives pages or batches at its own limit and refuses the rest."""

    def __init__(self, loop: SimulatedLoop, partitions: int, latency_s: float) -> None:
        self._loop = loop
        self._latency_s = latency_s
        self._free_at_s = [0.0] * partitions
        self._draw = random.Random(7)
        self.partitions = partitions
        self.by_step: Counter[int] = Counter()  # units in each tenth of a second
        self.refused = 0

    async def write(self) -> bool:
        """A batch of random keys: 25 partitions, none of which notices."""
        return await self._answer(BATCH_UNITS)

    async def read(self, where: float) -> bool:
        """A page at this place of the table, 0 to 1; whether the partition gave it."""
        number, now_s = int(where * self.partitions), self._loop.time()
        free_at_s = self._free_at_s[number]
        if free_at_s - now_s > 0.5:  # what its burst capacity covers
            self.refused += 1
            await asyncio.sleep(self._latency_s)
            return False
        self._free_at_s[number] = max(free_at_s, now_s) + 1 / PAGES_A_S_OF_A_PARTITION
        return await self._answer(PAGE_UNITS)

    async def _answer(self, units: float) -> bool:
        self.by_step[int(self._loop.time() * 10)] += round(units)
        await asyncio.sleep(self._latency_s * (0.7 + self._draw.expovariate(1 / 0.3)))
        return True


class Cpu:
    """Of one worker: it does one thing at a time."""

    def __init__(self, loop: SimulatedLoop, cpu_s: float) -> None:
        self._loop = loop
        self._cpu_s = cpu_s
        self._free_at_s = 0.0

    async def work(self) -> None:
        now_s = self._loop.time()
        self._free_at_s = max(self._free_at_s, now_s) + self._cpu_s
        await asyncio.sleep(self._free_at_s - now_s)


async def lane(pacer: Pacer, cpu: Cpu, units: float, request: Callable[[], Any], running: Callable[[], bool]) -> None:
    costs, attempt = (units,), 0
    while running():
        await pacer.acquire(costs)
        if await request():
            pacer.settle(costs, costs)
            attempt = 0
            await cpu.work()
        else:
            pacer.settle(costs, (0.0,))
            pacer.throttled(0, hot=True)
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1


@dataclass(frozen=True)
class Held:
    """How a cap was held and used, as shares of it; and the share of requests that partitions refused."""

    busiest_second: float
    mean: float
    refused: float


def hold(
    access: str, cap: float, workers: int, lanes: int, partitions: int, segments: int = 1, *, seconds: float = SECONDS
) -> Held:
    loop = SimulatedLoop()
    costs, service = COSTS[access], Service(loop, partitions, COSTS[access].latency_s)
    governor = LocalGovernor(cap, clock=loop.time)
    places = read_in_turn(segments)

    def request(place: Iterator[float]) -> Callable[[], Any]:
        return service.write if access == "write" else lambda: service.read(next(place))

    def running() -> bool:
        return loop.time() < seconds

    async def run() -> None:
        tasks = []
        for _ in range(workers):
            pacer = Pacer.of(governor, asyncio.sleep, loop.time, share=1 / workers)
            cpu = Cpu(loop, costs.cpu_s)
            units = BATCH_UNITS if access == "write" else PAGE_UNITS
            tasks += [lane(pacer, cpu, units, request(places()), running) for _ in range(lanes)]
        await asyncio.gather(*tasks)

    loop.run_until_complete(run())
    loop.close()
    steps = [service.by_step[step] for step in range(int(seconds * 10))]
    busiest = max(sum(steps[at : at + 10]) for at in range(len(steps) - 10))
    steady = steps[20:-1]
    requests = sum(steps) / (BATCH_UNITS if access == "write" else PAGE_UNITS)
    return Held(busiest / cap, sum(steady) / len(steady) * 10 / cap, service.refused / (requests + service.refused))


def read_in_turn(segments: int) -> Callable[[], Iterator[float]]:
    """Hands out segments in the order of the plan; each is read from its beginning, a hundredth of it a page."""
    waiting = iter(segment_units(segments))

    def places() -> Iterator[float]:
        while True:
            unit = next(waiting, None) or SegmentUnit(0, 0, segments)
            for page in range(100):
                yield (unit.segment + page / 100) / unit.total_segments

    return places


def balance(segments: int, lanes: int, pages: float, cap: float, latency_s: float) -> float:
    """How much longer the plan takes than its units at the cap: 1 is perfect."""
    draw = random.Random(7)
    sizes = [pages / segments * max(0.1, draw.gauss(1, SEGMENT_VARIATION)) for _ in range(segments)]
    waiting = iter(sizes)
    running = [size for _, size in zip(range(lanes), waiting, strict=False)]  # ends, in pages read by each lane
    heapq.heapify(running)
    now_s = read = 0.0
    most = min(1 / latency_s, PAGES_A_S_OF_A_PARTITION)
    while running:
        pages_a_s = min(most, cap / PAGE_UNITS / len(running))
        end = heapq.heappop(running)
        now_s, read = now_s + (end - read) / pages_a_s, end
        if (size := next(waiting, None)) is not None:
            heapq.heappush(running, read + size)
    return now_s / (sum(sizes) * PAGE_UNITS / cap)


def table_of(size_bytes: float) -> TableInfo:
    return TableInfo.of(description(1, int(size_bytes), ("hash", "range"))["Table"])  # type: ignore[arg-type]


def main() -> None:
    print("the cap: busiest second / mean, as shares of it; requests refused by partitions")
    print("workers  import, 40,000 WCU      export of 6.5 TB, 192,000 RCU, 2,000 partitions")
    for workers in WORKERS:
        write = hold("write", 40_000, workers, 32, 2000)
        segments = segment_count(table_of(6.5e12), workers, 8)
        read = hold("read", 192_000, workers, 8, 2000, segments)
        print(f"{workers:7}  {show(write)}   {show(read)}", flush=True)
    print("\nthe plan: segments, and how much longer they take than their units at 192,000 RCU")
    for size, name in ((65e9, "65 GB"), (6.5e12, "6.5 TB"), (48e12, "48 TB")):
        for workers in (4, 16, 96, 256):
            segments, pages = segment_count(table_of(size), workers, 8), size / 2**20
            longer = balance(segments, workers * 8, pages, 192_000, COSTS["read"].latency_s)
            print(f"{name:>7}, {workers:3} workers: {segments:6,} segments, {100 * (longer - 1):6.2f} % longer")


def show(held: Held) -> str:
    return f"{held.busiest_second:5.3f} / {held.mean:5.3f}, {100 * held.refused:4.1f} %"


if __name__ == "__main__":
    main()
