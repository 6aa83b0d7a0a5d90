"""The options of each verb, as frozen dataclasses. Imports almost nothing, so that a program that only makes options
does not load a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ddbio.errors import UsageError
from ddbio.options import (
    AUTO,
    DEFAULT_FILE_MEGABYTES,
    ComparisonOptions,
    CsvOptions,
    EditOptions,
    RejectingOptions,
    ScanOptions,
    ShapingOptions,
    ToTableOptions,
    TransformOptions,
)


@dataclass(frozen=True, kw_only=True)
class ImportOptions(RejectingOptions, ShapingOptions):
    """One import; capacity is write units.

    sources: files, folders, globs, `s3://` uris.
    rejects: may also be an `s3://` uri; None for `<source name>.rejects.jsonl`.
    create_table: create the table, on-demand, if it does not exist, with the keys in `key`, such as `id:S,at:N`, or
        in an export's manifest among the sources; with_indexes: also create its indexes.
    more_tables: further tables to which the transform may send items, as `(table, item)`; they share the capacity.
    mode: `put`; `insert`, which never overwrites; or `delete`, which deletes the listed items
        (`ddbio.sinks.table_writes`).
    verify: check exports by this program against their manifests: names and sizes of the files before anything is
        moved, the number of items afterwards. verify_checksums: also check, first, the checksum of every file.
        allow_unfinished: import the finished files of an unfinished export.
    format: may also be `auto`: detected from each file's name and first bytes. See `ddbio.sources.detect`.
    """

    sources: tuple[str, ...]
    mode: str = "put"
    create_table: bool = False
    key: str | None = None
    more_tables: tuple[str, ...] = ()
    with_indexes: bool = False
    verify: bool = True
    verify_checksums: bool = False
    allow_unfinished: bool = False
    format: str = AUTO
    csv: CsvOptions = field(default_factory=CsvOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.csv, Mapping):
            object.__setattr__(self, "csv", CsvOptions.of(self.csv))
        if not self.sources:
            raise UsageError("sources is empty", 'give a list of paths and uris, such as ["orders.json"]')


@dataclass(frozen=True, kw_only=True)
class PutOptions(TransformOptions):
    """Items of a program into a table; capacity is write units. mode: `put`, `insert` or `delete`."""

    mode: str = "put"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ScanOptions, ShapingOptions):
    """One export; capacity is read units.

    destination: a folder, `s3://bucket/prefix`, or `-` for standard output.
    file_megabytes: maximum size of a file, in units of 1,000,000 bytes.
    compress: `none`, `gzip` or `zstd`.
    native_layout: use the layout of DynamoDB's own exports; implies `dynamodb-json` and gzip.
    columns: for a format with columns, in this order, for Parquet with types as in `age:N`; None for all attributes,
        to find which the table is read twice. numbers: in Parquet, `string` or `decimal`.
    limit: export N items, or all if there are fewer.
    if_exists: if the destination is not empty: `fail`; `overwrite` the existing export; or `resume` the unfinished
        one, as every run does, and fail if there is none.
    """

    destination: str
    file_megabytes: int = DEFAULT_FILE_MEGABYTES
    compress: str = "none"
    native_layout: bool = False
    columns: tuple[str, ...] | None = None
    numbers: str = "string"
    if_exists: str = "fail"


COPY_MODES = ("put", "insert")


@dataclass(frozen=True, kw_only=True)
class CopyOptions(RejectingOptions, TransformOptions, ToTableOptions):
    """One copy of the items of a table into another one, `to`; capacity is read units, to_capacity is write units.

    mode: `put`, or `insert`, which never overwrites.
    create_table: create the other table, on-demand, if it does not exist, with the keys of the first;
    with_indexes: also with its indexes.
    """

    mode: str = "put"
    create_table: bool = False
    with_indexes: bool = False


FIND_FORMATS = ("json", "dynamodb-json", "csv")


@dataclass(frozen=True, kw_only=True)
class FindOptions(ScanOptions):
    """One search; capacity is read units.

    format: of `FIND_FORMATS`. limit: find N items, or all if there are fewer.
    order_by: an attribute, by which the first `limit` items are written in order (`ddbio.values.ordering`).
    descending: the largest first.
    """

    format: str = FIND_FORMATS[0]
    order_by: str | None = None
    descending: bool = False


@dataclass(frozen=True, kw_only=True)
class InspectOptions(ScanOptions):
    """One inspection of a table, or of a sample of its segments; capacity is read units."""


SQL_OUTPUTS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}  # formats by suffix


@dataclass(frozen=True, kw_only=True)
class SqlOptions(ScanOptions):
    """One query over a table, or over files if there are `sources`; capacity is read units.

    query: a single SELECT. output: a file, by its suffix in one of `SQL_OUTPUTS`; `-` for standard output in
    format, `csv` or `json`; None for a text table there. memory: of DuckDB. keep: a new DuckDB database.
    """

    query: str
    table: str = ""
    sources: tuple[str, ...] = ()
    output: str | None = None
    format: str = "csv"
    memory: str = "1GB"
    keep: str | None = None


@dataclass(frozen=True, kw_only=True)
class CountOptions(ScanOptions):
    """One count of the items of a table, an index, or of those that match a filter; capacity is read units.

    sample: also estimate the number in the whole table. by_segment: also the distribution over the segments.
    """

    by_segment: bool = False


@dataclass(frozen=True, kw_only=True)
class DiffOptions(ComparisonOptions):
    """One comparison. output: path or `s3://` uri of the file of differences, `-` for standard output; None for
    none."""

    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteOptions(EditOptions):
    """One delete of the items that match a filter, of all items, or of those listed in files.

    sources: files with keys or items, as an import takes them; format: theirs.
    backup: export the items to this folder or `s3://bucket/prefix` first, and delete exactly those.
    if_unchanged: delete an item only if it still matches the filter; with `backup`, only if it still is as it was
        saved.
    """

    sources: tuple[str, ...] = ()
    format: str = AUTO
    backup: str | None = None
    if_unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class UpdateOptions(EditOptions, TransformOptions):
    """One update of the items that match a filter, or of all items.

    assign, remove: parts of an UpdateExpression: assignments after SET, paths after REMOVE. update_expression: a
        whole one. values, names: also theirs.
    transform: a function of the user instead, see `ddbio.steps.planned_update`.
    once: an attribute that marks the items that this update has changed.
    limit: update at most N items.
    """

    remove: tuple[str, ...] = ()
    update_expression: str | None = None
    once: str | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(ComparisonOptions):
    """One verification. table: the place of the export. to: the table that must hold exactly its items; empty for
    none."""

    to: str = ""


@dataclass(frozen=True, kw_only=True)
class SyncOptions(ComparisonOptions, RejectingOptions):
    """One synchronisation: the second side, a table, becomes equal to the first.

    write_capacity: write units of the second table. no_delete: leave items there that the first side lacks.
    overwrite: also write items that changed since they were compared.
    allow_partial: take a first side that is no export, or not of whole items or a whole table, for all there is.
    """

    write_capacity: str | None = None
    no_delete: bool = False
    allow_partial: bool = False
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class RevertOptions(RejectingOptions):
    """One reversal of the changes in incremental exports by DynamoDB; capacity is write units.

    sources: the exports, or places above them. force: also where an item is no longer what the export says.
    """

    sources: tuple[str, ...]
    force: bool = False
