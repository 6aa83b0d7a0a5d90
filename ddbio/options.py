"""What a user can ask for, as frozen dataclasses: what `ddbio.cli` makes of argv and what the library takes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError

MEGABYTE = 1_000_000  # of `-s`: the megabyte of disks and of S3's bill
DEFAULT_FILE_MEGABYTES = 256
STDOUT = "-"  # as a destination

AUTO = "auto"  # the format of an import that is found out
CSV_TYPES = ("S", "N", "B", "BOOL", "SS", "NS", "BS", "L", "M", "JSON")  # of a column
NUMBERS = ("string", "decimal")  # in Parquet
EMPTY_CELLS = ("drop", "null", "string")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How to read CSV.

    columns: their names, where the files have no header.
    delimiter: one character; None for the one that suits the header.
    types: of columns, as pairs of name and type (`CSV_TYPES`); the table says those of its keys.
    infer_types: other cells that are numbers beyond doubt become numbers.
    empty: what an empty cell is: `drop`, `null` or `string`. nulls: words that are read as an empty cell.
    escape: a character that makes the one after it plain; empty for none.
    keep_blanks: leave blanks around the names of a header.
    """

    columns: tuple[str, ...] | None = None
    delimiter: str | None = None
    types: tuple[tuple[str, str], ...] = ()
    infer_types: bool = False
    empty: str = "drop"
    nulls: tuple[str, ...] = ()
    escape: str = ""
    keep_blanks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """What an import and an export have in common.

    table: by name or ARN.
    processes: workers; None for one a CPU this process may use.
    capacity: units per second (`"500"`), a share of what the table has (`"60%"`), a time table
        (`"1000,20:00=20000"`); None for what the table has. See `ddbio.rate.caps`.
    over_provisioned: allow a capacity above what a provisioned table has.
    format: a key of `ddbio.formats.FORMATS`.
    lanes: connections a worker keeps busy; None for the default.
    rename, drop, assign: of every item: `old=new`, names to leave out, `name=value`. transform: then a function of
        the user's, `file.py:function`. See `ddbio.steps.transform`.
    give_up_after_s: without any success of the whole job for so long, it stops.
    journal: keep what the same call needs to go on where this one ended; without it nobody can.
    state_dir: where that is kept; None for the usual place (`ddbio.job.state`).
    fresh: start over where an earlier run left the job unfinished.
    report: path of a report on the run, as JSON; None for one beside the journal.
    """

    table: str
    aws: AwsSettings = field(default_factory=AwsSettings)
    processes: int | None = None
    capacity: str | None = None
    over_provisioned: bool = False
    format: str = "json"
    lanes: int | None = None
    transform: str | None = None
    rename: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    assign: tuple[str, ...] = ()
    give_up_after_s: float = 600.0
    journal: bool = True
    state_dir: str | None = None
    fresh: bool = False
    report: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions(TransferOptions):
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
    format: may also be `auto`: what each file's name and its first bytes say. See `ddbio.sources.detect`.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(TransferOptions):
    """One export; capacity is read units.

    destination: a folder, `s3://bucket/prefix`, or `-` for standard output.
    file_megabytes: a new file begins before this size (of 1,000,000 bytes) would be passed.
    segments: of the parallel Scan; None for a number that suits the table.
    compress: `none`, `gzip` or `zstd`.
    native_layout: in the layout of DynamoDB's own exports; implies `dynamodb-json` and gzip.
    columns: of a format that has some, in this order, for Parquet with types as in `age:N`; None for all attributes,
        to find which the table is read twice. numbers: in Parquet, `string` or `decimal`.
    attributes: of each item, as in `id,address.city,tags[0]`; None for all. filter, values: a FilterExpression and
        the JSON object of its values; names: that of what `#short` names stand for. See `ddbio.sources.expressions`.
    index: scan this secondary index instead of the table.
    limit: export so many items, or all where there are fewer. sample: scan so many percent of the segments, the same
        ones for the same `seed`.
    if_exists: what to do where the destination is not empty: `fail`, `overwrite` the export that is there, or
        `resume` the one that is unfinished, which is what happens anyway, and fail where there is none.
    """

    destination: str
    file_megabytes: int = DEFAULT_FILE_MEGABYTES
    segments: int | None = None
    consistent_read: bool = False
    compress: str = "none"
    native_layout: bool = False
    columns: tuple[str, ...] | None = None
    numbers: str = "string"
    attributes: str | None = None
    filter: str | None = None
    values: str | None = None
    names: str | None = None
    index: str | None = None
    limit: int | None = None
    sample: float | None = None
    seed: int = 0
    if_exists: str = "fail"


# What two runs of one job may differ in. All else makes it another job: also an option that is added later and not
# listed here. Table, sources and destination are not compared: they are what the job is found by.
IMMATERIAL = {
    *("table", "sources", "destination", "aws", "processes", "capacity", "over_provisioned", "lanes"),
    *("give_up_after_s", "journal", "state_dir", "fresh", "report", "max_errors", "if_exists"),
    *("verify", "verify_checksums", "allow_unfinished"),
    *("create_table", "key", "with_indexes"),  # the table is there by then
}


def material(options: TransferOptions) -> dict[str, Any]:
    """The options that must be the same in all runs of a job."""
    return {
        each.name.replace("_", " "): getattr(options, each.name)
        for each in fields(options)
        if each.name not in IMMATERIAL
    }
