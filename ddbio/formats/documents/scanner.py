"""Finds the records of JSON that is not one object a line. Pure: bytes in, records out, no value is made of them.

The text around the records (brackets, commas, byte order marks, metadata of a page) is skipped. Commas may be
missing or too many: no record depends on them. Text in the place of a record that is not one is yielded like a
record, and the parser rejects it, so that nothing is lost silently.

**Why no part of a record is ever taken for one.** The containers around the records are followed one by one; an
object is a record if all of them are known and none is a record itself. If one is broken, all text up to its end
belongs to it. In JSON a value inside another one comes after `[`, `,` or `:`: so at the top level, an object that
begins a line after a closing bracket is a new record, whatever was before it. If a comma may be missing there, its
line must also be indented no deeper than that of the broken record.

**How it is fast.** Text that begins and ends like the elements of an array is passed as an array to a parser that
makes no values; if that is valid JSON, those are its elements. At the top level it searches for the line ends between
closing and opening brackets. Other values are scanned one by one, by a pattern if they are not nested deeply, else by
counting brackets (`values.Value`), which resumes with the next piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddbio.errors import RecordError
from ddbio.formats.documents import checks, tokens
from ddbio.formats.documents.layout import OBJECTS, WRAPPERS, DocumentLayout
from ddbio.formats.documents.records import Fault, Found, Records
from ddbio.formats.documents.tokens import CLOSE_ARRAY, CLOSE_OBJECT, OPEN_ARRAY, OPEN_OBJECT, QUOTE
from ddbio.formats.documents.values import Lost, Value
from ddbio.formats.documents.window import Window

RECORD_LIMIT_BYTES = 16 * 1024 * 1024  # no request is longer
KEPT_BYTES = 1024  # of a record over the limit
HELD_BYTES = 1024 * 1024  # of a record at the top level before its brackets are counted

# The containers that records may be in, and the patterns that end unexpected text in them.
TOP, ARRAY, ENVELOPE, WRAPPED, ITEMS = "top", "array", "envelope", "wrapped", "items"
_STOPS = {TOP: b",\n", ARRAY: b",]\n", ITEMS: b",]\n", ENVELOPE: b",}", WRAPPED: b",}"}
_WORDS = {ARRAY: "array", ITEMS: "array", ENVELOPE: "object", WRAPPED: "object"}


@dataclass(slots=True)
class _Open:
    """A value whose end is not found yet. offset, line: of its start. fault: set if its text alone does not show the
    fault. passed_over: it is not a record. left_out: bytes of it that are no longer held; is_cut: there are
    some, also of a value that is passed over."""

    value: Value | Lost
    offset: int
    line: int
    fault: Fault | None = None
    passed_over: bool = False
    left_out: int = 0
    is_cut: bool = False

    def trim(self, window: Window) -> None:
        """Hold only the beginning of a value that is too long to be a record, or is passed over."""
        kept = 0 if self.passed_over else KEPT_BYTES
        if not self.passed_over and not self.left_out and self.value.at - window.at <= RECORD_LIMIT_BYTES:
            return
        dropped = self.value.at - window.at - kept
        if dropped > 0:
            window.cut(window.at + kept, dropped)
            self.value.move(dropped)
            self.is_cut = True
            self.left_out += dropped * (not self.passed_over)


class Scanner:
    """Of one file. Feed it the bytes in order; take all records it yields before the next piece."""

    def __init__(self, layout: DocumentLayout) -> None:
        self._layout = layout
        self._window = Window()
        self._inside = [TOP]
        self._opened: list[tuple[int, int, bytes]] = []  # the start of each container: offset, line, bracket
        self._open: _Open | None = None
        self._indent = 0  # of the line on which the next value begins, in bytes
        self._is_between = True  # two values, at the end of the held text
        self._had_items = False  # in the innermost page
        self._final = False
        self._no_boundary = self._no_bulk = False  # in the text held now
        self._next_element = b""  # the text between two elements
        self._found = Found()

    def feed(self, piece: bytes) -> Iterator[Records]:
        forgotten = self._window.add(piece)
        if self._open is not None:
            self._open.value.move(forgotten)
        yield from self._scan()

    def finish(self) -> Iterator[Records]:
        """The remaining records. If the file ends inside a value, that is the last record, a bad one."""
        self._final = True
        yield from self._scan()

    def _scan(self) -> Iterator[Records]:
        self._no_boundary = self._no_bulk = False
        while self._step():
            pass
        if self._final and self._opened:
            offset, line, bracket = self._opened[0]
            self._found.add(bracket, offset, line, checks.breaks_off(_WORDS[self._inside[1]]))
            self._opened.clear()
        yield from self._found.take()

    def _step(self) -> bool:
        """One token, record or run of records. False if the held text yields no more."""
        if self._open is not None:
            return self._go_on(self._open)
        window = self._window
        self._pass_separators()
        if self._is_between:
            return False
        byte = window.text[window.at]
        if self._inside[-1] in (ENVELOPE, WRAPPED):
            return self._member(byte)
        return self._element(byte)

    def _pass_separators(self) -> None:
        window = self._window
        end = _end_of(tokens.SEPARATORS.match(window.text, window.at))
        gap = window.text[window.at : end]
        if self._is_between or b"\n" in gap:
            self._indent = tokens.indent_after(gap, self._indent)
        window.at = end
        is_mark = not self._final and tokens.PART_OF_MARK.match(window.text, end) is not None
        self._is_between = is_mark or end == len(window.text)

    # -- in arrays and at the top level

    def _element(self, byte: int) -> bool:
        inside = self._inside[-1]
        if byte == OPEN_OBJECT and inside != ITEMS and self._layout.kind != OBJECTS:
            self._had_items = False
            return self._enter(ENVELOPE)
        if byte == OPEN_OBJECT:
            return self._top_records() if inside == TOP else self._elements()
        if byte == OPEN_ARRAY and inside == TOP:
            return self._enter(ARRAY)
        if byte == CLOSE_ARRAY and inside != TOP:
            return self._leave()
        return self._begin(_STOPS[inside])

    def _enter(self, container: str) -> bool:
        window = self._window
        self._inside.append(container)
        bracket = window.text[window.at : window.at + 1]
        self._opened.append((window.offset_of(window.at), window.line_of(window.at), bracket))
        window.at += 1
        return True

    def _leave(self) -> bool:
        self._inside.pop()
        self._opened.pop()
        self._window.at += 1
        return True

    def _elements(self) -> bool:
        """Elements of an array, as many as can be had at once."""
        if self._bulk():
            return True
        window = self._window
        found = tokens.OBJECT.match(window.text, window.at)
        if found is None:
            return self._begin(None)
        if not checks.is_certain(window.text[window.at : found.end()]):
            return self._lose()
        self._add(found.end())
        if following := tokens.NEXT_ELEMENT.match(window.text, found.end() - 1):
            self._next_element = following[0]
        return True

    def _bulk(self) -> bool:
        window, between = self._window, self._next_element
        if self._no_bulk or not between:
            return False
        self._no_bulk = True  # unless it succeeds, once a piece: the separator may be anywhere
        last = window.text.rfind(between, window.at) + 1
        if last <= window.at:
            return False
        region = window.text[window.at : last]
        separator = between[1 : between.index(OPEN_OBJECT)]
        texts = checks.elements(region, separator)
        if not texts:
            return False
        self._found.add_run(texts, separator, region, window.offset_of(window.at), window.line_of(window.at))
        window.at += len(region)
        return True

    def _top_records(self) -> bool:
        window = self._window
        text = window.text
        if not self._no_boundary:
            for boundary in tokens.BOUNDARY.finditer(text, window.at):
                stop = boundary.start() + 1
                indent = tokens.indent_after(boundary[0])
                if not checks.is_value(text[window.at : stop]):
                    if indent > self._indent:  # it may be inside the record, after a comma that is missing
                        continue
                    return self._one_or_broken(stop)
                self._add(stop)
                window.at, self._indent = boundary.end(), indent
                if text[window.at] == OPEN_ARRAY:
                    return True
            self._no_boundary = True
        if len(text) - window.at < HELD_BYTES:
            found = tokens.OBJECT.match(text, window.at)
            if found is not None and not checks.is_certain(text[window.at : found.end()]):
                return self._lose()
            if found is not None:
                self._add(found.end())
                return True
            if not self._final:
                return False
        return self._begin(None)

    def _one_or_broken(self, stop: int) -> bool:
        """The first record of the text up to `stop`, the start of a new one; all of it if none ends before."""
        window = self._window
        found = tokens.OBJECT.match(window.text, window.at, stop)
        end = found.end() if found else Value(window.at).end(window.text[:stop])
        self._add(end if end is not None and checks.is_certain(window.text[window.at : end]) else stop)
        return True

    # -- in pages

    def _member(self, byte: int) -> bool:
        if byte == CLOSE_OBJECT:
            return self._leave()
        window, inside = self._window, self._inside[-1]
        found = tokens.MEMBER.match(window.text, window.at) if byte == QUOTE else None
        if found is None or found.end() == len(window.text):
            if not self._final and tokens.UNFINISHED_MEMBER.match(window.text, window.at):
                return False
            return self._begin(_STOPS[inside], RecordError("bad-page", "this is not a member of a page"))
        name, first = checks.name_of(found[1]), window.text[found.end()]
        if first == OPEN_ARRAY and self._layout.holds_records(name):
            window.at, self._had_items = found.end(), True
            return self._enter(ITEMS)
        if first == OPEN_OBJECT and name in WRAPPERS and self._may_be_wrapped():
            window.at, self._had_items = found.end(), True
            return self._enter(WRAPPED)
        if self._layout.is_passed_over(name):
            return self._begin(_STOPS[inside], passed_over=True)
        return self._foreign(name, is_array=first == OPEN_ARRAY)

    def _may_be_wrapped(self) -> bool:
        return bool(self._layout.tables) and self._inside[-1] == ENVELOPE

    def _foreign(self, name: str, *, is_array: bool) -> bool:
        """A member that does not belong here. If no records came before it, the object may be something else
        altogether, and the rest of it is treated like the member."""
        if self._layout.tables and is_array:
            fault = RecordError(
                "other-table", f"these requests are for table {name!r}, and -t is {self._layout.tables[0]!r}"
            )
            return self._begin(b",}", fault)
        fault = RecordError("bad-page", f"{name!r} is not a member of a page of items or requests")
        return self._begin(b",}" if self._had_items else b"}", fault)

    # -- one value

    def _begin(self, stops: bytes | None, fault: Fault | None = None, *, passed_over: bool = False) -> bool:
        value = Value(self._window.at, stops, in_array=self._inside[-1] in (ARRAY, ITEMS))
        self._open = _Open(value, *self._place(), fault, passed_over)
        return True

    def _place(self) -> tuple[int, int]:
        return self._window.offset_of(self._window.at), self._window.line_of(self._window.at)

    def _go_on(self, open: _Open) -> bool:
        window, value = self._window, open.value
        end = value.end(window.text)
        if end is None:
            if not self._final:
                open.trim(window)
                return False
            end = len(window.text)
            if value.is_open:
                open.fault, open.passed_over = checks.breaks_off("record"), False
                self._opened.clear()
        elif self._is_lost(open, window.text[window.at : end]):
            return self._lose(open)
        text = window.text[window.at : end]
        if open.left_out:
            left_out = open.left_out + len(text) - KEPT_BYTES
            self._found.add_beginning(text[:KEPT_BYTES], open.offset, open.line, open.fault, left_out)
        elif not open.passed_over:
            self._found.add(text.rstrip(), open.offset, open.line, open.fault)
        window.at = end
        self._open = None
        return True

    def _is_lost(self, open: _Open, text: bytes) -> bool:
        """Whether the container of the text after it is unknown: it is neither JSON nor a word."""
        if isinstance(open.value, Lost) or open.is_cut:
            return False
        return not checks.is_certain(b"{%b}" % text if self._inside[-1] in (ENVELOPE, WRAPPED) else text)

    def _lose(self, open: _Open | None = None) -> bool:
        offset, line = self._place() if open is None else (open.offset, open.line)
        self._open = _Open(Lost(self._window.at, self._indent), offset, line, checks.lost())
        self._inside, self._had_items = [TOP], False
        self._opened.clear()
        return True

    def _add(self, end: int) -> None:
        window = self._window
        at = window.at
        self._found.add(window.text[at:end], window.offset_of(at), window.line_of(at))
        window.at = end


def _end_of(found: object) -> int:
    return found.end()  # type: ignore[attr-defined, no-any-return]
