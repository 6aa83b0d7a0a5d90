"""Files on the local disk.

Reads are `pread`s on a few cached descriptors, and each one is verified: after it, the file must still have the
inode, size and modification time it was listed with, so that an import never mixes two versions of a file. (If a
rename replaces a file while it is open here, reads continue from the old one.) Listing and writing are in
`local_listing` and `local_output`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddbio.errors import PermanentError, TransferError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.storage.local_listing import list_local, local_path, version_of
from ddbio.storage.local_output import LocalOutput, create_local, finished_name, part_path, reopen_local
from ddbio.storage.names import PassedOver, check_output_name, is_hidden

_MAX_OPEN_FILES = 32


class LocalStorage:
    """See `Storage`. URIs are paths, absolute or relative to the working directory, or `file:///path`."""

    remote = False

    def __init__(self) -> None:
        self._open_files = _OpenFiles()

    def list_files(
        self, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
    ) -> list[SourceFile]:
        return list_local(uri, suffixes, passed_over)

    def list_unfinished(self, uri: str) -> list[str]:
        return []  # they are files with hidden names

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        stop = min(stop, file.size_bytes)
        try:
            data = self._open_files.read(file, start, stop)
        except OSError as error:
            message = f'"{file.uri}" can no longer be read: {error.strerror or error}'
            raise TransferError(message, "fix that and run the same command again") from error
        if len(data) < stop - start:
            raise _changed(file)
        return data

    def check_destination(self, uri: str) -> None:
        folder = local_path(uri)
        there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
        if not there.is_dir():
            raise _no_folder(folder)
        for name in folder.relative_to(there).parts:
            try:
                (there / name).lstat()
            except FileNotFoundError:
                continue
            except OSError as error:  # the name is too long
                raise _unwritable(folder, error.strerror or str(error)) from error
        _check_access(there, folder)

    def prepare_destination(self, uri: str) -> None:
        folder = local_path(uri)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise _no_folder(folder) from error
        except OSError as error:
            raise _unwritable(folder, error.strerror or str(error)) from error
        _check_access(folder, folder)

    def first_entry(self, uri: str) -> str | None:
        folder = local_path(uri)
        try:
            return min((each.name for each in folder.iterdir() if not is_hidden(each.name)), default=None)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f'cannot look into "{folder}": {error.strerror}', "check its permissions") from error

    def contents(self, uri: str) -> dict[str, int]:
        folder = local_path(uri)
        try:
            return {each.name: each.stat().st_size for each in folder.iterdir() if not is_hidden(each.name)}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f'cannot look into "{folder}": {error.strerror}', "check its permissions") from error

    def remove(self, uri: str, name: str) -> None:
        path = local_path(uri) / check_output_name(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TransferError(f'cannot remove "{path}": {error.strerror}', "remove it by hand") from error

    def remove_folders(self, uri: str, levels: int) -> None:
        folder = local_path(uri)
        with contextlib.suppress(OSError):
            for each in [folder, *folder.parents][:levels]:
                each.rmdir()

    def holds(self, state: dict[str, Any]) -> bool:
        path, size_bytes = Path(state["path"]), 0
        for each in (path, part_path(path)):
            with contextlib.suppress(OSError):
                size_bytes = max(size_bytes, each.stat().st_size)
        return bool(size_bytes >= state["durable_bytes"])

    def discard(self, state: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            part_path(Path(state["path"])).unlink()

    def discard_unfinished(self, uri: str, ours: Callable[[str], object], keep: Sequence[dict[str, Any]]) -> None:
        kept = {part_path(Path(state["path"])).name for state in keep}
        with contextlib.suppress(OSError):
            for path in local_path(uri).iterdir():
                if path.name not in kept and (name := finished_name(path.name)) and ours(name):
                    path.unlink()

    def create(self, uri: str, name: str, max_bytes: int) -> LocalOutput:
        return create_local(local_path(uri), name)

    def reopen(self, state: dict[str, Any]) -> LocalOutput:
        return reopen_local(state)

    def write_small(self, uri: str, name: str, data: bytes) -> None:
        output = create_local(local_path(uri), name)
        try:
            output.write(data)
            output.finish()
        finally:
            output.abort()

    def close(self) -> None:
        self._open_files.close()


class _OpenFiles:
    """Open descriptors of the files read last. One lock for all: none may be closed while another thread reads it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fds: OrderedDict[str, int] = OrderedDict()

    def read(self, file: SourceFile, start: int, stop: int) -> bytes:
        with self._lock:
            fd = self._fds.get(file.uri)
            if fd is None or version_of(os.fstat(fd)) != file.version:
                fd = self._open(file.uri)
            self._fds.move_to_end(file.uri)
            data = _read_fully(fd, start, stop)
            # Checked after the read, which proves that the bytes are from the version that was listed.
            if version_of(os.fstat(fd)) != file.version:
                raise _changed(file)
            return data

    def close(self) -> None:
        with self._lock:
            while self._fds:
                self._drop(next(iter(self._fds)))

    def __del__(self) -> None:
        self.close()

    def _open(self, path: str) -> int:
        self._drop(path)
        if len(self._fds) >= _MAX_OPEN_FILES:
            self._drop(next(iter(self._fds)))
        # Without NONBLOCK the open itself would wait if the file has become a FIFO.
        self._fds[path] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return self._fds[path]

    def _drop(self, path: str) -> None:
        fd = self._fds.pop(path, None)
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)


def _read_fully(fd: int, start: int, stop: int) -> bytes:
    """Bytes [start, stop); fewer at the end of the file. One pread, except for enormous ranges."""
    data = os.pread(fd, max(0, stop - start), start)
    while len(data) < stop - start and (more := os.pread(fd, stop - start - len(data), start + len(data))):
        data += more
    return data


def _changed(file: SourceFile) -> TransferError:
    return PermanentError(
        f'"{file.uri}" changed after it was listed',
        "leave the files alone while they are read, and start over with --fresh",
    )


def _no_folder(path: Path) -> UsageError:
    return UsageError(f'"{path}" is not a folder', "name a folder to write the files to")


def _check_access(there: Path, folder: Path) -> None:
    """there: the folder, or the one above in which it will be made."""
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, os.strerror(errno.EACCES))


def _unwritable(folder: os.PathLike[str], reason: str) -> UsageError:
    return UsageError(f'cannot write to "{folder}": {reason}', "choose another folder, or check its permissions")
