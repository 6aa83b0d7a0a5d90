"""The location of a job's rejects: a file in the current folder, or the file or object that the user names.

An object is uploaded when the run ends, whether or not it succeeded. Until then the rejects are in a local file. It
is kept if the upload fails or the job is unfinished: the next run of the same command appends to it and replaces the
object.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.formats.rejected import are_rejects
from ddbio.messages.files import STDIN, SourceFile
from ddbio.storage import Storages
from ddbio.storage.names import REJECTS_SUFFIX
from ddbio.storage.output_paths import Protected, check_output_path

MAX_STEM_BYTES = 200  # of the 255 that file systems allow
_UPLOAD_BYTES = 1024 * 1024
_NUMBER = re.compile(r"\.\d+$")  # of a path that is not the first of its stem
_ELSEWHERE = "give another place with --rejects"


@dataclass(frozen=True, slots=True)
class RejectsPlace:
    """path: the file. ours: whether we chose its name, and may choose another if it is taken in the meantime.
    uri: the object to upload it to at the end; empty for none."""

    path: Path
    ours: bool = False
    uri: str = ""


def choose_rejects_place(
    asked: str | None,
    sources: Iterable[str],
    files: Sequence[SourceFile],
    storages: Storages,
    protected: Protected = Protected(),  # noqa: B008 - frozen
) -> RejectsPlace:
    """The place asked for, or else a free name in the current folder, derived from the first source.

    Raises UsageError for a place that `check_output_path` refuses, and for a file with other content than the rejects
    of an earlier run: those are replaced.
    """
    stem = stem_of(next(iter(sources)))
    if asked is not None and asked.lower().startswith("s3://"):
        if not asked[len("s3://") :].strip("/"):
            raise UsageError(f'--rejects "{asked}" names no bucket', "give s3://bucket/key, or s3://bucket/prefix/")
        uri = f"{asked}{stem}{REJECTS_SUFFIX}" if asked.endswith("/") else asked
        return RejectsPlace(next(free_paths(stem)), ours=True, uri=_check_object(uri, files, storages, protected))
    return _file(asked, stem, protected, files)


def choose_rejects_path(asked: str | None, table: str, protected: Protected) -> RejectsPlace:
    """The same for a verb that scans a table, by its name: a file.

    Raises UsageError.
    """
    if asked is not None and "://" in asked:
        raise UsageError(f'--rejects "{asked}" is no path', "name a file on this machine; copy it to S3 afterwards")
    return _file(asked, table.lstrip("-")[:MAX_STEM_BYTES] or "table", protected, ())


def _file(asked: str | None, stem: str, protected: Protected, files: Sequence[SourceFile]) -> RejectsPlace:
    path = next(free_paths(stem)) if asked is None else Path(asked)
    check_output_path(path, "rejects", "--rejects", protected if asked else Protected(), files if asked else ())
    if asked is not None and _holds_other_data(path):
        raise UsageError(f'"{path}" exists and is not a file of rejects: it is not overwritten', _ELSEWHERE)
    return RejectsPlace(path, ours=asked is None)


def _holds_other_data(path: Path) -> bool:
    """Whether a file has other content than the rejects of an earlier run."""
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError:  # it does not exist, or it cannot be read: then it cannot be resumed or written either
        return False
    return bool(first) and not are_rejects(first)


def stem_of(source: str) -> str:
    """A safe file name derived from the last part of a path or an S3 key, which may contain any character."""
    if source == STDIN:
        return "stdin"
    name = source.rstrip("/").rpartition("/")[2].removesuffix(REJECTS_SUFFIX).split(".")[0]
    plain = "".join("_" if each in '*?[]:\\"' or not each.isprintable() else each for each in name)
    return plain.lstrip("-").encode()[:MAX_STEM_BYTES].decode(errors="ignore") or "import"


def free_paths(stem: str, folder: Path = Path()) -> Iterator[Path]:
    """Paths that do not exist."""
    stems = (stem if number == 1 else f"{stem}.{number}" for number in count(1))
    return (path for path in (folder / f"{each}{REJECTS_SUFFIX}" for each in stems) if not os.path.lexists(path))


def next_free(path: Path) -> Path:
    """Another path, because another program has created this one in the meantime."""
    stem = _NUMBER.sub("", path.name.removesuffix(REJECTS_SUFFIX))
    return next(free_paths(stem, path.parent))


def _check_object(uri: str, files: Iterable[SourceFile], storages: Storages, protected: Protected) -> str:
    is_source = any(file.uri == uri for file in files)
    if why := "is one of the sources: it would be overwritten" if is_source else protected.why_not_object(uri):
        raise UsageError(f'"{uri}" {why}', _ELSEWHERE)
    folder, name = _split(uri)
    if not name:
        raise UsageError(f'"{uri}" is a bucket', "give s3://bucket/key, or s3://bucket/prefix/")
    storages.of(uri).prepare_destination(folder)
    return uri


def _split(uri: str) -> tuple[str, str]:
    """The bucket or prefix, and the last part of the key."""
    bucket, _, key = uri[len("s3://") :].partition("/")
    prefix, slash, name = key.rpartition("/")
    return f"s3://{bucket}/{prefix}{slash}", name


def upload(path: Path, uri: str, storages: Storages) -> None:
    """Upload the file to that object. Raises TransferError; the file is unchanged."""
    folder, name = _split(uri)
    try:
        storage = storages.of(uri)
        storage.discard_unfinished(folder, name.__eq__, ())  # an upload of an earlier run that was killed
        output = storage.create(folder, name, path.stat().st_size)
        try:
            with path.open("rb") as file:
                while data := file.read(_UPLOAD_BYTES):
                    output.write(data)
            output.finish()
        finally:
            output.abort()
    except (OSError, DdbioError) as error:
        reason = str(error) if isinstance(error, DdbioError) else error.strerror
        raise TransferError(
            f'the rejects could not be uploaded to "{uri}": {reason}',
            f"they are in {path}; run the same command again to retry",
        ) from None


def discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
