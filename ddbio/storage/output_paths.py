"""Checks the path of an extra file that the user asks for: the rejects or the report.

Everything is checked before any item moves, so that a mistyped name does no harm:

- The folder exists and is writable; the path is a regular file or does not exist.
- The file is not a source under any name: links are followed.
- No later command would read it as data: an import from the same sources, or one from the export being written.
- It is not in the folder of a job's state.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ddbio.errors import UsageError
from ddbio.messages.files import STDIN, SourceFile
from ddbio.storage import absolute
from ddbio.storage.local_listing import local_path
from ddbio.storage.names import Glob, has_magic, is_data_path, is_hidden

_A_SOURCE = "is one of the sources: it would be overwritten"


@dataclass(frozen=True, slots=True)
class Protected:
    """Places that an extra file must not damage.

    sources: of an import, as the user named them; suffixes: of the files that are read from a folder.
    destination: of an export; empty for none. state: the folder that contains the folders of all jobs, or None.
    """

    sources: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    destination: str = ""
    state: Path | None = None

    def why_not(self, path: Path) -> str:
        """Why `path` must not be written to; empty if it may."""
        names = {str(path.absolute()), str(resolved(path))}
        if any(_same_file(path, source) for source in self.sources):
            return _A_SOURCE
        for source in self.sources:
            if any(_takes(source, name, self.suffixes) for name in names):
                return f'would be taken for a source by the next import from "{source}"'
        if self.destination and any(map(self._in_destination, names)):
            return "is inside the destination: it would be taken for a file of the export"
        if self.state is not None and resolved(self.state) in resolved(path).parent.parents:
            return "is inside the folder of a job's state"
        return ""

    def why_not_object(self, uri: str) -> str:
        """The same for `s3://bucket/key`."""
        for source in self.sources:
            if _takes(source, uri, self.suffixes):
                return f'would be taken for a source by the next import from "{source}"'
        return ""

    def _in_destination(self, name: str) -> bool:
        return any(
            name.startswith(f"{folder}/") and not any(map(is_hidden, name[len(folder) + 1 :].split("/")))
            for folder in _spellings(self.destination)
        )


def check_output_path(
    path: Path, content: str, option: str, protected: Protected, files: Iterable[SourceFile] = ()
) -> None:
    """Raise UsageError if `path` must not be written to.

    content: the kind of file, for messages (`a report`). option: the option with which the user chooses another path.
    files: the sources that were found; `path` may be another name of one of them.
    """
    try:
        why = _unwritable(path, content) or protected.why_not(path)
        if not why and any(_same_file(path, file.uri) for file in files):
            why = _A_SOURCE
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, a loop of links, a NUL
        why = f"cannot be written: {getattr(error, 'strerror', None) or error}"
    if why:
        raise UsageError(f'"{path}" {why}', f"give another place with {option}")


def resolved(path: Path) -> Path:
    """The path without links, but those of a loop, for which `Path.resolve` raises before Python 3.13."""
    return Path(os.path.realpath(path))


def _unwritable(path: Path, content: str) -> str:
    if path.exists() and not path.is_file():
        return f"is not a file that {content} can be written to"
    folder = resolved(path).parent
    if resolved(path).is_symlink():
        return f"cannot be written: {os.strerror(errno.ELOOP)}"
    if not folder.is_dir():
        return f'cannot be written: there is no folder "{folder}"'
    allowed = os.access(folder, os.W_OK | os.X_OK) and (not path.exists() or os.access(path, os.W_OK))
    return "" if allowed else f"cannot be written: {os.strerror(errno.EACCES)}"


def _is_local(uri: str) -> bool:
    return uri != STDIN and ("://" not in uri or uri.lower().startswith("file://"))


def _same_file(path: Path, source: str) -> bool:
    """Whether both name the same file, directly or through hard or symbolic links."""
    if not _is_local(source):
        return False
    other = local_path(source)
    try:
        return path.samefile(other) and other.is_file()
    except OSError:
        return resolved(path) == resolved(other)


def _takes(source: str, name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether an import from `source` reads the file `name`, an absolute path or a URI."""
    for spelling in _spellings(source):
        if has_magic(spelling) and not (_is_local(source) and os.path.lexists(spelling)):
            glob = Glob.parse(spelling)
            if name.startswith(glob.root) and glob.takes(tuple(name[len(glob.root) :].split("/")), suffixes):
                return True
        elif name.startswith(f"{spelling}/") and is_data_path(name[len(spelling) + 1 :].split("/"), suffixes):
            return True
    return False


def _spellings(uri: str) -> Iterator[str]:
    """The absolute names of a place, without a slash at the end; of a local one also that with links resolved."""
    if uri == STDIN:
        return
    path = local_path(uri) if _is_local(uri) else None
    yield (absolute(uri) if path is None else str(path)).rstrip("/")
    if path is not None and not has_magic(str(path)):
        yield str(resolved(path))
