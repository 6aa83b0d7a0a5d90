"""The two sides of a comparison: tables, or exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.dynamodb.translation import NoSuchTableError
from ddbio.errors import UsageError
from ddbio.options import ComparisonOptions, is_place
from ddbio.sources.completeness import Completeness, completeness
from ddbio.sources.expressions import top_names
from ddbio.sources.subset import Subset
from ddbio.values.capacity import page_read_units
from ddbio.values.digest import Scope
from ddbio.values.table import TableInfo
from ddbio.verbs.import_sources import ImportSources
from ddbio.verbs.options import ImportOptions
from ddbio.verbs.scan import describe_part
from ddbio.verbs.two_tables import CHECK_TO

FIRST, SECOND = "first", "second"
_OF_IMPORTS = ("--no-verify", "--allow-unfinished")
_MARK = "#ddbio"  # before the number of a name in a projection


@dataclass(frozen=True)
class TableSide:
    """asked: the table as the user named it. capacity: its cap, as asked for with capacity_option.
    subset: the part that is compared."""

    which: str
    asked: str
    aws: AwsSettings
    capacity: str | None
    session: Session
    table: TableInfo
    subset: Subset
    capacity_option: str

    @property
    def name(self) -> str:
        return f"table {self.table.name} in {self.session.region}"

    @property
    def items(self) -> int:
        """As far as the service reports it."""
        return self.table.item_count

    def read_units(self, options: ComparisonOptions) -> float:
        share = (options.sample or 100) / 100
        return page_read_units(int(self.table.size_bytes * share), options.consistent_read)


@dataclass(frozen=True)
class ExportSide:
    """place: of the export. session, table: of the other side; its keys are those of the items."""

    which: str
    place: str
    session: Session
    table: TableInfo

    @property
    def name(self) -> str:
        return f"export {self.place}"

    @cached_property
    def sources(self) -> ImportSources:
        """The files. Raises UsageError if they differ from the export's manifest, or are only changes."""
        options = ImportOptions(table=self.table.name, sources=(self.place,), aws=self.session.aws)
        try:
            sources = ImportSources(options, self.session)
        except UsageError as error:
            if any(option in (error.hint or "") for option in _OF_IMPORTS):
                raise error.reworded(error.message, "copy it again, or export again") from None
            raise
        sources.found.mode("put")
        if sources.detect(self.table)("put") != "put" or sources.found.mode("put") != "put":
            raise UsageError(f'"{self.place}" has changes of a table, not its items', "name a full export")
        return sources

    @cached_property
    def completeness(self) -> Completeness:
        return completeness(self.sources.found, self.sources.storages)

    @property
    def items(self) -> int:
        """By the manifests; 0 without one."""
        found = self.sources.found
        own = sum(listed.items for export in found.own for _, listed in export.files)
        return own + sum(export.items for export in found.exports)


Side = TableSide | ExportSide


def scope_of(options: ComparisonOptions) -> Scope:
    """Raises UsageError for names that are paths."""
    if options.attributes is None:
        return Scope(None, frozenset(options.ignore), options.keys_only)
    names = [name.strip() for name in options.attributes.split(",")]
    if "" in names or any(top_names(name, {}) != {name} for name in names):
        raise UsageError(
            f"--attributes {options.attributes!r} has more than names", "a comparison takes whole attributes"
        )
    return Scope(frozenset(names), frozenset(options.ignore), options.keys_only)


def find_sides(options: ComparisonOptions, scope: Scope) -> tuple[Side, Side]:
    """Raises UsageError for sides that cannot be compared."""
    places = [is_place(each) for each in (options.table, options.to)]
    if all(places):
        raise UsageError(
            "both sides are exports", "compare one of them with a table; ddbio import makes a table of the other"
        )
    if any(places) and options.sample is not None:
        raise UsageError("an export is compared as a whole", "omit --sample")
    s3 = {"s3_endpoint_url": options.aws.s3_endpoint_url, "s3_call_args": options.aws.s3_call_args}
    to_aws = replace(options.to_aws, s3_put_args=options.aws.s3_put_args, **s3)  # type: ignore[arg-type]
    if places[0]:
        second = _table_side(SECOND, options.to, to_aws, options.to_capacity, options, scope)
        return _export_side(FIRST, options.table, second, options), second
    first = _table_side(FIRST, options.table, options.aws, options.capacity, options, scope)
    if places[1]:
        return first, _export_side(SECOND, options.to, first, options)
    second = _table_side(SECOND, options.to, to_aws, options.to_capacity, options, scope)
    _check_keys(first.table, second.table)
    return first, second


def _export_side(which: str, place: str, other: TableSide, options: ComparisonOptions) -> ExportSide:
    """A filter must be that of the export, whose items are not filtered again."""
    side = ExportSide(which, place, other.session, other.table)
    part = side.completeness.part or {}  # looked at before anything is read
    if options.filter is not None and (options.filter, options.values) != (part.get("filter"), part.get("values")):
        raise UsageError(
            "an export is compared as a whole", "omit --filter, unless the export was made with the same one"
        )
    return side


def _table_side(
    which: str, asked: str, aws: AwsSettings, capacity: str | None, options: ComparisonOptions, scope: Scope
) -> TableSide:
    session = Session(aws, (asked,))
    option = options.to_capacity_option if which == SECOND else "-c"
    try:
        table, subset = describe_part(session, replace(options, table=asked, attributes=None))
    except NoSuchTableError as error:
        raise UsageError(error.message, CHECK_TO if option == "--to-capacity" else error.hint) from None
    return TableSide(which, asked, aws, capacity, session, table, _projected(subset, scope, table), option)


def _projected(subset: Subset, scope: Scope, table: TableInfo) -> Subset:
    """Only the attributes that are compared are sent; that makes the comparison faster, not cheaper."""
    if scope.only is None and not scope.keys_only:
        return subset
    wanted = sorted({part.name for part in table.key} | (scope.only or set() if not scope.keys_only else set()))
    names = {f"{_MARK}{number}": name for number, name in enumerate(wanted)}
    members = {
        **subset.members,
        "ProjectionExpression": ",".join(names),
        "ExpressionAttributeNames": {**subset.members.get("ExpressionAttributeNames", {}), **names},
    }
    return replace(subset, members=members)


def _check_keys(first: TableInfo, second: TableInfo) -> None:
    keys = [[(part.name, part.type) for part in table.key] for table in (first, second)]
    if keys[0] != keys[1]:
        spoken = [", ".join(f"{name} ({letter})" for name, letter in key) for key in keys]
        raise UsageError(
            f'table "{first.name}" has the key {spoken[0]}, and table "{second.name}" the key {spoken[1]}',
            "items of tables with different keys cannot be compared",
        )


def tables_of(sides: Sequence[Side]) -> list[TableSide]:
    return [side for side in sides if isinstance(side, TableSide)]
