"""The cap, seen from the server's side: `python -m checks.governor [CASE ...]`; all of them take 8 minutes.

Each case runs the real command against the simulator in this process and judges by the simulator's own log of what it
let through, in steps of 0.1 s: the most in any ten consecutive steps, and the mean from the second second to the last
but one. Exit code 1 when a case misses its bar.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from checks.place import (
    AMPLE,
    STRICT,
    Place,
    Verdict,
    busiest,
    fresh,
    steady_mean,
    steps_of,
    table,
)
from ddbio.simulator import FaultPlan, Simulator, ThroughputSettings
from ddbio.simulator.segments import hash_of, range_number

RUN_S = 12

CASES: dict[str, Callable[[Place], Iterable[tuple[str, Verdict]]]] = {}


def case(function: Callable[[Place], Iterable[tuple[str, Verdict]]]) -> Callable[..., object]:
    CASES[function.__name__] = function
    return function


@case
def import_caps(place: Place) -> Iterable[tuple[str, Verdict]]:
    """Ceiling in any second: 1.02 of the cap and a batch; mean at least 0.98 of it."""
    for cap, seconds in ((50, RUN_S), (1000, RUN_S), (20_000, RUN_S)):
        place.generate(cap * seconds)
        for processes in (1, 2, 8):
            orders = fresh(place, wcu=AMPLE, rcu=AMPLE, throughput=STRICT)
            place.load("-c", cap, "-p", processes)
            steps, verdict = steps_of(orders.consumption("write")), Verdict()
            verdict.require("busiest second / cap", (busiest(steps) - 25) / cap, at_most=1.02)
            verdict.require("mean / cap", steady_mean(steps) / cap, at_least=0.98)
            verdict.require("items", orders.item_count() / (cap * seconds), at_least=1, at_most=1)
            yield f"-c {cap} -p {processes}", verdict


@case
def import_mixed(place: Place) -> Iterable[tuple[str, Verdict]]:
    """Items of 100 B to 300 KB: the same ceiling and one item; mean at least 0.95."""
    cap, draw = 2000, random.Random(7)
    path, total = place.folder / "items.json", 0.0
    with path.open("w") as out:
        number = 0
        while total < cap * RUN_S:
            size = int(100 * (3000 ** draw.random()))
            total += -(-(size + 60) // 1024)
            out.write(json.dumps({"hash": f"{number:08}", "range": "r", "pad": "x" * size}) + "\n")
            number += 1
    orders = fresh(place, wcu=AMPLE, rcu=AMPLE, throughput=STRICT)
    place.load("-c", cap, "-p", 2)
    steps, verdict = steps_of(orders.consumption("write")), Verdict()
    verdict.require("busiest second / cap", (busiest(steps) - 300) / cap, at_most=1.02)
    verdict.require("mean / cap", steady_mean(steps) / cap, at_least=0.95)
    verdict.require("items", orders.item_count() / number, at_least=1, at_most=1)
    yield f"-c {cap} -p 2, {number:,} items of 1 to 300 units", verdict


@case
def export_caps(place: Place) -> Iterable[tuple[str, Verdict]]:
    """Ceiling and one page above a page's cost, 1.1 of the cap over 5 s below it; mean at least 0.95."""
    for cap, seconds, item_bytes in ((20, 30, 400), (500, RUN_S, 4000), (10_000, 10, 100_000)):
        count = int(cap * seconds * 8192 / item_bytes)
        orders = fresh(place, rcu=AMPLE, wcu=AMPLE, throughput=STRICT)
        pad = "x" * (item_bytes - 30)
        orders.put_items({"hash": {"S": f"{n:09}"}, "range": {"S": "r"}, "pad": {"S": pad}} for n in range(count))
        place.export("-c", cap, "-p", 2)
        steps, verdict = steps_of(orders.consumption("read")), Verdict()
        if cap > 128.5:
            verdict.require("busiest second / cap", (busiest(steps) - 128.5) / cap, at_most=1.02)
        else:
            verdict.require("busiest 5 seconds / cap", busiest(steps, 5.0) / (5 * cap), at_most=1.1)
        verdict.require("mean / cap", steady_mean(steps) / cap, at_least=0.95)
        yield f"-c {cap} -p 2", verdict


