"""Where bytes come from and go to: one small protocol, one module a kind (local disk, S3).

`open_storage` chooses the kind by the scheme of a URI and imports only that one: botocore is not paid for by a run
that reads from disk and writes to disk.

Rules of the seam:

- Everything here blocks. `Storage.remote` says whether a call can take long enough to be worth a thread; the
  event loops of the workers decide by it and nothing else. One `Storage` may be called from several threads at
  once; one `Output` belongs to one lane.
- Nothing is ever read or buffered whole: reads are byte ranges, an `Output` holds at most one part.
- An `Output` appears under its name only when `finish` returns; until then a reader sees nothing, or the
  previous file.
- Errors of the operating system and of botocore are translated here: a `DdbioError` leaves, nothing else.
- What is skipped in folders and how globs match is the same everywhere: `ddbio.storage.names`.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ddbio.aws.credentials import KeysProvider
from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.messages.files import STDIN, SourceFile, WrittenFile
from ddbio.storage.s3_uris import parse_uri

if TYPE_CHECKING:
    from ddbio.storage.names import PassedOver
    from ddbio.storage.stdin import StandardInput

__all__ = ["Output", "SourceFile", "Storage", "Storages", "WrittenFile", "absolute", "join", "open_storage"]


class Output(Protocol):
    """A file being written by one lane, from its first byte to its last.

    After a TransferError from `write` or `finish` the output takes no more bytes: `abort` it, or leave it for
    `Storage.reopen` with the `state` it has.
    """

    @property
    def written_bytes(self) -> int:
        """Bytes accepted by `write` so far."""

    @property
    def durable_bytes(self) -> int:
        """Bytes that a crash of this process cannot take back any more; at most `written_bytes`."""

    def write(self, data: bytes) -> None:
        """Append. May upload a part; raises TransferError where the bytes cannot be kept (disk full, S3 fault)."""

    def state(self) -> dict[str, Any]:
        """What `Storage.reopen` needs to go on from `durable_bytes` in another process: plain JSON types.

        It changes when `durable_bytes` does and grows with the number of parts: pass it on then, not more often.
        """

    def finish(self) -> WrittenFile:
        """Make the file complete and visible under its name, in one step.

        Waits until the bytes are safe (fsync, the last part): worth a thread in every kind of storage.
        """

    def abort(self) -> None:
        """Drop what was written; nothing stays behind. Never raises; does nothing after `finish`."""


class Storage(Protocol):
    """One kind of place. Built where it is used: never crosses a process boundary."""

    remote: bool

    def list_files(
        self, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
    ) -> list[SourceFile]:
        """What `uri` names, sorted by uri: a file; a folder or prefix (recursive, names ending in one of
        `suffixes`); a glob. A file named outright is taken whatever its suffix.

        passed_over: gets the files that are left out, and the manifests that are met.

        Raises UsageError when it does not exist or cannot be read, NothingMatchedError when nothing matches;
        TransferError when the service could not be reached.
        """

    def list_unfinished(self, uri: str) -> list[str]:
        """The uris of unfinished outputs in the folders that `uri` names which are no files that `list_files` meets.

        As far as that is permitted: without the permission to list them there are none. Never raises.
        """

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of `file`, fewer only at its end.

        Raises TransferError when the file cannot be read any more or is not the one that was listed.
        """

    def prepare_destination(self, uri: str) -> None:
        """Make sure that files can be written below `uri` (a folder is made, a bucket must exist).

        Raises UsageError when not; TransferError when the service could not be reached.
        """

    def occupant(self, uri: str) -> str | None:
        """The name of something that is below the destination `uri` already; None when it is empty.

        Hidden names do not count. Call it after `prepare_destination`; raises what that raises.
        """

    def contents(self, uri: str) -> dict[str, int]:
        """All that is below the destination `uri`, by name, and its size; hidden names do not count."""

    def remove(self, uri: str, name: str) -> None:
        """Remove a finished file of a destination; nothing where it is not there. Raises TransferError."""

    def remove_folders(self, uri: str, levels: int) -> None:
        """Remove so many folders, `uri` and those above it, as far as they are empty. Never raises."""

    def holds(self, state: dict[str, Any]) -> bool:
        """Whether an unfinished output of this `Output.state` can be gone on with, as far as a glance tells."""

    def discard(self, state: dict[str, Any]) -> None:
        """Drop an unfinished output of another process, of which this is the `Output.state`. Never raises."""

    def discard_unfinished(self, uri: str, ours: Callable[[str], object], keep: Sequence[dict[str, Any]]) -> None:
        """Drop all unfinished outputs below `uri` whose names are `ours`, but those with the states `keep`.

        As far as that is permitted: without the permission to list them, what is left is left. Never raises.
        """

    def create(self, uri: str, name: str, max_bytes: int) -> Output:
        """Start the file `name` below `uri`, overwriting one of that name when it is finished.

        max_bytes: an upper bound of its size, from which an S3 output chooses its part size.
        """

    def reopen(self, state: dict[str, Any]) -> Output:
        """Go on with an unfinished output of another process from its durable bytes; what was written past
        them is cut off.

        An output that was finished after `state` was taken is started again with its durable bytes copied from
        the finished file, which stays visible meanwhile. Raises TransferError when those bytes are gone.
        """

    def write_small(self, uri: str, name: str, data: bytes) -> None:
        """Write a whole small file (the manifest, rejects) in one step."""

    def close(self) -> None:
        """Let go of open files and connections. The storage can be used again afterwards."""


