"""How fast the records of JSON that is not one object a line are found, in MB per second of CPU.

python -m bench.documents
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ddbio.formats.documents import DocumentLayout, Scanner

PIECE_BYTES = 256 * 1024
COUNT = 50_000

Items = list[dict[str, Any]]

LAYOUTS: dict[str, tuple[str, Callable[[Items], str]]] = {
    "an array on one line": ("objects", lambda items: json.dumps(items, separators=(",", ":"))),
    "an array, one element a line": ("objects", lambda items: "[\n" + ",\n".join(map(json.dumps, items)) + "\n]"),
    "an array, indented": ("objects", lambda items: json.dumps(items, indent=2)),
    "an answer to Scan": ("pages", lambda items: json.dumps({"Items": items, "Count": len(items)}, indent=4)),
    "objects, indented": ("objects", lambda items: "\n".join(json.dumps(item, indent=2) for item in items)),
    "objects in a row": ("objects", lambda items: "".join(map(json.dumps, items))),
}


def items_of_kinds() -> dict[str, Items]:
    text = "x" * 60
    flat: Items = [{"id": f"{n:09}", "name": "some words", "n": n, "x": text} for n in range(COUNT)]
    typed: Items = [{"id": {"S": f"{n:09}"}, "n": {"N": str(n)}, "x": {"S": text}} for n in range(COUNT)]
    nested: Items = [{"id": f"{n:09}", "m": {"a": [1, {"b": "c"}]}, "x": text * 8} for n in range(COUNT)]
    return {"flat": flat, "DynamoDB JSON": typed, "nested": nested}


def megabytes_per_cpu_s(data: bytes, kind: str, count: int) -> float:
    scanner, found = Scanner(DocumentLayout(kind)), 0
    began_s = time.process_time()
    for at in range(0, len(data), PIECE_BYTES):
        found += sum(len(records.texts) for records in scanner.feed(data[at : at + PIECE_BYTES]))
    found += sum(len(records.texts) for records in scanner.finish())
    assert found == count
    return len(data) / (time.process_time() - began_s) / 1e6


def main() -> None:
    for name, items in items_of_kinds().items():
        for layout, (kind, text) in LAYOUTS.items():
            print(f"{name:14} {layout:30} {megabytes_per_cpu_s(text(items).encode(), kind, COUNT):6,.0f} MB/s")


if __name__ == "__main__":
    main()
