"""The schema of a table: its keys and secondary indexes; reads and checks the key of an item.

Built once from a CreateTable request; after that only lookups. A key is a tuple of the canonical texts of its
attributes, partition key first, see `ddbio.simulator.store`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ddbio.simulator.capacity import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES, Attributes, value_bytes
from ddbio.simulator.errors import invalid, invalid_value
from ddbio.simulator.store import Key
from ddbio.simulator.values import Item, Value

_MISMATCH = "The provided key element does not match the schema"
_EMPTY_KEY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
    "an empty {kind} value. Key: {name}"
)
_UPDATED_KEY = "The update expression attempted to update the secondary index key to "
_EMPTY_INDEX_KEY = (
    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
    "The AttributeValue for a key attribute cannot contain an empty {kind} value. IndexName: {index}, "
    "IndexKey: {name}"
)
_KEY_LIMITS = (
    (
        MAX_PARTITION_KEY_BYTES,
        f"Size of hashkey has exceeded the maximum size limit of{MAX_PARTITION_KEY_BYTES} bytes",
    ),
    (
        MAX_SORT_KEY_BYTES,
        f"Aggregated size of all range keys has exceeded the size limit of {MAX_SORT_KEY_BYTES} bytes",
    ),
)
_KINDS = {"S": "string", "B": "binary"}

# No text of this many characters exceeds either key limit in UTF-8, so most keys need no exact check.
_SURELY_SHORT_ENOUGH = MAX_SORT_KEY_BYTES // 4


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One key attribute. type: `S`, `N` or `B`."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """One or two key attributes, partition key first."""

    attributes: tuple[KeyAttribute, ...]
    read: Callable[[Attributes], Key] = field(init=False, repr=False, compare=False)
    """The key of an item normalised by `check_item`; KeyError if an attribute is missing or of another type."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", _reader([(a.name, a.type) for a in self.attributes]))

    @classmethod
    def parse(cls, *specs: str) -> KeySchema:
        """From texts such as `"id:S"`, partition key first; the default type is S."""
        pairs = (spec.partition(":") for spec in specs)
        return cls(tuple(KeyAttribute(name, letter or "S") for name, _, letter in pairs))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(attribute.type for attribute in self.attributes)

    def attributes_of(self, key: Key) -> Item:
        """The key as an attribute map."""
        return {attribute.name: {attribute.type: text} for attribute, text in zip(self.attributes, key, strict=True)}

    def key_of_item(self, item: Item) -> Key:
        """The key of an item to be stored by BatchWriteItem, checked."""
        try:
            key = self.read(item)
        except KeyError:
            raise invalid(_MISMATCH) from None
        self._check_lengths(key)
        return key

    def key_of_put(self, item: Item) -> Key:
        """The key of an item to be stored by PutItem, which has its own error messages."""
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is None:
                raise invalid_value(f"Missing the key {attribute.name} in the item")
            if attribute.type not in value:
                raise invalid_value(
                    f"Type mismatch for key {attribute.name} expected: {attribute.type} actual: {_letter(value)}"
                )
        return self.key_of_item(item)

    def key_of(self, key_attributes: Item) -> Key:
        """The key in a request that names an item by exactly its key attributes."""
        if len(key_attributes) != len(self.attributes):
            raise invalid(_MISMATCH)
        return self.key_of_item(key_attributes)

    def _check_lengths(self, key: Key) -> None:
        for text in key:
            if not 0 < len(text) <= _SURELY_SHORT_ENOUGH:
                self._check_closely(key)

    def _check_closely(self, key: Key) -> None:
        for attribute, text, (max_bytes, message) in zip(self.attributes, key, _KEY_LIMITS, strict=False):
            if not text:
                raise invalid(_EMPTY_KEY.format(kind=_KINDS[attribute.type], name=attribute.name))
            if value_bytes({attribute.type: text}) > max_bytes:
                raise invalid_value(message)


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """One secondary index.

    table_key_names: always projected. included_names: the other attributes of an INCLUDE projection.
    """

    name: str
    keys: KeySchema
    table_key_names: tuple[str, ...]
    is_global: bool
    projection: str = "ALL"
    included_names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str, specs: Sequence[str], table_keys: KeySchema) -> IndexSchema:
        """A global index of all attributes, its keys as in `KeySchema.parse`."""
        keys = KeySchema.parse(*specs)
        return cls(name, keys, table_keys.names, is_global=True)

    def entry(self, item: Item | None) -> Item | None:
        """The projected attributes of an item; None if there is no item, or it lacks a key of the index."""
        if item is None or not item.keys() >= set(self.keys.names):
            return None
        if self.projection == "ALL":
            return item
        held = {*self.keys.names, *self.table_key_names, *self.included_names}
        return {name: value for name, value in item.items() if name in held}

    def check(self, item: Item) -> None:
        """Raise ServiceError if the item has an invalid index key attribute."""
        for attribute in self.keys.attributes:
            value = item.get(attribute.name)
            if value is None:
                continue
            payload = value.get(attribute.type)
            if payload is None:
                raise invalid_value(
                    f"Type mismatch for Index Key {attribute.name} Expected: {attribute.type} "
                    f"Actual: {_letter(value)} IndexName: {self.name}"
                )
            if not payload:
                kind = _KINDS[attribute.type]
                raise invalid(_EMPTY_INDEX_KEY.format(kind=kind, index=self.name, name=attribute.name))

    def check_update(self, item: Item) -> None:
        """The same for an item as it is after an update."""
        for attribute in self.keys.attributes:
            value = item.get(attribute.name)
            if value is not None and attribute.type not in value:
                raise invalid(_UPDATED_KEY + "unsupported type")
            if value is not None and not value[attribute.type]:
                raise invalid(
                    f"One or more parameter values are not valid. {_UPDATED_KEY}a value that is not supported. "
                    f"The AttributeValue for a key attribute cannot contain an empty {_KINDS[attribute.type]} value."
                )


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table's name, keys and secondary indexes."""

    name: str
    keys: KeySchema
    indexes: tuple[IndexSchema, ...] = ()

    def index(self, name: str) -> IndexSchema:
        """A secondary index by its name."""
        for index in self.indexes:
            if index.name == name:
                return index
        raise invalid(f"The table does not have the specified index: {name}")

    def key_types(self) -> dict[str, str]:
        """Attribute name -> type letter of all key attributes of table and indexes."""
        schemas = [self.keys, *(index.keys for index in self.indexes)]
        return {a.name: a.type for keys in schemas for a in keys.attributes}


def _reader(attributes: list[tuple[str, str]]) -> Callable[[Attributes], Key]:
    """A function that reads the key of an item. Unrolled for the usual lengths: it runs for every item."""
    (name1, type1), (name2, type2) = (attributes * 2)[:2]
    if len(attributes) == 1:
        return lambda item: (item[name1][type1],)
    if len(attributes) == 2:
        return lambda item: (item[name1][type1], item[name2][type2])
    return lambda item: tuple([item[name][letter] for name, letter in attributes])


def _letter(value: Value) -> str:
    return str(next(iter(value)))
