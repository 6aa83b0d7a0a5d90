"""The first side of a sync: what it lacks is deleted from the second, so it must be whole, or the user must know."""

from __future__ import annotations

from collections.abc import Iterator

from ddbio.errors import UsageError
from ddbio.verbs.compared_sides import ExportSide, Side
from ddbio.verbs.options import SyncOptions


def check_whole(side: Side, options: SyncOptions) -> None:
    """Raises UsageError for an export that lacks items or attributes which would be deleted, or whose completeness is
    not known."""
    if not isinstance(side, ExportSide) or options.allow_partial:
        return
    found = side.completeness
    if found.unknown:
        lost, remedy = "items that it lacks would be deleted", "name the folder of a complete export"
    elif found.lacks_attributes:
        lost, remedy = "attributes that it lacks would be removed", "export whole items"
    elif found.lacks_items and not options.no_delete:
        lost = "all other items would be deleted"
        remedy = "add --no-delete to keep them, or export the whole table"
    else:
        return
    raise UsageError(
        f'"{side.place}" {found.describe()}; {lost}', f"{remedy}; --allow-partial allows it nevertheless"
    )


def doubts(side: Side, options: SyncOptions) -> Iterator[str]:
    """A sentence for the question if the side is taken for whole although it may not be."""
    if not isinstance(side, ExportSide) or not options.allow_partial or side.completeness.is_whole:
        return
    lost = "attributes" if options.no_delete else "items and attributes"
    yield f'"{side.place}" {side.completeness.describe()}; {lost} that it lacks will be deleted (--allow-partial)'


def is_empty(side: Side) -> bool:
    """Whether it has no items now: the service's own number is hours old."""
    if isinstance(side, ExportSide):
        return side.items == 0 and not side.sources.total_bytes
    return side.session.count_page(side.table.address, {}, 1).scanned == 0


def all_deleted(first: Side, second: Side, items: str) -> str:
    """items: how many, as text."""
    name = f"{first.name[0].upper()}{first.name[1:]}"
    return f"{name} has no items: all items of {second.name} will be deleted, {items}"
