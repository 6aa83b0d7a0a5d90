"""One file being written on the local disk.

- It is written as `.<name>.part` in its own folder: hidden, so that no listing takes it for data, and on the same
  file system, so that the rename of `finish` is atomic. A file with its final name is complete and on the disk.
- Nothing is buffered here: the operating system has every byte that `write` accepted, and a crash of the process does
  not lose it. Until `finish`, a crash of the machine can; `reopen` detects that by the checksum of the prefix.
- A write happens whole or not at all: if the disk is full, the file is cut back to its size before the write.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbio.errors import PermanentError, TransferError
from ddbio.messages.files import WrittenFile
from ddbio.storage.names import check_output_name

if TYPE_CHECKING:
    from hashlib import _Hash

_COPY_BYTES = 1 << 20
_RUN_AGAIN = "and run the same command again"

_HINTS = {
    errno.ENOSPC: f"the disk is full: free some space {_RUN_AGAIN}",
    errno.EDQUOT: f"the disk quota is used up: free some space {_RUN_AGAIN}",
    errno.EFBIG: f"files may not be that large here (ulimit -f, file system): write smaller ones {_RUN_AGAIN}",
    errno.ENAMETOOLONG: "choose a destination with a shorter path",
    errno.ENOENT: f"the folder was removed: make it again {_RUN_AGAIN}",
    errno.EISDIR: f"a folder has that name: move it away {_RUN_AGAIN}",
    errno.EIO: f"the disk reports a fault: check it {_RUN_AGAIN}",
}
_DEFAULT_HINT = f"check the folder's permissions {_RUN_AGAIN}"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a TransferError that names `path`."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, _DEFAULT_HINT)
        raise TransferError(f'cannot write "{path}": {error.strerror or error}', hint) from error


class LocalOutput:
    """See `Output`. Made by `create_local` or `reopen_local`."""

    def __init__(self, path: Path, fd: int, size_bytes: int, digest: _Hash) -> None:
        self._path = path
        self._fd: int | None = fd
        self._size_bytes = size_bytes
        self._digest = digest

    @property
    def written_bytes(self) -> int:
        return self._size_bytes

    @property
    def durable_bytes(self) -> int:
        return self._size_bytes

    def write(self, data: bytes) -> None:
        fd = self._open_fd()
        with _writing(self._path):
            try:
                _write_at(fd, data, self._size_bytes)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, self._size_bytes)
                raise
        self._size_bytes += len(data)
        self._digest.update(data)

    def state(self) -> dict[str, Any]:
        """{"path": its final path, "durable_bytes": int, "sha256": hex digest of that many bytes}."""
        return {"path": str(self._path), "durable_bytes": self._size_bytes, "sha256": self._digest.hexdigest()}

    def finish(self) -> WrittenFile:
        fd, part = self._open_fd(), part_path(self._path)
        with _writing(self._path):
            os.fsync(fd)
            _check_same(fd, part)
            part.rename(self._path)
            self._close()
            sync_folder(self._path.parent)
        return WrittenFile(self._path.name, self._size_bytes, f"sha256:{self._digest.hexdigest()}")

    def abort(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                _check_same(self._fd, part_path(self._path))
                part_path(self._path).unlink()
            self._close()

    def __del__(self) -> None:
        self._close()  # an unfinished file stays for `reopen`; only the descriptor is closed

    def _open_fd(self) -> int:
        if self._fd is None:
            raise ValueError(f'"{self._path}" is finished or aborted')
        return self._fd

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)


def part_path(path: Path) -> Path:
    """The path of the unfinished file."""
    return path.with_name(f".{path.name}.part")


def finished_name(part_name: str) -> str:
    """The final name of an unfinished file; empty if `part_name` is not one."""
    is_part = part_name.startswith(".") and part_name.endswith(".part")
    return part_name[1 : -len(".part")] if is_part else ""


def create_local(folder: Path, name: str) -> LocalOutput:
    """Start a file. Removes the unfinished file that a crashed run left under the same name."""
    path = folder / check_output_name(name)
    with _writing(path):
        return LocalOutput(path, _new_part(path), 0, hashlib.sha256())


def reopen_local(state: dict[str, Any]) -> LocalOutput:
    """See `Storage.reopen`; `state` is from `LocalOutput.state`."""
    path, durable_bytes = Path(state["path"]), state["durable_bytes"]
    with _writing(path):
        output = _reopen_part(path, durable_bytes)
    if output.state() == state:
        return output
    output._close()
    raise PermanentError(
        f'"{part_path(path)}" does not contain the {durable_bytes:,} bytes that were written',
        "the machine or the disk lost them: start over with --fresh",
    )


def _reopen_part(path: Path, durable_bytes: int) -> LocalOutput:
    try:
        fd = os.open(part_path(path), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _restart(path, durable_bytes)
    output = LocalOutput(path, fd, 0, hashlib.sha256())
    for chunk in _chunks(fd, durable_bytes):
        output._digest.update(chunk)
        output._size_bytes += len(chunk)
    os.ftruncate(fd, output._size_bytes)
    return output


def _restart(path: Path, durable_bytes: int) -> LocalOutput:
    """The unfinished file is gone, perhaps renamed by `finish` after the state was taken: start with a copy of its
    durable bytes."""
    output = LocalOutput(path, _new_part(path), 0, hashlib.sha256())
    if durable_bytes and path.is_file():
        with path.open("rb") as finished:
            for chunk in _chunks(finished.fileno(), durable_bytes):
                output.write(chunk)
    return output


def _chunks(fd: int, size_bytes: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(fd, min(_COPY_BYTES, size_bytes - offset), offset):
        yield chunk
        offset += len(chunk)


def _new_part(path: Path) -> int:
    # A new inode, never a link's target: a process wrongly thought dead may still write to the old one.
    part_path(path).unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(part_path(path), flags, 0o666)


def _write_at(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def _check_same(fd: int, part: Path) -> None:
    if not os.path.samestat(os.fstat(fd), part.stat()):
        raise FileExistsError(errno.EEXIST, "another run writes the same file")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, if its file system can."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(fd)
