"""The table that an import or a copy creates if it does not exist: `--create-table`.

Its keys come from `--key`, from the manifest of an export among the sources, or from the table that is copied; its
indexes only from the last two. It is on-demand, because the old table's capacity may not suit the load. A table that
exists is not changed, but must have the same keys.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.job.progress import Progress
from ddbio.layouts.own import MANIFEST_NAME, find_manifests
from ddbio.storage import Storage, join, open_storage
from ddbio.values.table import KeyAttribute, TableInfo
from ddbio.verbs.options import COPY_MODES, CopyOptions, ImportOptions

_FOLDERS = 100  # folders searched for a manifest; a larger source has one in the first, or none
_ROLES = ("HASH", "RANGE")
_KEY_PART = re.compile(r"(.+):([SNB])", re.DOTALL)
_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")


@dataclass(frozen=True, slots=True)
class Target:
    """The table to import into, or to copy into.

    table: as described, or as it will be after `request`, a CreateTable. not_made: properties of the model table that
        the new one will not have.
    """

    table: TableInfo
    request: dict[str, Any] | None = None
    origin: str = ""
    not_made: str = ""

    def describe(self) -> str:
        """The table to create, and the origin of its keys."""
        key, indexes = _spoken(self.table.key), [index.name for index in self.table.indexes]
        with_indexes = f" with the index{'es' * (len(indexes) != 1)} {', '.join(indexes)}" if indexes else ""
        left = f"; not copied from that table: {self.not_made}" if self.not_made else ""
        return f"Making table {self.table.name}, on-demand, key {key}{with_indexes} ({self.origin}){left}"


def choose_target(
    options: ImportOptions, table: TableInfo | None, folders: Iterable[str], session: Session
) -> Target:
    """The table to import into: an existing one, or one to create.

    table: None if it does not exist. folders: searched for the manifest of an export.

    Raises UsageError if the keys are unknown, or differ from those of the existing table.
    """
    if not options.create_table:
        assert table is not None
        return Target(table)
    description, origin = _wanted(options, folders, session)
    if table is None:
        if description is None:
            raise UsageError(
                f'the keys of table "{options.table}", which is to be made, are unknown: no {MANIFEST_NAME} of an '
                "export is beside the source",
                "add --key NAME:TYPE[,NAME:TYPE]; types: S, N, B (DynamoDB's own exports do not contain the keys)",
            )
        request = create_request(options.table, description, indexes=options.with_indexes)
        return Target(TableInfo.of(request), request, origin, _vector_indexes(options, description))
    if description is not None:
        _check_keys(table, description, origin)
    return Target(table)


def _vector_indexes(options: ImportOptions, description: dict[str, Any]) -> str:
    names = [str(index.get("IndexName")) for index in description.get("VectorIndexes") or ()]
    return f"the vector indexes {', '.join(names)}" if options.with_indexes and names else ""


def copy_of(model: TableInfo, name: str, session: Session, *, indexes: bool) -> Target:
    """The table to create with the keys of another. session: of the other."""
    described = model.description
    request = create_request(name, described, indexes=indexes)
    not_made = [words for words, there in _properties(described, indexes) if there]
    ttl = session.time_to_live(model.address)
    not_made += [f"time to live ({ttl})"] if ttl else []
    unknown = f"{'time to live, ' * (ttl is None)}tags, backups, auto scaling and policies, if it has any"
    return Target(TableInfo.of(request), request, f"as table {model.name}", ", ".join([*not_made, unknown]))


def _properties(described: dict[str, Any], indexes: bool) -> Iterator[tuple[str, bool]]:
    """Properties that a new table does not get, and whether the described one has them."""
    names = [index["IndexName"] for kind in _INDEXES for index in described.get(kind) or ()]
    yield f"index{'es' * (len(names) != 1)} {', '.join(names)} (--with-indexes)", bool(names) and not indexes
    vectors = [str(index.get("IndexName")) for index in described.get("VectorIndexes") or ()]
    yield f"vector indexes {', '.join(vectors)}", bool(vectors)
    yield "provisioned capacity", TableInfo.of(described).provisioned
    yield "maximum throughput", bool(described.get("OnDemandThroughput"))
    yield "stream", bool(described.get("StreamSpecification", {}).get("StreamEnabled"))
    yield "encryption with a KMS key", bool(described.get("SSEDescription", {}).get("KMSMasterKeyArn"))
    yield "table class", described.get("TableClassSummary", {}).get("TableClass", "STANDARD") != "STANDARD"
    yield "deletion protection", bool(described.get("DeletionProtectionEnabled"))
    yield "replicas", bool(described.get("Replicas"))


def check_copy_options(options: CopyOptions) -> None:
    """The same as `check_options` for a copy."""
    if options.mode not in COPY_MODES:
        raise UsageError(f"a copy has no mode {options.mode!r}", f"choose one of {', '.join(COPY_MODES)}")
    if options.with_indexes and not options.create_table:
        raise UsageError("--with-indexes applies only to a new table", "add --create-table")
    if options.create_table and options.to.startswith("arn:"):
        raise UsageError("a table is made by name, not by ARN", "give its name and --to-region")


def check_options(options: ImportOptions) -> None:
    """Raise UsageError for options of `--create-table` that do not go together."""
    if (options.key or options.with_indexes) and not options.create_table:
        name = "--key" if options.key else "--with-indexes"
        raise UsageError(f"{name} applies only to a new table", "add --create-table")
    if options.key and options.with_indexes:
        raise UsageError("--key names no indexes", "omit --key to create the table as in the manifest")
    if options.create_table and options.mode == "delete":
        raise UsageError("a new table has nothing to delete", "omit --create-table")
    if options.more_tables:
        _check_several_tables(options)
    if options.create_table and options.table.startswith("arn:"):
        raise UsageError("a table is made by name, not by ARN", "give its name and --region")


def _check_several_tables(options: ImportOptions) -> None:
    if not options.transform:
        raise UsageError(
            "several tables need a --transform whose function chooses the table of each item",
            "name one table with -t, or add --transform FILE.py:FUNCTION that returns (table, item)",
        )
    if options.create_table:
        raise UsageError("only a single table can be made", "omit --create-table, or name one table with -t")
    if options.mode != "put":
        raise UsageError(
            "several tables take nothing but puts",
            "name one table with -t, or omit --mode and sources with deletes",
        )


def make(target: Target, session: Session, progress: Progress) -> TableInfo:
    """The table, created if it does not exist, once it is ACTIVE."""
    if target.request is None and target.table.is_usable:
        return target.table
    target.table.check_usable(wait=True)
    began_s = time.monotonic()
    if target.request is not None:
        progress.say(target.describe())
        session.create(target.request)
    else:
        progress.say(f"Table {target.table.name} is {target.table.status}: waiting until it is ACTIVE")
    table = session.await_active(target.table.address)
    progress.say(f"Table {table.name} is ACTIVE after {time.monotonic() - began_s:.1f} s")
    return table


# --------------------------------------------------------------------------- its keys and indexes


def _wanted(options: ImportOptions, folders: Iterable[str], session: Session) -> tuple[dict[str, Any] | None, str]:
    """Keys (and indexes) in the form of a table description, and their origin."""
    if options.key is not None:
        return parse_key(options.key), "--key"
    for folder in islice(dict.fromkeys(folders), _FOLDERS):
        storage = open_storage(folder, session.aws, session.keys)
        try:
            found = _table_in_manifest(storage, folder)
        finally:
            storage.close()
        if found is not None:
            return found
    return None, ""


def parse_key(text: str) -> dict[str, Any]:
    """`id:S` or `id:S,at:N` in the form of a table description. Raises UsageError."""
    parts = [_KEY_PART.fullmatch(part.strip()) for part in text.split(",")]
    names = [part[1] for part in parts if part is not None]
    if None in parts or len(parts) > len(_ROLES) or len(set(names)) != len(names):
        raise UsageError(f"--key {text!r} is no key", "write NAME:TYPE, or NAME:TYPE,NAME:TYPE; types are S, N and B")
    letters = [part[2] for part in parts if part is not None]
    return {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": letter} for name, letter in zip(names, letters, strict=True)
        ],
        "KeySchema": [{"AttributeName": name, "KeyType": role} for name, role in zip(names, _ROLES, strict=False)],
    }


def _table_in_manifest(storage: Storage, folder: str) -> tuple[dict[str, Any], str] | None:
    """The table in the manifest of this folder, and the manifest's place; None if another program wrote it."""
    for name, manifest in find_manifests(folder, storage).items():
        uri = join(folder, name)
        try:
            create_request("any", manifest.table, indexes=True)  # raises if anything needed is missing
        except (KeyError, TypeError):
            raise UsageError(
                f'"{uri}" does not describe a table as an export of this program does', "add --key, or move it away"
            ) from None
        return manifest.table, uri
    return None


