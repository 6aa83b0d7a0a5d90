"""What is found in a piece of a file: its records, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddbio.errors import RecordError

Fault = RecordError


@dataclass(slots=True)
class Records:
    """offsets: of the first byte of each in the file. lines: line ends before it in the file.

    faults: of what is no record, by its number here: what is wrong with it, where its text does not say it.
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
