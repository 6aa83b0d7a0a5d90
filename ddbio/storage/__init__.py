"""Reading and writing files: one small protocol, one module for each kind of storage (local disk, S3).

`open_storage` chooses the kind by the scheme of a URI and imports only that one: a run between local disks does not
import botocore.

Rules of the protocol:

- Every call blocks. `Storage.remote` is true if a call can take long enough to be worth a thread; the event loops of
  the workers decide by it alone. Several threads may call one `Storage` at once; one `Output` belongs to one lane.
- No file is read or buffered whole: reads are byte ranges, and an `Output` holds at most one part.
- An `Output` appears under its name only when `finish` returns; until then a reader sees nothing, or the
  previous file.
- Errors of the operating system and of botocore are translated here: only `DdbioError`s leave.
- Folders skip the same files and globs match alike in every storage: see `ddbio.storage.names`.
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

    After a TransferError from `write` or `finish` the output accepts no more bytes: `abort` it, or leave it for
    `Storage.reopen` with its present `state`.
    """

    @property
    def written_bytes(self) -> int:
        """Bytes accepted by `write` so far."""

    @property
    def durable_bytes(self) -> int:
        """Bytes that survive a crash of this process; at most `written_bytes`."""

    def write(self, data: bytes) -> None:
        """Append. May upload a part; raises TransferError if the bytes cannot be stored (disk full, S3 fault)."""

    def state(self) -> dict[str, Any]:
        """The state from which `Storage.reopen` resumes at `durable_bytes` in another process: plain JSON types.

        It changes only when `durable_bytes` does, and grows with the number of parts: pass it on only then.
        """

    def finish(self) -> WrittenFile:
        """Make the file complete and visible under its name, in one step.

        Waits until the bytes are safe (fsync, the last part): worth a thread even on a local disk.
        """

    def abort(self) -> None:
        """Delete the unfinished file. Never raises; does nothing after `finish`."""


class Storage(Protocol):
    """One kind of storage. Each process builds its own: it never crosses a process boundary."""

    remote: bool

    def list_files(
        self, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
    ) -> list[SourceFile]:
        """The files that `uri` names, sorted by uri: a file; a folder or prefix (recursive, names ending in one of
        `suffixes`); a glob. A file named explicitly is taken whatever its suffix.

        passed_over: collects the files that are skipped and the manifests that are found.

        Raises UsageError if `uri` does not exist or cannot be read, NothingMatchedError if nothing matches,
        TransferError if the service could not be reached.
        """

    def list_unfinished(self, uri: str) -> list[str]:
        """The uris of unfinished outputs in the folders that `uri` names, if `list_files` cannot see them as files.

        Returns none without the permission to list them. Never raises.
        """

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of `file`, fewer only at its end.

        Raises TransferError if the file can no longer be read or is not the one that was listed.
        """

    def check_destination(self, uri: str) -> None:
        """Check that files can probably be written below `uri`, and make nothing. Raises as `prepare_destination`."""

    def prepare_destination(self, uri: str) -> None:
        """Make sure that files can be written below `uri` (creates a folder; a bucket must exist).

        Raises UsageError if they cannot, TransferError if the service could not be reached.
        """

    def first_entry(self, uri: str) -> str | None:
        """The name of one entry below the destination `uri`; None if it is empty, or not there.

        Ignores hidden names. Raises the errors of `prepare_destination`.
        """

    def contents(self, uri: str) -> dict[str, int]:
        """The size of each entry below the destination `uri`, by name; none if it is not there. Ignores hidden
        names."""

    def remove(self, uri: str, name: str) -> None:
        """Remove a finished file of a destination, if it exists. Raises TransferError."""

    def remove_folders(self, uri: str, levels: int) -> None:
        """Remove up to `levels` empty folders: `uri`, its parent and so on. Never raises."""

    def holds(self, state: dict[str, Any]) -> bool:
        """Whether the unfinished output with this `Output.state` can probably be resumed: a cheap check."""

    def discard(self, state: dict[str, Any]) -> None:
        """Delete the unfinished output of another process that has this `Output.state`. Never raises."""

    def discard_unfinished(self, uri: str, ours: Callable[[str], object], keep: Sequence[dict[str, Any]]) -> None:
        """Delete all unfinished outputs below `uri` whose names are `ours`, except those with the states `keep`.

        Without the permission to list them, deletes none. Never raises.
        """

    def create(self, uri: str, name: str, max_bytes: int) -> Output:
        """Start the file `name` below `uri`; when finished, it replaces a file of that name.

        max_bytes: an upper bound of its size, from which an S3 output chooses its part size.
        """

    def reopen(self, state: dict[str, Any]) -> Output:
        """Resume an unfinished output of another process after its durable bytes; any later bytes are cut off.

        An output that was finished after `state` was taken is started again with its durable bytes copied from
        the finished file, which stays visible meanwhile. Raises TransferError if those bytes are gone.
        """

    def write_small(self, uri: str, name: str, data: bytes) -> None:
        """Write a whole small file (the manifest, rejects) in one step."""

    def close(self) -> None:
        """Close open files and connections. The storage can be used again afterwards."""


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
    """The storage of `uri`. Connects to nothing.

    keys: supplies the AWS keys for S3 requests; None leaves them to botocore's own chain.
    Raises UsageError for an unknown scheme.
    """
    scheme = _scheme(uri)
    if scheme not in _OPENERS:
        raise UsageError(f'"{uri}": there is no storage called "{scheme}"', _KINDS_HINT)
    return _OPENERS[scheme](settings, keys)


class Storages:
    """The storages of a run, each opened on first use. Threads may share it."""

    def __init__(self, settings: AwsSettings, keys: KeysProvider | None = None) -> None:
        self._settings = settings
        self._keys = keys
        self._opened: dict[str, Storage] = {}
        self._stdin: StandardInput | None = None
        self._lock = threading.Lock()

    def of(self, uri: str) -> Storage:
        """The storage of `uri`. Raises the errors of `open_storage`."""
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
    # `s3:/bucket` is a valid relative path: an export would fill the local disk instead of the bucket.
    if _SLIPPED_SCHEME.match(uri):
        raise UsageError(f'"{uri}" is neither a path nor a URI', _KINDS_HINT)
    found = _SCHEME.match(uri)
    return found.group(1).lower() if found else ""


def absolute(uri: str) -> str:
    """`uri` in a form that does not depend on the working directory.

    Raises UsageError for an S3 URI without a bucket: `join` would turn the name that it appends into a bucket.
    """
    if _scheme(uri) == "s3":
        parse_uri(uri)
    return os.path.abspath(uri) if _scheme(uri) == "" and uri != STDIN else uri  # noqa: PTH100 - keeps links


def join(uri: str, name: str) -> str:
    """The path or URI of `name` below the folder, bucket or prefix `uri`."""
    return f"{uri}{name}" if uri.endswith("/") else f"{uri}/{name}"
