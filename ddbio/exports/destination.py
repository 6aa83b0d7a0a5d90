"""The place an export writes to: what may be there before it begins, and what must be gone when it is complete.

An export mixed with the files of another would look like one table. So:

- A new export begins in an empty place. `--if-exists overwrite` makes it one: what the manifest of an earlier export
  lists is removed, then that manifest, before the first byte is written. It refuses where anything is there that no
  manifest lists; a place without a manifest is nobody's to empty but the user's.
- What an unfinished job of the same command left is explained by its journal, and is continued, never emptied by
  itself. Hidden `.part` files and multipart uploads that no cursor points to are dropped.
- Before the manifest is written, files of this export's names that it does not list are removed: a worker may have
  been killed between finishing a file and saying so.

Only names that an export of this table makes, or that a manifest in this place lists, are ever removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import orjson

from ddbio.errors import UsageError
from ddbio.exports.manifest import MANIFEST_NAME
from ddbio.storage import Storage, join
from ddbio.storage.names import check_output_name
from ddbio.units import Cursor, ExportCursor, ExportedFile

_LONGEST_BYTES = 64 * 1024 * 1024  # of a manifest: it lists every file


class Destination:
    """table: the name that begins those of the files. own_folders: so many at the end of `uri` the export made."""

    def __init__(self, storage: Storage, uri: str, table: str, own_folders: int = 0) -> None:
        self._own_folders = own_folders
        self.storage = storage
        self.uri = uri
        self._table = table
        self._own_name = re.compile(rf"{re.escape(table)}-\d{{4,}}-\d{{5,}}\.[a-z.]+")

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
        if self.storage.occupant(self.uri) is None:
            return
        if if_exists == "overwrite":
            self._empty()
            return
        raise UsageError(
            f'"{self.uri}" is not empty: there is {self.storage.occupant(self.uri)}',
            "name an empty place with -d; or replace the export that is there with --if-exists overwrite",
        )

    def _empty(self) -> None:
        there, listed = self.storage.contents(self.uri), self._listed()
        stranger = next((name for name in sorted(there) if name not in {*listed, MANIFEST_NAME}), None)
        if stranger is not None:
            raise UsageError(
                f'"{self.uri}" holds {stranger}, which no manifest there lists: it is not replaced',
                "move it away, or name an empty place with -d",
            )
        for name in sorted(listed & there.keys()):
            self.storage.remove(self.uri, name)
        self.storage.remove(self.uri, MANIFEST_NAME)  # last: until then, the same command can go on with this

    def _listed(self) -> set[str]:
        """The files that the manifest in this place lists; none where there is none."""
        try:
            (file,) = self.storage.list_files(join(self.uri, MANIFEST_NAME), (MANIFEST_NAME,))
            content = orjson.loads(self.storage.read_range(file, 0, min(file.size_bytes, _LONGEST_BYTES)))
            return {check_output_name(each["name"]) for each in content["files"]}
        except (UsageError, ValueError, KeyError, TypeError):
            return set()

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
        stranger = next((name for name in sorted(there) if not self._own_name.fullmatch(name)), None)
        if stranger is not None and stranger != MANIFEST_NAME:
            raise UsageError(
                f'"{self.uri}" holds {stranger}, which the unfinished export did not write', "move it away"
            )

    def drop(self, files: Iterable[ExportedFile], cursors: Iterable[Cursor]) -> None:
        """Remove all that an unfinished export left."""
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
