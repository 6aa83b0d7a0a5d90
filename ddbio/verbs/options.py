"""What a user can ask of each verb, as frozen dataclasses. Loads next to nothing: a program that only makes options
pays for no client."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddbio.errors import UsageError
from ddbio.options import AUTO, DEFAULT_FILE_MEGABYTES, CsvOptions, ScanOptions, ShapingOptions


@dataclass(frozen=True, kw_only=True)
class ImportOptions(ShapingOptions):
    """One import; capacity is write units.

    sources: files, folders, globs, `s3://` uris.
    rejects: path or `s3://` uri of the rejects file; None for `<source name>.rejects.jsonl` in the current folder.
    create_table: make the table, on-demand, where there is none: with the keys of `key`, such as `id:S,at:N`, or of
        an export's manifest beside the source; with_indexes: and with its indexes.
    more_tables: that the transform may send items to, by `(table, item)`; they share the capacity.
    mode: `put`; `insert`, which never overwrites; or `delete`, what the records name (`ddbio.sinks.table_writes`).
    verify: hold the exports of this program among the sources to their manifests: names and sizes of the files before
        anything is moved, the number of items afterwards. verify_checksums: and, before, the checksum of every file.
        allow_unfinished: take what an export left that is not finished.
    max_errors: stop when more records than that are rejected (`"100"`), or more than that share of those read
        (`"5%"`, of 1,000 at least); None for no limit.
    format: may also be `auto`: what the name and the first bytes of each file say. See `ddbio.sources.detect`.
    """

    sources: tuple[str, ...]
    rejects: str | None = None
    mode: str = "put"
    create_table: bool = False
    key: str | None = None
    more_tables: tuple[str, ...] = ()
    with_indexes: bool = False
    max_errors: str | None = None
    verify: bool = True
    verify_checksums: bool = False
    allow_unfinished: bool = False
    format: str = AUTO
    csv: CsvOptions = field(default_factory=CsvOptions)

    def __post_init__(self) -> None:
        if not self.sources or isinstance(self.sources, str):  # a string would be taken for one source a character
            raise UsageError(
                f"sources is {self.sources!r}", 'give a tuple of paths and uris, such as ("orders.json",)'
            )


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ScanOptions, ShapingOptions):
    """One export; capacity is read units.

    destination: a folder, `s3://bucket/prefix`, or `-` for standard output.
    file_megabytes: a new file begins before this size (of 1,000,000 bytes) would be passed.
    compress: `none`, `gzip` or `zstd`.
    native_layout: in the layout of DynamoDB's own exports; implies `dynamodb-json` and gzip.
    columns: of a format that has some, in this order, for Parquet with types as in `age:N`; None for all attributes,
        to find which the table is read twice. numbers: in Parquet, `string` or `decimal`.
    limit: export N items, or all if there are fewer.
    if_exists: what to do if the destination is not empty: `fail`, `overwrite` the export that is there, or
        `resume` the one that is unfinished, which is what happens anyway, and fail if there is none.
    """

    destination: str
    file_megabytes: int = DEFAULT_FILE_MEGABYTES
    compress: str = "none"
    native_layout: bool = False
    columns: tuple[str, ...] | None = None
    numbers: str = "string"
    if_exists: str = "fail"


@dataclass(frozen=True, kw_only=True)
class CountOptions(ScanOptions):
    """One count of the items of a table, an index, or of those for which a filter holds; capacity is read units."""