@case
def two_indexes(place: Place) -> Iterable[tuple[str, Verdict]]:
    """No budget, of the table or of an index, is exceeded."""
    caps = {"": 2000.0, "byFirst": 400.0, "bySecond": 5000.0}
    place.generate(400 * RUN_S)
    orders = fresh(
        place,
        wcu=caps[""],
        rcu=AMPLE,
        throughput=STRICT,
        global_indexes={"byFirst": ["val_2:S"], "bySecond": ["range:S"]},
        index_rates={"byFirst": (AMPLE, caps["byFirst"]), "bySecond": (AMPLE, caps["bySecond"])},
    )
    place.load("-p", 2)
    verdict = Verdict()
    for name, cap in caps.items():
        steps = steps_of(orders.consumption("write", name))
        verdict.require(f"busiest second of {name or 'the table'} / cap", (busiest(steps) - 25) / cap, at_most=1.02)
    narrow = steps_of(orders.consumption("write", "byFirst"))
    verdict.require("mean of the narrowest / cap", steady_mean(narrow) / 400, at_least=0.95)
    verdict.require("refused", sum(orders.refusals().values()) / (400 * RUN_S), at_most=0.05)
    yield "table 2,000, indexes 400 and 5,000", verdict


@case
def throttled_table(place: Place) -> Iterable[tuple[str, Verdict]]:
    """A table that gives half of -c: all is written, at most 5 % sent in vain, at least 0.95 of what it gives."""
    count = 2000 * 20
    place.generate(count)
    orders = fresh(place, wcu=2000, rcu=AMPLE, throughput=STRICT)
    place.load("-c", 4000, "--over-provisioned", "-p", 2)
    steps, verdict = steps_of(orders.consumption("write")), Verdict()
    verdict.require("items", orders.item_count() / count, at_least=1, at_most=1)
    verdict.require("in vain / items", sum(orders.refusals().values()) / count, at_most=0.05)
    verdict.require("mean / what the table gives", steady_mean(steps) / 2000, at_least=0.95)
    yield "gives 2,000, -c 4000", verdict


@case
def changing_capacity(place: Place) -> Iterable[tuple[str, Verdict]]:
    """Capacity falls to a quarter, then rises to double: in step within 5 s both ways."""
    falls_s, rises_s, ends_s = 10.0, 22.0, 34.0
    count = int(4000 * falls_s + 1000 * (rises_s - falls_s) + 8000 * (ends_s - rises_s))
    place.generate(count)
    fresh(place)
    began_s = place.simulator.service.now_s() + 1.0
    place.simulator.stop()
    place.simulator = Simulator()
    place.simulator.start()
    schedule = ThroughputSettings(
        burst_s=0, initial_burst_s=0, wcu_schedule=((began_s + falls_s, 1000), (began_s + rises_s, 8000))
    )
    orders = table(place, wcu=4000, rcu=AMPLE, throughput=schedule)
    place.load("-c", 20_000, "--over-provisioned", "-p", 2)
    history, verdict = orders.consumption("write"), Verdict()

    def mean(from_s: float, to_s: float) -> float:
        return sum(units for at_s, units in history if from_s <= at_s < to_s) / (to_s - from_s)

    low = mean(began_s + falls_s + 5, began_s + rises_s)
    verdict.require("mean after the fall / 1,000", low / 1000, at_least=0.9, at_most=1.05)
    high = mean(began_s + rises_s + 5, began_s + rises_s + 9)
    # More than 1 is possible: while the rate feels its way up, the table saves what it does not give.
    verdict.require("mean after the rise / 8,000", high / 8000, at_least=0.9)
    verdict.require("items", orders.item_count() / count, at_least=1, at_most=1)
    verdict.figures["in vain / items"] = round(sum(orders.refusals().values()) / count, 3)
    yield "4,000, then 1,000, then 8,000", verdict


@case
def sorted_input(place: Place) -> Iterable[tuple[str, Verdict]]:
    """Sorted input on 8 partitions of 1,000 units: at least 3 times the throughput of reading the file in order."""
    count = write_sorted(place.folder / "items.json", keys=16, items_a_key=5000)
    settings = ThroughputSettings(burst_s=0, initial_burst_s=0, partitions=8)
    orders = fresh(place, wcu=AMPLE, rcu=AMPLE, throughput=settings)
    in_order = read_in_order(place, 15_000)
    orders = fresh(place, wcu=AMPLE, rcu=AMPLE, throughput=settings)
    began_s = time.monotonic()
    place.load("-c", 8000, "-p", 2)
    shuffled = count / (time.monotonic() - began_s)
    verdict = Verdict()
    verdict.require("items", orders.item_count() / count, at_least=1, at_most=1)
    verdict.figures.update({"items/s in order": round(in_order), "items/s shuffled": round(shuffled)})
    verdict.require("times as fast", shuffled / in_order, at_least=3)
    yield f"{count:,} items, 16 partition keys in runs of 5,000 lines", verdict


