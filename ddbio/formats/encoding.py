"""The encoding of a text, by its first bytes: everything here reads UTF-8 and nothing else.

A byte order mark names UTF-16 and UTF-32. Without one the zero bytes do: the text of every format begins with a
character of ASCII, which has one zero byte in UTF-16 and three in UTF-32, and no text in UTF-8 has a zero byte.
"""

from __future__ import annotations

import re

from ddbio.errors import UsageError
from ddbio.storage.names import without_compression

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of UTF-8
# UTF-32 before UTF-16: its little-endian mark begins with that of UTF-16. iconv takes the byte order from a mark
# only if the encoding is named without a byte order.
_BEGINNINGS = (
    ("UTF-32", re.compile(rb"\xff\xfe\0\0|\0\0\xfe\xff")),
    ("UTF-16", re.compile(rb"\xff\xfe|\xfe\xff")),
    ("UTF-32LE", re.compile(rb"[^\0]\0\0\0")),
    ("UTF-32BE", re.compile(rb"\0\0\0[^\0]")),
    ("UTF-16LE", re.compile(rb"[^\0]\0(?:[^\0]\0|\Z)")),
    ("UTF-16BE", re.compile(rb"\0[^\0](?:\0[^\0]|\Z)")),
)


def other_encoding(beginning: bytes) -> str | None:
    """The name, as iconv knows it, of the encoding of a text that is not UTF-8; None if it is not known."""
    return next((name for name, pattern in _BEGINNINGS if pattern.match(beginning)), None)


def check_encoding(beginning: bytes, uri: str) -> None:
    """Raise UsageError, with the command that converts it, for a text in UTF-16 or UTF-32.

    beginning: the first bytes of the text, decompressed.
    """
    encoding = other_encoding(beginning)
    if encoding is None:
        return
    unpack = "" if without_compression(uri) == uri else "unpack it, then: "
    name = without_compression(uri)
    suffix = name[name.rfind(".") :] if "." in name.rpartition("/")[2] else ""
    raise UsageError(
        f'"{uri}" is {encoding}, not UTF-8', f'{unpack}iconv -f {encoding} -t UTF-8 "{name}" > other{suffix}'
    )
