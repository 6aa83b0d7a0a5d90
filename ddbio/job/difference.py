"""How a command differs from the one that began an unfinished job, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ddbio.messages.files import SourceFile

Facts = Mapping[str, Any]  # JSON values by their names in messages
Sources = Mapping[str, tuple[int, str]]  # size and version of a job's files, by uri


def difference(then: Facts, facts: Facts, were: Sources, sources: Iterable[SourceFile]) -> str:
    """Empty if there is none. then, were: of the command that began the job."""
    for name in {**then, **facts}:
        now = facts.get(name)
        if then.get(name) != msgspec.json.decode(msgspec.json.encode(now)):
            return f"{name} was {_spoken(name, then.get(name))} and is {_spoken(name, now)}"
    was = dict(were)
    for file in sources:
        if file.uri not in was:
            return f'"{file.uri}" is new among the sources'
        if was.pop(file.uri) != (file.size_bytes, file.version):
            return f'"{file.uri}" has changed'
    return f'"{next(iter(was))}" is gone' if was else ""


def _spoken(name: str, value: Any) -> str:
    """A fact as a user knows it; that of an option as it is given."""
    if name.startswith("--") and (value is None or value is False or value == ""):
        return "not given"
    if name.startswith("--") and value is True:
        return "given"
    if name.startswith("--") and isinstance(value, list | tuple):
        return _spoken(name, ",".join(map(_member, value)))
    return "not there" if value is None else msgspec.json.encode(value).decode()


def _member(value: Any) -> str:
    return ":".join(value) if isinstance(value, list | tuple) else str(value)
