"""The sources of an import: found, checked against their manifests, and each of a known format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError, TransferError
from ddbio.formats import data_suffixes
from ddbio.formats.declaration import Known
from ddbio.job.journal import Journal
from ddbio.job.progress import Progress
from ddbio.layouts.own import ColumnTypes
from ddbio.messages import ChunkUnit, SliceUnit
from ddbio.sources.cutting import Source, plan_phases
from ddbio.sources.detect import Detected, detect
from ddbio.sources.find import Found, find_sources
from ddbio.sources.manifest_check import check_items, verify_checksums
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.transform import name_changes
from ddbio.storage import Storages
from ddbio.values.table import TableInfo
from ddbio.verbs.options import ImportOptions


class ImportSources:
    """found: the files, and the exports among them. Raises UsageError for sources that cannot be imported."""

    def __init__(self, options: ImportOptions, session: Session) -> None:
        self._options = options
        self.storages = Storages(session.aws, session.keys)
        self.found = self._find()
        self.files = self.found.all_files()
        self.total_bytes = self.found.total_bytes()
        self._detected: Detected

    def _find(self) -> Found:
        options = self._options
        return find_sources(
            options.sources,
            data_suffixes(options.format),
            self.storages,
            verify=options.verify,
            allow_unfinished=options.allow_unfinished,
        )

    def verify(self, progress: Progress) -> None:
        """Check the exports' checksums, if asked for. Reads all of their files."""
        options, exports = self._options, self.found.own
        if not options.verify:
            progress.say("Exports among the sources are not verified (--no-verify)")
        elif options.verify_checksums:
            size_bytes = sum(file.size_bytes for export in exports for file, _ in export.files)
            progress.say(f"Verifying checksums first (--verify-checksums): {size_bytes:,} bytes are read twice")
            count = verify_checksums(exports, self.storages)
            progress.say(f"{count:,} file{'s have' if count != 1 else ' has'} the checksum of the manifest")

    def detect(self, table: TableInfo) -> Callable[[str], str]:
        """Detect the format of each file. Returns a function from the mode that the user chose to the mode needed."""
        options = self._options
        known = Known.of_table(table, options.format, options.csv, name_changes(options))
        known = replace(known, types_of=ColumnTypes(self.storages.of).of)
        self._detected = detect(self.found.files, known, self.storages.read_range)
        return self._detected.mode

    def plan(self, unit_bytes: int) -> Plan:
        return plan_phases(self.found.phases(self._detected.sources), unit_bytes, self.storages.read_range)

    def all_sources(self) -> list[Source]:
        """All files to read that are not empty, and how."""
        return [source for phase in self.found.phases(self._detected.sources) for source in phase]

    def resuming(self, left: Remainder, journal: Journal) -> str:
        """The progress of an unfinished job, as a sentence."""
        files_left = len({unit.file.uri for unit in left.known() if isinstance(unit, SliceUnit)})
        more = f", {files_left:,} file{'s' * (files_left != 1)} left" if left.is_known else ""
        return f"Resuming: {journal.past.tally.bytes / max(1, self.total_bytes):.0%} done{more}"

    def remarks(self) -> Iterator[str]:
        yield from self.found.remarks()
        yield from self._detected.remarks

    def check_items(self, plan: Plan, journal: Journal) -> TransferError | None:
        """An error if exports are not whole, by the number of items read of each file."""
        return check_items(self.found.own, lambda: _read_by_file(plan, journal))

    def with_hint(self, error: DdbioError | None) -> DdbioError | None:
        """The error that ended the job, with a hint."""
        if error is None or not self.found.has_stdin:
            return error
        return error.reworded(error.message, "standard input is not kept: run the same command again with all of it")


def _read_by_file(plan: Plan, journal: Journal) -> Counter[str]:
    """The number of records read of each file, by its uri."""
    read, counted = journal.read_by_unit(), Counter[str]()
    for unit in plan.units:
        if isinstance(unit, SliceUnit | ChunkUnit):
            counted[unit.file.uri] += read.get(unit.number, 0)
    return counted
