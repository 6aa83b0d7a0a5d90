"""The records found in a piece of a file, with the position of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from ddbio.errors import RecordError

Fault = RecordError


@dataclass(slots=True)
class Records:
    """offsets: of the first byte of each in the file. lines: line ends before it in the file.

    faults: of bad records, by their number here, if the text alone does not show the fault.
    left_out: 0; else there is one record alone, of which this is the beginning, and so many more bytes follow it.
    """

    texts: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    left_out: int = 0

    def add(self, text: bytes, offset: int, line: int, fault: Fault | None = None) -> None:
        if fault is not None:
            self.faults[len(self.texts)] = fault
        self.texts.append(text)
        self.offsets.append(offset)
        self.lines.append(line)


class Found:
    """The records that were found and not yet taken."""

    def __init__(self) -> None:
        self._records = Records()
        self._done: list[Records] = []
        self.add = self._records.add

    def add_run(self, texts: list[bytes], separator: bytes, region: bytes, offset: int, line: int) -> None:
        """Records with the same separator between them. region: all of their text; offset, line: of its start."""
        records = self._records
        records.texts += texts
        size = len(separator)
        records.offsets += accumulate([len(text) + size for text in texts[:-1]], initial=offset)
        if b"\n" in region:
            size = separator.count(b"\n")
            records.lines += accumulate([text.count(b"\n") + size for text in texts[:-1]], initial=line)
        else:
            records.lines += [line] * len(texts)

    def add_beginning(self, text: bytes, offset: int, line: int, fault: Fault | None, left_out: int) -> None:
        """Of a record that is too long. left_out: see `Records`."""
        self._flush()
        self.add(text, offset, line, fault)
        self._records.left_out = left_out
        self._flush()

    def take(self) -> list[Records]:
        self._flush()
        done, self._done = self._done, []
        return done

    def _flush(self) -> None:
        if self._records.texts:
            self._done.append(self._records)
            self._records = Records()
            self.add = self._records.add
