"""The two kinds of expression the simulator understands.

A projection of top-level attributes (`id, #s`), and the condition `attribute_not_exists(name)`. Everything else is
refused by name, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ddbio.simulator.errors import invalid, unsupported

_NOT_EXISTS = re.compile(r"\s*attribute_not_exists\s*\(\s*(#?[A-Za-z_][\w]*|#\w+)\s*\)\s*")
_NAME = re.compile(r"#\w+|[A-Za-z_]\w*")


def projected_names(expression: str, names: Mapping[str, str]) -> frozenset[str]:
    """The attributes a ProjectionExpression names. names: ExpressionAttributeNames."""
    return frozenset(_resolve(part.strip(), names) for part in expression.split(","))


def attribute_that_must_not_exist(expression: str, names: Mapping[str, str]) -> str:
    """The attribute in `attribute_not_exists(name)`, the one ConditionExpression there is."""
    match = _NOT_EXISTS.fullmatch(expression)
    if match is None:
        raise unsupported(f"The ConditionExpression {expression!r}")
    return _resolve(match[1], names)


def _resolve(name: str, names: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name):
        raise unsupported(f"The path {name!r} in an expression")
    if not name.startswith("#"):
        return name
    if name not in names:
        raise invalid(
            "Invalid ProjectionExpression: An expression attribute name used in the document path is not "
            f"defined; attribute name: {name}"
        )
    return names[name]
