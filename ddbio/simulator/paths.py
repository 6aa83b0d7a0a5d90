"""Document paths, `a.b[0].#c`: the value at a path, and the projection of an item to some paths.

A path is a tuple of names and positions. Projected elements of a list are packed together in the answer, in the order
of their positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbio.simulator.errors import ServiceError, invalid
from ddbio.simulator.values import Item, Value

Path = tuple[str | int, ...]


def value_at(item: Item, path: Path) -> Value | None:
    """The value at a path; None if there is none."""
    value: Any = {"M": item}
    for part in path:
        inside = value.get("M") if isinstance(part, str) else value.get("L")
        if inside is None or (part not in inside if isinstance(part, str) else part >= len(inside)):
            return None
        value = inside[part]
    return value  # type: ignore[no-any-return]


def check_overlaps(kind: str, paths: Sequence[Path]) -> None:
    """Raise ServiceError if one path is part of another, or takes for a list what another takes for a map.

    kind: of the expression, such as `ProjectionExpression`.
    """
    for number, one in enumerate(paths):
        for other in paths[:number]:
            parts = list(zip(one, other, strict=False))
            differing = next((pair for pair in parts if pair[0] != pair[1]), None)
            if differing is None:
                raise _clash(kind, "overlap", other, one)
            if type(differing[0]) is not type(differing[1]):
                raise _clash(kind, "conflict", other, one)


def _clash(kind: str, relation: str, one: Path, other: Path) -> ServiceError:
    return invalid(
        f"Invalid {kind}: Two document paths {relation} with each other; must remove or rewrite one of these paths; "
        f"path one: {_as_text(one)}, path two: {_as_text(other)}"
    )


class Projection:
    """A projection of several paths, none of which is part of another."""

    def __init__(self, paths: Sequence[Path]) -> None:
        check_overlaps("ProjectionExpression", paths)
        self._tree: dict[str | int, Any] = {}
        for path in paths:
            branch = self._tree
            for part in path:
                branch = branch.setdefault(part, {})

    def of(self, item: Item) -> Item:
        return _pruned_map(item, self._tree)


def _pruned_map(item: Item, tree: dict[str | int, Any]) -> Item:
    kept = ((name, _pruned(value, tree[name])) for name, value in item.items() if name in tree)
    return {name: value for name, value in kept if value is not None}


def _pruned(value: Any, tree: dict[str | int, Any]) -> Any:
    if not tree:
        return value
    if "M" in value:
        kept = _pruned_map(value["M"], tree)
        return {"M": kept} if kept else None
    if "L" in value:
        elements = [_pruned(element, tree[at]) for at, element in enumerate(value["L"]) if at in tree]
        elements = [element for element in elements if element is not None]
        return {"L": elements} if elements else None
    return None


def _as_text(path: Path) -> str:
    return f"[{', '.join(part if isinstance(part, str) else f'[{part}]' for part in path)}]"