_Opener = Callable[[AwsSettings, KeysProvider | None], Storage]


def _open_local(_settings: AwsSettings, _keys: KeysProvider | None) -> Storage:
    from ddbio.storage.local import LocalStorage

    return LocalStorage()


def _open_s3(settings: AwsSettings, keys: KeysProvider | None) -> Storage:
    from ddbio.storage.s3 import S3Storage

    return S3Storage(settings, keys)


_OPENERS: dict[str, _Opener] = {"": _open_local, "file": _open_local, "s3": _open_s3}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SLIPPED_SCHEME = re.compile(r"(s3|file):(?!//)", re.IGNORECASE)
_KINDS_HINT = "give a path, file:///path or s3://bucket/prefix"


def open_storage(uri: str, settings: AwsSettings, keys: KeysProvider | None = None) -> Storage:
    """The storage that `uri` lives in. Connects to nothing.

    keys: where S3 requests get their AWS keys from; None leaves it to botocore's own chain.
    Raises UsageError for a scheme that is not known.
    """
    scheme = _scheme(uri)
    if scheme not in _OPENERS:
        raise UsageError(f'"{uri}": there is no storage called "{scheme}"', _KINDS_HINT)
    return _OPENERS[scheme](settings, keys)


class Storages:
    """The storages of a run, each opened when a uri first asks for it. Threads may share it."""

    def __init__(self, settings: AwsSettings, keys: KeysProvider | None = None) -> None:
        self._settings = settings
        self._keys = keys
        self._opened: dict[str, Storage] = {}
        self._stdin: StandardInput | None = None
        self._lock = threading.Lock()

    def of(self, uri: str) -> Storage:
        """The storage that `uri` lives in. Raises what `open_storage` raises."""
        scheme = _scheme(uri)
        with self._lock:
            if scheme not in self._opened:
                self._opened[scheme] = open_storage(uri, self._settings, self._keys)
            return self._opened[scheme]

    def list_files(
        self, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
    ) -> list[SourceFile]:
        """See `Storage.list_files`. `-` is standard input."""
        if uri == STDIN:
            return self.stdin().list_files()
        return self.of(uri).list_files(uri, suffixes, passed_over)

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        """See `Storage.read_range`; of a stream, `StandardInput.read_range`."""
        if file.is_stream:
            return self.stdin().read_range(start, stop)
        return self.of(file.uri).read_range(file, start, stop)

    def stdin(self) -> StandardInput:
        from ddbio.storage.stdin import StandardInput

        with self._lock:
            self._stdin = self._stdin or StandardInput()
            return self._stdin

    def close(self) -> None:
        for storage in self._opened.values():
            storage.close()


def _scheme(uri: str) -> str:
    # `s3:/bucket` would be a fine relative path, and a terabyte on the wrong disk.
    if _SLIPPED_SCHEME.match(uri):
        raise UsageError(f'"{uri}" is neither a path nor a URI', _KINDS_HINT)
    found = _SCHEME.match(uri)
    return found.group(1).lower() if found else ""


def absolute(uri: str) -> str:
    """The same place by a name that does not depend on the working directory.

    Raises UsageError for an S3 URI without a bucket: `join` would make a bucket of the name that it appends.
    """
    if _scheme(uri) == "s3":
        parse_uri(uri)
    return os.path.abspath(uri) if _scheme(uri) == "" and uri != STDIN else uri  # noqa: PTH100 - links stay as they are


def join(uri: str, name: str) -> str:
    """The path or URI of `name` below the folder, bucket or prefix `uri`."""
    return f"{uri}{name}" if uri.endswith("/") else f"{uri}/{name}"
