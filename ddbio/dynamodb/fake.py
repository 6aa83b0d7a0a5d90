"""A connection without a network, for tests: it takes the place of `ddbio.dynamodb.connection.Connection`, and a
function makes its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.dynamodb.wire import Response

Answer = Callable[[str, dict[str, Any], int], "Response | Exception"]


@dataclass
class FakeConnection:
    """answer: called with the operation, the request and the size of its body in bytes; an exception that it returns
    is raised. closed: how often it was closed."""

    answer: Answer
    closed: int = 0

    async def request(self, headers: str, body: bytes) -> Response:
        target = next(line.partition(": ")[2] for line in headers.split("\r\n") if line.startswith("X-Amz-Target"))
        answer = self.answer(target.rpartition(".")[2], json.loads(body), len(body))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hurry(self, timeout_s: float) -> None:
        """No answer is waited for."""

    def close(self) -> None:
        self.closed += 1
