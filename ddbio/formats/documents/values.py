"""Finds the end of a value by counting its brackets. It can stop at the end of any piece of the text and resume
with the next, without reading a byte twice."""

from __future__ import annotations

from ddbio.formats.documents import tokens
from ddbio.formats.documents.tokens import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    LINE_END,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
)

_OPENING = {CLOSE_OBJECT: OPEN_OBJECT, CLOSE_ARRAY: OPEN_ARRAY}
_LOOK_BACK_BYTES = 256


class Lost:
    """The text after a value whose end is not known, up to a line that certainly begins a new value.

    indent: of the line on which it begins. Values inside it are indented deeper, and may lack the comma before them.
    """

    is_open = False

    def __init__(self, at: int, indent: int) -> None:
        self.at = at
        self._indent = indent

    def move(self, by: int) -> None:
        self.at -= by

    def end(self, text: bytes) -> int | None:
        """See `Value.end`."""
        for found in tokens.NEW_BEGINNING.finditer(text, self.at):
            if tokens.indent_after(found[0]) <= self._indent:
                return found.start() + 1
        self.at = max(self.at, len(text) - _LOOK_BACK_BYTES)
        return None


class Value:
    """An object, or, with `stops`, unexpected text.

    at: the read position. stops: the bytes that end it while none of its brackets is open. in_array: an array
    is open around it, which a bracket that closes nothing of the value closes.
    """

    def __init__(self, at: int, stops: bytes | None = None, *, in_array: bool = False) -> None:
        self.at = at
        self._start = at
        self._stops = stops
        self._in_array = in_array
        self._open = bytearray()
        self._quoted = False

    @property
    def is_open(self) -> bool:
        """Whether it cannot end here."""
        return self._quoted or bool(self._open) or self._stops is None

    def move(self, by: int) -> None:
        """The text begins `by` bytes later now."""
        self.at -= by
        self._start -= by

    def end(self, text: bytes) -> int | None:
        """The offset of its end; None if that is beyond the text."""
        while self.at < len(text):
            if self._quoted:
                if not self._pass_string(text):
                    return None
            elif self._pass_token(text):
                return self.at
        return None

    def _pass_string(self, text: bytes) -> bool:
        found = tokens.IN_STRING.match(text, self.at)
        assert found is not None
        self.at = found.end()
        rest = text[self.at : self.at + 2]
        if not rest or (rest[0] == BACKSLASH and len(rest) == 1):
            return False
        if rest[0] == QUOTE:
            self._quoted = False
            self.at += 1
        return True

    def _pass_token(self, text: bytes) -> bool:
        """Whether the value ends at the new `at`."""
        found = (tokens.TO_BRACKET if self._open else tokens.TO_BRACKET_OR_END).match(text, self.at)
        assert found is not None
        self.at = found.end()
        if self.at == len(text):
            return False
        byte = text[self.at]
        if byte == QUOTE:
            self._quoted = True
        elif byte in (OPEN_OBJECT, OPEN_ARRAY):
            if not self._open and self._begins_another(text):
                return True
            self._open.append(byte)
        elif self._open:
            if not self._close(byte):
                return True
        elif self._ends_at(byte, text):
            return True
        self.at += 1
        return not self._open and not self._quoted and self._stops is None

    def _close(self, byte: int) -> bool:
        """Close a bracket, and unclosed ones inside it. False if it closes the array around the value."""
        place = self._open.rfind(_OPENING[byte])
        if place < 0:
            return not (self._in_array and byte == CLOSE_ARRAY)
        del self._open[place:]
        return True

    def _begins_another(self, text: bytes) -> bool:
        return self._stops is not None and self.at > self._start and self._before(text) != COLON

    def _ends_at(self, byte: int, text: bytes) -> bool:
        if self._stops is None or byte not in self._stops:
            return False
        return byte != LINE_END or self._before(text) != COLON

    def _before(self, text: bytes) -> int:
        """The last byte before `at` that is no blank."""
        return (text[max(0, self.at - _LOOK_BACK_BYTES) : self.at].rstrip() or b" ")[-1]
