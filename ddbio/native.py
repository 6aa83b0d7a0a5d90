"""The native core: a few functions compiled from `native/` that do the same as Python code here, faster.

It is optional, and this module alone knows whether it is there. Its functions return None for input that is unusual
in any way; the Python code beside each call takes that input, and all input where there is no core. It is the
reference: the core returns exactly its result, or None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from ddbio._native import PutEncoder, SigningKey

_SWITCH = "DDBIO_NATIVE"  # 0: do not use the core
_INTERFACE = 4  # of the core that this version calls: `INTERFACE` in native/src/lib.rs
IN_USE, NOT_BUILT = "in use", "not built; Python does the same"


class CsvNotation(NamedTuple):
    """The layout of a CSV file, see `ddbio.formats.csv.CsvLayout`.

    columns: of each its name, its type and the type of an empty cell, `S` or `NULL`; None if that is no attribute.
    delimiter, escape: a character of ASCII; escape may be empty.
    """

    columns: Sequence[tuple[str, str, str | None]]
    delimiter: str
    escape: str
    nulls: Sequence[str]


Notation = Literal["json", "dynamodb-json"] | CsvNotation
KeyPart = tuple[str, str, int]  # name, type and most bytes, as in `ddbio.values.table.KeyAttribute`
# The answer to a Scan to the answer without its items, the lines of the items, and their number; None if unusual.
PageRenderer = Callable[[bytes], "tuple[bytes, bytes, int] | None"]
# The same with what a format takes for the items: whole lines that count as so many.
Rendering = Callable[["bytes | memoryview"], "tuple[bytes, Sequence[Any]] | None"]
Projection = tuple[Sequence[str], "Sequence[str] | None"]  # of an index: its keys; all names of entries, None for all


@cache
def state() -> str:
    """Whether the core is used: `IN_USE`, or why not."""
    if os.environ.get(_SWITCH) == "0":
        return f"switched off by {_SWITCH}=0"
    try:
        from ddbio._native import INTERFACE
    except ImportError:
        return NOT_BUILT
    return IN_USE if INTERFACE == _INTERFACE else "built for another version of ddbio"


def put_encoder(
    notation: Notation, keys: Sequence[KeyPart], index_keys: Sequence[KeyPart], indexes: Sequence[Projection]
) -> PutEncoder | None:
    """What makes puts of records in a notation, for a table with these keys and indexes; None without the core."""
    if state() != IN_USE:
        return None
    from ddbio._native import PutEncoder

    return PutEncoder(notation, keys, index_keys, indexes)


def page_renderer() -> PageRenderer | None:
    """What makes lines of json of the answer to a Scan; None without the core."""
    if state() != IN_USE:
        return None
    from ddbio._native import page_lines

    return page_lines


def signing_key(key: bytes) -> SigningKey | None:
    """What signs requests by a key; None without the core."""
    if state() != IN_USE:
        return None
    from ddbio._native import SigningKey

    return SigningKey(key)
