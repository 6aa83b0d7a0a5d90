"""Which format a file has, as plain data."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """Which format, and what this job, or this file, was told of it. Plain data: picklable, hashable.

    settings: what the format's class is made with; None for a format that needs nothing.
    layout: how the records stand in a file of JSON that is not one object a line; the format's class does not see it.
    """

    name: str
    settings: Hashable = None
    layout: Hashable = None


JSON = FormatSpec("json")
