"""The native core against the Python code that does the same, without anything around it: `python -m bench.core`.

CPU time per item, of batches of 25 records to puts and of pages to lines of json: the least of many rounds, in turns.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench import shapes
from checks.native import answer_of, table_of
from ddbio.dynamodb.operations import encode_item
from ddbio.dynamodb.scan import ScanReply, scan_operation
from ddbio.formats import Format, get_format
from ddbio.formats.csv import Csv, CsvLayout, rendered_rows
from ddbio.formats.json_lines import JsonLines
from ddbio.formats.json_pages import page_rendering, rendered_items
from ddbio.native import IN_USE, Rendering, state
from ddbio.sinks.fast_batch import FastBatches, put_encoder
from ddbio.values.keys import key_checker

ROUNDS = 15
BATCH, BATCHES = 25, 40


def records_of(name: str, items: list[dict[str, Any]]) -> tuple[Format, list[bytes]]:
    if name == "csv":
        return Csv(CsvLayout((*items[0],))), rendered_rows([[*item.values()] for item in items]).splitlines()
    plain = [item if name == "json" else shapes.typed_map(item) for item in items]
    return get_format(name), [json.dumps(item).encode() for item in plain]


def imports(name: str, shape: str) -> tuple[int, list[Callable[[], object]]]:
    """The number of items, and the jobs that put them: with the core, and without."""
    items = [*shapes.items(shape, BATCH * BATCHES)]
    format, records = records_of(name, items)
    batches = [records[at : at + BATCH] for at in range(0, len(records), BATCH)]
    into = table_of({"hash": "S", "range": "S"}, ("hash", "range"))
    makers = [FastBatches(into, format, key_checker(into), core) for core in (put_encoder(into, format), None)]

    def one_by_one(batch: list[bytes]) -> list[bytes]:
        """As the lane does with records that are too large for the fast path of the Python code."""
        return [encode_item(format.parse(record)) for record in batch]

    return len(items), [
        lambda maker=maker: [maker.prepare(batch) or one_by_one(batch) for batch in batches] for maker in makers
    ]


def exports(shape: str) -> tuple[int, list[Callable[[], object]]]:
    """The same for the items of a page."""
    answer = memoryview(bytearray(answer_of(shapes.page(shape), shapes.PAGE_ITEMS[shape])))

    def job(rendered: Rendering | None) -> Callable[[], bytes]:
        decode: Callable[[memoryview], ScanReply] = scan_operation(JsonLines.page_items, rendered).decode
        return lambda: rendered_items(decode(answer).Items)

    return shapes.PAGE_ITEMS[shape], [job(page_rendering()), job(None)]


def least_s(jobs: list[Callable[[], object]]) -> list[float]:
    least = [float("inf")] * len(jobs)
    for _ in range(ROUNDS):
        for place, job in enumerate(jobs):
            began_s = time.process_time()
            job()
            least[place] = min(least[place], time.process_time() - began_s)
    return least


def rows() -> Iterator[tuple[str, int, list[Callable[[], object]]]]:
    for name in ("json", "dynamodb-json"):
        for shape in ("small", "nested"):
            yield (f"{name}, {shape} items, to puts", *imports(name, shape))
    yield ("csv, small items, to puts", *imports("csv", "small"))
    for shape in shapes.SHAPES:
        yield (f"a page of {shape} items to json", *exports(shape))


def main() -> None:
    assert state() == IN_USE, state()
    print(f"{'µs per item':40}{'core':>10}{'Python':>10}{'ratio':>8}")
    for what, count, jobs in rows():
        core_s, python_s = least_s(jobs)
        print(f"{what:40}{1e6 * core_s / count:10.2f}{1e6 * python_s / count:10.2f}{python_s / core_s:8.1f}")


if __name__ == "__main__":
    main()