def write_sorted(path: Path, keys: int, items_a_key: int) -> int:
    """Items sorted by partition key, in long runs; the keys lie evenly on 8 partitions, each run on another one."""
    wanted, chosen, number = [turn % 8 for turn in range(keys)], [], 0
    while len(chosen) < keys:
        name = f"customer-{number:06}"
        number += 1
        if range_number(hash_of(name), 8) == wanted[len(chosen)]:
            chosen.append(name)
    with path.open("w") as out:
        for name in chosen:
            out.writelines(json.dumps({"hash": name, "range": f"{n:06}", "v": n}) + "\n" for n in range(items_a_key))
    return keys * items_a_key


def read_in_order(place: Place, count: int) -> float:
    """Items per second of a loader that reads the file from the top: boto3's batch_writer, as most people use it."""
    import boto3

    keys = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
    orders = boto3.resource("dynamodb", region_name="us-east-1", endpoint_url=place.simulator.url, **keys).Table(
        "Orders"
    )
    began_s = time.monotonic()
    with (place.folder / "items.json").open() as lines, orders.batch_writer() as batch:
        for _, line in zip(range(count), lines, strict=False):
            batch.put_item(Item=json.loads(line))
    return count / (time.monotonic() - began_s)


@case
def killed_workers(place: Place) -> Iterable[tuple[str, Verdict]]:
    """SIGKILL a worker every 2 s for 60 s: no hang, all items written, the cap exceeded by what was in flight."""
    cap, count = 1000, 50_000
    place.generate(count)
    orders = fresh(place, wcu=AMPLE, rcu=AMPLE, throughput=STRICT)
    kills = 0
    with place.start_load("-c", cap, "-p", 4) as process:
        until_s = time.monotonic() + 60
        while time.monotonic() < until_s and process.poll() is None:
            time.sleep(2)
            kills += kill_one_worker(process.pid)
        _, err = process.communicate(timeout=120)
    steps, verdict = steps_of(orders.consumption("write")), Verdict()
    verdict.require("exit code", process.returncode, at_most=0)
    verdict.require("items", orders.item_count() / count, at_least=1, at_most=1)
    verdict.require("kills", kills, at_least=15)
    in_flight = 32 * 25
    verdict.require("busiest second / cap", (busiest(steps) - in_flight) / cap, at_most=1.02)
    verdict.figures["busiest second, units"] = busiest(steps)
    yield f"-c {cap} -p 4", verdict
    if process.returncode:
        print(err, file=sys.stderr)


@case
def own_cost(place: Place) -> Iterable[tuple[str, Verdict]]:
    """What governing costs close to 100,000 units per second: at most 5 % of the CPU of parent and workers.

    At the same rate with the cap and without, which the lanes set, at 10 ms a request: a cap that holds a job back
    makes its processes sleep between requests, and what it costs to wake them is not the governor's.
    """
    count, rounds = 500_000, 5
    place.generate(count)
    seconds: dict[str, list[float]] = {"no cap": [], "-c 100000": []}
    for _ in range(rounds):
        for name, options in (("no cap", ()), ("-c 100000", ("-c", 100_000))):
            fresh(place)
            place.simulator.faults = FaultPlan(latency_s=0.01)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            place.load("-p", 2, "--lanes", 18, *options)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    verdict = Verdict()
    verdict.figures.update({f"CPU s, {name}": round(statistics.median(each), 2) for name, each in seconds.items()})
    ratios = [capped / free for free, capped in zip(*seconds.values(), strict=True)]
    verdict.require("CPU with the cap / without, median of pairs", statistics.median(ratios), at_most=1.05)
    yield f"{count:,} items, -p 2, {rounds} pairs", verdict


def kill_one_worker(parent: int) -> int:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if rest.split()[1] == str(parent) and "worker" in name:
            os.kill(int(stat.parent.name), signal.SIGKILL)
            return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.governor", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all without one")
    chosen = parser.parse_args().cases or list(CASES)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="ddbio-bench-") as folder:
        place = Place(Path(folder))
        for name in chosen:
            print(f"{name}: {(CASES[name].__doc__ or '').splitlines()[0]}")
            for what, verdict in CASES[name](place):
                missed += bool(verdict.missed)
                figures = ", ".join(f"{key} {value:,}" for key, value in verdict.figures.items())
                print(f"  {'MISSED' if verdict.missed else 'ok    '} {what}: {figures}", flush=True)
                for text in verdict.missed:
                    print(f"         {text}")
        place.simulator.stop()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
