"""The course of a job in its journal: its runs, their samples, the parts of the work; for the report in HTML.

A finished job has no journal. Its history stays in `history.json` in the job's folder, without cursors
(`ddbio.job.retention` decides for how long).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ddbio.messages import ChunkUnit, SegmentUnit, SliceUnit, Unit
from ddbio.messages.counts import NAMES
from ddbio.report_page.history import MOST_ROWS, File, History, Part, RunOfJob, Sample
from ddbio.report_page.stages import joined

SCHEMA = """
    DROP TABLE IF EXISTS samples;
    DROP TABLE IF EXISTS runs;
    CREATE TABLE samples (number INTEGER PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY, began REAL NOT NULL, seconds REAL NOT NULL, exit_code INTEGER, why TEXT NOT NULL
    );
"""
STAGE_HISTORY = "history "  # before the name of a stage: the name of a note
_FILE = "history.json"


class Extent(msgspec.Struct, array_like=True):
    """A part of a job, as the journal notes it: the units from the first to the last number."""

    name: str
    size_bytes: int | None
    first: int
    last: int


# -- the parts


def extents(units: Iterable[Unit]) -> list[Extent]:
    """The parts of which a job's units are, at most `MOST_ROWS`."""
    found: list[Extent] = []
    for unit in sorted(units, key=lambda unit: unit.number):
        last = found[-1] if found else None
        if isinstance(unit, SliceUnit | ChunkUnit):
            if last is not None and last.name == unit.file.uri and last.last == unit.number - 1:
                last.last = unit.number
                continue
            found.append(Extent(unit.file.uri, unit.file.size_bytes, unit.number, unit.number))
        else:
            name = str(unit.segment if isinstance(unit, SegmentUnit) else unit.number)
            found.append(Extent(name, None, unit.number, unit.number))
    together = -(-len(found) // MOST_ROWS)
    return [_as_one(found[at : at + together]) for at in range(0, len(found), together)] if together > 1 else found


def noun_of(units: Iterable[Unit]) -> str:
    """For one part."""
    first = next(iter(units), None)
    if isinstance(first, SliceUnit | ChunkUnit):
        return "file"
    return "segment" if isinstance(first, SegmentUnit) else "partition"


def _as_one(some: Sequence[Extent]) -> Extent:
    if len(some) == 1:
        return some[0]
    sizes = [each.size_bytes for each in some if each.size_bytes is not None]
    name = f"{some[0].name} to {some[-1].name}"
    return Extent(name, sum(sizes) if sizes else None, some[0].first, some[-1].last)


# -- reading


def read_history(database: sqlite3.Connection) -> History:
    """From a journal or a copy of one. Raises sqlite3.Error, or another error of a damaged one."""
    noted = {name: msgspec.json.decode(value) for name, value in database.execute("SELECT name, value FROM job")}
    stages = {name: value for name, value in noted.items() if name.startswith(STAGE_HISTORY)}
    if stages:
        of_stages = {name.removeprefix(STAGE_HISTORY): value for name, value in stages.items()}
        whole = joined({name: msgspec.convert(value, History) for name, value in of_stages.items()})
        whole.forecast = noted.get("forecast")
        return whole
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in NAMES)
    counts = database.execute(f"SELECT {sums} FROM units").fetchone()
    files = "SELECT name, items, size_bytes, checksum FROM files ORDER BY name LIMIT ?"
    samples = read_samples(database)
    rejects, _, rejects_bytes, *_ = noted.get("rejects") or ("", 0, 0)
    return History(
        sides=noted.get("sides", []),
        counts=dict(zip(NAMES, counts, strict=True)),
        reasons=dict(database.execute("SELECT reason, count FROM reasons")),
        seconds=float(noted.get("seconds", 0.0)),
        runs=[RunOfJob(*row) for row in database.execute("SELECT * FROM runs ORDER BY number")],
        samples=samples,
        parts=list(_parts(database, msgspec.convert(noted.get("extents", []), list[Extent]))),
        parts_are=noted.get("parts", "part"),
        files=[File(*row) for row in database.execute(files, (MOST_ROWS,))],
        all_files=database.execute("SELECT count(*) FROM files").fetchone()[0],
        units_of_work=noted.get("units"),
        units_done=database.execute("SELECT coalesce(sum(done), 0) FROM units").fetchone()[0],
        by_index=_by_index(samples),
        item_sizes=read_item_sizes(database),
        latency_bounds=noted.get("latency_bounds", []),
        forecast=noted.get("forecast"),
        rejects=rejects,
        rejects_bytes=rejects_bytes,
    )


def _by_index(samples: Iterable[Sample]) -> dict[str, float]:
    indexes: dict[str, float] = {}
    table = 0.0
    for each in samples:
        table += each.units
        for index, units in each.indexes.items():
            indexes[index] = indexes.get(index, 0.0) + units
    return {"the table": table, **indexes} if indexes else {}


def read_item_sizes(database: sqlite3.Connection) -> list[tuple[int, int]]:
    """Upper bounds in bytes, each twice the one before, and estimated numbers of items."""
    items = dict(database.execute("SELECT exponent, items FROM item_sizes"))
    return [(2**each, items.get(each, 0)) for each in range(min(items), max(items) + 1)] if items else []


def read_samples(database: sqlite3.Connection) -> list[Sample]:
    rows = database.execute("SELECT value FROM samples ORDER BY number")
    return [msgspec.json.decode(value, type=Sample) for (value,) in rows]


def _parts(database: sqlite3.Connection, found: Sequence[Extent]) -> Iterator[Part]:
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in ("done", "read", "written", "rejected", "units"))
    for each in found:
        row = database.execute(
            f"SELECT {sums} FROM units WHERE number BETWEEN ? AND ?", (each.first, each.last)
        ).fetchone()
        done, *counts = row
        yield Part(each.name, each.size_bytes, done == each.last - each.first + 1, *counts)


# -- of finished jobs


def keep_history(folder: Path, history: History) -> None:
    """Keep the history of a finished job. Raises OSError."""
    part = folder / f".{_FILE}.part"
    with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(msgspec.json.encode(history))
    part.replace(folder / _FILE)


def kept_history(folder: Path) -> History | None:
    """None if there is none, or it is damaged or of another version."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=History)
    return None


def forget_history(folder: Path) -> None:
    """A new job begins in the folder. Raises OSError."""
    (folder / _FILE).unlink(missing_ok=True)
