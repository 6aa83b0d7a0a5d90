"""The part of a file that is being scanned, and its position in the file."""

from __future__ import annotations


class Window:
    """text: the part of the file that is held. at: the read position; the text before it is dropped with the next
    piece."""

    def __init__(self) -> None:
        self.text = b""
        self.at = 0
        self._offset = 0  # of the text in the file
        self._counted = 0  # the position in the text up to which line ends are counted
        self._lines = 0

    def add(self, piece: bytes) -> int:
        """Append a piece of the file. Returns the number of bytes that were dropped."""
        forgotten = self.at
        self.forget(forgotten)
        self.text += piece
        return forgotten

    def forget(self, size: int) -> None:
        """Drop the first `size` bytes of the text."""
        self.line_of(max(size, self._counted))
        self.text = self.text[size:]
        self._offset += size
        self._counted -= size
        self.at = max(0, self.at - size)

    def offset_of(self, place: int) -> int:
        return self._offset + place

    def line_of(self, place: int) -> int:
        """Line ends in the file before `place`, which must not be before the last place that was asked for."""
        self._lines += self.text.count(b"\n", self._counted, place)
        self._counted = place
        return self._lines

    def cut(self, place: int, size: int) -> None:
        """Drop `size` bytes from `place` on, in the middle of a value that began before it. Offsets of the text after
        them stay right."""
        self._lines += self.text.count(b"\n", max(self._counted, place), place + size)
        self._counted = min(self._counted, place)
        self.text = self.text[:place] + self.text[place + size :]
        self._offset += size
