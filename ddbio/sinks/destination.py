"""The destination of an export: the files it may contain before the export starts and after it is complete.

An export mixed with the files of another would look like one table. So:

- A new export starts in an empty destination. `--if-exists overwrite` empties it: the files that the manifest of an
  earlier export lists are removed, then that manifest, before the first byte is written. It refuses if there is a
  file that no manifest lists; only the user may empty a destination without a manifest.
- Files of an unfinished export by the same command are known from its journal. That export is resumed; its files are
  never removed automatically. Hidden `.part` files and multipart uploads that no cursor points to are dropped.
- Before the manifest is written, files with names of this export that it does not list are removed: a worker may have
  been killed after finishing a file and before reporting it. Then the destination is listed again: if a file was
  deleted, shortened or replaced during the export, the export fails without a manifest.

Only files with names that an export of this table makes, or that a manifest here lists, are ever removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from ddbio.errors import TransferError, UsageError
from ddbio.layouts.own import MANIFEST_NAMES, find_manifests, own_file_name
from ddbio.messages import Cursor, ExportCursor, ExportedFile
from ddbio.storage import Storage, join
from ddbio.storage.names import check_output_name


class Destination:
    """table: prefix of the file names. own_folders: how many folders at the end of `uri` the export created."""

    def __init__(self, storage: Storage, uri: str, table: str, own_folders: int = 0) -> None:
        self._own_folders = own_folders
        self.storage = storage
        self.uri = uri
        self._table = table
        self._own_name = own_file_name(table)

    def below(self, uri: str) -> Destination:
        """The destination of the data, if that is a folder below this one."""
        own_folders = uri.removeprefix(self.uri).strip("/").count("/") + 1
        return Destination(self.storage, uri, self._table, own_folders)

    def make_room(self, if_exists: str) -> int:
        """Prepare for a new export; returns the number of files that were removed. Raises UsageError as `check_room`
        does."""
        files, manifests = self.check_room(if_exists)
        for name in (*files, *manifests):  # the manifests last: until then, the same command can resume from them
            self.storage.remove(self.uri, name)
        return len(files)

    def check_room(self, if_exists: str) -> tuple[list[str], list[str]]:
        """The files and the manifests that must be removed before a new export.

        Raises UsageError if the destination is not empty and may not be emptied.
        """
        if if_exists == "resume":
            raise UsageError(
                f'there is no unfinished export to "{self.uri}" to resume', "omit --if-exists to start a new one"
            )
        if self.storage.first_entry(self.uri) is None:
            return [], []
        if if_exists == "overwrite":
            return self._replaceable()
        raise UsageError(
            f'"{self.uri}" is not empty: it contains {self.storage.first_entry(self.uri)}',
            "name an empty folder or prefix with -d, or replace the export that is there with --if-exists overwrite",
        )

    def _replaceable(self) -> tuple[list[str], list[str]]:
        there, manifests = self.storage.contents(self.uri), self._listed()
        listed = {name for names in manifests.values() for name in names}
        unexpected = next((name for name in sorted(there) if name not in {*listed, *manifests}), None)
        if unexpected is not None:
            raise UsageError(
                f'"{self.uri}" contains {unexpected}, which no manifest there lists: it is not replaced',
                "move it away, or name an empty folder or prefix with -d",
            )
        return sorted(listed & there.keys()), list(manifests)

    def has_manifest(self) -> bool:
        """Whether the destination contains a complete export."""
        return bool(self._listed())

    def _listed(self) -> dict[str, set[str]]:
        """The manifests of this program's exports in the destination, and the files that each lists."""
        listed = {}
        for name, manifest in find_manifests(self.uri, self.storage).items():
            with suppress(UsageError):  # it lists a file outside of this folder: it is not ours
                listed[name] = {check_output_name(each.name) for each in manifest.files}
        return listed

    def check(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor]) -> None:
        """Check before resuming an export. files: those it had finished.

        Raises UsageError if one of its files is missing or changed, or if there are other files.
        """
        there = self.storage.contents(self.uri)
        missing = [each.file.name for each in files if there.get(each.file.name) != each.file.size_bytes]
        missing += [_name_of(state) for state in open_outputs(cursors) if not self.storage.holds(state)]
        if missing:
            raise UsageError(
                f'"{join(self.uri, missing[0])}", which the unfinished export had written, is missing or changed',
                "put it back, or start over with --fresh",
            )
        unexpected = self._unexpected_file(there)
        if unexpected is not None:
            raise UsageError(
                f'"{self.uri}" contains {unexpected}, which the unfinished export did not write', "move it away"
            )

    def confirm(self, files: Iterable[ExportedFile]) -> None:
        """Check before the manifest is written that all files are there in the size they were written, and no others.

        Raises TransferError, which names the first file that is missing, changed or unexpected.
        """
        there = self.storage.contents(self.uri)
        for each in files:
            wrote, found = each.file.size_bytes, there.get(each.file.name)
            if found != wrote:
                now = "is missing now" if found is None else f"has {found:,} bytes now"
                raise TransferError(
                    f'"{join(self.uri, each.file.name)}", which this export wrote with {wrote:,} bytes, {now}: there '
                    "is no manifest",
                    "put it back and run the same command again, or start over with --fresh",
                )
        if (unexpected := self._unexpected_file(there)) is not None:
            raise TransferError(
                f'"{self.uri}" contains {unexpected}, which this export did not write: there is no manifest',
                "move it away and run the same command again",
            )

    def _unexpected_file(self, there: Iterable[str]) -> str | None:
        return next((name for name in sorted(there) if not self._is_ours(name)), None)

    def _is_ours(self, name: str) -> bool:
        return name in MANIFEST_NAMES or self._own_name.fullmatch(name) is not None

    def drop(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor]) -> None:
        """Remove all files of an unfinished export; the manifest first, because it would list removed files."""
        for name in self._listed():
            self.storage.remove(self.uri, name)
        for state in open_outputs(cursors):
            self.storage.discard(state)
        there = self.storage.contents(self.uri)
        for each in files:
            if each.file.name in there:
                self.storage.remove(self.uri, each.file.name)
        self.clear(())
        self.storage.remove_folders(self.uri, self._own_folders)

    def clear(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor] = ()) -> None:
        """Remove leftovers of this export's killed workers that will not be resumed.

        files: the finished ones. cursors: those from which the export resumes.
        """
        self.storage.discard_unfinished(self.uri, self._own_name.fullmatch, list(open_outputs(cursors)))
        known: Collection[str] = {each.file.name for each in files}
        for name in self.storage.contents(self.uri):
            if self._own_name.fullmatch(name) and name not in known and not _is_continued(name, cursors):
                self.storage.remove(self.uri, name)


def open_outputs(cursors: Iterable[Cursor]) -> list[dict[str, Any]]:
    """The outputs to be resumed."""
    return [cursor.output for cursor in cursors if isinstance(cursor, ExportCursor) and cursor.output]


def _is_continued(name: str, cursors: Iterable[Cursor]) -> bool:
    """Whether a finished file is one that will be resumed: it was finished after its last report."""
    return any(_name_of(state) == name for state in open_outputs(cursors))


def _name_of(state: dict[str, Any]) -> str:
    return str(state.get("path") or state.get("key")).rpartition("/")[2]
