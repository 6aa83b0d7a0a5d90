"""What a record looks like: one small protocol, one module a format.

A format turns the bytes of one record into an attribute map (import) and the items of one Scan page into lines
(export). It knows nothing of files, units, tables or the network. Adding a format is one module and one line in
`FORMATS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

from ddbio.errors import UsageError
from ddbio.items import AttributeMap


class Format(Protocol):
    """A format, stateless: one instance serves all lanes of a worker."""

    suffix: str  # of the files an export writes, with the dot
    source_suffixes: tuple[str, ...]  # of the files an import picks up in a folder
    page_items: Any  # the type to which msgspec decodes the `Items` of a Scan page for `render`

    def parse(self, record: bytes) -> AttributeMap:
        """One record, without its line end, as an attribute map. Raises RecordError."""

    def render(self, items: list[Any]) -> bytes:
        """The items of one page (each of `page_items`) as lines, each with its line end."""


FORMATS = {
    "json": "ddbio.formats.json_lines:JsonLines",
    "dynamodb-json": "ddbio.formats.dynamodb_json:DynamoDBJson",
}


def get_format(name: str) -> Format:
    """The format of that name. Raises UsageError for a name that is not in `FORMATS`."""
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", f"choose one of {', '.join(FORMATS)}")
    module, _, attribute = FORMATS[name].partition(":")
    format_class = getattr(import_module(module), attribute)
    return format_class()  # type: ignore[no-any-return]
