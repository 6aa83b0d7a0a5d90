"""The parts of a run's JSON report (`ddbio.job.report`) that the page shows, and the job that it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Why(msgspec.Struct):
    message: str = ""
    hint: str = ""


class Timing(msgspec.Struct):
    began: datetime | None = None
    ended: datetime | None = None
    seconds_of_all_runs: float = 0.0
    runs: int = 0


class Table(msgspec.Struct):
    name: str = ""
    arn: str | None = None
    region: str = ""
    endpoint: str = ""


class Cap(msgspec.Struct):
    units_per_s: float | None = None
    kind: str = ""
    origin: str = ""


class RejectsOfCode(msgspec.Struct):
    """first: an example: `source`, `message`, and its place."""

    count: int
    first: dict[str, Any] = {}


class Report(msgspec.Struct, kw_only=True):
    """See `ddbio.job.report` for the meaning of each. destination: in `options`, too."""

    tool: str = ""
    command: str = ""
    exit_code: int | None = None
    error: Why | None = None
    failures: list[str] = []
    table: Table | None = None
    cap: Cap | None = None
    other_table: Table | None = None
    other_cap: Cap | None = None
    counts: dict[str, float] = {}
    reasons: dict[str, int] = {}
    timing: Timing = msgspec.field(default_factory=Timing)
    options: dict[str, Any] = {}
    versions: dict[str, str | None] = {}
    rejects: str | None = None
    rejects_by_code: dict[str, RejectsOfCode] = {}
    manifest: str | None = None


class JobFacts(msgspec.Struct, kw_only=True):
    """The job. id: the name of its folder; empty if it keeps none. state: `finished`, `unfinished` and so on.

    command: as it can be typed; empty if it is unknown.
    """

    id: str = ""
    verb: str
    table: str
    state: str
    command: str = ""
