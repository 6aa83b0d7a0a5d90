"""The comparison as a picture: horizontal bars, an SVG of a few lines that reads on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, NAME_WIDTH, BAR_WIDTH, ROW, HEAD = 760, 210, 420, 22, 34
OURS, THEIRS, TEXT = "#2f7ed8", "#9aa5b1", "#808890"
STYLE = f"text{{font:13px sans-serif;fill:{TEXT}}}.h{{font-weight:bold}}"
JOBS = {
    "import, 167-byte items": "Import of 167-byte items",
    "import, nested 1 KB items": "Import of nested 1 KB items",
    "import, csv": "Import of CSV",
    "export, json": "Export of 170-byte items to JSON lines",
    "export, dynamodb-json": "Export to DynamoDB JSON",
}


def draw(figures: Sequence[dict[str, Any]]) -> str:
    """Items per CPU-second of everyone, a group of bars for each job."""
    parts, y = ['<text class="h" x="0" y="16">Items per CPU-second (all processes)</text>'], HEAD
    for job, title in JOBS.items():
        group = sorted((each for each in figures if each["job"] == job), key=lambda each: -each["items_per_cpu_s"])
        if len(group) > 1:
            parts.append(f'<text x="0" y="{y + 14}">{escape(title)}</text>')
            parts += [_row(each, group[0]["items_per_cpu_s"], y + ROW * row) for row, each in enumerate(group, 1)]
            y += ROW * (len(group) + 1) + 12
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _row(figure: dict[str, Any], most: float, y: int) -> str:
    value = figure["items_per_cpu_s"]
    width = max(1.0, BAR_WIDTH * value / most)
    colour = OURS if figure["name"] == "ddbio" else THEIRS
    return (
        f'<text x="12" y="{y + 14}">{escape(figure["name"])}</text>'
        f'<rect x="{NAME_WIDTH}" y="{y + 2}" width="{width:.1f}" height="{ROW - 6}" fill="{colour}"/>'
        f'<text x="{NAME_WIDTH + width + 8:.0f}" y="{y + 14}">{value:,.0f}</text>'
    )
