"""Items for the tests of whole transfers, and an own way to write, read and compare them.

Nothing here uses ddbio: what the commands write is read by other code than what wrote it. An item is an attribute map
in DynamoDB's JSON, `{"id": {"S": "x"}, "n": {"N": "1"}}`, with binary values as base64 text.
"""

from __future__ import annotations

import gzip
import json
import random
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import zstandard

Item = dict[str, dict[str, Any]]
Contents = dict[Any, Any]

MANIFEST = "_manifest.json"

# What breaks first in tools that move tables: each of these has been lost or changed by some of them.
AWKWARD: Item = {
    "empty": {"S": ""},
    "unicode": {"S": 'naïve 🦆 \u2028 \u0000 \\ " / \t'},
    "looks like a number": {"S": "01234"},
    "null": {"NULL": True},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "38 digits": {"N": "12345678901234567890123456789012345678"},
    "38 digits after the point": {"N": "-0.12345678901234567890123456789012345678"},
    "beyond a float's 53 bits": {"N": "9007199254740993"},
    "not a binary fraction": {"N": "0.1"},
    "largest": {"N": "9.9999999999999999999999999999999999999E+125"},
    "smallest": {"N": "1E-130"},
    "binary": {"B": b64encode(bytes(range(256))).decode()},
    "empty binary": {"B": ""},
    "strings": {"SS": ["", "red", "$B"]},
    "numbers": {"NS": ["1", "-2.5", "12345678901234567890123456789012345678"]},
    "binaries": {"BS": ["AA==", "", "//8="]},
    "list": {"L": [{"N": "1"}, {"S": "1"}, {"L": []}, {"NULL": True}, {"M": {}}, {"SS": ["nested"]}]},
    "map": {"M": {"a": {"M": {"b": {"L": [{"B": "AA=="}, {"BOOL": False}]}}}}},
    "looks like a tag": {"M": {"$SS": {"L": [{"S": "a map, not a set"}]}}},
    "looks like a wrapper": {"M": {"$M": {"M": {"$B": {"S": "not binary"}}}}},
    "dollars": {"M": {"$SS": {"N": "1"}, "$B": {"N": "2"}}},
}


def rich_items(count: int, seed: int = 0) -> list[Item]:
    """Items with a string key `id`, numbered, that have some of the awkward values; the first one has all."""
    dice = random.Random(seed)
    names = list(AWKWARD)
    return [
        {
            "id": {"S": f"item-{number:06d}"},
            "number": {"N": str(number)},
            **{name: AWKWARD[name] for name in (names if number == 0 else dice.sample(names, dice.randrange(8)))},
        }
        for number in range(count)
    ]


def plain_items(count: int, first: int = 0, padding: int = 0) -> list[Item]:
    """Small items with a string key `id`; padding: of a string attribute, in bytes."""
    filler = {"filler": {"S": "x" * padding}} if padding else {}
    return [{"id": {"S": f"item-{n:06d}"}, "n": {"N": str(n)}, **filler} for n in range(first, first + count)]


# --------------------------------------------------------------------------- as text


def as_dynamodb_json(item: Item) -> str:
    """A line of the format dynamodb-json, without its line end."""
    return json.dumps({"Item": item})


def as_json(item: Item) -> str:
    """A line of the format json, without its line end. A JSON number has the digits of the `N`."""
    return _object({name: _plain(value) for name, value in item.items()})


def _object(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members.items()) + "}"


def _array(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _plain(value: dict[str, Any]) -> str:
    ((letter, payload),) = value.items()
    if letter == "N":
        return str(payload)
    if letter == "L":
        return _array(map(_plain, payload))
    if letter == "M":
        text = _object({name: _plain(member) for name, member in payload.items()})
        return _object({"$M": text}) if len(payload) == 1 and next(iter(payload)).startswith("$") else text
    if letter == "NS":
        return _object({"$NS": _array(payload)})
    if letter in ("B", "SS", "BS"):
        return _object({f"${letter}": json.dumps(payload)})
    return json.dumps(None if letter == "NULL" else payload)


class _Digits(str):
    __slots__ = ()


def from_json(line: str) -> Item:
    """The inverse of `as_json`."""
    item = json.loads(line, parse_int=_Digits, parse_float=_Digits)
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, _Digits):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [_typed(element) for element in value]}
    if len(value) == 1:
        ((name, payload),) = value.items()
        if name in ("$B", "$SS", "$NS", "$BS"):
            return {name[1:]: payload}
        if name == "$M":
            return {"M": {member: _typed(inner) for member, inner in payload.items()}}
    return {"M": {name: _typed(member) for name, member in value.items()}}


def from_dynamodb_json(line: str) -> Item:
    item: Item = json.loads(line)["Item"]
    return item


WRITERS = {"json": as_json, "dynamodb-json": as_dynamodb_json}
READERS = {"json": from_json, "dynamodb-json": from_dynamodb_json}


def write_items(path: Path, items: Iterable[Item], format: str = "json") -> Path:
    """A file of items, one a line; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{WRITERS[format](item)}\n" for item in items))
    return path


def data_files(folder: Path) -> list[Path]:
    """All that is in an export but its manifest, hidden names too."""
    return sorted(path for path in folder.iterdir() if path.name not in (MANIFEST, "manifest.json"))


def read_items(folder: Path, format: str = "json") -> Iterator[Item]:
    """The items of an export."""
    for path in data_files(folder):
        for line in text_of(path).split("\n")[:-1]:
            yield READERS[format](line)


def text_of(path: Path) -> str:
    """The text of a file, uncompressed."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data).decode()
    if path.suffix == ".zst":
        with zstandard.open(path) as stream:  # what pandas reads with
            unpacked: bytes = stream.read()
        return unpacked.decode()
    return data.decode()


# --------------------------------------------------------------------------- compared


def contents(items: Iterable[Item], *key: str) -> Contents:
    """Items by their key, in a form in which equal items are equal: numbers by value, sets without order.

    No key may be there twice. key: attribute names, `id` where none is given.
    """
    found: Contents = {}
    for item in items:
        identity = tuple(_canonical(item[name]) for name in key or ("id",))
        assert identity not in found, f"{identity} is there twice"
        found[identity] = {name: _canonical(value) for name, value in item.items()}
    return found


_MEMBER = {"SS": str, "NS": Decimal, "BS": b64decode}


def _canonical(value: dict[str, Any]) -> Any:
    ((letter, payload),) = value.items()
    if letter == "N":
        return (letter, Decimal(payload))
    if letter == "B":
        return (letter, b64decode(payload))
    if letter == "L":
        return (letter, [_canonical(element) for element in payload])
    if letter == "M":
        return (letter, {name: _canonical(member) for name, member in payload.items()})
    if letter in _MEMBER:
        assert len(set(payload)) == len(payload)
        return (letter, frozenset(map(_MEMBER[letter], payload)))
    return (letter, payload)
