"""A comparison of two sides in three stages, for the verbs that need one.

    first side  --spill-->  digests by key  --\
                                               compare --> suspects --read again--> lines, one a difference
    second side --spill-->  digests by key  --/

Each stage is a job that is resumed. Files that an interrupted spill wrote count only as long as the machine runs,
because they are made durable at the end of the stage.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError, UsageError
from ddbio.flow.spill_job import DEFAULT_SPILL_LANES
from ddbio.job.accounts import Result
from ddbio.job.run import Caller
from ddbio.job.spine import Verb
from ddbio.job.stages import Stages
from ddbio.layouts import spill
from ddbio.messages import Tally
from ddbio.options import ComparisonOptions, material
from ddbio.sinks.spill import SpillSpec
from ddbio.sources.suspects import SpilledSides
from ddbio.storage import absolute
from ddbio.system.machine import boot_id
from ddbio.verbs.compare_spills import CompareSpills, begin_run
from ddbio.verbs.compared_sides import ExportSide, Side, TableSide, find_sides, scope_of, tables_of
from ddbio.verbs.spill_side import SpillFiles, SpillTable, suitable_segments
from ddbio.verbs.two_tables import check_different

COMPARE = "compare"
JOBS, _LINES = "jobs", "differences.jsonl"  # in the folder of the stages


@dataclass(slots=True)
class Compared:
    """What the stages found so far. read: items of each side, by its name. lines: the file of the differences.
    error: why a stage ended early."""

    lines: Path
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    read: dict[str, int] = field(default_factory=dict)
    error: DdbioError | None = None
    failures: tuple[str, ...] = ()

    def add(self, name: str, facts: dict[str, Any]) -> None:
        tally = Tally(**facts["tally"])
        self.tally.add(tally)
        self.seconds += facts["seconds"]
        self.read[name] = tally.read


class Comparison:
    """omitted: operations that are counted but have no lines. Raises UsageError for sides that cannot be compared."""

    def __init__(self, options: ComparisonOptions, caller: Caller, omitted: frozenset[str] = frozenset()) -> None:
        if caller.engine is not None and not caller.engine.shares_disk:
            raise UsageError(
                "a comparison keeps digests of the items in a folder, which all workers read and write",
                "add --shared-filesystem, and --spill-dir with a folder that all machines have",
            )
        self.options = options
        self._caller = caller
        self._omitted = omitted
        self._scope = scope_of(options)
        self.sides = find_sides(options, self._scope)
        self.run = begin_run(self._inner(self.sides[0]), self.sides, DEFAULT_SPILL_LANES, caller)
        if self.run.other is not None:
            check_different(self.run.session, self.run.table, self.run.other)

    def identity(self) -> list[str]:
        places = [absolute(side.place) for side in self.sides if isinstance(side, ExportSide)]
        return [*self.run.identity(), *(side.which for side in self.sides if isinstance(side, TableSide)), *places]

    def facts(self) -> dict[str, Any]:
        """That must be the same in all runs of the comparison."""
        tables = self.run.table_facts()
        return {**material(self.options), **tables}

    def announcement(self, folder: Path | None = None) -> Iterator[str]:
        """The planned reading and writing. folder: of the spill."""
        first, second = self.sides
        yield f"Comparing {first.name} with {second.name}: every item of both is read once"
        for side in self.sides:
            if isinstance(side, ExportSide) and not side.completeness.is_whole:
                asked = self.options.filter is not None or self.options.attributes is not None
                counts = "only the part that was asked for is compared" if asked else "each item counts nevertheless"
                yield f'Note: "{side.place}" {side.completeness.describe()}; {counts}'
        for side in tables_of(self.sides):
            units = side.read_units(self.options)
            yield f"{side.name[0].upper()}{side.name[1:]}: about {side.items:,} items, {units:,.0f} RCU"
        size_bytes = self.spill_bytes()
        where = folder or self.options.spill_dir or "the folder of the job's state"
        yield (
            f"Digests of both sides are kept on disk meanwhile, about {size_bytes / 1e6:,.1f} MB in {where}; items "
            "whose digests differ are read again from both sides, consistently, before they count"
        )
        if folder is not None:
            with suppress(OSError):
                free_bytes = shutil.disk_usage(folder).free
                if free_bytes < size_bytes:
                    yield f"Only {free_bytes / 1e6:,.1f} MB are free there: --spill-dir names another place"

    def spill_bytes(self) -> int:
        """The expected size of both spills. That of an export contains its items."""
        share = (self.options.sample or 100) / 100
        items = sum(side.items for side in self.sides) * share
        files = sum(side.sources.total_bytes for side in self.sides if isinstance(side, ExportSide))
        return int(items * spill.RECORD_BYTES + files)

    # -- the stages

    def perform(self, stages: Stages) -> Compared:
        """Do the stages that are not done. Does not complete `stages`."""
        folder = self._spill_folder(stages)
        cut = stages.finished("cut") or self._cut(stages)
        done = Compared(stages.folder / _LINES)
        for sentence in self.announcement(folder):
            self.run.progress.say(sentence)
        for side in self.sides:
            spec = SpillSpec(
                folder / side.which, cut["partitions"], self._scope, keeps_items=isinstance(side, ExportSide)
            )
            verb = self._spill(stages, side, spec, cut["segments"])
            if not self._stage(stages, side.which, verb, done, spec.folder):
                return done
        key = tuple(part.name for part in self.run.table.key)
        first, second = (folder / side.which for side in self.sides)
        spilled = SpilledSides(first, second, self._scope, key, self._omitted)
        options = self._inner(tables_of(self.sides)[0], stages)
        compare = CompareSpills(options, self.sides, spilled, cut["partitions"], done.lines)
        self._stage(stages, COMPARE, compare, done)
        return done

    def clean(self, stages: Stages) -> None:
        """Remove the spill, at the end of the job."""
        shutil.rmtree(self._spill_folder(stages), ignore_errors=True)

    def _stage(
        self, stages: Stages, name: str, verb: Verb[Any, Result], done: Compared, folder: Path | None = None
    ) -> bool:
        """Returns whether the stage is finished. folder: that counts only while the machine runs."""
        facts = stages.finished(name)
        if facts is None:
            fresh = folder is not None and self._is_stale(stages, name, folder)
            verb.options = replace(verb.options, fresh=fresh)
            result = stages.perform(name, verb, self._caller, partial(_facts, folder=folder))
            facts = _facts(result)
            done.error, done.failures = result.error, result.failures
        elif folder is not None and stages.finished(COMPARE) is None:
            _check_spill(folder, facts["bytes"])
        done.add(name, facts)
        return done.error is None

    def _is_stale(self, stages: Stages, name: str, folder: Path) -> bool:
        """Whether the spill cannot be resumed. Makes the folder."""
        boot = boot_id()
        stale = stages.finished(f"{name} began") != boot or not folder.is_dir()
        if stale:
            shutil.rmtree(folder, ignore_errors=True)
            _make_folder(folder)
            stages.finish(f"{name} began", boot)
        return stale

    def _spill(self, stages: Stages, side: Side, spec: SpillSpec, segments: int | None) -> Verb[Any, Result]:
        options = self._inner(side, stages)
        if isinstance(side, ExportSide):
            return SpillFiles(options, side, spec)
        return SpillTable(options, side, spec, segments)

    def _cut(self, stages: Stages) -> dict[str, Any]:
        """A sample is the same segments of both tables: in most of them their keys are then the same, too."""
        items = max(side.items for side in self.sides) * (self.options.sample or 100) / 100
        cut: dict[str, Any] = {"partitions": spill.partitions_for(items), "segments": None}
        if self.options.sample is not None:
            runs = [begin_run(self.options, (side, side), DEFAULT_SPILL_LANES, self._caller) for side in self.sides]
            cut["segments"] = max(suitable_segments(self.options, run) for run in runs)
        stages.finish("cut", cut)
        return cut

    def _inner(self, side: Side, stages: Stages | None = None) -> ComparisonOptions:
        """The options of a stage's job, whose state is in the folder of the stages."""
        if isinstance(side, ExportSide):
            side = tables_of(self.sides)[0]
        state = str(stages.folder / JOBS) if stages is not None else self.options.state_dir
        return replace(
            self.options, table=side.asked, aws=side.aws, capacity=side.capacity, state_dir=state, report=None
        )

    def _spill_folder(self, stages: Stages) -> Path:
        asked = self.options.spill_dir
        return stages.folder / "spill" if asked is None else Path(asked).absolute() / stages.journal.folder.path.name


def _facts(result: Result, folder: Path | None = None) -> dict[str, Any]:
    """That a finished stage leaves. folder: of its spill."""
    facts = {"tally": asdict(result.tally), "seconds": result.seconds}
    return facts if folder is None else {**facts, "bytes": spill.size_bytes(folder)}


def _check_spill(folder: Path, size_bytes: int) -> None:
    """Raises UsageError if digests are gone: their items would seem to be gone, too."""
    if spill.size_bytes(folder) != size_bytes:
        raise UsageError(
            f'the digests in "{folder}", which an earlier run of this comparison wrote, are gone or changed',
            "start over with --fresh",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise UsageError(
            f'the folder "{folder}" of the spill cannot be made: {error.strerror}', "choose another --spill-dir"
        ) from None
