"""A table according to DescribeTable: keys, indexes, capacity. The parent process asks once, through botocore."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ddbio.errors import UsageError
from ddbio.values.capacity import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES, SecondaryIndex

_NEW_FOR = timedelta(minutes=5)  # generous: clocks differ, and a table with indexes takes a minute to be ACTIVE
# The statuses in which a table cannot be used.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
_UNUSABLE = {
    "CREATING": ("is being created", "wait until it is ACTIVE and run the command again"),
    "DELETING": ("is being deleted", "name another table, or create it again after the deletion"),
    "ARCHIVING": ("loses its data because its KMS key cannot be used", "restore it from the backup that AWS makes"),
    "ARCHIVED": (
        "lost its data because its KMS key could not be used for a week",
        "restore it from the backup named in its ArchivalSummary (aws dynamodb describe-table)",
    ),
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": (
        "cannot use its KMS key",
        "enable the key, or restore DynamoDB's grants, within a week; after that the table is archived",
    ),
    "REPLICATION_NOT_AUTHORIZED": (
        "is a global table whose replication is not authorized",
        "restore the permissions of the table's resource policy and of the replication role",
    ),
}

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_ARN = re.compile(r"arn:([^:]+):dynamodb:([^:]*):([^:]*):table/(.*)")
_ARN_FORM = "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME"


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """A key attribute of a table or an index. type: S, N or B."""

    name: str
    type: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as workers need to know it; plain data.

    address: its name in requests: the name, or the ARN if the user gave that (it may be another account's).
    key: one or two attributes, the partition key first.
    index_keys: the key attributes of all indexes, other than the table's own.
    indexes: all secondary indexes, as their cost depends on them.
    index_write_units: provisioned write units per second of global indexes, by name; empty for on-demand tables.
    read_units, write_units: provisioned units per second, or the configured maximum of an on-demand table; None
        if it has none.
    description: the whole `Table` member of DescribeTable's answer.
    index: the secondary index whose capacity and size these are, see `through`; empty for the table itself.
    """

    name: str
    address: str
    key: tuple[KeyAttribute, ...]
    index_keys: tuple[KeyAttribute, ...]
    indexes: tuple[SecondaryIndex, ...]
    index_write_units: dict[str, float]
    provisioned: bool
    read_units: float | None
    write_units: float | None
    item_count: int
    size_bytes: int
    description: dict[str, Any] = field(repr=False)
    index: str = ""

    @classmethod
    def of(cls, description: dict[str, Any], address: str | None = None) -> TableInfo:
        """From the `Table` member of DescribeTable's answer."""
        types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
        key = _key_attributes(description["KeySchema"], types)
        indexes = description.get("GlobalSecondaryIndexes", []) + description.get("LocalSecondaryIndexes", [])
        # A partition key may be longer than a sort key: of an attribute in two indexes the stricter limit counts.
        index_keys = {
            attribute.name: attribute
            for attribute in sorted(
                (part for index in indexes for part in _key_attributes(index["KeySchema"], types)),
                key=lambda part: -part.max_bytes,
            )
            if attribute.name not in {part.name for part in key}
        }
        provisioned = _is_provisioned(description)
        limits = description["ProvisionedThroughput"] if provisioned else description.get("OnDemandThroughput", {})
        read, write = (
            ("ReadCapacityUnits", "WriteCapacityUnits")
            if provisioned
            else ("MaxReadRequestUnits", "MaxWriteRequestUnits")
        )
        return cls(
            name=description["TableName"],
            address=address or description["TableName"],
            key=key,
            index_keys=tuple(index_keys.values()),
            indexes=tuple(_secondary_index(index, key) for index in indexes),
            index_write_units=_provisioned_index_units(description) if provisioned else {},
            provisioned=provisioned,
            read_units=_limit(limits.get(read)),
            write_units=_limit(limits.get(write)),
            item_count=description.get("ItemCount", 0),
            size_bytes=description.get("TableSizeBytes", 0),
            description=description,
        )

    def through(self, index: str) -> TableInfo:
        """The table as read through an index: with the index's size, and its capacity if it has its own."""
        local = self.description.get("LocalSecondaryIndexes", ())
        described = next(
            each
            for each in (*self.description.get("GlobalSecondaryIndexes", ()), *local)
            if each["IndexName"] == index
        )
        member = "ProvisionedThroughput" if self.provisioned else "OnDemandThroughput"
        units = described.get(member, {}).get("ReadCapacityUnits" if self.provisioned else "MaxReadRequestUnits")
        return replace(
            self,
            index=index,
            read_units=self.read_units if described in local else _limit(units),
            item_count=described.get("ItemCount", 0),
            size_bytes=described.get("IndexSizeBytes", 0),
        )

    @property
    def status(self) -> str:
        return str(self.description.get("TableStatus", "ACTIVE"))

    def is_new(self, now: datetime) -> bool:
        """Whether it was created so recently that parts of the service may not know it yet. now: an aware time."""
        made = self.description.get("CreationDateTime")
        return isinstance(made, datetime) and now - made < _NEW_FOR

    @property
    def is_usable(self) -> bool:
        return self.status in ("ACTIVE", "UPDATING")

    def check_usable(self, *, wait: bool = False) -> None:
        """Raise UsageError unless the table can be read and written. wait: also accept one that is being created."""
        if self.is_usable or (wait and self.status == "CREATING"):
            return
        problem, hint = _UNUSABLE.get(self.status, ("cannot be used", "wait until it is ACTIVE"))
        raise UsageError(f'table "{self.name}" is {self.status}: it {problem}', hint)

    def write_budgets(self) -> tuple[str, ...]:
        """The names of all separate write capacities: the table (""), and each provisioned global index."""
        return ("", *self.index_write_units)


