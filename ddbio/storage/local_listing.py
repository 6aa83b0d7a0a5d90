"""Listing local files: one file, the files below a folder, or the matches of a glob.

Rules (for names see `ddbio.storage.names`):

- Nothing is skipped silently. An unreadable folder, a broken link, a FIFO among the data files: each is a UsageError
  with its path, because otherwise the import would be incomplete and report success.
- Links to folders are followed, and every folder is visited once however many links lead to it, so a loop ends.
- The order does not depend on the file system: the result is sorted by path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from ddbio.errors import NotFoundError, NothingMatchedError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.storage.names import (
    Glob,
    PassedOver,
    has_magic,
    is_any_depth,
    is_data_file,
    is_passed_over,
    matches_any_name,
    matches_component,
    or_list,
)


def local_path(uri: str) -> Path:
    """The absolute path of a path or a `file://` URI (whose percent-escapes are undone). Links are not resolved."""
    if not uri:
        raise UsageError(
            "the name of a file or folder is empty", "is a shell variable unset? the current folder is ."
        )
    if not uri.lower().startswith("file://"):
        return Path(uri).absolute()
    host, slash, rest = uri[len("file://") :].partition("/")
    if host not in ("", "localhost") or not slash:
        raise UsageError(f'"{uri}" names a host, "{host}"', "a local file has three slashes: file:///path")
    return Path(unquote(slash + rest)).absolute()


def version_of(status: os.stat_result) -> str:
    """Inode, size and modification time: a replaced, extended or rewritten file has another version."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def list_local(uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None) -> list[SourceFile]:
    """See `Storage.list_files`. If a path with glob characters exists literally, it means that file or folder."""
    path = local_path(uri)
    try:
        listing = _Listing(suffixes, passed_over or PassedOver())
        files = [_source_file(found) for found in listing.find(path, folders_only=uri.endswith("/"))]
    except OSError as error:
        raise unreadable(Path(error.filename or path), error) from error
    if not files:
        raise _nothing_matched(path, suffixes)
    return sorted(files, key=lambda file: file.uri)


def _source_file(path: Path) -> SourceFile:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f'"{path}" is not a regular file', "a FIFO or device cannot be read in ranges: copy it first"
        )
    if not os.access(path, os.R_OK):
        raise PermissionError(0, "permission denied", str(path))
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the file name {os.fsencode(path)!r} is not UTF-8", "rename the file") from error
    return SourceFile(str(path), status.st_size, version_of(status))


def _tree(top: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """(folder, names of its files, names of the subfolders to skip) for `top` and every folder below that is not
    skipped."""
    seen: set[tuple[int, int]] = set()
    pending = [top]
    while pending:
        folder = pending.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
        folders = [entry.name for entry in entries if _is_folder(entry)]
        files = [entry.name for entry in entries if not _is_folder(entry)]
        yield folder, files, [name for name in folders if is_passed_over(name)]
        pending += [folder / name for name in folders if not is_passed_over(name)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself; reported by its name if it looks like data
        return False


class _Listing:
    """Lists the files that one path names, and records the files that it skips."""

    def __init__(self, suffixes: tuple[str, ...], passed_over: PassedOver) -> None:
        self._suffixes = suffixes
        self._passed_over = passed_over
        self._root = ""

    def find(self, path: Path, *, folders_only: bool) -> set[Path]:
        if has_magic(str(path)) and not path.exists():
            glob = Glob.parse(f"{path}{'/' * folders_only}")
            self._root = glob.root
            return set(self._glob(glob))
        self._root = f"{path}/"
        return set(self._data_files(path)) if path.is_dir() else {path}

    def _data_files(self, folder: Path) -> Iterator[Path]:
        for parent, names, not_entered in _tree(folder):
            for name in not_entered:
                self._pass_over(parent / name)
            for name in names:
                self._passed_over.meet(f"{parent}/{name}")
                if is_data_file(name, self._suffixes):
                    yield parent / name
                else:
                    self._pass_over(parent / name)

    def _pass_over(self, path: Path) -> None:
        """Record a skipped file, or all files below a skipped folder that can be listed."""
        for each in _files_below(path):
            self._passed_over.add(each, each.removeprefix(self._root))

    def _glob(self, glob: Glob) -> Iterator[Path]:
        for path in self._expand(Path(glob.root), glob.parts):
            if path.is_dir():
                yield from self._data_files(path)
            elif glob.takes_file(path.name):
                yield path
            elif not glob.folders_only:
                self._pass_over(path)

    def _expand(self, folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
        """The paths below `folder` that match the components `parts`. Only folders that can match are opened."""
        if not parts:
            yield folder
        elif folder.is_dir():
            for path in self._matches(folder, parts[0], last=len(parts) == 1):
                yield from self._expand(path, parts[1:])

    def _matches(self, folder: Path, part: str, *, last: bool) -> Iterator[Path]:
        if is_any_depth(part):
            yield from (path for path, *_ in _tree(folder))
        elif has_magic(part):
            for path in folder.iterdir():
                if matches_component(part, path.name):
                    yield path
                elif last and matches_any_name(part, path.name):
                    self._pass_over(path)
        elif os.path.lexists(folder / part):
            yield folder / part


def _files_below(path: Path) -> Iterator[str]:
    if path.is_symlink() or not path.is_dir():
        yield str(path)
    for parent, _, names in os.walk(path):  # ignores errors: none of these files is read
        yield from (os.path.join(parent, name) for name in names)  # noqa: PTH118 - as os.walk gives them


def unreadable(path: Path, error: OSError) -> UsageError:
    """A UsageError that says why `path` cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        problem = "is a broken link" if path.is_symlink() else "does not exist"
        return NotFoundError(f'"{path}" {problem}', "check the path")
    return UsageError(f'"{path}" cannot be read: {error.strerror or error}', "check its permissions")


def _nothing_matched(path: Path, suffixes: tuple[str, ...]) -> NothingMatchedError:
    if path.is_dir():
        message = f'no file below "{path}" ends in {or_list(suffixes)}'
        return NothingMatchedError(message, "name a file itself to take it whatever its name")
    return NothingMatchedError(
        f'nothing matches "{path}"', "check the pattern; quote it so that the shell does not expand it"
    )
