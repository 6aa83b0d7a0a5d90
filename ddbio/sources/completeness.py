"""Whether sources have all items of a table, with all attributes, as far as their manifests say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddbio.layouts.own import MANIFEST_NAMES, find_manifests
from ddbio.sources.find import Found
from ddbio.storage import Storages

_OF_ITEMS = {"filter", "limit", "sample"}  # options that leave out whole items
_DETAILS = {"values", "names", "sampled_segments"}  # of the others
_NO_EXPORT = "is not an export with a manifest: whether it has all items of a table is not known"


@dataclass(frozen=True, slots=True)
class Completeness:
    """unknown: why it is not known, as the end of a sentence; empty if it is. lacks_items: the options that left out
    items; lacks_attributes: those that left out or changed attributes. part: the values of these, by the manifest."""

    unknown: str = ""
    lacks_items: tuple[str, ...] = ()
    lacks_attributes: tuple[str, ...] = ()
    part: Mapping[str, Any] | None = None

    @property
    def is_whole(self) -> bool:
        return not (self.unknown or self.lacks_items or self.lacks_attributes)

    def describe(self) -> str:
        """The end of a sentence about the sources; empty if they are whole."""
        if self.unknown:
            return self.unknown
        if self.lacks_attributes:
            return f"is an export without all attributes as they were ({_spoken(self.lacks_attributes)})"
        return f"is an export of a part of its table ({_spoken(self.lacks_items)})" if self.lacks_items else ""


def completeness(found: Found, storages: Storages) -> Completeness:
    """That of one export by this program or by DynamoDB; of anything else it is unknown."""
    exports = len(found.own) + len(found.exports)
    listed = {file.uri for export in found.own for file, _ in export.files}
    if exports == 0 or any(file.uri not in listed for file in found.files):
        return Completeness(unknown=_NO_EXPORT)
    if exports > 1:
        return Completeness(unknown=f"has {exports:,} exports: which of them is complete is not known")
    manifests = [export.manifest for export in found.own]
    for native in found.exports:  # one by this program with --native-layout has both kinds
        beside = find_manifests(native.uri.rstrip("/"), storages.of(native.uri))
        manifests += [beside[name] for name in MANIFEST_NAMES if name in beside][:1]
    part = {
        name: value
        for each in manifests
        if each is not None
        for name, value in {**each.subset, **each.shaping}.items()
    }
    options = [name for name in part if name not in _DETAILS]
    return Completeness(
        lacks_items=tuple(name for name in options if name in _OF_ITEMS),
        lacks_attributes=tuple(name for name in options if name not in _OF_ITEMS),
        part=part,
    )


def _spoken(options: tuple[str, ...]) -> str:
    return " and ".join(f"--{name}" for name in options)
