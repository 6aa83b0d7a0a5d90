"""Detects the format of each file of an import, and reads its head. Run by the parent.

The format of a file is decided by, in this order:

- its name, for a rejects file;
- `--format`, or without it the suffix of the name;
- its first bytes: the first format that recognises them.

Each format's package has its own detection (`ddbio.formats.declaration`); this module knows no format.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ddbio.errors import UsageError
from ddbio.formats import FORMATS, REJECTED, all_declarations, declaration_of, record_format
from ddbio.formats.changes import NAME as CHANGES
from ddbio.formats.changes import are_changes
from ddbio.formats.declaration import Declaration, Found, Known, Remark
from ddbio.formats.foreign import check_not_foreign
from ddbio.formats.rejected import REJECT_BEGINS, are_rejects
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import JSON
from ddbio.sources.cutting import MIN_UNIT_BYTES, Source
from ddbio.sources.heads import Beginning
from ddbio.sources.stream import ReadRange
from ddbio.sources.unpacking import MAGIC_BYTES, packed_as
from ddbio.storage.names import REJECTS_SUFFIX, without_compression

_FILES_AT_ONCE = 16  # heads read concurrently; on S3 each takes one or two round trips


@dataclass(frozen=True, slots=True)
class Detected:
    """files: all of them. sources: those that are not empty, and how to read each. remarks: for the user, about the
    detection. changes: whether some files have records that put and delete."""

    files: Sequence[SourceFile]
    sources: list[Source]
    remarks: list[str]
    changes: bool

    def mode(self, asked: str) -> str:
        """The write mode. Raises UsageError if the mode asked for does not fit the files."""
        if not self.changes:
            return asked
        if asked not in ("put", "changes"):
            raise UsageError(f"a file of changes puts and deletes: it does not go with --mode {asked}", "omit --mode")
        return "changes"

    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def detect(files: Sequence[SourceFile], known: Known, read: ReadRange) -> Detected:
    """Raises UsageError for a file whose format is not clear, or that cannot be imported with these options."""
    there = [file for file in files if file.size_bytes or file.is_stream]
    empty = [file for file in files if not (file.size_bytes or file.is_stream)]
    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        looks = list(threads.map(lambda file: _Look(file, known, read).source(), there))
    looks = [each for each in looks if each[1].cuts != ()]  # empty: a file without records
    sources, found = [source for source, _ in looks], [found for _, found in looks]
    for each in all_declarations():
        each.check([source.format for source in sources], known)
    remarks = [*_empty_remarks(empty), *_format_remarks(found), *_remarks(found)]
    return Detected(files, sources, remarks, any(each.changes for each in found))


class _Look:
    """The detection of one file."""

    def __init__(self, file: SourceFile, known: Known, read: ReadRange) -> None:
        self._file = file
        self._known = known
        self._read = read
        self._head = Beginning(file, read)

    def source(self) -> tuple[Source, Found]:
        declared, why = self._expected()
        if declared is not None and declared.signature:
            return self._binary(declared, why)
        head = self._head
        head.grow()
        if declared is None and head.packed_as is None:
            declared = next((each for each in all_declarations() if each.begins(head.text)), None)
            if declared is not None:
                return self._binary(declared, why)
        check_not_foreign(head.text, self._file.uri)
        if self._known.auto and self._holds_rejects():
            declared = declaration_of(REJECTED)
        elif self._known.auto and are_changes(head.text):
            declared, why = declaration_of(CHANGES), None
        while not (head.text or head.is_whole or head.is_long):
            head.grow()
        if head.is_whole and not head.text:  # without records, any format will do
            return Source(self._file, JSON), Found(JSON)
        found = self._by_content() if declared is None else declared.detect(head, self._known, why)
        assert found is not None, "a named format always accepts the file"
        return self._as_source(found, packed=head.packed_as is not None or self._is_named_packed), found

    def _expected(self) -> tuple[Declaration | None, str | None]:
        """The format by the file's name or `--format`, and the reason; None if only its first bytes decide."""
        name = without_compression(self._file.uri)
        if name.endswith(REJECTS_SUFFIX):
            return declaration_of(REJECTED), "as its name says"
        if not self._known.auto:
            return declaration_of(self._known.format), "as --format says"
        suffix = _suffix(name)
        declared = next((each for each in all_declarations() if suffix in each.suffixes), None)
        return declared, None if declared is None else f"as names end in {suffix}"

    def _holds_rejects(self) -> bool:
        """Whether it is a rejects file, though its name does not say so."""
        head = self._head
        while head.text.startswith(REJECT_BEGINS) and b"\n" not in head.text and not (head.is_whole or head.is_long):
            head.grow()
        return are_rejects(head.text)

    def _binary(self, declared: Declaration, why: str | None) -> tuple[Source, Found]:
        if self._file.is_stream:
            raise UsageError(f"{declared.label} cannot be read from standard input", "name the file with -s")
        found = declared.detect(self._head, self._known, why)
        assert found is not None
        return self._as_source(found, packed=self._is_packed()), found

    def _by_content(self) -> Found:
        found = (each.detect(self._head, self._known, None) for each in all_declarations() if not each.signature)
        taken = next((each for each in found if each is not None), None)
        if taken is None:
            raise UsageError(
                f'the format of "{self._file.uri}" is clear neither from its name nor from its first bytes',
                f"name it with --format ({', '.join(FORMATS)})",
            )
        return taken

    def _as_source(self, found: Found, *, packed: bool) -> Source:
        return Source(self._file, found.format, found.start, found.head_lines, found.cuts, packed)

    @property
    def _is_named_packed(self) -> bool:
        return without_compression(self._file.uri) != self._file.uri

    def _is_packed(self) -> bool:
        """By its name or its first bytes. A file no larger than a unit is not checked here: it is read as a whole and
        detected then."""
        if self._is_named_packed or self._file.size_bytes <= MIN_UNIT_BYTES:
            return self._is_named_packed
        return packed_as(self._read(self._file, 0, MAGIC_BYTES)) is not None


def _empty_remarks(files: Sequence[SourceFile]) -> Iterator[str]:
    if files:
        more = len(files) - 1
        others = f" and {more:,} more file{'s' * (more > 1)} are" if more else " is"
        yield f'Sources: "{files[0].uri.rpartition("/")[2]}"{others} empty'


def _format_remarks(found: Sequence[Found]) -> Iterator[str]:
    reasons: dict[str, dict[str, None]] = defaultdict(dict)  # by format: why files have it, each reason once
    for each in found:
        if each.why:
            reasons[record_format(each.format).name][each.why] = None
    yield from (f"Format: {name}, {'; '.join(why)}" for name, why in reasons.items())


def _remarks(found: Sequence[Found]) -> Iterator[str]:
    alike: dict[str, list[Remark]] = defaultdict(list)
    for remark in (remark for each in found for remark in each.remarks):
        alike[remark.about].append(remark)
    for remarks in alike.values():
        more = len(remarks) - 1
        yield remarks[0].say(f"{more:,} more file{'s' * (more > 1)}" if more else "")


def _suffix(uri: str) -> str:
    name = uri.rpartition("/")[2].lower()
    return name[name.rfind(".") :] if "." in name else ""
