"""Which format each file of an import has, and what must be read of it beforehand. Run by the parent.

Rules, where `--format` does not say it:

- The suffix decides: `.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet`. Without one that is known the first
  bytes do: a `{` or `[` is JSON, `PAR1` is Parquet, and what has the table's keys in its first row is CSV.
- JSON is `dynamodb-json` only if its first record is wrapped in `Item` or all its values carry a type: that cannot be
  plain JSON of this table, whose key would be a map. Its first bytes also say whether it is one object a line
  (`ddbio.formats.documents`), whatever `--format` says. Each file speaks for itself.
- Every file of CSV has its header read, for each may have columns of its own.
- In a rejects file the first record tells. Rows of CSV bring what their header said; of rows that somebody put there
  `--columns` must name the columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from ddbio.errors import RecordError, TransferError, UsageError
from ddbio.formats import FORMATS, get_format, of_rejects
from ddbio.formats.csv import CsvLayout
from ddbio.formats.csv.header import DELIMITER_NAMES, Head, listed, read_head
from ddbio.formats.documents.detect import Detected, detect
from ddbio.formats.documents.layout import REQUESTS
from ddbio.formats.dynamodb_json import looks_typed
from ddbio.formats.encoding import check_encoding
from ddbio.formats.foreign import SIGNATURE_BYTES, check_not_foreign
from ddbio.formats.framing import FIRST_BLANKS
from ddbio.formats.json_lines import decode_object
from ddbio.formats.parquet import ParquetLayout
from ddbio.formats.rejected import read_rejected
from ddbio.formats.write_requests import is_request
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import AUTO, CsvOptions, ImportOptions
from ddbio.sources.cutting import MIN_UNIT_BYTES, Source
from ddbio.sources.heads import Beginning
from ddbio.sources.stream import ReadRange
from ddbio.sources.unpacking import MAGIC_BYTES, packed_as
from ddbio.steps.transform import name_changes
from ddbio.storage.names import REJECTS_SUFFIX, without_compression
from ddbio.storage.ranged import RangedFile
from ddbio.values.table import TableInfo

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

    def mode(self, asked: str) -> str:
        """How to write. Raises UsageError if the files cannot be written as asked."""
        if not any(_has_requests(each.format) for each in self.sources):
            return asked
        if asked not in ("put", "changes"):
            raise UsageError(
                f"a file of write requests puts and deletes: it does not go with --mode {asked}", "leave --mode out"
            )
        return "changes"

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
        self._changes = name_changes(options)
        self._trimmed: list[tuple[str, str]] = []  # (name of a column as it was, file)
        self._layouts: dict[str, list[str]] = defaultdict(list)  # what JSON is read as: the names of the files
        # Requests name the table by its name or its ARN.
        arn = table.description.get("TableArn", table.name)
        self._tables = tuple(dict.fromkeys((table.name, table.address, arn)))

    def of(self, files: Sequence[SourceFile]) -> Recognised:
        all_files, files = files, [file for file in files if file.size_bytes or file.is_stream]
        looks = [self._needs_look(file) for file in files]
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            seen = threads.map(self._look, files, looks)
            sources = [self._source(*each) for each in zip(files, seen, strict=True)]
        sources = [each for each in sources if each.cuts != ()]  # Parquet without rows
        self._check_types(sources)
        return Recognised(all_files, sources, [*self._formats(), *self._layouts_found(), *self._blanks()])

    def _formats(self) -> Iterator[str]:
        yield from (f"Format: {format}, {'; '.join(why)}" for format, why in self._reasons.items())

    def _layouts_found(self) -> Iterator[str]:
        for words, names in self._layouts.items():
            more = len(names) - 1
            others = f" and {more:,} more file{'s' * (more > 1)} are" if more else " is"
            yield f'"{names[0]}"{others} read as {words}'

    def _blanks(self) -> Iterator[str]:
        if self._trimmed:
            (name, file), *more = self._trimmed
            others = f" and of {len(more):,} more file{'s' * (len(more) != 1)}" if more else ""
            yield (
                f"Blanks around names in the header of {file}{others} were trimmed, such as those of '{name}' "
                "(--keep-blanks leaves them)"
            )

    def _check_types(self, sources: Sequence[Source]) -> None:
        if sources and self._options.csv != CsvOptions() and not any(_is_csv(each) for each in sources):
            why = "the options of CSV change nothing: no source is CSV"
            raise UsageError(why, "leave them out, or add --format csv")
        columns = {name for each in sources for name in getattr(each.format.settings, "columns", ())}
        if not columns and all(each.format.name == "csv" for each in sources):
            return  # files without anything in them
        columns |= set(map(self._changes.attribute, columns))
        unknown = [name for name, _ in self._options.csv.types if name not in columns]
        if unknown:
            raise UsageError(f"--csv-types names {unknown[0]!r}, and no file has such a column", "see their headers")

    def _needs_look(self, file: SourceFile) -> bool:
        return _has_rejects(file) or self._named_format(file) != "parquet"

    def _look(self, file: SourceFile, into: bool) -> tuple[bool, Beginning]:
        """Whether it is compressed; and, if it is to be looked into, the beginning of what is in it."""
        head = Beginning(file, self._read)
        if not into:
            return self._is_packed(file), head
        head.grow()
        if self._named_format(file) != "parquet":
            check_not_foreign(head.text, file.uri)
        if self._may_be_json(head):
            head.detected = self._detect(head)
        while b"\n" not in head.text and head.detected is None and not (head.is_whole or head.is_long):
            head.grow()
        return head.packed_as is not None or without_compression(file.uri) != file.uri, head

    def _is_packed(self, file: SourceFile) -> bool:
        """By its name, or by its first bytes. A file no larger than a unit is not looked at: it is read as a whole,
        and then it shows."""
        if without_compression(file.uri) != file.uri:
            return True
        return file.size_bytes > MIN_UNIT_BYTES and packed_as(self._read(file, 0, MAGIC_BYTES)) is not None

    def _may_be_json(self, head: Beginning) -> bool:
        if _has_rejects(head.file):
            return False
        format = self._named_format(head.file)
        return format in ("json", "dynamodb-json") or (format is None and _begins_as_json(head.text))

    def _detect(self, head: Beginning) -> Detected:
        while True:
            whole, long = head.is_whole, head.is_long
            found = detect(head.text, self._keys, self._tables, whole=whole, long=long)
            if found is not None:
                return found
            head.grow()

    def _named_format(self, file: SourceFile) -> str | None:
        return _BY_SUFFIX.get(_suffix(file.uri)) if self._auto else self._options.format

    def _source(self, file: SourceFile, seen: tuple[bool, Beginning]) -> Source:
        packed, head = seen
        return replace(self._read_as(file, head), packed=packed)

    def _read_as(self, file: SourceFile, beginning: Beginning) -> Source:
        head = beginning.text
        if beginning.is_whole and not head:  # nothing is in it, and so it has no format
            return Source(file, FormatSpec("json"))
        check_encoding(head, file.uri)
        if _has_rejects(file):
            return self._of_rejects(file, head)
        format, suffix = self._named_format(file), _suffix(file.uri)
        why = f"as names end in {suffix}" if self._auto else "as --format says"
        if format is None:
            format, why = self._by_content(file, beginning)
        if beginning.detected is not None and format != "csv":
            return self._json(file, beginning.detected, format, why)
        if format == "csv":
            return self._csv(file, beginning, why)
        if format == "parquet":
            return self._parquet(file, why)
        self._note(format, why)
        return Source(file, FormatSpec(format))

    def _json(self, file: SourceFile, found: Detected, format: str, why: str) -> Source:
        if found.foreign:
            raise UsageError(
                f'"{file.uri}": {found.foreign}', "name the table they are for with -t, or take them out"
            )
        if self._auto and found.typed:
            format, why = "dynamodb-json", "as all values of the first record carry types"
        if found.layout is not None and found.layout.kind == REQUESTS:
            format, why = "write-requests", "as its members are lists of requests"
        if found.records:
            self._note(format, why)
        if found.layout is not None:
            self._layouts[found.words].append(_name(file))
        return Source(file, FormatSpec(format, layout=found.layout))

    def _of_rejects(self, file: SourceFile, head: bytes) -> Source:
        record, layout = _first_rejected(head)
        format = self._options.format
        if layout is not None and format in (AUTO, "csv"):
            self._note("csv", f'in rejects of "{_name(file)}"')
            return Source(file, of_rejects(FormatSpec("csv", layout)))
        if _is_request(record):
            format = "write-requests"
        elif self._auto:
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

    def _by_content(self, file: SourceFile, beginning: Beginning) -> tuple[str, str]:
        name, head = _name(file), beginning.text
        if beginning.detected is not None and beginning.detected.records:
            return "json", f'as "{name}" begins with {"[" if beginning.detected.is_array else "{"}'
        if head.startswith(b"PAR1"):
            return "parquet", f'as "{name}" begins with PAR1'
        try:
            self._layout(file, head)
        except UsageError:
            raise UsageError(
                f'the format of "{file.uri}" is clear neither from its name nor from its first bytes',
                f"name it with --format ({', '.join(FORMATS)})",
            ) from None
        return "csv", f'as the first row of "{name}" has the keys of the table'

    def _csv(self, file: SourceFile, beginning: Beginning, why: str) -> Source:
        head = beginning.text
        if beginning.is_blank:
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
            check_not_foreign(self._read(file, 0, min(file.size_bytes, SIGNATURE_BYTES)), file.uri)
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
    return "standard input" if file.is_stream else file.uri.rpartition("/")[2]


def _has_rejects(file: SourceFile) -> bool:
    return without_compression(file.uri).endswith(REJECTS_SUFFIX)


def _first_rejected(head: bytes) -> tuple[bytes, CsvLayout | None]:
    """The first record in a rejects file, mended or not, and what it says of its header if it is a row.

    Of JSON, the first that can be read, if one can.
    """
    records = [_rejected(line) for line in head.split(b"\n") if line.strip()]
    readable = (each for each in records if each[1] is not None or _is_json(each[0]))
    return next(readable, None) or next(iter(records), (b"", None))


def _rejected(line: bytes) -> tuple[bytes, CsvLayout | None]:
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


def _begins_as_json(head: bytes) -> bool:
    return head.lstrip(FIRST_BLANKS).startswith((b"{", b"["))


def _is_csv(source: Source) -> bool:
    """Whether it is CSV, or the rejects of CSV."""
    inner = source.format.settings
    return (inner.name if isinstance(inner, FormatSpec) else source.format.name) == "csv"


def _has_requests(format: FormatSpec) -> bool:
    inner = format.settings
    return format.name == "write-requests" or (isinstance(inner, FormatSpec) and _has_requests(inner))


def _object(record: bytes) -> dict[str, Any]:
    """What is in a record; nothing if it cannot be read."""
    try:
        return decode_object(record)
    except RecordError:
        return {}


def _is_json(record: bytes) -> bool:
    return bool(_object(record))


def _is_request(record: bytes) -> bool:
    return is_request(_object(record))


def _is_dynamodb_json(record: bytes) -> bool:
    return looks_typed(_object(record))
