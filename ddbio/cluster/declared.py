"""Plain data as bytes for another machine, and back: values of declared types, and nothing else.

pickle runs code that the sender chooses; here a peer can only fill in fields of types that this module was given.
Every container is a MessagePack array that begins with its kind, so that a tuple stays a tuple and a frozenset a
frozenset. A dataclass or named tuple is its name and its fields in order, so both ends must have the same version of
ddbio, which they verify when they meet (`ddbio.cluster.handshake`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import msgspec

from ddbio import errors
from ddbio.errors import DdbioError, InternalError, TransferError, UsageError

_LIST, _TUPLE, _DICT, _FROZENSET, _ENUM, _ERROR, _PATH, _CLASS, _TEXT, _TIME = range(10)
_TAGS: dict[type, int] = {list: _LIST, tuple: _TUPLE, frozenset: _FROZENSET}
_PLAIN = frozenset((type(None), bool, int, float, str, bytes))
_ERRORS: dict[str, type[DdbioError]] = {
    name: each for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, DdbioError)
}

Change = Callable[[Any], Any]


class DecodingError(ValueError):
    """Bytes that no declared value has."""


class Declared:
    """A codec. types: dataclasses, named tuples and enums. classes: that may be sent as themselves."""

    def __init__(self, types: Iterable[type], classes: Iterable[type] = ()) -> None:
        self._types: dict[str, type] = {}
        self._names: dict[type, tuple[str, ...]] = {}
        self._classes = {each.__name__: each for each in classes}
        for each in types:
            self.declare(each)

    def declare(self, kind: type) -> None:
        """One more type."""
        assert self._types.get(kind.__name__, kind) is kind, f"there are two types called {kind.__name__}"
        self._types[kind.__name__] = kind
        if not issubclass(kind, Enum):
            self._names[kind] = _names(kind)

    def knows(self, kind: type) -> bool:
        return kind in self._names

    def encode(self, value: object, changes: Mapping[type, Change] | None = None) -> bytes:
        """changes: by type, applied to each value of that type before it is sent.

        Raises UsageError for a value of a type that is not declared.
        """
        changes = changes or {}
        plain = self._plain(value, changes)
        try:
            return msgspec.msgpack.encode(plain)
        except UnicodeEncodeError:  # a file's name that is not UTF-8
            return msgspec.msgpack.encode(_with_escapes(plain))

    def decode(self, data: bytes, changes: Mapping[type, Change] | None = None) -> Any:
        """changes: by type, applied to each value of that type once it is complete. Raises DecodingError."""
        try:
            return self._value(msgspec.msgpack.decode(data), changes or {})
        except DecodingError:
            raise
        except (msgspec.MsgspecError, ValueError, TypeError, IndexError, KeyError, RecursionError) as error:
            raise DecodingError(f"{type(error).__name__}: {error}") from None

    # -- to plain values

    def _plain(self, value: Any, changes: Mapping[type, Change]) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind in changes:
            value = changes[kind](value)
        names = self._names.get(kind)
        if names is not None:
            return [kind.__name__, *[self._plain(getattr(value, name), changes) for name in names]]
        return self._container(value, changes)

    def _container(self, value: Any, changes: Mapping[type, Change]) -> Any:
        kind = type(value)
        if kind in _TAGS:
            return [_TAGS[kind], *[self._plain(each, changes) for each in value]]
        if isinstance(value, Mapping):
            parts = [self._plain(part, changes) for pair in value.items() for part in pair]
            return [_DICT, *parts]
        if isinstance(value, Enum) and self._types.get(kind.__name__) is kind:
            return [_ENUM, kind.__name__, value.name]
        if isinstance(value, DdbioError):
            return [_ERROR, *_parts_of(value)]
        if isinstance(value, PurePath):
            return [_PATH, str(value)]
        if isinstance(value, datetime):
            return [_TIME, value.isoformat()]
        if isinstance(value, bytearray | memoryview):
            return bytes(value)
        if isinstance(value, type) and self._classes.get(value.__name__) is value:
            return [_CLASS, value.__name__]
        name = value.__qualname__ if callable(value) and hasattr(value, "__qualname__") else kind.__name__
        raise UsageError(f"{name} cannot be sent to workers on other machines", "run this job with processes")

    # -- from plain values

    def _value(self, plain: Any, changes: Mapping[type, Change]) -> Any:
        if type(plain) is not list:
            if type(plain) in _PLAIN:
                return plain
            raise DecodingError(f"a {type(plain).__name__} is not expected")
        head = plain[0]
        if type(head) is not str:
            return self._contained(head, plain, changes)
        kind = self._types[head]
        names = self._names[kind]
        if len(plain) != len(names) + 1:
            raise DecodingError(f"{head} has {len(names)} fields, not {len(plain) - 1}")
        values = [self._value(each, changes) for each in plain[1:]]
        made = kind(**dict(zip(names, values, strict=True)))
        return changes[kind](made) if kind in changes else made

    def _contained(self, tag: int, plain: list[Any], changes: Mapping[type, Change]) -> Any:
        if tag <= _FROZENSET:
            values = [self._value(each, changes) for each in plain[1:]]
            if tag == _DICT:
                return dict(zip(values[::2], values[1::2], strict=True))
            return values if tag == _LIST else tuple(values) if tag == _TUPLE else frozenset(values)
        name = str(plain[1])
        if tag == _ENUM:
            return self._types[name][plain[2]]  # type: ignore[index]
        if tag == _ERROR:
            return _ERRORS.get(name, TransferError)(*map(str, plain[2:]))
        if tag == _CLASS:
            return self._classes[name]
        if tag == _TEXT:
            return plain[1].decode("utf-8", "surrogateescape")
        if tag == _TIME:
            return datetime.fromisoformat(name)
        if tag == _PATH:
            from pathlib import Path

            return Path(name)
        raise DecodingError(f"there is no kind {tag} of values")


def _names(declared: type) -> tuple[str, ...]:
    if is_dataclass(declared):
        return tuple(each.name for each in fields(declared) if each.init)
    return tuple(declared._fields)  # type: ignore[attr-defined]


def _parts_of(error: DdbioError) -> list[str]:
    """The name of the nearest class that is an error of `ddbio.errors`, and its arguments."""
    name = next(each.__name__ for each in type(error).__mro__ if _ERRORS.get(each.__name__) is each)
    more = [error.trace, error.place] if isinstance(error, InternalError) else []
    return [name, error.message, error.hint, *more]


def _with_escapes(plain: Any) -> Any:
    if type(plain) is list:
        return [_with_escapes(each) for each in plain]
    if type(plain) is str and not plain.isascii():
        try:
            plain.encode()
        except UnicodeEncodeError:
            return [_TEXT, plain.encode("utf-8", "surrogateescape")]
    return plain
