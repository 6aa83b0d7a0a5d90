"""Keys of items: the identity of an item, and the checks of its key attributes. Pure.

Checks presence, type, emptiness and size of the table's keys, and type, emptiness and size of the index keys that an
item has. The service rejects a whole batch for one bad item and does not say which.
"""

from __future__ import annotations

from collections.abc import Callable

from ddbio.errors import RecordError
from ddbio.values.capacity import value_size_bytes
from ddbio.values.items import AttributeMap, normal_number
from ddbio.values.table import KeyAttribute, TableInfo

ItemKey = tuple[str, ...]  # the identity of an item: partition key, and sort key if the table has one

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


def key_checker(table: TableInfo, *, index_keys: bool = True) -> Callable[[AttributeMap], ItemKey]:
    """A function that returns an item's identity; it raises RecordError if the table would refuse its keys.

    Equal keys have equal identities: numbers are compared by value, as the service does.
    index_keys: whether to check the keys of indexes, too; a delete does not need them.
    """
    by_letter = _two_part_key(table) if len(table.key) > 1 else _one_part_key(table)
    if not (table.index_keys and index_keys):
        return by_letter

    def key_of(attributes: AttributeMap) -> ItemKey:
        _check_index_keys(attributes, table)
        return by_letter(attributes)

    return key_of


# One function for each number of key parts, because it runs once an item: a loop over the parts costs three times as
# much. A short non-empty text of the right type needs no further check; that is nearly every key.


def _one_part_key(table: TableInfo) -> Callable[[AttributeMap], ItemKey]:
    (part,) = table.key
    name, letter, plenty = part.name, part.type, part.max_bytes // _BYTES_PER_CHARACTER
    numeric = letter == "N"

    def key_of(attributes: AttributeMap) -> ItemKey:
        try:
            text = attributes[name][letter]
        except KeyError:
            return _examined(attributes, table)
        if not 0 < len(text) <= plenty or numeric:
            return _examined(attributes, table)
        return (text,)

    return key_of


def _two_part_key(table: TableInfo) -> Callable[[AttributeMap], ItemKey]:
    partition, sort = table.key
    name, letter, plenty = partition.name, partition.type, partition.max_bytes // _BYTES_PER_CHARACTER
    sort_name, sort_letter, sort_plenty = sort.name, sort.type, sort.max_bytes // _BYTES_PER_CHARACTER
    numeric = "N" in (letter, sort_letter)

    def key_of(attributes: AttributeMap) -> ItemKey:
        try:
            text, sort_text = attributes[name][letter], attributes[sort_name][sort_letter]
        except KeyError:
            return _examined(attributes, table)
        if not 0 < len(text) <= plenty or not 0 < len(sort_text) <= sort_plenty or numeric:
            return _examined(attributes, table)
        return (text, sort_text)

    return key_of


def _examined(attributes: AttributeMap, table: TableInfo) -> ItemKey:
    """The identity, after checking every rule."""
    texts = [_checked(attributes, part, "key") for part in table.key]
    return tuple(
        [normal_number(text) if part.type == "N" else text for text, part in zip(texts, table.key, strict=True)]
    )


def _check_index_keys(attributes: AttributeMap, table: TableInfo) -> None:
    for attribute in table.index_keys:
        if attribute.name in attributes:
            _checked(attributes, attribute, "index key")


def _like(name: str, attributes: AttributeMap) -> str:
    """A hint at the attribute that is probably the key: its name differs only in case or surrounding blanks."""
    wanted = name.strip().casefold()
    found = next((each for each in attributes if each.strip().casefold() == wanted), None)
    return "" if found is None else f"; {found!r} is there: --rename '{found}={name}' makes it the key"


def _checked(attributes: AttributeMap, part: KeyAttribute, role: str) -> str:
    value = attributes.get(part.name)
    if value is None:
        raise RecordError("missing-key", f"the {role} {part.name!r} is missing{_like(part.name, attributes)}")
    text = value.get(part.type)
    if text is None:
        letter = next(iter(value), "")
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
