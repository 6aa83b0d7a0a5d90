"""A batch of which only half is processed, as the service does after an internal failure.

Only the first half of the requests reaches the operation; the others are added to the unprocessed ones of its reply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ddbio.simulator.tables import encode_json

_UNPROCESSED = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}


def execute_half(execute: Callable[[bytes], bytes], operation: str, body: bytes) -> bytes:
    """The reply to half of a batch; that to the whole request if it is no batch, or one of a single request.

    execute: the operation. Raises ServiceError as the operation does.
    """
    member = _UNPROCESSED.get(operation)
    request = msgspec.json.decode(body) if member else {}
    tables = request.get("RequestItems", {})
    wanted = [(name, each) for name, asked in tables.items() for each in _requests(asked)]
    if member is None or len(wanted) < 2:
        return execute(body)
    half = len(wanted) // 2
    reply = msgspec.json.decode(execute(encode_json(request | {"RequestItems": _batch(tables, wanted[:half])})))
    for name, asked in _batch(tables, wanted[half:]).items():
        left = reply[member].setdefault(name, _with_requests(asked, []))
        _requests(left).extend(_requests(asked))
    return encode_json(reply)


def _batch(tables: dict[str, Any], wanted: list[tuple[str, Any]]) -> dict[str, Any]:
    """RequestItems with these requests."""
    names = dict.fromkeys(name for name, _ in wanted)
    return {name: _with_requests(tables[name], [each for of, each in wanted if of == name]) for name in names}


def _requests(asked: Any) -> list[Any]:
    """The requests of one table: a list of writes, or the keys of reads."""
    requests: list[Any] = asked["Keys"] if isinstance(asked, dict) else asked
    return requests


def _with_requests(asked: Any, requests: list[Any]) -> Any:
    return {**asked, "Keys": requests} if isinstance(asked, dict) else requests
