"""The format of a file, as plain data."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format, with its settings in this job or for this file. Plain data: picklable, hashable.

    settings: arguments of the format's class; None for a format without any.
    layout: the layout of the records in a JSON file that is not one object a line; the format's class does not see
    it.
    """

    name: str
    settings: Hashable = None
    layout: Hashable = None


JSON = FormatSpec("json")
