"""Option values as a Python programmer writes them, turned into those that the options declare.

A path may be a `Path`, a capacity a number, a tuple a list, a JSON text a dict, a transform a function that workers
can import. A value that can only be a mistake, such as one string where several are meant, is refused by its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from typing import Any

from ddbio.errors import UsageError

_NUMBERS = {"capacity", "to_capacity", "write_capacity", "max_errors"}  # text on the command line
_KINDS: dict[str, tuple[type, str]] = {
    "int": (int, "a whole number"),
    "bool": (bool, "True or False"),
    "str": (str, "a string"),
}


def natural(name: str, annotation: str, value: Any) -> Any:
    """The value of the option `name` in its declared type. annotation: as it is written in the source.

    Raises UsageError for a value that cannot be meant.
    """
    if value is None:
        return None
    if annotation.startswith("tuple[str"):
        return _strings(name, value)
    if name in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.15g}"
    if name in ("values", "names") and isinstance(value, Mapping):
        return _json(name, value)
    if name == "attributes" and isinstance(value, list | tuple):
        return ",".join(_strings(name, value))
    if name == "transform" and callable(value):
        return importable(value)
    if isinstance(value, PathLike):
        value = fspath(value)
    return _checked(name, annotation.removesuffix(" | None"), value)


def importable(function: Callable[..., Any]) -> str:
    """`module:function`, by which a worker finds the function. Raises UsageError if none can."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or not name.isidentifier():
        raise UsageError(
            f"transform is {name or repr(function)} of {module or 'no module'}, which worker processes cannot import",
            "move the function into a module of its own, at its top level, and give it from there, or as "
            '"file.py:function"',
        )
    return f"{module}:{name}"


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | bytes | PathLike) or not isinstance(value, Iterable):
        raise UsageError(f"{name} is {value!r}, and several are meant", f"give a list: {name}=[{value!r}]")
    given = tuple(fspath(each) if isinstance(each, PathLike) else each for each in value)
    for each in given:
        if not isinstance(each, str):
            raise UsageError(f"{name} has {each!r}, which is not a string", "give strings or paths")
        check_encodable(name, each)
    return given


def _json(name: str, value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}", "give the JSON as a string") from None


def _checked(name: str, kind: str, value: Any) -> Any:
    if kind not in _KINDS:
        return value
    expected, meant = _KINDS[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is int):
        raise UsageError(f"{name} must be {meant}, not {value!r}", f"give {meant}")
    if isinstance(value, str):
        check_encodable(name, value)
    return value


def check_encodable(name: str, text: str) -> None:
    """Raise UsageError for a text that is not UTF-8, which neither the service nor a report could have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} is not UTF-8: {text!a}", "write it in UTF-8; rename such a file") from None
