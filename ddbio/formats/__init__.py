"""What a record looks like: one small protocol, one module a format.

A format turns the bytes of one record into an attribute map (import) and the items of one Scan page into bytes
(export), and it knows where one record ends and the next begins. It knows nothing of files, units, tables or the
network. What a job was told of a format (columns, types, a delimiter) stands in a `FormatSpec`, which is plain data
and travels with the units; `get_format` makes the format of it. Adding a format is one module and one line in
`FORMATS`; what `Tabular` and `alike` ask for may come later, as it only makes it faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

from ddbio.errors import UsageError
from ddbio.messages.format_spec import FormatSpec

if TYPE_CHECKING:  # the commands' --help asks this module for the names, and should not wait for decoders
    from ddbio.values.items import AttributeMap
    from ddbio.values.row_schema import Alike, Values


class Format(Protocol):
    """A format: one instance serves all lanes of a worker. What it keeps between calls only makes it faster.

    Every record ends in a line end of one byte, which is no part of it; whether there may be others inside is its own
    matter.
    """

    suffix: str  # of the files an export writes, with the dot
    source_suffixes: tuple[str, ...]  # of the files an import picks up in a folder
    page_items: Any  # the type to which msgspec decodes the `Items` of a Scan page for `render`
    alike: Alike | None  # the same for the items of one table, learned; None where that would be no faster
    line_end: bytes  # the byte that ends a record
    cut_anywhere: bool  # whether every line end ends a record, so that a file can be cut without reading it
    head: bytes  # what every file of an export begins with
    one_unit_bytes: int  # a record of at most so many bytes is one write unit, whatever is in it

    def parse(self, record: bytes) -> AttributeMap:
        """One record, without its line end, as an attribute map. Raises RecordError."""

    def split(self, block: bytes) -> list[bytes]:
        """The records of a block of whole records, each without its line end; the last may lack it in the block."""

    def end_finder(self) -> Callable[[bytes], int]:
        """A function to be called with consecutive pieces of a file, the first of which begins with a record: how
        many bytes of the piece come before the end of the last record that ends in it; 0 where none does."""

    def render(self, items: list[Any]) -> bytes:
        """The items of one page (each of `page_items`) as records, each with its line end."""


@runtime_checkable
class Columnar(Protocol):
    """What a format has in the place of `split`, `end_finder` and `render` if its files are no series of records."""

    def new_encoder(self) -> Encoder:
        """For one file of an export."""

    def lines_of_part(self, file: BinaryIO, start: int) -> Iterator[bytes]:
        """The records of the unit that begins at `start`, some at a time, as lines that `parse` takes."""


@runtime_checkable
class Tabular(Protocol):
    """What a format has beside `parse` if it is faster with records that are alike."""

    def values(self, records: Sequence[bytes]) -> Values | None:
        """What `parse` would say of these records; None where that is not known to be the same."""


class Encoder(Protocol):
    """A file of an export being encoded: items in, bytes to append out. It cannot be continued by another process."""

    @property
    def pending_bytes(self) -> int:
        """About what the items will take that were added and are not in the bytes yet; never less."""

    def add(self, items: list[Any]) -> bytes: ...

    def finish(self) -> bytes: ...


FORMATS = {
    "json": "ddbio.formats.json_lines:JsonLines",
    "dynamodb-json": "ddbio.formats.dynamodb_json:DynamoDBJson",
    "csv": "ddbio.formats.csv:Csv",
    "parquet": "ddbio.formats.parquet:Parquet",
}
_NOT_TO_ASK_FOR = {  # what a source is tells them
    "rejected": "ddbio.formats.rejected:RejectedRecords",
    "incremental": "ddbio.formats.incremental:IncrementalExport",
    "write-requests": "ddbio.formats.write_requests:WriteRequests",
}


def of_rejects(spec: FormatSpec) -> FormatSpec:
    """The format of a rejects file of records of that format."""
    return FormatSpec("rejected", spec)


def get_format(spec: FormatSpec | str) -> Format:
    """The format of that name. Raises UsageError for a name that is not in `FORMATS`."""
    if isinstance(spec, str):
        spec = FormatSpec(spec)
    place = FORMATS.get(spec.name) or _NOT_TO_ASK_FOR.get(spec.name)
    if place is None:
        raise UsageError(f"there is no format {spec.name!r}", f"choose one of {', '.join(FORMATS)}")
    module, _, attribute = place.partition(":")
    format_class = getattr(import_module(module), attribute)
    return format_class() if spec.settings is None else format_class(spec.settings)  # type: ignore[no-any-return]
