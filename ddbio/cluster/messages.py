"""The messages between the hub and a seat, once both have proved that they have the token.

Units and reports are those of `ddbio.messages`, inside `Give` and `Report`. A message of a job has its number,
because a seat may still send some of the last job when the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ddbio.aws.credentials import Keys
from ddbio.errors import DdbioError
from ddbio.messages import Event, Unit
from ddbio.messages.leases import DriverMessage, LeaseTerms, SeatMessage

# -- hub to seat


@dataclass(frozen=True, slots=True)
class Welcome:
    """The proofs fit. seat: its number. silence_s: see `ddbio.cluster.fencing`."""

    seat: int
    silence_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to a beat."""

    beat: int


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """The limit of items that the hub keeps for all seats. kept: see `ddbio.steps.limit.LimitNeeds`."""

    items: int
    kept: bool


@dataclass(frozen=True, slots=True)
class OpenJob:
    """The beginning of a job.

    content: the job, encoded (`ddbio.cluster.travel`). files: content by the path that the job has for it.
    terms: of the leases of each table, by role. keys: by role; of the driver, if they are sent at all.
    counts_rejects: whether rejects are limited by a number. keeps_slots: whether lanes send what they have settled
    between two reports.
    """

    job: int
    content: bytes
    files: dict[str, bytes]
    terms: dict[str, LeaseTerms]
    keys: dict[str, Keys] | None = None
    limit: LimitFacts | None = None
    counts_rejects: bool = False
    keeps_slots: bool = True


@dataclass(frozen=True, slots=True)
class Give:
    """A unit to work."""

    job: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Newer keys of the driver for the table of that role."""

    job: int
    role: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class Finish:
    """There will be no more units of the job."""

    job: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Settle the requests in flight, report, end the job."""

    job: int


@dataclass(frozen=True, slots=True)
class Drop:
    """End the job at once, and settle nothing."""

    job: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """There will be no more jobs. reason: for the user."""

    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """About the leases of a table."""

    job: int
    message: DriverMessage


@dataclass(frozen=True, slots=True)
class Answer:
    """To the question of that number."""

    number: int
    value: Any


# -- seat to hub


@dataclass(frozen=True, slots=True)
class Beat:
    """The seat lives.

    latencies: cells of its requests in the job so far, by role (`ddbio.rate.latency`).
    """

    number: int
    job: int = -1
    latencies: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """The memory of the seat's lane slots (`ddbio.flow.checkpoint`): progress that is not reported yet."""

    job: int
    memory: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The job is open at this seat."""

    job: int


@dataclass(frozen=True, slots=True)
class RefusedJob:
    """The job cannot be opened here."""

    job: int
    error: DdbioError


@dataclass(frozen=True, slots=True)
class Begun:
    """A lane has begun this unit."""

    job: int
    unit: int


@dataclass(frozen=True, slots=True)
class Report:
    job: int
    event: Event


@dataclass(frozen=True, slots=True)
class Ended:
    """No lane of the seat works on the job any more."""

    job: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """No lane of the seat works any more, and it closes the connection. error: the fault by which it left, if any."""

    reason: str
    error: DdbioError | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """About the leases of a table."""

    job: int
    message: SeatMessage


@dataclass(frozen=True, slots=True)
class Question:
    """The seat waits for an `Answer`. subject: what about; the rest depends on that (`ddbio.cluster.questions`)."""

    number: int
    job: int
    subject: str
    values: tuple[Any, ...]


MESSAGES = (
    *(Welcome, Heard, LimitFacts, OpenJob, Give, NewKeys, Finish, Stop, Drop, Goodbye, Granted, Answer),
    *(Beat, Settled, Opened, RefusedJob, Begun, Report, Ended, Leaving, Question, Asked),
)
