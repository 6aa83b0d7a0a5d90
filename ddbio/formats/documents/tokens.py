"""The patterns of JSON text that finding records needs. All of them are over bytes, and none makes a value.

Repetitions are bounded: an unbounded one takes memory for each round of it. `values.Value` scans longer values.
"""

from __future__ import annotations

import re

QUOTE, COLON, COMMA, LINE_END, BACKSLASH = b'":,\n\\'
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = b"{}[]"

PATTERN_LEVELS = 3  # an object nested no deeper than this below the record is found by one pattern
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*){0,200}"'
_BLANK = rb"(?:\s|\xef\xbb\xbf)"  # joined files have byte order marks in the middle


def _nested(levels: int) -> bytes:
    """An object or array with so many levels of others inside."""
    inner = rb"(?:%b|%b)" % (_STRING, _nested(levels - 1)) if levels else _STRING
    inside = rb'[^\[\]{}"]*(?:%b[^\[\]{}"]*){0,300}' % inner
    return rb"(?:\{%b\}|\[%b\])" % (inside, inside)


_PATTERNS = {
    "OBJECT": _nested(PATTERN_LEVELS),
    "SEPARATORS": rb"(?:[\s,]|\xef\xbb\xbf)*",
    "PART_OF_MARK": rb"\xef\xbb?\Z",
    "MEMBER": rb"(%b)%b*:%b*" % (_STRING, _BLANK, _BLANK),  # a name, up to its value
    "UNFINISHED_MEMBER": rb'"[^"\\]*(?:\\.[^"\\]*){0,200}\\?(?:"%b*(?::%b*)?)?\Z' % (_BLANK, _BLANK),
    # Between two values at the top level: no value inside another one can begin here.
    "BOUNDARY": rb"[}\]](?:[ \t\r]|\xef\xbb\xbf)*\n%b*(?=[{\[])" % _BLANK,
    # The same once the open brackets are unknown: a line that begins with a bracket, and no value inside another.
    "NEW_BEGINNING": rb"[^\s,:\[\xbf]%b*\n%b*(?=[{\[])" % (_BLANK, _BLANK),
    # A string, word or closing bracket, and the end of its line if a value begins the next one.
    "LOOSE_TOKEN": (
        rb'(?:(?P<other>"[^"\\]*(?:\\.[^"\\]*)*"|[}\]])|(?P<word>[A-Za-z0-9_.+-]+))'
        rb'(?P<gap>[ \t\r]*\n\s*(?=["{\[A-Za-z0-9_.+-]))?'
    ),
    # From the end of an element to the first name of the next: this is seldom inside an element.
    "NEXT_ELEMENT": rb'\}(%b*,%b*)\{\s*"[^"\\]{0,100}"' % (_BLANK, _BLANK),
    "TO_BRACKET": rb'[^"{}\[\]]*(?:%b[^"{}\[\]]*){0,500}' % _STRING,
    "TO_BRACKET_OR_END": rb'[^"{}\[\],\n]*(?:%b[^"{}\[\],\n]*){0,500}' % _STRING,
    "IN_STRING": rb'[^"\\]*(?:\\.[^"\\]*){0,500}',
}


def __getattr__(name: str) -> re.Pattern[bytes]:
    """A pattern, compiled when it is first used: all of them take as long as importing ten modules, and most files
    need none."""
    if name not in _PATTERNS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    compiled = globals()[name] = re.compile(_PATTERNS[name], re.DOTALL)
    return compiled


_MARK = b"\xef\xbb\xbf"


def indent_after(gap: bytes, before: int = 0) -> int:
    """How deep the line is indented on which `gap` ends, in bytes. gap: the text between two values.

    before: how deep it was before `gap`, if no line ends there.
    """
    _, line_end, blanks = gap.replace(_MARK, b"").rpartition(b"\n")
    return len(blanks) + (0 if line_end else before)
