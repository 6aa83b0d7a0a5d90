"""Requests of the data plane as declared types: the decoded body of each operation.

Undeclared members are ignored. Members that the simulator does not support, but that would change the answer, are
declared so that it can refuse them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ddbio.simulator.errors import ServiceError, invalid
from ddbio.simulator.values import Item

RequestType = TypeVar("RequestType")


class Request(msgspec.Struct, rename="pascal"):
    """The members of all requests. return_consumed_capacity: NONE, TOTAL or INDEXES."""

    return_consumed_capacity: str = "NONE"


class PutRequest(msgspec.Struct, rename="pascal", gc=False):
    item: Item


class DeleteRequest(msgspec.Struct, rename="pascal", gc=False):
    key: Item


class WriteRequest(msgspec.Struct, rename="pascal", omit_defaults=True, gc=False):
    """Either a put or a delete."""

    put_request: PutRequest | None = None
    delete_request: DeleteRequest | None = None


class BatchWriteItemRequest(Request):
    request_items: dict[str, list[WriteRequest]] = {}


class SingleWriteRequest(Request, kw_only=True):
    """The members of PutItem, DeleteItem and UpdateItem. condition_expression: None for an unconditional write."""

    table_name: str
    condition_expression: str | None = None
    expression_attribute_names: dict[str, str] | None = None
    expression_attribute_values: Item | None = None
    return_values: str = "NONE"
    return_values_on_condition_check_failure: str = "NONE"
    expected: Any = None


class PutItemRequest(SingleWriteRequest, kw_only=True):
    item: Item


class DeleteItemRequest(SingleWriteRequest, kw_only=True):
    key: Item


class GetItemRequest(Request, kw_only=True):
    table_name: str
    key: Item
    consistent_read: bool = False
    projection_expression: str = ""
    expression_attribute_names: dict[str, str] | None = None
    attributes_to_get: Any = None


class UpdateItemRequest(SingleWriteRequest, kw_only=True):
    """update_expression: None to create the item, if there is none, with its key only."""

    key: Item
    update_expression: str | None = None
    attribute_updates: Any = None


class KeysAndAttributes(msgspec.Struct, rename="pascal", omit_defaults=True):
    """The items of one table in a BatchGetItem, and how to read them."""

    keys: list[Item]
    consistent_read: bool = False
    projection_expression: str = ""
    expression_attribute_names: dict[str, str] | None = None
    attributes_to_get: Any = None


class BatchGetItemRequest(Request):
    request_items: dict[str, KeysAndAttributes] = {}


class ScanRequest(Request, kw_only=True):
    table_name: str
    index_name: str = ""
    segment: int | None = None
    total_segments: int | None = None
    limit: int | None = None
    exclusive_start_key: Item | None = None
    consistent_read: bool = False
    select: str = ""
    projection_expression: str = ""
    expression_attribute_names: dict[str, str] | None = None
    expression_attribute_values: Item | None = None
    filter_expression: str | None = None
    scan_filter: Any = None
    attributes_to_get: Any = None


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decode(body: bytes, type_: type[RequestType]) -> RequestType:
    """The request in a body; raises ServiceError if the body is not a valid one."""
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    try:
        decoded: RequestType = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServiceError("SerializationException", str(error)) from None
    return decoded


def table_name(name_or_arn: str) -> str:
    """The table's name; requests may give its ARN instead."""
    return name_or_arn.rpartition(":table/")[2]


def _refused(complaint: str) -> ServiceError:
    if "missing required field" not in complaint:
        return ServiceError("SerializationException", complaint)
    name = complaint.split("`")[1]
    member = name[:1].lower() + name[1:]
    return invalid(
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    )
