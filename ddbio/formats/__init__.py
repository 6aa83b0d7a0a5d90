"""What a record looks like: one small protocol, one module or package a format, and the registry of them.

A format turns the bytes of one record into an attribute map (import) and the items of one Scan page into bytes
(export), and it knows where one record ends and the next begins. It knows nothing of files, units, tables or the
network. The settings of a format for a job (columns, types, a delimiter) are in a `FormatSpec`, which is plain data
and travels with the units; `get_format` makes the format of it. Adding a format is one package and one line in
`FORMATS`; what `Tabular` and `alike` ask for may come later, as it only makes it faster.

declaration           what a format says of itself: names of files, detection, columns, options
json_declaration      the same of json and dynamodb-json
json_lines            json: one plain object a line
json_rows             json records of one shape, decoded together
json_pages            json pages of one shape, rendered together
dynamodb_json         dynamodb-json: typed values
documents             JSON that is not one object a line
csv                   rows of text
parquet               columns, through pyarrow
avro                  object container files, through fastavro
typed_columns         what formats have in common whose columns have one type each
rejected              records in a rejects file
rejected_declaration  how a rejects file is detected
incremental           lines of incremental exports by DynamoDB
write_requests        requests to BatchWriteItem
framing               where records end, if every record is one line
compression           gzip and zstd of files that are written
encoding              texts that are not UTF-8
foreign               files that are of no format
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast, runtime_checkable

from ddbio.errors import UsageError
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import AUTO

if TYPE_CHECKING:  # the commands' --help asks this module for the names, and should not wait for decoders
    from ddbio.formats.declaration import Declaration
    from ddbio.values.items import AttributeMap
    from ddbio.values.row_schema import PageSchema, RowBatch


class Format(Protocol):
    """What every format has. One instance serves all lanes of a worker; what it keeps between calls only makes it
    faster."""

    suffix: str  # of the files an export writes, with the dot
    page_items: Any  # the type to which msgspec decodes the `Items` of a Scan page for an export
    alike: PageSchema | None  # the same for the items of one table, learned; None where that would be no faster
    one_unit_bytes: int  # a record of at most so many bytes is one write unit, whatever is in it
    cut_anywhere: bool  # whether a unit may begin at any byte: the first record in it is found without what is before

    def parse(self, record: bytes) -> AttributeMap:
        """One record as an attribute map. Raises RecordError."""


class LineFormat(Format, Protocol):
    """A format whose files are records, each of which ends in a line end of one byte, which is no part of it; whether
    there may be others inside is its own matter."""

    line_end: bytes  # the byte that ends a record
    head: bytes  # what every file of an export begins with

    def split(self, block: bytes) -> list[bytes]:
        """The records of a block of whole records, each without its line end; the last may lack it in the block."""

    def end_finder(self) -> Callable[[bytes], int]:
        """A function to be called with consecutive pieces of a file, the first of which begins with a record: how
        many bytes of the piece come before the end of the last record that ends in it; 0 where none does."""

    def render(self, items: list[Any]) -> bytes:
        """The items of one page (each of `page_items`) as records, each with its line end."""


class Rows(NamedTuple):
    """Some rows of a file. offset: where the first of them is, or what it is in. texts: each an object of JSON."""

    offset: int
    texts: list[bytes]


@runtime_checkable
class RowFormat(Format, Protocol):
    """A format whose files are no series of lines: rows come out of them, and a file is written whole, by an encoder.
    A unit has the rows of what begins in its bytes."""

    def new_encoder(self) -> Encoder:
        """For one file of an export."""

    def rows_of_part(self, file: BinaryIO, start: int, stop: int, skip: int) -> Iterator[Rows]:
        """The rows of the unit [start, stop), some at a time, without the first `skip` of them. Raises TransferError
        for a file that cannot be read, after the rows before that."""

    def is_one_unit(self, record: bytes) -> bool:
        """Whether the item of a row that is longer than `one_unit_bytes` is one write unit all the same."""


@runtime_checkable
class Tabular(Protocol):
    """What a format has beside `parse` if it is faster with records that are alike."""

    def values(self, records: Sequence[bytes]) -> RowBatch | None:
        """What `parse` would say of these records; None where that is not known to be the same."""


class Encoder(Protocol):
    """A file of an export being encoded: items in, bytes to append out. It cannot be continued by another process."""

    @property
    def pending_bytes(self) -> int:
        """About what the items will take that were added and are not in the bytes yet; never less."""

    def add(self, items: list[Any]) -> bytes: ...

    def finish(self) -> bytes: ...


FORMATS = {  # the declaration of each; the order in which they are asked for a file whose name does not say
    "json": "ddbio.formats.json_declaration:PLAIN",
    "dynamodb-json": "ddbio.formats.json_declaration:TYPED",
    "csv": "ddbio.formats.csv.declaration:CSV",
    "parquet": "ddbio.formats.parquet.declaration:PARQUET",
    "avro": "ddbio.formats.avro.declaration:AVRO",
}
REJECTED = "rejected"
_NOT_TO_ASK_FOR = {  # what a source is decides
    REJECTED: "ddbio.formats.rejected_declaration:REJECTED",
    "incremental": "ddbio.formats.incremental:IncrementalExport",
    "write-requests": "ddbio.formats.write_requests:WriteRequests",
}


def declaration_of(name: str) -> Declaration:
    """What the format of that name says of itself. Raises UsageError for a name that is not in `FORMATS`."""
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
    """The format itself, whose files are lines: all that have no rows are."""
    assert not isinstance(format, RowFormat)
    return cast("LineFormat", format)


def record_format(spec: FormatSpec) -> FormatSpec:
    """The format of the records; of a rejects file, that of those that are in its lines."""
    return spec.settings if isinstance(spec.settings, FormatSpec) else spec


@cache
def _registered(name: str) -> Any:
    place = FORMATS.get(name) or _NOT_TO_ASK_FOR.get(name)
    if place is None:
        return None
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
