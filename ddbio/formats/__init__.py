"""Record formats: one small protocol, one module or package a format, and the registry of them.

A format turns the bytes of one record into an attribute map (import) and the items of one Scan page into bytes
(export), and it finds the boundaries between records. It knows nothing of files, units, tables or the
network. The settings of a format for a job (columns, types, a delimiter) are in a `FormatSpec`, which is plain data
and travels with the units; `get_format` makes the format from it. Adding a format is one package and one line in
`FORMATS`; `Noted` and `rendered` are optional: with them the native core makes it faster.

declaration           the declaration of a format: names of files, detection, columns, options
json_declaration      the same of json and dynamodb-json
json_lines            json: one plain object a line
json_pages            pages to lines of json
dynamodb_json         dynamodb-json: typed values
documents             JSON that is not one object a line
csv                   rows of text
parquet               columns, through pyarrow
avro                  object container files, through fastavro
typed_columns         shared by the formats whose columns have one type each
rejected              records in a rejects file
rejected_declaration  how a rejects file is detected
scanned               items as the service sends them, not decoded
incremental           lines of incremental exports by DynamoDB
reversal              the same, to undo the changes
changes               the differences that a comparison found
write_requests        requests to BatchWriteItem
python_items          items of a Python program on their way to the workers
framing               the ends of records, if every record is one line
compression           gzip and zstd of files that are written
encoding              texts that are not UTF-8
foreign               files that are of no format
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast, runtime_checkable

from ddbio.errors import UsageError
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import AUTO

if TYPE_CHECKING:  # the commands' --help asks this module for the names, and should not wait for decoders
    from ddbio.formats.declaration import Declaration
    from ddbio.native import Notation, Rendering
    from ddbio.values.items import AttributeMap


class Format(Protocol):
    """The interface of every format. One instance serves all lanes of a worker; any state kept between calls is
    purely an optimisation."""

    suffix: str  # of the files an export writes, with the dot
    page_items: Any  # the type to which msgspec decodes the `Items` of a Scan page for an export
    rendered: Rendering | None  # of whole answers, by the native core; None without it
    one_unit_bytes: int  # any record up to this size is one write unit
    cut_anywhere: bool  # whether a unit may begin at any byte: its first record is found without the bytes before it

    def parse(self, record: bytes) -> AttributeMap:
        """One record as an attribute map. Raises RecordError."""


class LineFormat(Format, Protocol):
    """A format whose files are records, each followed by a line end of one byte. A format may allow line ends inside
    a record."""

    line_end: bytes  # the byte that ends a record
    head: bytes  # the first bytes of every file of an export

    def split(self, block: bytes) -> list[bytes]:
        """The records of a block of whole records, each without its line end; the last may lack it in the block."""

    def end_finder(self) -> Callable[[bytes], int]:
        """A function to be called with consecutive pieces of a file, the first of which begins with a record. It
        returns the number of bytes up to the end of the last record that ends in the piece; 0 if none does."""

    def render(self, items: list[Any]) -> bytes:
        """The items of one page (each of `page_items`) as records, each with its line end."""


class Rows(NamedTuple):
    """Some rows of a file. offset: of the first of them, or of the block that holds it. texts: each a JSON object."""

    offset: int
    texts: list[bytes]


@runtime_checkable
class RowFormat(Format, Protocol):
    """A format whose files are not lines: a reader yields their rows, and an encoder writes a whole file.
    A unit has the rows of the blocks or row groups that begin in its bytes."""

    def new_encoder(self) -> Encoder:
        """For one file of an export."""

    def rows_of_part(self, file: BinaryIO, start: int, stop: int, skip: int) -> Iterator[Rows]:
        """The rows of the unit [start, stop), some at a time, without the first `skip` of them. Raises TransferError
        for an unreadable file, after the rows before the damage."""

    def is_one_unit(self, record: bytes) -> bool:
        """Whether the item of a row that is longer than `one_unit_bytes` is still one write unit."""


@runtime_checkable
class Noted(Protocol):
    """The interface of a format whose records the native core can put."""

    @property
    def notation(self) -> Notation | None:
        """How they are written; None if the core cannot read them."""


class Encoder(Protocol):
    """A file of an export being encoded: items in, bytes to append out. It cannot be continued by another process."""

    @property
    def pending_bytes(self) -> int:
        """An upper estimate of the size in the file of the items that were added and not yet returned as bytes."""

    def add(self, items: list[Any]) -> bytes: ...

    def finish(self) -> bytes: ...


FORMATS = {  # the declaration of each, in the order of detection for a file whose name does not show its format
    "json": "ddbio.formats.json_declaration:PLAIN",
    "dynamodb-json": "ddbio.formats.json_declaration:TYPED",
    "csv": "ddbio.formats.csv.declaration:CSV",
    "parquet": "ddbio.formats.parquet.declaration:PARQUET",
    "avro": "ddbio.formats.avro.declaration:AVRO",
    "changes": "ddbio.formats.changes:CHANGES",
}
EXPORTED = tuple(name for name in FORMATS if name != "changes")  # the formats that an export writes
REJECTED = "rejected"
_NOT_TO_ASK_FOR = {  # the kind of source decides
    REJECTED: "ddbio.formats.rejected_declaration:REJECTED",
    "incremental": "ddbio.formats.incremental:IncrementalExport",
    "reversal": "ddbio.formats.reversal:ReversedExport",
    "write-requests": "ddbio.formats.write_requests:WriteRequests",
}


def declaration_of(name: str) -> Declaration:
    """The declaration of the format of that name. Raises UsageError for a name that is not in `FORMATS`."""
    if name not in FORMATS and name != REJECTED:
        raise UsageError(f"there is no format {name!r}", f"choose one of {', '.join(FORMATS)}")
    return _registered(name)  # type: ignore[no-any-return]


def all_declarations() -> Iterator[Declaration]:
    """Those of all formats, in the order of `FORMATS`."""
    return map(declaration_of, FORMATS)


def data_suffixes(format: str = AUTO) -> tuple[str, ...]:
    """Of the files that an import takes from a folder. format: the one that was asked for."""
    if format == AUTO:
        return tuple(suffix for each in all_declarations() for suffix in each.suffixes)
    return declaration_of(format).folder_suffixes


def get_format(spec: FormatSpec | str) -> Format:
    """The format of that name. Raises UsageError for a name that is not in `FORMATS`."""
    if isinstance(spec, str):
        spec = FormatSpec(spec)
    found = _registered(spec.name)
    if isinstance(found, type):
        return found()  # type: ignore[no-any-return]
    return declaration_of(spec.name).open(spec.settings)


def line_format(spec: FormatSpec | str) -> LineFormat:
    """The same of a format whose files are lines."""
    return as_lines(get_format(spec))


def as_lines(format: Format) -> LineFormat:
    """The format itself, if its files are lines: the files of every format without rows are."""
    assert not isinstance(format, RowFormat)
    return cast("LineFormat", format)


def record_format(spec: FormatSpec) -> FormatSpec:
    """The format of the records; of a rejects file, that of the records in its lines."""
    return spec.settings if isinstance(spec.settings, FormatSpec) else spec


@cache
def _registered(name: str) -> Any:
    place = FORMATS.get(name) or _NOT_TO_ASK_FOR.get(name)
    if place is None:
        return None
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
