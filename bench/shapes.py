"""The items that are moved by the benchmarks, in four shapes, plain and as DynamoDB JSON.

- `small`: 167 bytes a line, what GenerateTestData makes;
- `nested`: about 1 KB of maps, lists, a set and decimals;
- `document`: 200 KB in one list of 400 maps, with numbers, a map and 250 to 350 characters of text in each;
- `texts`: 200 KB of text in 20 attributes, in which there is nothing to do but to copy.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

SEED = 7
PAGE_BYTES = 1024 * 1024  # of a Scan page, in DynamoDB's arithmetic


def small(draw: random.Random) -> dict[str, Any]:
    names = ("hash", "range", "val_2")
    texts = [str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in names]
    return {"hash": texts[0], "range": texts[1], "val_1": draw.randrange(2**31), "val_2": texts[2]}


def nested(draw: random.Random) -> dict[str, Any]:
    order = small(draw)
    order["customer"] = {
        "name": f"Customer {draw.randrange(10**6)}",
        "address": {"street": f"{draw.randrange(999)} High Street", "city": "Springfield", "zip": "01234"},
        "since": 2001 + draw.randrange(25),
        "vip": draw.random() < 0.1,
        "referrer": None,
    }
    order["lines"] = [
        {
            "sku": f"SKU-{draw.randrange(10**8):08}",
            "quantity": draw.randrange(1, 9),
            "price": draw.randrange(10**5) / 100,
            "weights_kg": [draw.randrange(10**4) / 1000 for _ in range(3)],
            "text": "a thing of this and of that kind",
        }
        for _ in range(4)
    ]
    order["tags"] = {"$SS": [f"tag-{number}-{draw.randrange(100)}" for number in range(4)]}
    order["total"] = draw.randrange(10**7) / 100
    return order


def document(draw: random.Random) -> dict[str, Any]:
    events = [
        {
            "at": 1_600_000_000 + draw.randrange(10**8),
            "kind": draw.choice(("created", "changed", "shipped", "returned")),
            "by": {"id": f"user-{draw.randrange(10**6)}", "robot": draw.random() < 0.1},
            "amounts": [draw.randrange(10**5) / 100 for _ in range(3)],
            "note": text(draw, draw.randrange(250, 350)),
        }
        for _ in range(400)
    ]
    return {**small(draw), "events": events}


def texts(draw: random.Random) -> dict[str, Any]:
    return {**small(draw), **{f"text_{number:02}": text(draw, 10_000) for number in range(20)}}


def text(draw: random.Random, length: int) -> str:
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,.", k=length))


SHAPES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "small": small,
    "nested": nested,
    "document": document,
    "texts": texts,
}
PAGE_ITEMS = {"small": 6700, "nested": 1250, "document": 5, "texts": 5}  # of a full page


def items(shape: str, count: int) -> Iterator[dict[str, Any]]:
    """The same items every time."""
    draw = random.Random(SEED)
    return (SHAPES[shape](draw) for _ in range(count))


def typed(value: Any) -> dict[str, Any]:
    """A plain value as an attribute value of DynamoDB's JSON."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [typed(element) for element in value]}
    if isinstance(value, dict):
        return {"SS": value["$SS"]} if "$SS" in value else {"M": typed_map(value)}
    return {"N": str(value)}


def typed_map(item: dict[str, Any]) -> dict[str, Any]:
    return {name: typed(value) for name, value in item.items()}


def page(shape: str) -> bytes:
    """The items of a full Scan page as a JSON array."""
    found = [typed_map(item) for item in items(shape, PAGE_ITEMS[shape])]
    return json.dumps(found, separators=(",", ":")).encode()
