"""The schema that fastavro reads a file with: that of the file, with converters of ours for its logical types, so
that values come out as the json format has them (`ddbio.formats.avro.values`). The binary form is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastavro
import msgspec
from fastavro.read import LOGICAL_READERS
from fastavro.schema import SchemaParseException, UnknownType

from ddbio.formats.avro import NAME_KEY, TYPE_KEY
from ddbio.formats.avro.container import DamagedError
from ddbio.formats.avro.values import LOGICAL_TYPES, OWN_TYPES, Convert

_PREFIX = "ddbio-"
_DEFAULTS = {"float": "float", "double": "double", "bytes": "binary", "fixed": "binary", "map": "map"}
_TEXT_LETTERS = {
    "N": "number",
    "JSON": "json",
    "L": "json",
    "M": "json",
}  # in our own files: the type that a string holds
_SETS = ("SS", "NS", "BS")
_SIMPLE = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_SIZES = {"uuid": 16, "duration": 12}  # of a fixed type that has this logical type


@dataclass(frozen=True, slots=True)
class ItemSchema:
    """parsed: for fastavro. names: of the attributes, by the names of the fields; None if they are not known, as the
    records are maps, or of several types."""

    parsed: Any
    names: dict[str, str] | None


def item_schema(text: str) -> ItemSchema:
    """Raises DamagedError for an invalid schema, or one whose records cannot be items."""
    try:
        schema = msgspec.json.decode(text)
        rewritten = _Reader().read(schema, top=True)
        parsed = fastavro.parse_schema(rewritten)
    except (SchemaParseException, UnknownType, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"its schema is not valid: {error!r}") from None
    except RecursionError:
        raise DamagedError("its schema is nested too deeply") from None
    if not _may_be_items(schema):
        raise DamagedError(f"its records are of type {_kind(schema)}, and an item is made of a record or a map")
    return ItemSchema(parsed, _names(schema) if _kind(schema) == "record" else None)


def _kind(schema: Any) -> str:
    if isinstance(schema, dict):
        return _kind(schema["type"]) if isinstance(schema["type"], dict | list) else schema["type"]
    return "union" if isinstance(schema, list) else str(schema)


def _may_be_items(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_may_be_items, schema))
    return _kind(schema) in ("record", "map")


def _names(schema: Any) -> dict[str, str]:
    while "fields" not in schema:
        schema = schema["type"]
    return {each["name"]: each.get(NAME_KEY, each["name"]) for each in schema["fields"]}


class _Reader:
    """Rewrites a schema. Names that were defined before stay names."""

    def read(self, schema: Any, letter: str = "", *, top: bool = False) -> Any:
        """letter: DynamoDB's name of the type, in our own files. top: of whole records."""
        if isinstance(schema, list):
            return [self.read(each, letter, top=top) for each in schema]
        if isinstance(schema, str):
            return self._typed({"type": schema}, letter) if schema in _SIMPLE else schema
        if isinstance(schema["type"], dict | list):
            return self.read(schema["type"], letter, top=top)
        return self._complex(schema, letter, top)

    def _complex(self, schema: dict[str, Any], letter: str, top: bool) -> Any:
        kind = schema["type"]
        kept: dict[str, Any] = {
            name: schema[name] for name in ("type", "name", "namespace", "symbols", "size") if name in schema
        }
        if kind in ("record", "error"):
            fields = [
                {"name": each["name"], "type": self.read(each["type"], each.get(TYPE_KEY, ""))}
                for each in schema["fields"]
            ]
            return {**kept, "type": "record", "fields": fields, **({} if top else _logical("map"))}
        if kind == "map":
            return {**kept, "values": self.read(schema["values"]), **({} if top else _logical("map"))}
        if kind == "array":
            member = {"NS": "N"}.get(letter, "")
            items = self._member(schema["items"]) if letter == "BS" else self.read(schema["items"], member)
            return {**kept, "items": items, **(_logical(letter) if letter in _SETS else {})}
        if kind == "enum":
            return kept
        if kind not in _SIMPLE and kind != "fixed":
            return kind  # by its name
        return self._typed({**kept, **_of_logical(schema)}, letter)

    def _member(self, schema: Any) -> Any:
        """A member of a set of binary values is base64 text, without a tag."""
        return {"type": schema if isinstance(schema, str) else schema["type"], **_logical("base64")}

    def _typed(self, schema: dict[str, Any], letter: str) -> dict[str, Any]:
        """A type without others inside."""
        kind = schema["type"]
        if kind == "string" and letter in _TEXT_LETTERS:
            return {**schema, **_logical(_TEXT_LETTERS[letter])}
        if "logicalType" in schema or kind not in _DEFAULTS:
            return schema
        return {**schema, **_logical(_DEFAULTS[kind])}


def _logical(name: str) -> dict[str, str]:
    return {"logicalType": f"{_PREFIX}{name}"}


def _of_logical(schema: dict[str, Any]) -> dict[str, Any]:
    """The logical type of a schema, if it is supported; as the specification requires, others are ignored."""
    logical, scale = str(schema.get("logicalType")), schema.get("scale", 0)
    if (schema["type"], logical) not in LOGICAL_TYPES:
        return {}
    if logical == "decimal":
        return {**_logical(logical), "scale": scale} if type(scale) is int else {}
    return _logical(logical) if schema.get("size") == _SIZES.get(logical, schema.get("size")) else {}


def _register() -> None:
    for (kind, logical), convert in (*LOGICAL_TYPES.items(), *OWN_TYPES.items()):
        LOGICAL_READERS[f"{kind}-{_PREFIX}{logical}"] = _adapted(convert)


def _adapted(convert: Convert) -> Callable[..., Any]:
    return lambda value, schema, _reader_schema=None: convert(value, schema)


_register()
