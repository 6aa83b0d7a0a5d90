"""The destination of an export to files: prepared, kept separate from other files in it, and completed.

The manifest is written last: an export without one is not finished.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from ddbio.errors import DdbioError
from ddbio.job.accounts import Accounts
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Run
from ddbio.layouts.native_out import data_folder_of, folder_of, manifests
from ddbio.layouts.own import MANIFEST_NAME, Description, manifest
from ddbio.messages import ExportedFile
from ddbio.sinks.destination import Destination
from ddbio.sinks.segment_files import short_name
from ddbio.sources.plan import Plan
from ddbio.sources.subset import described
from ddbio.storage import join, open_storage
from ddbio.verbs.options import ExportOptions


class ExportFiles:
    """All that an export does at its destination, except writing the data files. Raises UsageError if the destination
    is unusable. Call `check`, or `make_ready`, first."""

    def __init__(self, run: Run, options: ExportOptions) -> None:
        self._run = run
        self._options = options
        self._storage = open_storage(options.destination, run.session.aws, run.session.keys)
        self._all = Destination(self._storage, options.destination, short_name(options.table))

    def close(self) -> None:
        self._storage.close()

    def _data(self, cut: Facts) -> Destination:
        """The folder of the data files, which is made."""
        place = self._data_place(cut)
        if place is not self._all:
            self._storage.prepare_destination(place.uri)
        return place

    def _data_place(self, cut: Facts) -> Destination:
        return self._all.below(data_folder(self._options, cut)) if self._options.native_layout else self._all

    def check(self, journal: Journal, *, resumes: bool) -> None:
        """For a plan, all that `make_ready` would refuse; makes nothing. resumes: the unfinished job of the journal.

        The files of another unfinished job, or of one that is started over, are no obstacle: the run removes them.
        """
        self._storage.check_destination(self._options.destination)
        if resumes:
            self._data_place(journal.plan).check(journal.files(), journal.cursors())
        elif not journal.resumed and not journal.folder.journal.exists():
            self._all.check_room(self._options.if_exists)

    def drop(self, journal: Journal) -> None:
        """Remove the files of an unfinished export, by its journal or else by the names of files."""
        self._storage.prepare_destination(self._options.destination)
        begun = self._data(journal.plan) if journal.resumed else self._all
        if journal.resumed or (journal.damaged and not begun.has_manifest()):
            begun.drop(journal.files() if journal.resumed else (), journal.cursors())

    def make_ready(self, journal: Journal) -> None:
        """Raises UsageError if the export may not begin, or cannot be resumed here."""
        self._storage.prepare_destination(self._options.destination)
        if not journal.resumed:
            removed = self._all.make_room(self._options.if_exists)
            if removed:
                self._run.progress.say(
                    f"Replacing the export in {self._options.destination}: its {removed:,} "
                    f"file{'s were' if removed > 1 else ' was'} removed (--if-exists overwrite)"
                )
            return
        begun = self._data(journal.plan)
        begun.check(journal.files(), journal.cursors())
        begun.clear(journal.files(), journal.cursors())

    def prepare(self, cut: Facts) -> None:
        """Create the folder of the data files. cut: the plan's facts."""
        self._data(cut)

    def complete(
        self, plan: Plan, journal: Journal, accounts: Accounts, files: Sequence[ExportedFile]
    ) -> DdbioError | None:
        """Remove extra files, verify those of the export, write the manifest. Returns an error if that failed."""
        options, run, cut = self._options, self._run, journal.plan
        began = datetime.datetime.fromisoformat(cut["began"])
        export = Description(
            table=run.table.description,
            format=options.format,
            compression=options.compress,
            consistent_read=options.consistent_read,
            segments=len(plan.units),
            began=began,
            columns=[(name, letter) for name, letter in journal.noted("columns", ())],
            subset=described(options, plan.units),
            shaping=_shaping(options),
        )
        folder, destination = manifest_folder(options, cut), self._data(cut)
        try:
            destination.clear(files)
            destination.confirm(files)
            if options.native_layout:
                for name, text in manifests(options.destination, cut["export_id"], run.table, began, files):
                    self._storage.write_small(folder, name, text)
            self._storage.write_small(folder, MANIFEST_NAME, manifest(export, accounts.total, files))
        except DdbioError as error:
            return error
        return None


def _shaping(options: ExportOptions) -> dict[str, Any]:
    """The options that changed the items or left out attributes, for the manifest."""
    asked = {
        "columns": options.columns,
        "rename": options.rename,
        "drop": options.drop,
        "set": options.assign,
        "transform": options.transform,
    }
    return {name: value for name, value in asked.items() if value}


def data_folder(options: ExportOptions, cut: Facts) -> str:
    return data_folder_of(options.destination, cut["export_id"]) if options.native_layout else options.destination


def manifest_folder(options: ExportOptions, cut: Facts) -> str:
    return folder_of(options.destination, cut["export_id"]) if options.native_layout else options.destination


def manifest_path(options: ExportOptions, cut: Facts) -> str:
    return join(manifest_folder(options, cut), MANIFEST_NAME)
