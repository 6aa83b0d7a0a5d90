"""Test data for imports: lines of JSON or CSV, generated as fast as a disk can write them.

Strategy: a line is a template with holes, a block is that template some thousand times over, and a column of
values (`ddbio.verbs.datasets`) is laid into the holes of all its lines at once,
`block[hole::line_bytes] = cells[k::cell_bytes]`, so that next to no Python code runs per line. A value narrower
than its hole is padded with NUL, and the NULs are deleted from the finished block.

Rules:

- Everything random comes from one `random.Random`, drawn in a fixed order: same seed, same bytes.
- Memory is one block, whatever the count.
- With an item size, every item has exactly that size in DynamoDB: names and values, not the length of the line.
  The attribute `pad` makes up the difference. No number ends in a zero then, because the published rules for the
  size of a number agree only on such numbers.

Nothing here opens a file or prints; `ddbio.cli.ddbgenerate` does.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ddbio.errors import UsageError
from ddbio.values.capacity import MAX_ITEM_BYTES
from ddbio.verbs.datasets import COLUMNS, DATASETS, NUMBERS, Column, DataSpec, Escape

BLOCK_BYTES = 1 << 20
PAD_NAME = "pad"


def generate(spec: DataSpec) -> Iterator[tuple[int, bytes]]:
    """The data in blocks of about 1 MiB: (items, their lines); the header of a CSV comes first, as 0 items.

    Raises UsageError, immediately and not at the first block, if items of the given size are impossible.
    """
    rng, form, values = random.Random(spec.seed), FORMATS[spec.format], dict(DATASETS[spec.dataset])
    names = dict.fromkeys(name for value in values.values() for name in column_names(value))
    columns = {name: COLUMNS[name](rng, spec, form.escape) for name in names}
    if spec.item_size_bytes is not None:
        values[PAD_NAME] = pad_value(spec.item_size_bytes, form.typed, values, columns)
    layout = lay_out(form.line(values), columns)
    return blocks(spec.count, form.header(values).encode(), layout, columns)


# -- lines: from values to text --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Format:
    """How a line is written.

    header: the attribute names -> the text before the first line.
    line: attribute -> value, values with <columns> in them -> the line, with its line end.
    escape: a value -> its text in a line.
    typed: whether a number is imported as one.
    """

    header: Callable[[Iterable[str]], str]
    line: Callable[[Mapping[str, str]], str]
    escape: Escape
    typed: bool


def json_line(values: Mapping[str, str]) -> str:
    quoted = {name: value if name in NUMBERS else f'"{value}"' for name, value in values.items()}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in quoted.items()) + "}\n"


def json_escape(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def csv_line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"


def csv_escape(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[,"]', text) else text


FORMATS = {
    "json": Format(lambda names: "", json_line, json_escape, typed=True),
    "csv": Format(csv_line, lambda values: csv_line(values.values()), csv_escape, typed=False),
}


def column_names(value: str) -> list[str]:
    return re.findall("<(.+?)>", value)


# -- sizes: of an item in DynamoDB --------------------------------------------------------------------


def pad_value(item_bytes: int, typed: bool, values: Mapping[str, str], columns: Mapping[str, Column]) -> str:
    """The value of `pad` that makes items of these values `item_bytes`: x's, then the slack of the columns."""
    longest = sum(
        len(name) + stored_bytes(value, columns, typed and name in NUMBERS) for name, value in values.items()
    )
    minimum = longest + len(PAD_NAME) + 1  # not zero: an empty CSV cell is no attribute
    if not minimum <= item_bytes <= MAX_ITEM_BYTES:
        raise UsageError(
            f"items of {item_bytes:,} bytes cannot be made",
            f"the size of these items can be from {minimum:,} to {MAX_ITEM_BYTES:,} bytes",
        )
    slacks = [f"<+{name}>" for value in values.values() for name in column_names(value)]
    return "x" * (item_bytes - minimum + 1) + "".join(slacks)


def stored_bytes(value: str, columns: Mapping[str, Column], is_number: bool) -> int:
    """The size of `value` at its longest; a number takes a byte for two digits, and one more."""
    text_bytes = len(re.sub("<.+?>", "", value)) + sum(columns[name].value_bytes for name in column_names(value))
    digits = text_bytes - value.count(".")
    return 1 + (digits + 1) // 2 if is_number else text_bytes


# -- blocks: many lines at once -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """A line's template, and for each column its holes: (offset in the line, which byte of the cell)."""

    template: bytes
    holes: dict[str, list[tuple[int, int]]]


def lay_out(line: str, columns: Mapping[str, Column]) -> Layout:
    """The layout of `line`, in which `<name>` is a column and `<+name>` its slack."""
    template, holes = b"", {name: list[tuple[int, int]]() for name in columns}
    for index, piece in enumerate(re.split("[<>]", line)):  # text, column, text, column, ..., text
        pattern = piece.encode()
        if index % 2:
            name = piece.lstrip("+")
            pattern, first_byte = columns[name].slack if piece[0] == "+" else columns[name].value
            offsets = [len(template) + at for at, byte in enumerate(pattern) if byte == 0]
            holes[name] += zip(offsets, itertools.count(first_byte), strict=False)
        template += pattern
    return Layout(template, holes)


def blocks(count: int, header: bytes, layout: Layout, columns: Mapping[str, Column]) -> Iterator[tuple[int, bytes]]:
    if header:
        yield 0, header
    step = max(1, BLOCK_BYTES // len(layout.template))
    for start in range(0, count, step):
        lines = min(step, count - start)
        yield lines, render(layout, columns, lines)


def render(layout: Layout, columns: Mapping[str, Column], lines: int) -> bytes:
    """The next lines."""
    block, line_bytes = bytearray(layout.template * lines), len(layout.template)
    for name, column in columns.items():
        cells, cell_bytes = column.draw(lines), column.cell_bytes
        for offset, at in layout.holes[name]:
            block[offset::line_bytes] = cells[at::cell_bytes]
    return bytes(block.translate(None, b"\0"))
