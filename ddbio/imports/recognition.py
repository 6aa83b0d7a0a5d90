"""Which format each file of an import has, and what must be read of it beforehand. Run by the parent.

Rules, where `--format` does not say it:

- The suffix decides: `.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet`. Without one that is known the first
  bytes do: a `{` is JSON, `PAR1` is Parquet, and what has the table's keys in its first row is CSV.
- JSON is `dynamodb-json` only if its first record is wrapped in `Item` or all its values carry a type: that cannot be
  plain JSON of this table, whose key would be a map. One file of a suffix speaks for those like it.
- Every file of CSV has its header read, for each may have columns of its own.
- In a rejects file the first record tells. Rows of CSV bring what their header said; of rows that somebody put there
  `--columns` must name the columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from ddbio.dynamodb.table import TableInfo
from ddbio.errors import RecordError, TransferError, UsageError
from ddbio.formats import FORMATS, FormatSpec, get_format, of_rejects
from ddbio.formats.csv import CsvLayout
from ddbio.formats.csv.header import DELIMITER_NAMES, Head, listed, read_head
from ddbio.formats.dynamodb_json import looks_typed
from ddbio.formats.encoding import BYTE_ORDER_MARK
from ddbio.formats.foreign import SIGNATURE_BYTES, check_not_foreign
from ddbio.formats.json_lines import decode_object
from ddbio.formats.parquet import ParquetLayout
from ddbio.formats.rejected import read_rejected
from ddbio.imports.feed import ReadRange
from ddbio.imports.unpacking import FileStream, packed_as
from ddbio.options import AUTO, ImportOptions
from ddbio.planning import MIN_UNIT_BYTES, Source
from ddbio.storage import SourceFile
from ddbio.storage.names import REJECTS_SUFFIX, without_compression
from ddbio.storage.ranged import RangedFile
from ddbio.transforms import name_changes

HEAD_BYTES = 64 * 1024  # read of a file to recognise it
LONG_HEAD_BYTES = 4 * 1024 * 1024  # where its first record is longer
_FILES_AT_ONCE = 16  # looked into; on S3 each is a round trip or two

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_BY_SUFFIX = {**dict.fromkeys(_JSON_SUFFIXES, "json"), ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}


def source_suffixes(format: str) -> tuple[str, ...]:
    """Of the files that are taken from a folder."""
    return tuple(_BY_SUFFIX) if format == AUTO else get_format(format).source_suffixes


@dataclass(frozen=True, slots=True)
class Recognised:
    """files: all of them. sources: those that are not empty, and how to read each. remarks: what the user should know
    of the choice."""

    files: Sequence[SourceFile]
    sources: list[Source]
    remarks: list[str]

    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


TypesOf = Callable[[SourceFile], tuple[tuple[str, str], ...]]


def recognise(
    files: Sequence[SourceFile],
    options: ImportOptions,
    table: TableInfo,
    read: ReadRange,
    types_of: TypesOf = lambda _: (),
) -> Recognised:
    """types_of: names and types of columns that the manifest of an export tells of a file.

    Raises UsageError for a file whose format cannot be told, or that cannot be imported with these options.
    """
    return _Recognition(options, table, read, types_of).of(files)


class _Recognition:
    def __init__(self, options: ImportOptions, table: TableInfo, read: ReadRange, types_of: TypesOf) -> None:
        self._options = options
        self._types_of = types_of
        self._auto = options.format == AUTO
        self._read = read
        self._keys = [part.name for part in table.key]
        self._key_types = {part.name: part.type for part in (*table.key, *table.index_keys)}
        self._reasons: dict[str, list[str]] = defaultdict(list)  # by format: why each file has it
        self._flavours: dict[str, str] = {}  # of JSON, by suffix
        self._changes = name_changes(options)
        self._trimmed: list[tuple[str, str]] = []  # (name of a column as it was, file)

    def of(self, files: Sequence[SourceFile]) -> Recognised:
        all_files, files = files, [file for file in files if file.size_bytes or file.is_stream]
        looks = [self._needs_look(file) for file in files]
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            seen = threads.map(self._look, files, looks)
            sources = (
                [self._source(*each) for each in zip(files, *zip(*seen, strict=True), strict=True)] if files else []
            )
        sources = [each for each in sources if each.cuts != ()]  # Parquet without rows
        self._check_types(sources)
        return Recognised(all_files, sources, [*self._formats(), *self._blanks()])

    def _formats(self) -> Iterator[str]:
        yield from (f"Format: {format}, {'; '.join(why)}" for format, why in self._reasons.items())

    def _blanks(self) -> Iterator[str]:
        if self._trimmed:
            (name, file), *more = self._trimmed
            others = f" and of {len(more):,} more file{'s' * (len(more) != 1)}" if more else ""
            yield (
                f"Blanks around names in the header of {file}{others} were trimmed, such as those of '{name}' "
                "(--keep-blanks leaves them)"
            )

    def _check_types(self, sources: Sequence[Source]) -> None:
        columns = {name for each in sources for name in getattr(each.format.settings, "columns", ())}
        if not columns and all(each.format.name == "csv" for each in sources):
            return  # files without anything in them
        columns |= set(map(self._changes.attribute, columns))
        unknown = [name for name, _ in self._options.csv.types if name not in columns]
        if unknown:
            raise UsageError(f"--csv-types names {unknown[0]!r}, and no file has such a column", "see their headers")

    def _needs_look(self, file: SourceFile) -> bool:
        format, suffix = self._named_format(file), _suffix(file.uri)
        if _has_rejects(file):
            return True
        if format != "json" or not self._auto:
            return format in (None, "csv")
        first = suffix not in self._flavours
        self._flavours.setdefault(suffix, "json")
        return first

    def _look(self, file: SourceFile, into: bool) -> tuple[bool, bytes]:
        """Whether it is compressed; and, if it is to be looked into, the beginning of what is in it."""
        if not into:
            return self._is_packed(file), b""
        stored, head = self._beginning(file, HEAD_BYTES)
        if self._named_format(file) != "parquet":
            check_not_foreign(head, file.uri)
        if b"\n" not in head and len(head) >= HEAD_BYTES:
            stored, head = self._beginning(file, LONG_HEAD_BYTES)
        return without_compression(file.uri) != file.uri or packed_as(stored) is not None, head

    def _is_packed(self, file: SourceFile) -> bool:
        """By its name, or by its first bytes. A file no larger than a unit is not looked at: it is read as a whole,
        and then it shows."""
        if without_compression(file.uri) != file.uri:
            return True
        if file.size_bytes <= MIN_UNIT_BYTES:
            return False
        beginning = self._read(file, 0, SIGNATURE_BYTES)
        if self._named_format(file) != "parquet":
            check_not_foreign(beginning, file.uri)
        return packed_as(beginning) is not None

    def _beginning(self, file: SourceFile, size: int) -> tuple[bytes, bytes]:
        """Of a file as it is stored, and of what is in it."""
        stored, head = self._read(file, 0, size if file.is_stream else min(size, file.size_bytes)), b""
        with suppress(TransferError):  # damage: whoever imports it will tell
            for piece in FileStream(file.uri).feed(stored):
                head += piece
                if len(head) >= size:
                    break
        return stored, head

    def _named_format(self, file: SourceFile) -> str | None:
        return _BY_SUFFIX.get(_suffix(file.uri)) if self._auto else self._options.format

    def _source(self, file: SourceFile, packed: bool, head: bytes) -> Source:
        return replace(self._read_as(file, head), packed=packed)

    def _read_as(self, file: SourceFile, head: bytes) -> Source:
        if _has_rejects(file):
            return self._of_rejects(file, head)
        format, suffix = self._named_format(file), _suffix(file.uri)
        why = f"as names end in {suffix}" if self._auto else "as --format says"
        if format is None:
            format, why = self._by_content(file, head)
        if format == "json" and self._auto:
            if head and _is_dynamodb_json(head):
                self._flavours[suffix] = "dynamodb-json"
            format = self._flavours.get(suffix, format)
            why = why if format == "json" else "as all values of the first record carry types"
        if format == "csv":
            return self._csv(file, head, why)
        if format == "parquet":
            return self._parquet(file, why)
        self._note(format, why)
        return Source(file, FormatSpec(format))

    def _of_rejects(self, file: SourceFile, head: bytes) -> Source:
        record, layout = _first_rejected(head)
        format = self._options.format
        if layout is not None and format in (AUTO, "csv"):
            self._note("csv", f'in rejects of "{_name(file)}"')
            return Source(file, of_rejects(FormatSpec("csv", layout)))
        if self._auto:
            json = record.lstrip().startswith(b"{") or self._options.csv.columns is None
            format = "csv" if not json else "dynamodb-json" if _is_dynamodb_json(record) else "json"
        spec = FormatSpec(format)
        if format == "csv":
            if self._options.csv.columns is None:
                raise UsageError(
                    f'"{file.uri}" has rows of CSV without their header', "name the columns with --columns"
                )
            spec = FormatSpec(format, self._layout(file, record).layout)
        self._note(format, f'in rejects of "{_name(file)}"')
        return Source(file, of_rejects(spec))

    def _by_content(self, file: SourceFile, head: bytes) -> tuple[str, str]:
        name = _name(file)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return "json", f'as "{name}" begins with {{'
        if head.startswith(b"PAR1"):
            return "parquet", f'as "{name}" begins with PAR1'
        try:
            self._layout(file, head)
        except UsageError:
            raise UsageError(
                f'what format "{file.uri}" has, neither its name nor its first bytes tell',
                f"say it with --format ({', '.join(FORMATS)})",
            ) from None
        return "csv", f'as the first row of "{name}" has the keys of the table'

    def _csv(self, file: SourceFile, head: bytes, why: str) -> Source:
        if _is_all_blank(file, head):
            return Source(file, FormatSpec("csv", CsvLayout()), len(head))
        layout, start, trimmed = self._layout(file, head)
        if trimmed is not None:
            self._trimmed.append((trimmed, _name(file)))
        separated = DELIMITER_NAMES.get(layout.delimiter, repr(layout.delimiter))
        self._note("csv", f"{len(layout.columns)} columns between {separated}, {why}")
        return Source(file, FormatSpec("csv", layout), start, head[:start].count(layout.line_end.encode()))

    def _parquet(self, file: SourceFile, why: str) -> Source:
        layout = ParquetLayout(key_types=tuple(self._changes.of_source(self._key_types).items()))
        format = FormatSpec("parquet", layout)
        get_format(format)  # it may not be installed
        from ddbio.formats.parquet.reading import row_groups

        try:
            columns, cuts = row_groups(cast(BinaryIO, RangedFile(file, self._read)), file.uri)
        except TransferError as error:
            check_not_foreign(self._beginning(file, SIGNATURE_BYTES)[1], file.uri)
            raise UsageError(error.message, error.hint) from None
        if missing := self._changes.missing(self._keys, columns):
            raise UsageError(
                f'"{file.uri}" has no column {missing[0]!r}, a key of the table', f"it has {listed(columns)}"
            )
        self._note("parquet", why)
        return Source(file, format, cuts=tuple(cuts))

    def _layout(self, file: SourceFile, head: bytes) -> Head:
        options, told = self._options.csv, self._types_of(file)
        if told:  # the user's types come after them, and win
            options = replace(options, types=(*told, *options.types), keep_blanks=True)
        return read_head(head, file.uri, options, self._keys, self._key_types, self._changes)

    def _note(self, format: str, why: str) -> None:
        if why not in self._reasons[format]:
            self._reasons[format].append(why)


def _name(file: SourceFile) -> str:
    return file.uri.rpartition("/")[2]


def _is_all_blank(file: SourceFile, head: bytes) -> bool:
    """Whether a file of text has no record at all. head: its beginning, unpacked."""
    whole = not file.is_stream and len(head) < HEAD_BYTES
    return not head or (whole and not head.removeprefix(BYTE_ORDER_MARK).strip())


def _has_rejects(file: SourceFile) -> bool:
    return without_compression(file.uri).endswith(REJECTS_SUFFIX)


def _first_rejected(head: bytes) -> tuple[bytes, CsvLayout | None]:
    """The first record in a rejects file, mended or not, and what it says of its header if it is a row."""
    line = head.lstrip().partition(b"\n")[0]
    rejected = read_rejected(line)
    if rejected is None:
        return line, None
    try:
        return rejected.content(), rejected.csv
    except RecordError:
        return b"", rejected.csv


def _suffix(uri: str) -> str:
    name = without_compression(uri.rpartition("/")[2]).lower()
    return name[name.rfind(".") :] if "." in name else ""


def _is_dynamodb_json(head: bytes) -> bool:
    record = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    try:
        return looks_typed(decode_object(record))
    except RecordError:
        return False
