"""Faults on demand: what goes wrong with which request.

A `FaultPlan` is asked once for each request of the operations it is about, and answers with a `Fault` or None.
Plans are iterators or dice with a seed, so that a test knows what it gets. What a fault does is told by its
fields alone; the server knows no kinds, only these fields:

    error          reply with this error (and do not apply the request, unless `applied`)
    applied        the request is applied although the client is not told so
    cut            close the connection instead of replying
    delay_s        wait before the reply (or the cut)
    damage         reply as if all was well, but with: a wrong checksum ("crc"), the second half of the body
                   missing ("truncated"), or a body that is not JSON ("garbage")
    close          reply properly, then close the connection
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import msgspec

WRITES = frozenset({"BatchWriteItem", "PutItem", "DeleteItem"})
DATA_OPERATIONS = WRITES | {"Scan", "GetItem"}


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. message: of the error, a default one where empty. status: HTTP status; 0 for the error's own."""

    error: str = ""
    message: str = ""
    status: int = 0
    applied: bool = False
    cut: bool = False
    delay_s: float = 0.0
    damage: str = ""
    close: bool = False


NO_FAULT = Fault()

INTERNAL_ERROR = Fault(error="InternalServerError")
INTERNAL_ERROR_AFTER_WRITE = Fault(error="InternalServerError", applied=True)
UNAVAILABLE = Fault(error="ServiceUnavailable")
EXPIRED_TOKEN = Fault(error="ExpiredTokenException")
CUT_BEFORE = Fault(cut=True)
CUT_AFTER = Fault(cut=True, applied=True)
BAD_CRC = Fault(damage="crc")
TRUNCATED = Fault(damage="truncated")
GARBAGE = Fault(damage="garbage")
CLOSE = Fault(close=True)


def stall(delay_s: float) -> Fault:
    """The reply comes late."""
    return Fault(delay_s=delay_s)


class FaultPlan:
    """Which requests meet which fault.

    faults: one for each request in turn, None for a request that is left alone; after the last one all are.
    probability, seed: instead, each request meets one of `faults` with that probability, by seeded dice.
    operations: the operations the plan is about; others are neither counted nor touched.
    latency_s: every reply of every operation is that late, faults or not.
    """

    def __init__(
        self,
        faults: Iterable[Fault | None] = (),
        *,
        probability: float | None = None,
        seed: int = 0,
        operations: Iterable[str] = DATA_OPERATIONS,
        latency_s: float = 0.0,
    ) -> None:
        self.operations = frozenset(operations)
        self.latency_s = latency_s
        self._faults = iter(faults) if probability is None else _dice(list(faults), probability, seed)

    def next_fault(self, operation: str) -> Fault:
        """The fault of the request that just arrived."""
        if operation not in self.operations:
            return NO_FAULT
        return next(self._faults, None) or NO_FAULT


def _dice(faults: list[Fault | None], probability: float, seed: int) -> Iterator[Fault | None]:
    dice = random.Random(seed)
    while True:
        yield dice.choice(faults) if dice.random() < probability else None
