"""The place an export writes to: what may be there before it begins, and what must be gone when it is complete.

An export mixed with the files of another would look like one table. So:

- A new export begins in an empty place. `--if-exists overwrite` makes it one: what the manifest of an earlier export
  lists is removed, then that manifest, before the first byte is written. It refuses where anything is there that no
  manifest lists; a place without a manifest is nobody's to empty but the user's.
- What an unfinished job of the same command left is explained by its journal, and is continued, never emptied by
  itself. Hidden `.part` files and multipart uploads that no cursor points to are dropped.
- Before the manifest is written, files of this export's names that it does not list are removed: a worker may have
  been killed between finishing a file and saying so. Then the place is listed again: a file that was deleted,
  shortened or replaced while the export ran fails it, and there is no manifest.

Only names that an export of this table makes, or that a manifest in this place lists, are ever removed.
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
    """table: the name that begins those of the files. own_folders: so many at the end of `uri` the export made."""

    def __init__(self, storage: Storage, uri: str, table: str, own_folders: int = 0) -> None:
        self._own_folders = own_folders
        self.storage = storage
        self.uri = uri
        self._table = table
        self._own_name = own_file_name(table)

    def below(self, uri: str) -> Destination:
        """The place of the data, where that is not the destination itself but below it."""
        self.storage.prepare_destination(uri)
        own_folders = uri.removeprefix(self.uri).strip("/").count("/") + 1
        return Destination(self.storage, uri, self._table, own_folders)

    def make_room(self, if_exists: str) -> None:
        """For a new export. Raises UsageError where the place is not empty and may not be emptied."""
        if if_exists == "resume":
            raise UsageError(
                f'there is no unfinished export to "{self.uri}" to resume', "leave out --if-exists to begin one"
            )
        if self.storage.first_entry(self.uri) is None:
            return
        if if_exists == "overwrite":
            self._empty()
            return
        raise UsageError(
            f'"{self.uri}" is not empty: there is {self.storage.first_entry(self.uri)}',
            "name an empty place with -d; or replace the export that is there with --if-exists overwrite",
        )

    def _empty(self) -> None:
        there, manifests = self.storage.contents(self.uri), self._listed()
        listed = {name for names in manifests.values() for name in names}
        stranger = next((name for name in sorted(there) if name not in {*listed, *manifests}), None)
        if stranger is not None:
            raise UsageError(
                f'"{self.uri}" holds {stranger}, which no manifest there lists: it is not replaced',
                "move it away, or name an empty place with -d",
            )
        for name in sorted(listed & there.keys()):
            self.storage.remove(self.uri, name)
        for name in manifests:  # last: until then, the same command can resume from them
            self.storage.remove(self.uri, name)

    def has_manifest(self) -> bool:
        """Whether the export that is there is complete."""
        return bool(self._listed())

    def _listed(self) -> dict[str, set[str]]:
        """The manifests of exports by this program in this place, and the files that each lists."""
        listed = {}
        for name, manifest in find_manifests(self.uri, self.storage).items():
            with suppress(UsageError):  # it lists a file elsewhere: it is not ours
                listed[name] = {check_output_name(each.name) for each in manifest.files}
        return listed

    def check(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor]) -> None:
        """For an export that goes on. files: that it had finished. Raises UsageError where others are there."""
        there = self.storage.contents(self.uri)
        missing = [each.file.name for each in files if there.get(each.file.name) != each.file.size_bytes]
        missing += [_name_of(state) for state in open_outputs(cursors) if not self.storage.holds(state)]
        if missing:
            raise UsageError(
                f'"{join(self.uri, missing[0])}", which the unfinished export had written, is not there as it was',
                "put it back, or start over with --fresh",
            )
        stranger = self._stranger(there)
        if stranger is not None:
            raise UsageError(
                f'"{self.uri}" holds {stranger}, which the unfinished export did not write', "move it away"
            )

    def confirm(self, files: Iterable[ExportedFile]) -> None:
        """Before the manifest is written: all files are there with the size they were written with, and no others.

        Raises TransferError, which names the first that is not.
        """
        there = self.storage.contents(self.uri)
        for each in files:
            wrote, found = each.file.size_bytes, there.get(each.file.name)
            if found != wrote:
                now = "is not there any more" if found is None else f"has {found:,} bytes now"
                raise TransferError(
                    f'"{join(self.uri, each.file.name)}", which this export wrote with {wrote:,} bytes, {now}: there '
                    "is no manifest",
                    "put it back and run the same command again, or start over with --fresh",
                )
        if (stranger := self._stranger(there)) is not None:
            raise TransferError(
                f'"{self.uri}" holds {stranger}, which this export did not write: there is no manifest',
                "move it away and run the same command again",
            )

    def _stranger(self, there: Iterable[str]) -> str | None:
        return next((name for name in sorted(there) if not self._is_ours(name)), None)

    def _is_ours(self, name: str) -> bool:
        return name in MANIFEST_NAMES or self._own_name.fullmatch(name) is not None

    def drop(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor]) -> None:
        """Remove all that an unfinished export left, and first the manifest that would list what is gone."""
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
        """Remove what earlier lives of this export's workers left and nobody goes on with.

        files: what is finished. cursors: where the export goes on.
        """
        self.storage.discard_unfinished(self.uri, self._own_name.fullmatch, list(open_outputs(cursors)))
        known: Collection[str] = {each.file.name for each in files}
        for name in self.storage.contents(self.uri):
            if self._own_name.fullmatch(name) and name not in known and not _is_continued(name, cursors):
                self.storage.remove(self.uri, name)


def open_outputs(cursors: Iterable[Cursor]) -> list[dict[str, Any]]:
    """The outputs that are to be continued."""
    return [cursor.output for cursor in cursors if isinstance(cursor, ExportCursor) and cursor.output]


def _is_continued(name: str, cursors: Iterable[Cursor]) -> bool:
    """Whether a finished file is the source of one that is continued: it was finished after its last report."""
    return any(_name_of(state) == name for state in open_outputs(cursors))


def _name_of(state: dict[str, Any]) -> str:
    return str(state.get("path") or state.get("key")).rpartition("/")[2]