# --------------------------------------------------------------------------- CreateTable


def create_request(name: str, description: dict[str, Any], *, indexes: bool) -> dict[str, Any]:
    """A CreateTable for an on-demand table with the keys of the described one, and its indexes if asked for."""
    members: dict[str, Any] = {"TableName": name, "KeySchema": description["KeySchema"]}
    for kind in _INDEXES:
        if indexes and description.get(kind):
            members[kind] = [
                {member: index[member] for member in ("IndexName", "KeySchema", "Projection")}
                for index in description[kind]
            ]
    schemas = [members["KeySchema"], *(index["KeySchema"] for kind in _INDEXES for index in members.get(kind, ()))]
    used = {part["AttributeName"] for schema in schemas for part in schema}
    members["AttributeDefinitions"] = [
        definition for definition in description["AttributeDefinitions"] if definition["AttributeName"] in used
    ]
    return {**members, "BillingMode": "PAY_PER_REQUEST"}


def _check_keys(table: TableInfo, description: dict[str, Any], origin: str) -> None:
    wanted = TableInfo.of(create_request(table.name, description, indexes=False)).key
    if wanted != table.key:
        raise UsageError(
            f'table "{table.name}" exists with the key {_spoken(table.key)}, and {origin} has {_spoken(wanted)}',
            "import into another table, or omit --create-table to use the existing table",
        )


def _spoken(key: tuple[KeyAttribute, ...]) -> str:
    return ",".join(f"{part.name}:{part.type}" for part in key)
