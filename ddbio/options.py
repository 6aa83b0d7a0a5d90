"""The options that several verbs share, as frozen dataclasses that a verb's own options inherit
(`ddbio.verbs.options`): made by `ddbio.cli` from argv, and taken by the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.natural import natural

MEGABYTE = 1_000_000  # of `-s`: the megabyte of disks and of S3's bill
DEFAULT_FILE_MEGABYTES = 256
STDOUT = "-"  # as a destination

AUTO = "auto"  # the format of an import that is detected
CSV_TYPES = ("S", "N", "B", "BOOL", "SS", "NS", "BS", "L", "M", "JSON")  # of a column
NUMBERS = ("string", "decimal")  # in Parquet
EMPTY_CELLS = ("drop", "null", "string")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How to read CSV.

    columns: their names, for files without a header.
    delimiter: one character; None to detect it from the header.
    types: of columns, as pairs of name and type (`CSV_TYPES`); keys have their types in the table.
    infer_types: import other cells that are unambiguously numbers as numbers.
    empty: import an empty cell as no attribute (`drop`), `null` or a `string`. nulls: words to read as an empty cell.
    escape: the escape character; empty for none.
    keep_blanks: keep blanks around the names of a header.
    """

    columns: tuple[str, ...] | None = None
    delimiter: str | None = None
    types: tuple[tuple[str, str], ...] = ()
    infer_types: bool = False
    empty: str = "drop"
    nulls: tuple[str, ...] = ()
    escape: str = ""
    keep_blanks: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CsvOptions:
        """From a dict of these fields, in which `types` may be a dict of types by column. Raises UsageError."""
        known = {each.name: str(each.type) for each in fields(cls)}
        for name in given:
            if name not in known:
                raise UsageError(f"csv has {name!r}, which is no option of CSV", f"it has {', '.join(known)}")
        values = dict(given)
        if isinstance(values.get("types"), Mapping):
            values["types"] = tuple(values["types"].items())
        return cls(**{n: v if n == "types" else natural(f"csv {n}", known[n], v) for n, v in values.items()})


