"""`ddbio jobs set-cap`: another cap for a job that is at work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.errors import UsageError

if TYPE_CHECKING:
    from ddbio.job.cap_requests import CapRequest
    from ddbio.job.listing import JobState


_BETWEEN_STAGES_S, _LOOK_AGAIN_S = 5.0, 0.1  # a job that begins, or is between two stages, moves nothing


def capacity_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """The capacity, and the options after it. Raises UsageError."""
    if not words or words[0].startswith("-"):
        raise UsageError("set-cap needs a capacity after the id", "write it like -c: 500, 60% or 1000,20:00=5000")
    return words[0], [*words[1:]]


def set_cap(root: Path, job: JobState, request: CapRequest) -> str:
    """Returns the new cap in words.

    Raises UsageError if no process works on the job here, or the job refuses the cap; TransferError if it does not
    answer.
    """
    from ddbio.job.cap_requests import ask, at_desk

    if job.pid is None:
        raise UsageError(f"no process on this machine works on {job.id} ({job.state})", _instead(job, request))
    until_s = time.monotonic() + _BETWEEN_STAGES_S
    while (folder := at_desk(root, job.id, job.pid)) is None and time.monotonic() < until_s:
        time.sleep(_LOOK_AGAIN_S)
    if folder is None:
        raise UsageError(f"process {job.pid} moves nothing at the moment: there is no cap to change", "try again")
    sentence = ask(folder, request)
    if folder.name == job.id:
        return sentence
    return (
        f"{sentence}; it holds for this stage of the job, {folder.name}, and later ones of the same table and units"
    )


def _instead(job: JobState, request: CapRequest) -> str:
    if job.is_resumable:
        return f"if it runs on another machine, do this there; else resume it, with -c {request.capacity} if you like"
    return "ddbio jobs lists the jobs at work"
