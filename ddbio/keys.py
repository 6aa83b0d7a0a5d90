"""Keys of items: what makes two items the same one, and what DynamoDB would refuse as a key. Pure.

Checked here is what is exact on this side: presence, type, emptiness and size of the table's keys; type, emptiness
and size of index keys where present. The service rejects a whole batch for one such item, and does not say which.
"""

from __future__ import annotations

from collections.abc import Callable

from ddbio.capacity import value_size_bytes
from ddbio.dynamodb.table import KeyAttribute, TableInfo
from ddbio.errors import RecordError
from ddbio.items import AttributeMap, normal_number

ItemKey = tuple[str, ...]  # the identity of an item: partition key, and sort key where the table has one

_TYPE_WORDS = {
    "S": "a string",
    "N": "a number",
    "B": "binary",
    "BOOL": "true or false",
    "NULL": "null",
    "M": "a map",
    "L": "a list",
}
_BYTES_PER_CHARACTER = 4  # at most, in UTF-8


def key_checker(table: TableInfo) -> Callable[[AttributeMap], ItemKey]:
    """A function that returns an item's identity; it raises RecordError where the table would refuse its keys.

    Equal keys have equal identities: numbers are compared by value, as the service does.
    """
    parts = tuple((part.name, part.type, part.max_bytes // _BYTES_PER_CHARACTER) for part in table.key)
    numeric = any(part.type == "N" for part in table.key)

    def key_of(attributes: AttributeMap) -> ItemKey:
        _check_index_keys(attributes, table)
        try:
            # A short non-empty text of the right type needs no second look; that is nearly every key.
            key = tuple([attributes[name][letter] for name, letter, _ in parts])
            suspicious = any(not 0 < len(text) <= plenty for text, (_, _, plenty) in zip(key, parts, strict=True))
        except KeyError:
            suspicious = True
        if suspicious:
            key = tuple([_checked(attributes, part, "key") for part in table.key])
        return tuple(map(_identity, key, parts)) if numeric else key

    return key_of


def _identity(text: str, part: tuple[str, str, int]) -> str:
    return normal_number(text) if part[1] == "N" else text


def _check_index_keys(attributes: AttributeMap, table: TableInfo) -> None:
    for attribute in table.index_keys:
        if attribute.name in attributes:
            _checked(attributes, attribute, "index key")


def _checked(attributes: AttributeMap, part: KeyAttribute, role: str) -> str:
    value = attributes.get(part.name)
    if value is None:
        raise RecordError("missing-key", f"the {role} {part.name!r} is missing")
    text = value.get(part.type)
    if text is None:
        letter = next(iter(value))
        raise RecordError(
            "wrong-key-type",
            f"the {role} {part.name!r} is {_TYPE_WORDS.get(letter, 'a set')}; "
            f"the table wants {_TYPE_WORDS[part.type]} ({part.type})",
        )
    if not text:
        raise RecordError("empty-key", f"the {role} {part.name!r} is empty")
    size = value_size_bytes(value)
    if size > part.max_bytes:
        raise RecordError(
            "key-too-long", f"the {role} {part.name!r} has {size:,} bytes; DynamoDB takes {part.max_bytes:,}"
        )
    return str(text)
