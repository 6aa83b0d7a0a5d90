"""The arrangement of records in a JSON file, if they are not one a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

OBJECTS, PAGES, REQUESTS = "objects", "pages", "requests"

ITEMS = "Items"
_ABOUT_A_PAGE = frozenset(
    ("Count", "ScannedCount", "LastEvaluatedKey", "ConsumedCapacity", "NextToken", "ResponseMetadata")
)
# `--cli-input-json` of `aws dynamodb batch-write-item` has the requests in the first, its answer those that are left
# in the second.
WRAPPERS = frozenset(("RequestItems", "UnprocessedItems"))
_ABOUT_REQUESTS = frozenset(
    ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ConsumedCapacity", "ItemCollectionMetrics")
) | {"ResponseMetadata"}
_REQUESTS = ({"PutRequest"}, {"DeleteRequest"})


@dataclass(frozen=True, slots=True)
class DocumentLayout:
    """kind: of an object at the top level, or in an array there. `objects`: a record; `pages`: an answer of
    Scan or Query, whose `Items` are the records; `requests`: lists of requests to BatchWriteItem, by table.

    tables: names that requests may use for the table to import into.
    """

    kind: str = OBJECTS
    tables: tuple[str, ...] = ()

    def holds_records(self, name: str) -> bool:
        """Whether the array of that name has records."""
        return name == ITEMS if self.kind == PAGES else name in self.tables

    def is_passed_over(self, name: str) -> bool:
        """Whether a member of that name is metadata of a page or a request."""
        return name in (_ABOUT_A_PAGE if self.kind == PAGES else _ABOUT_REQUESTS)


def kind_of(value: dict[str, Any], keys: Iterable[str]) -> str:
    """The kind of an object. keys: the attributes that an item of the table must have."""
    if all(key in value for key in keys):
        return OBJECTS
    if type(value.get(ITEMS)) is list and value.keys() - _ABOUT_A_PAGE == {ITEMS}:
        return PAGES
    wrapped = [name for name in value if name in WRAPPERS]
    if len(wrapped) == 1 and value.keys() - _ABOUT_REQUESTS == set(wrapped):
        inner = value[wrapped[0]]
        return REQUESTS if type(inner) is dict and _are_requests(inner) else OBJECTS
    return REQUESTS if value and _are_requests(value) else OBJECTS


def _are_requests(tables: dict[str, Any]) -> bool:
    return all(
        type(requests) is list and requests and all(map(_is_request, requests)) for requests in tables.values()
    )


def _is_request(value: Any) -> bool:
    return type(value) is dict and value.keys() in _REQUESTS and type(next(iter(value.values()))) is dict