@dataclass(frozen=True, kw_only=True)
class TransferOptions:
    """The options of all verbs that read or write a table.

    table: by name or ARN.
    processes: workers; None for one per available CPU.
    capacity: units per second (`"500"`), a share of the table's capacity (`"60%"`), a schedule
        (`"1000,20:00=20000"`); None for the table's capacity. See `ddbio.rate.caps`.
    over_provisioned: allow a capacity above that of a provisioned table.
    lanes: connections a worker keeps busy; None for the default.
    give_up_after_s: stop the job after this time without any success.
    journal: keep the state needed to resume; without it nothing can be resumed.
    state_dir: the folder for that state; None for the usual place (`ddbio.job.state`).
    fresh: start over instead of resuming an unfinished job.
    report: path of a report on the run, as JSON; None for one beside the journal.
    """

    table: str
    aws: AwsSettings = field(default_factory=AwsSettings)
    processes: int | None = None
    capacity: str | None = None
    over_provisioned: bool = False
    lanes: int | None = None
    give_up_after_s: float = 600.0
    journal: bool = True
    state_dir: str | None = None
    fresh: bool = False
    report: str | None = None

    def __post_init__(self) -> None:
        """Accepts natural types (`ddbio.natural`). Raises UsageError."""
        for each in fields(self):
            given = getattr(self, each.name)
            declared = natural(each.name, str(each.type), given)
            if declared is not given:
                object.__setattr__(self, each.name, declared)
            if declared != each.default:
                check_no_nul(each.name, declared)
                check_not_blank(each.name, declared, edits="all_items" in self.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class TransformOptions(TransferOptions):
    """The transforms of items.

    rename, drop, assign: for every item: `old=new`, names to remove, `name=value`. transform: then a function of
        the user's, `file.py:function`. See `ddbio.steps.transform`.
    """

    transform: str | None = None
    rename: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    assign: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShapingOptions(TransformOptions):
    """The transforms of items on their way from or to files. format: a key of `ddbio.formats.FORMATS`."""

    format: str = "json"


@dataclass(frozen=True, kw_only=True)
class RejectingOptions(TransferOptions):
    """The options of verbs that may reject records or items.

    rejects: path of the rejects file; None for a name in the current folder, after the source or the table.
    max_errors: stop when more records than this are rejected (`"100"`), or more than this share of those read
        (`"5%"`, of 1,000 at least); None for no limit.
    """

    rejects: str | None = None
    max_errors: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScanOptions(TransferOptions):
    """The part of a table that a scan reads; see `ddbio.sources.subset`.

    segments: of the parallel Scan; None for a number that suits the table.
    attributes: of each item, as in `id,address.city,tags[0]`; None for all. filter, values: a FilterExpression and
        the JSON object of its values; names: the JSON object of the full names of `#short` placeholders. See
        `ddbio.sources.expressions`.
    index: scan this secondary index instead of the table.
    limit: read at most N items. sample: scan this percentage of the segments, the same ones for the same `seed`.
    """

    segments: int | None = None
    consistent_read: bool = False
    attributes: str | None = None
    filter: str | None = None
    values: str | None = None
    names: str | None = None
    index: str | None = None
    limit: int | None = None
    sample: float | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ToTableOptions(ScanOptions):
    """A scan of one table for a second one. capacity: of the first, in read units.

    to: the second table, by name or ARN. to_aws: its region, account and endpoint. to_capacity: its cap; in which
        units, the verb says.
    """

    to: str
    to_aws: AwsSettings = field(default_factory=AwsSettings)
    to_capacity: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions(ToTableOptions):
    """A comparison of two sides; capacity and to_capacity are read units.

    table, to: the sides, each a table, by name or ARN, or the place of an export: a path with a slash, or `s3://...`.
    keys_only: compare only which keys there are. ignore: names of attributes that make no difference.
        attributes: compare only these, without paths.
    spill_dir: the folder for the digests of both sides; None for the job's state folder.
    to_capacity_option: of the command.
    """

    to_capacity_option: ClassVar[str] = "--to-capacity"

    keys_only: bool = False
    ignore: tuple[str, ...] = ()
    spill_dir: str | None = None


def is_place(text: str) -> bool:
    """Whether a side of a comparison is the place of an export, and not a table."""
    return "://" in text or ("/" in text and not text.startswith("arn:"))


@dataclass(frozen=True, kw_only=True)
class EditOptions(RejectingOptions, ScanOptions):
    """A scan of a table for writes to the same items. capacity: of the scan, in read units.

    write_capacity: of the writes, in write units. all_items: there is no filter on purpose.
    count_first: count the items exactly before the user is asked.
    """

    write_capacity: str | None = None
    all_items: bool = False
    count_first: bool = False


# Options that may differ between the runs of one job. Any other option makes it another job, including options added
# later and not listed here. Table, sources and destination are not compared: they identify the job.
IMMATERIAL = {
    *("table", "sources", "destination", "aws", "processes", "capacity", "over_provisioned", "lanes"),
    *("give_up_after_s", "journal", "state_dir", "fresh", "report", "max_errors", "if_exists"),
    *("verify", "verify_checksums", "allow_unfinished", "output"),
    *("to", "to_aws", "to_capacity", "write_capacity", "count_first"),
    *("create_table", "key", "with_indexes"),  # the table exists by then
    "allow_partial",  # only a permission
    "by_segment",  # only another view of the same counts
}


def check_no_nul(option: str, value: object) -> None:
    """Raise UsageError for a text with a NUL character, which no file, table or attribute has in its name."""
    texts = value if isinstance(value, tuple | list) else (value,)
    if any(isinstance(text, str) and "\0" in text for text in texts):
        raise UsageError(f"{option} has a NUL character", "remove it")


def check_not_blank(option: str, value: object, *, edits: bool = False) -> None:
    """Raise UsageError for a text that is empty or only blanks, alone or among several.

    It would mean every item, or no backup, as if the option were not given. edits: whether the verb changes items.
    """
    texts = value if isinstance(value, tuple | list) else (value,)
    if any(isinstance(text, str) and not text.strip() for text in texts):
        instead = "--all for every item" if edits and option.endswith("filter") else "leave it out"
        raise UsageError(f"{option} is empty", f"is a shell variable unset? Give a value, or {instead}")


def material(options: TransferOptions) -> dict[str, Any]:
    """The options that must be the same in all runs of a job, by the names of the commands: `--drop`."""
    found: dict[str, Any] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if isinstance(value, CsvOptions):
            found.update((option_of(f"csv {part.name}"), getattr(value, part.name)) for part in fields(value))
        elif each.name not in IMMATERIAL:
            found[option_of(each.name)] = value
    return found


_OPTIONS = {  # of fields that have another name there
    "assign": "--set",
    "file_megabytes": "--size",
    "all_items": "--all",
    "csv types": "--csv-types",
    "csv nulls": "--csv-null",
    "csv escape": "--csv-escape",
}


def option_of(name: str) -> str:
    """The option of a field of the options; of those of CSV, `csv types` and so on."""
    return _OPTIONS.get(name) or "--" + name.removeprefix("csv ").replace("_", "-")
