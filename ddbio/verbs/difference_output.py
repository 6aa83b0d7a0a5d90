"""The place of the differences: a file, an object on S3, or standard output. They appear there when all are known."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.job.state import known_state_root
from ddbio.options import STDOUT
from ddbio.storage import Storages
from ddbio.storage.output_paths import Protected, check_output_path
from ddbio.verbs.options import DiffOptions

LINE_BEGINS = b'{"op":'  # a line as it is written
_ELSEWHERE = "give another place with --output"
_PIECE_BYTES = 1024 * 1024


class DifferenceOutput:
    """Raises UsageError for a place that cannot be written to, or holds other content."""

    def __init__(self, options: DiffOptions, session: Session) -> None:
        self._asked = asked = options.output
        self._session = session
        self._storages: Storages | None = None
        if asked == STDOUT and options.report == STDOUT:
            raise UsageError("--output - and --report - would be mixed in standard output", "write one to a file")
        if asked is None or asked == STDOUT:
            return
        if asked.startswith("s3://"):
            self._check_object(asked)
            return
        check_output_path(
            Path(asked), "differences", "--output", Protected(state=known_state_root(options.state_dir))
        )
        if not _may_replace(Path(asked)):
            raise UsageError(f'"{asked}" exists and is not a file of differences: it is not overwritten', _ELSEWHERE)

    def _check_object(self, uri: str) -> None:
        folder, name = _split(uri)
        if not name:
            raise UsageError(f'"{uri}" names no object', "give s3://bucket/key")
        self._storages = Storages(self._session.aws, self._session.keys)
        self._storages.of(uri).prepare_destination(folder)

    def publish(self, lines: Path) -> DdbioError | None:
        """Copy the finished file to its place; an error if that fails. Standard output is left to the caller."""
        if self._asked is None:
            return None
        try:
            if self._asked == STDOUT:
                _print(lines)
            elif self._storages is not None:
                _upload(lines, self._asked, self._storages)
            else:
                _copy(lines, Path(self._asked))
        except BrokenPipeError:
            raise
        except (OSError, DdbioError) as error:
            reason = str(error) if isinstance(error, DdbioError) else error.strerror
            return TransferError(
                f'the differences could not be written to "{self._asked}": {reason}',
                "run the same command again to retry, or give another place with --output",
            )
        return None


def _print(lines: Path) -> None:
    with lines.open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]


def _copy(lines: Path, asked: Path) -> None:
    target = asked.resolve()  # a link stays a link
    part = target.with_name(f".{target.name}.part")
    try:
        with lines.open("rb") as file, open(part, "wb", opener=_private) as out:
            shutil.copyfileobj(file, out, _PIECE_BYTES)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _upload(lines: Path, uri: str, storages: Storages) -> None:
    folder, name = _split(uri)
    storage = storages.of(uri)
    storage.discard_unfinished(folder, name.__eq__, ())  # an upload of an earlier run that was killed
    output = storage.create(folder, name, lines.stat().st_size)
    try:
        with lines.open("rb") as file:
            while data := file.read(_PIECE_BYTES):
                output.write(data)
        output.finish()
    finally:
        output.abort()


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    prefix, slash, name = key.rpartition("/")
    return f"s3://{bucket}/{prefix}{slash}", name


def _may_replace(path: Path) -> bool:
    """Whether the file does not exist, is empty, or has differences of an earlier run."""
    try:
        with path.open("rb") as file:
            return file.read(len(LINE_BEGINS)) in (b"", LINE_BEGINS)
    except OSError:
        return not os.path.lexists(path)
