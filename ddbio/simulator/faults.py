"""Faults on demand: which request gets which fault.

The server asks a `FaultPlan` once for each request of the operations that it covers, and gets a `Fault`.
Plans are iterators or dice with a seed, so that a test is repeatable. The fields of a fault define its effect; the
server knows no kinds of faults, only these fields:

    error          reply with this error (and do not apply the request, unless `applied`)
    applied        apply the request although the client does not learn of it
    cut            close the connection instead of replying
    delay_s        wait before the reply (or the cut)
    damage         reply with success, but with: a wrong checksum ("crc"), the second half of the body
                   missing ("truncated"), or a body that is not JSON ("garbage")
    close          reply properly, then close the connection
    partial        process half of a batch, and return the other half as unprocessed (as after an internal failure)
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import msgspec

WRITES = frozenset({"BatchWriteItem", "PutItem", "DeleteItem", "UpdateItem"})
DATA_OPERATIONS = WRITES | {"Scan", "GetItem", "BatchGetItem"}


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. message: of the error; empty for the default. status: HTTP status; 0 for the error's own."""

    error: str = ""
    message: str = ""
    status: int = 0
    applied: bool = False
    cut: bool = False
    delay_s: float = 0.0
    damage: str = ""
    close: bool = False
    partial: bool = False


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
PARTIAL = Fault(partial=True)


def stall(delay_s: float) -> Fault:
    """A fault that delays the reply."""
    return Fault(delay_s=delay_s)


class FaultPlan:
    """Decides which request gets which fault.

    faults: one for each request in turn, None for a request without one; after the last, no request gets one.
    probability, seed: instead, each request gets one of `faults` with that probability, by seeded dice.
    operations: the plan covers only these; requests of others do not advance it.
    latency_s: a delay of every reply of every operation, with or without a fault.
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
        """The fault for the request that just arrived."""
        if operation not in self.operations:
            return NO_FAULT
        return next(self._faults, None) or NO_FAULT


def _dice(faults: list[Fault | None], probability: float, seed: int) -> Iterator[Fault | None]:
    dice = random.Random(seed)
    while True:
        yield dice.choice(faults) if dice.random() < probability else None