def _secondary_index(index: dict[str, Any], table_key: tuple[KeyAttribute, ...]) -> SecondaryIndex:
    projection = index.get("Projection", {})
    return SecondaryIndex(
        name=index["IndexName"],
        key_names=tuple(part["AttributeName"] for part in index["KeySchema"]),
        table_key_names=tuple(part.name for part in table_key),
        projection=projection.get("ProjectionType", "ALL"),
        included_names=tuple(projection.get("NonKeyAttributes", ())),
    )


def _provisioned_index_units(description: dict[str, Any]) -> dict[str, float]:
    return {
        index["IndexName"]: units
        for index in description.get("GlobalSecondaryIndexes", [])
        if (units := _limit(index.get("ProvisionedThroughput", {}).get("WriteCapacityUnits"))) is not None
    }


def _is_provisioned(description: dict[str, Any]) -> bool:
    # A table that was never switched has no BillingModeSummary, and one switched back keeps its summary. Only the
    # units are reliable: an on-demand table reports 0 of both.
    summary = description.get("BillingModeSummary", description)  # a CreateTable request has the mode itself
    mode = summary.get("BillingMode", "PROVISIONED")
    units: int = description.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0)
    return mode != "PAY_PER_REQUEST" and units > 0


def _limit(units: int | None) -> float | None:
    return float(units) if units is not None and units > 0 else None  # -1 means "no maximum"


def _key_attributes(schema: list[dict[str, str]], types: dict[str, str]) -> tuple[KeyAttribute, ...]:
    limits = {"HASH": MAX_PARTITION_KEY_BYTES, "RANGE": MAX_SORT_KEY_BYTES}
    parts = sorted(schema, key=lambda part: part["KeyType"])  # HASH before RANGE
    return tuple(
        KeyAttribute(part["AttributeName"], types[part["AttributeName"]], limits[part["KeyType"]]) for part in parts
    )


class TableArn(NamedTuple):
    """A table's ARN, in its parts."""

    partition: str
    region: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str) -> TableArn:
        """Raises UsageError unless `text` is the ARN of a table."""
        found = _ARN.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} cannot be the ARN of a table", f"write it {_ARN_FORM}, or give the name")
        partition, region, account, resource = found.groups()
        name, _, below = resource.partition("/")
        if below.startswith("index/"):
            raise UsageError(f"{text!r} is the ARN of an index", "give the table's, and the index by --index")
        if below or not TABLE_NAME.fullmatch(name):
            raise UsageError(f"{text!r} cannot be the ARN of a table", f"write it {_ARN_FORM}, or give the name")
        if not region:
            raise UsageError(f"{text!r} names no region", f"write it {_ARN_FORM}, or give the name and --region")
        return cls(partition, region, account, name)


def region_of_arns(arns: Sequence[TableArn], asked_for: str | None) -> str | None:
    """The region of tables: from their ARNs, else the one asked for. Raises UsageError if they differ."""
    regions = dict.fromkeys(arn.region for arn in arns)
    if len(regions) > 1:
        raise UsageError(
            f"the tables are in different regions: {', '.join(regions)}", "import into one region at a time"
        )
    region = next(iter(regions), asked_for)
    if asked_for is not None and region != asked_for:
        raise UsageError(
            f'table "{arns[0].name}" is in {region} by its ARN, but the region asked for is {asked_for}',
            "omit --region: an ARN has its own",
        )
    return region


def check_table_name(name: str) -> str:
    """Return the name or the ARN of a table unchanged. Raises UsageError if it cannot be one."""
    if name.startswith("arn:"):
        TableArn.parse(name)
    elif not TABLE_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a table", "3 to 255 letters, digits and the characters _ . -"
        )
    return name
