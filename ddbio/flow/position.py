"""How far a lane is in its unit, and what was counted up to there."""

from __future__ import annotations

import msgspec

from ddbio.messages import ImportCursor, ImportUnit, Tally


class Position(msgspec.Struct, gc=False):
    """How far a lane is in its unit, and what was counted of it up to there, by whoever did it."""

    offset: int  # of the next record
    lines: int  # line ends before it, from the unit's start
    read: int
    written: int
    rejected: int
    replaced: int
    skipped: int
    deleted: int
    blank: int
    added: int
    dropped: int

    @classmethod
    def of(cls, unit: ImportUnit) -> Position:
        cursor, before = unit.cursor or ImportCursor(unit.start, 0), counted_before(unit)
        return cls(cursor.offset, cursor.lines, *(getattr(before, name) for name in cls.__struct_fields__[2:]))

    def pass_by(self, record: bytes, line_end: bytes, left_out: int = 1, lines: int = 1) -> None:
        """left_out: bytes after `record`, with so many line ends in them: its own, but see `Block`."""
        self.offset += len(record) + left_out
        self.lines += record.count(line_end) + lines


def counted_before(unit: ImportUnit) -> Tally:
    """What was counted of a unit up to its cursor."""
    return unit.before or Tally(bytes=unit.source_bytes(unit.cursor.offset) if unit.cursor else 0)
