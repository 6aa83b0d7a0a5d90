"""Transforms items: `--rename`, `--drop`, `--set`, and then the user's own function.

The function gets an item as Python values (str, Decimal, bytes, bool, None, list, dict, and sets of str, Decimal or
bytes) and returns an item, a list of items, or None to drop it. If the job has several tables, an item may be
`(table, item)`. Each worker loads the function once; the parent loads it first, so that a file that cannot be loaded
is reported before the transfer starts (`ddbio.system.user_function`). Any exception of the function, even SystemExit,
rejects only that item. In a stream of changes, the key of an item to delete is only renamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ddbio.errors import RecordError, UsageError
from ddbio.formats.json_lines import decode as decode_json
from ddbio.options import TransformOptions
from ddbio.steps.records import Record, Records
from ddbio.system.user_function import (
    absolute,
    as_text,
    checked_function,
    is_interrupt,
    line_in_function,
    load_function,
)
from ddbio.values.items import Addressed, AttributeMap, Deletion, to_value
from ddbio.values.names import NO_CHANGES, NameChanges
from ddbio.values.python_values import to_python, typed_map

Transform = Callable[[AttributeMap], "list[AttributeMap]"]  # raises RecordError


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """The changes to make to every item, as plain data.

    function: `/path/module.py:function`, or `module:function`. rename: new names by old ones. sets: typed values.
    """

    function: str | None
    rename: Mapping[str, str]
    drop: frozenset[str]
    sets: AttributeMap


def transform_of(options: TransformOptions) -> TransformSpec | None:
    """The transform that the options ask for, or None. Raises UsageError, also if the function cannot be loaded."""
    if not (options.transform or options.rename or options.drop or options.assign):
        return None
    spec = TransformSpec(
        function=absolute(options.transform) if options.transform else None,
        rename=dict(_pair("--rename", text) for text in options.rename),
        drop=frozenset(name.strip() for name in ",".join(options.drop).split(",") if name.strip()),
        sets={name: _value(text) for name, text in (_pair("--set", text) for text in options.assign)},
    )
    if spec.function is not None:
        checked_function(spec.function)
    return spec


def name_changes(options: TransformOptions) -> NameChanges:
    """The options' changes to attribute names. Raises UsageError."""
    spec = transform_of(options)
    return NO_CHANGES if spec is None else NameChanges(spec.rename, spec.sets, spec.function is not None)


def fingerprint(options: TransformOptions) -> str | None:
    """A hash of the function's file: another function makes another job."""
    path = options.transform.rpartition(":")[0] if options.transform else ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path.endswith(".py") else None


def open_transform(spec: TransformSpec | None) -> Transform | None:
    """The transform as a function, for use in this process."""
    if spec is None:
        return None
    function = load_function(spec.function) if spec.function is not None else None

    def transform(attributes: AttributeMap) -> list[AttributeMap]:
        if type(attributes) is Deletion:
            return [Deletion({spec.rename.get(name, name): value for name, value in attributes.items()})]
        changed = _changed(attributes, spec)
        return [changed] if function is None else _called(function, changed)

    return transform


_FORMS = {"--rename": "OLD=NEW", "--set": "NAME=VALUE"}
_EXAMPLES = {"--rename": "old=new", "--set": "imported=true"}


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and (value or option == "--set")):
        raise UsageError(f"{option} {text!r} is not {_FORMS[option]}", f"write it like {option} {_EXAMPLES[option]}")
    return name, value


def _value(text: str) -> dict[str, Any]:
    """A value as JSON, or a string if it is not valid JSON."""
    try:
        value = decode_json(text.encode())
    except (msgspec.DecodeError, ValueError):  # before msgspec 0.21, DecodeError is no subclass of ValueError
        return {"S": text}
    try:
        return to_value(value)
    except RecordError as error:
        raise UsageError(f"--set: {error}", "write a string in quotes: name='\"text\"'") from None


def _changed(attributes: AttributeMap, spec: TransformSpec) -> AttributeMap:
    rename, gone = spec.rename, spec.drop
    kept = {name: value for name, value in attributes.items() if name not in rename and name not in gone}
    renamed = {rename[name]: value for name, value in attributes.items() if name in rename and name not in gone}
    return {**kept, **renamed, **spec.sets}


def _called(function: Callable[[Any], Any], attributes: AttributeMap) -> list[AttributeMap]:
    return returned_items(function, {name: to_python(value) for name, value in attributes.items()})


def returned_items(function: Callable[[Any], Any], item: dict[str, Any]) -> list[AttributeMap]:
    """The items that the user's function returns for an item. Raises RecordError, also if it raises."""
    try:
        returned = function(item)
        items = returned if type(returned) is list else [] if returned is None else [returned]
        return [_typed_item(each) for each in items]
    except RecordError:
        raise
    except BaseException as error:  # sys.exit, too: the function may not end the process
        if is_interrupt(error):
            raise
        where = line_in_function(error.__traceback__, function)
        raise RecordError("transform-failed", f"{as_text(error)}{where}") from None


def _typed_item(item: Any) -> AttributeMap:
    if type(item) is tuple and len(item) == 2 and isinstance(item[0], str):
        return Addressed(_typed_item(item[1]), item[0])
    if not isinstance(item, dict):
        raise RecordError("transform-failed", f"the function returned a {type(item).__name__}, not an item (dict)")
    return typed_map(item, 0)


class Transformed:
    """Records with every item transformed. A record that the transform refuses carries its error."""

    lines = None

    def __init__(self, records: Records, transform: Transform) -> None:
        self._records = records
        self._transform = transform

    def rows(self) -> None:
        return None

    def each(self) -> Iterator[Record]:
        for record in self._records.each():
            try:
                record.items = [made for item in record.items for made in self._transform(item)]
            except RecordError as error:
                record.error = error
            record.small = False
            yield record
