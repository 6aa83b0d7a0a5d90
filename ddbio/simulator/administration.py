"""CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables; the settings of backups and expiry."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ddbio.simulator.database import UNLIMITED, Database, Rates, current_rates, set_rates
from ddbio.simulator.descriptions import describe
from ddbio.simulator.errors import ServiceError, invalid, invalid_value, unsupported
from ddbio.simulator.requests import decode, table_name
from ddbio.simulator.schema import IndexSchema, KeyAttribute, KeySchema, TableSchema
from ddbio.simulator.tables import Table, encode_json

TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_KEY_ROLES = ("HASH", "RANGE")
_MAX_LISTED = 100


class KeySchemaElement(msgspec.Struct, rename="pascal"):
    attribute_name: str
    key_type: str


class AttributeDefinition(msgspec.Struct, rename="pascal"):
    attribute_name: str
    attribute_type: str


class Projection(msgspec.Struct, rename="pascal", frozen=True):
    projection_type: str = "ALL"
    non_key_attributes: list[str] = []


class ProvisionedThroughput(msgspec.Struct, rename="pascal"):
    read_capacity_units: int
    write_capacity_units: int


class OnDemandThroughput(msgspec.Struct, rename="pascal"):
    """Limits of an on-demand table; -1 for none."""

    max_read_request_units: int = -1
    max_write_request_units: int = -1


class IndexDefinition(msgspec.Struct, rename="pascal", kw_only=True):
    index_name: str
    key_schema: list[KeySchemaElement]
    projection: Projection = Projection()
    provisioned_throughput: ProvisionedThroughput | None = None
    on_demand_throughput: OnDemandThroughput | None = None


class IndexUpdate(msgspec.Struct, rename="pascal", kw_only=True):
    index_name: str
    provisioned_throughput: ProvisionedThroughput | None = None
    on_demand_throughput: OnDemandThroughput | None = None


class IndexUpdateAction(msgspec.Struct, rename="pascal"):
    update: IndexUpdate | None = None


class CreateTableRequest(msgspec.Struct, rename="pascal", kw_only=True):
    table_name: str
    key_schema: list[KeySchemaElement]
    attribute_definitions: list[AttributeDefinition]
    billing_mode: str = "PROVISIONED"
    provisioned_throughput: ProvisionedThroughput | None = None
    on_demand_throughput: OnDemandThroughput | None = None
    global_secondary_indexes: list[IndexDefinition] = []
    local_secondary_indexes: list[IndexDefinition] = []


class UpdateTableRequest(msgspec.Struct, rename="pascal", kw_only=True):
    table_name: str
    billing_mode: str = ""
    provisioned_throughput: ProvisionedThroughput | None = None
    on_demand_throughput: OnDemandThroughput | None = None
    global_secondary_index_updates: list[IndexUpdateAction] = []


class TableRequest(msgspec.Struct, rename="pascal"):
    table_name: str = ""


class ListTablesRequest(msgspec.Struct, rename="pascal"):
    exclusive_start_table_name: str = ""
    limit: int = _MAX_LISTED


class TimeToLiveSpecification(msgspec.Struct, rename="pascal"):
    enabled: bool
    attribute_name: str


class UpdateTimeToLiveRequest(msgspec.Struct, rename="pascal"):
    table_name: str
    time_to_live_specification: TimeToLiveSpecification


class PointInTimeRecoverySpecification(msgspec.Struct, rename="pascal"):
    point_in_time_recovery_enabled: bool


class UpdateContinuousBackupsRequest(msgspec.Struct, rename="pascal"):
    table_name: str
    point_in_time_recovery_specification: PointInTimeRecoverySpecification


def create_table(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, CreateTableRequest)
    schema = _schema(request)
    provisioned = request.billing_mode != "PAY_PER_REQUEST"
    rates = {"": _rates(request, provisioned)}
    rates.update({index.index_name: _rates(index, provisioned) for index in request.global_secondary_indexes})
    table = database.create(schema, rates, provisioned, now_s)
    return encode_json({"TableDescription": describe(database, table, now_s)})


def describe_table(database: Database, body: bytes, now_s: float) -> bytes:
    table = _named_table(database, body)
    return encode_json({"Table": describe(database, table, now_s)})


def update_table(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, UpdateTableRequest)
    table = database.table(table_name(request.table_name))
    if now_s < table.ready_s:
        raise ServiceError(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Table is being {table.pending_status.title()}: "
            f"{table.schema.name}",
        )
    provisioned = request.billing_mode == "PROVISIONED" if request.billing_mode else table.provisioned
    rates = _updated_rates(table, request, provisioned)
    if provisioned == table.provisioned and rates == {name: current_rates(table)[name] for name in rates}:
        raise invalid(
            "The provisioned throughput for the table will not change. The requested value equals the current value."
        )
    set_rates(table, rates, provisioned, now_s)
    table.pending_status, table.ready_s = "UPDATING", now_s + database.activation_s
    return encode_json({"TableDescription": describe(database, table, now_s)})


def delete_table(database: Database, body: bytes, now_s: float) -> bytes:
    table = _named_table(database, body)
    del database.tables[table.schema.name]
    return encode_json({"TableDescription": describe(database, table, now_s) | {"TableStatus": "DELETING"}})


def list_tables(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, ListTablesRequest)
    names = [name for name in sorted(database.tables) if name > request.exclusive_start_table_name]
    reply: dict[str, Any] = {"TableNames": names[: request.limit]}
    if len(names) > request.limit:
        reply["LastEvaluatedTableName"] = names[request.limit - 1]
    return encode_json(reply)


def describe_time_to_live(database: Database, body: bytes, now_s: float) -> bytes:
    attribute = _named_table(database, body).expiry_attribute
    description = {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute} if attribute else {}
    return encode_json({"TimeToLiveDescription": description or {"TimeToLiveStatus": "DISABLED"}})


def update_time_to_live(database: Database, body: bytes, now_s: float) -> bytes:
    """The change takes effect at once, but items never expire."""
    request = decode(body, UpdateTimeToLiveRequest)
    table = database.table(table_name(request.table_name))
    wanted = request.time_to_live_specification
    if wanted.enabled == bool(table.expiry_attribute):
        raise invalid(f"TimeToLive is already {'enabled' if wanted.enabled else 'disabled'}")
    table.expiry_attribute = wanted.attribute_name if wanted.enabled else ""
    return encode_json({"TimeToLiveSpecification": wanted})


def describe_continuous_backups(database: Database, body: bytes, now_s: float) -> bytes:
    return _continuous_backups(_named_table(database, body))


def update_continuous_backups(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, UpdateContinuousBackupsRequest)
    table = database.table(table_name(request.table_name))
    table.recoverable = request.point_in_time_recovery_specification.point_in_time_recovery_enabled
    return _continuous_backups(table)


def _continuous_backups(table: Table) -> bytes:
    recovery = {"PointInTimeRecoveryStatus": "ENABLED" if table.recoverable else "DISABLED"}
    backups = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
    return encode_json({"ContinuousBackupsDescription": backups})


def list_tags_of_resource(database: Database, body: bytes, now_s: float) -> bytes:
    return b'{"Tags":[]}'


def _named_table(database: Database, body: bytes) -> Table:
    return database.table(table_name(decode(body, TableRequest).table_name))


def _schema(request: CreateTableRequest) -> TableSchema:
    if not TABLE_NAME.fullmatch(request.table_name):
        raise invalid(
            f"1 validation error detected: Value '{request.table_name}' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    types = {definition.attribute_name: definition.attribute_type for definition in request.attribute_definitions}
    keys = _keys(request.key_schema, types)
    definitions = [(index, True) for index in request.global_secondary_indexes]
    definitions += [(index, False) for index in request.local_secondary_indexes]
    indexes = tuple(_index(index, keys, types, is_global) for index, is_global in definitions)
    schema = TableSchema(request.table_name, keys, indexes)
    if schema.key_types().keys() != types.keys():
        raise invalid_value(
            "Some AttributeDefinitions are not used. "
            f"AttributeDefinitions: [{', '.join(types)}], keys used: [{', '.join(schema.key_types())}]"
        )
    return schema


def _keys(elements: list[KeySchemaElement], types: dict[str, str]) -> KeySchema:
    roles = tuple(element.key_type for element in elements)
    if roles not in (_KEY_ROLES[:1], _KEY_ROLES):
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    for element in elements:
        if types.get(element.attribute_name) not in ("S", "N", "B"):
            raise invalid_value(
                "Some index key attributes are not defined in AttributeDefinitions. "
                f"Keys: [{element.attribute_name}], AttributeDefinitions: [{', '.join(types)}]"
            )
    return KeySchema(
        tuple(KeyAttribute(element.attribute_name, types[element.attribute_name]) for element in elements)
    )


def _index(definition: IndexDefinition, table_keys: KeySchema, types: dict[str, str], is_global: bool) -> IndexSchema:
    keys = _keys(definition.key_schema, types)
    projection = definition.projection
    if projection.projection_type not in ("ALL", "KEYS_ONLY", "INCLUDE"):
        raise invalid_value(f"Unknown ProjectionType: {projection.projection_type}")
    if not is_global and keys.names[0] != table_keys.names[0]:
        raise invalid_value("Index KeySchema does not have the same leading hash key as table KeySchema")
    return IndexSchema(
        definition.index_name,
        keys,
        table_keys.names,
        is_global,
        projection.projection_type,
        tuple(projection.non_key_attributes),
    )


def _rates(
    source: CreateTableRequest | UpdateTableRequest | IndexDefinition | IndexUpdate, provisioned: bool
) -> Rates:
    if provisioned:
        throughput = source.provisioned_throughput
        if throughput is None:
            raise invalid_value(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
            )
        return _at_least_one(throughput.read_capacity_units), _at_least_one(throughput.write_capacity_units)
    if source.provisioned_throughput is not None:
        raise invalid_value(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    limits = source.on_demand_throughput
    if limits is None:
        return UNLIMITED
    return _limit(limits.max_read_request_units), _limit(limits.max_write_request_units)


def _at_least_one(units: int) -> float:
    if units < 1:
        raise invalid_value("ReadCapacityUnits and WriteCapacityUnits must be at least 1")
    return float(units)


def _limit(units: int) -> float | None:
    return None if units == -1 else _at_least_one(units)


def _updated_rates(table: Table, request: UpdateTableRequest, provisioned: bool) -> dict[str, Rates]:
    rates: dict[str, Rates] = {}
    changes_mode = provisioned != table.provisioned
    if changes_mode and not provisioned:
        rates = dict.fromkeys(current_rates(table), UNLIMITED)
    if changes_mode or request.provisioned_throughput or request.on_demand_throughput:
        rates[""] = _rates(request, provisioned)
    for action in request.global_secondary_index_updates:
        if action.update is None:
            raise unsupported("Creating or deleting an index of an existing table")
        rates[action.update.index_name] = _rates(action.update, provisioned)
    missing = current_rates(table).keys() - rates.keys()
    if changes_mode and missing:
        raise invalid_value(f"ProvisionedThroughput must be specified for index: {', '.join(sorted(missing))}")
    return rates
