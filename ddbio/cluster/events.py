"""Events that the hub's thread passes on to the thread that runs a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddbio.errors import DdbioError


@dataclass(frozen=True, slots=True)
class Joined:
    """The seat was given the job. again: it had an earlier one."""

    seat: int
    name: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a seat about the job."""

    seat: int
    message: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """The seat works no more. how: in words. said_so: itself. error: the fault by which it left.
    memory: its slots of the checkpoint."""

    seat: int
    name: str
    how: str
    said_so: bool
    error: DdbioError | None
    memory: bytes

    @property
    def in_order(self) -> bool:
        """Whether it reported everything before."""
        return self.said_so and self.error is None


@dataclass(frozen=True, slots=True)
class Turned:
    """Somebody was turned away. reason: a sentence."""

    reason: str
