"""Numbers to charts in SVG, by matplotlib. The only module that imports it.

The colours are variables of the page's style sheet, so a chart follows its light or dark theme; texts stay texts.
matplotlib draws in placeholder colours, which are replaced in its output.
"""

from __future__ import annotations

import io
import logging
import math
import re
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ddbio.report_page.shapes import Bars, Curves

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would announce its cache of fonts on standard error
Axes = Any  # matplotlib's own types of axes are partly untyped

INCHES = (4.5, 2.5)  # of a chart: as wide as a phone's screen, so that its texts need not shrink there
_INK, _FAINT = "#010101", "#020202"
_SERIES = tuple(f"#0304{number:02x}" for number in range(1, 7))
_VARIABLES = {_INK: "ink", _FAINT: "faint", **{colour: f"series-{at + 1}" for at, colour in enumerate(_SERIES)}}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ddbio",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.alpha": 0.5,
    "grid.linewidth": 0.5,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,
    "path.simplify": True,
}
_COLOUR = re.compile("|".join(_VARIABLES), re.IGNORECASE)
_HEAD = re.compile(rb".*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_LEGEND = 24  # characters of a name
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def svg(drawing: Curves | Bars, number: int) -> str:
    """An SVG element. number: of the chart in the page, so that no two have the same ids."""
    return _curves(drawing, number) if isinstance(drawing, Curves) else _bars(drawing, number)


def _curves(curves: Curves, number: int) -> str:
    with rc_context(_STYLE):
        figure, axes = _new()
        colours = iter(_SERIES * 2)
        edges = [0.0, *curves.ends_s]
        base = [0.0] * len(curves.ends_s)
        for line in curves.lines:
            values = [math.nan if value is None else value for value in line.values]
            if line.dashed:
                axes.stairs(values, edges, color=_INK, linestyle="--", linewidth=1.0, label=line.name, baseline=None)
            elif curves.stacked:
                top = [low + value for low, value in zip(base, values, strict=True)]
                axes.stairs(top, edges, baseline=base, fill=True, color=next(colours), label=line.name)
                base = top
            else:
                axes.stairs(values, edges, color=next(colours), linewidth=1.4, label=line.name, baseline=None)
        for mark in curves.marks_s:
            axes.axvline(mark, color=_FAINT, linestyle=":", linewidth=1.2)
        axes.set_xlim(0, edges[-1] or 1)
        axes.set_ylim(0, (axes.dataLim.ymax if axes.dataLim.ymax > 0 else 1) * 1.06)
        unit_s, unit = _time_unit(edges[-1])
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit_s:.4g}"))
        axes.set_xlabel(f"working time, {unit}")
        return _drawn(figure, axes, number, legend=curves.stacked or len(curves.lines) > 1)


def _bars(bars: Bars, number: int) -> str:
    with rc_context(_STYLE):
        figure, axes = _new()
        width = 0.84 / len(bars.series)
        for at, (line, colour) in enumerate(zip(bars.series, _SERIES, strict=False)):
            places = [place + (at - (len(bars.series) - 1) / 2) * width for place in range(len(bars.names))]
            axes.bar(places, [value or 0 for value in line.values], width, color=colour, label=line.name)
        shown = _spread(len(bars.names))
        axes.set_xticks(shown, [bars.names[place] for place in shown])
        if sum(len(bars.names[place]) for place in shown) > 48:
            axes.tick_params("x", rotation=30)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
        axes.grid(visible=False, axis="x")
        return _drawn(figure, axes, number, legend=len(bars.series) > 1)


def _new() -> tuple[Figure, Axes]:
    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _spread(number: int, most: int = 12) -> list[int]:
    """The bars that are labelled."""
    step = max(1, -(-number // most))
    return list(range(0, number, step))


def _time_unit(seconds: float) -> tuple[float, str]:
    for unit_s, name in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * unit_s:
            return unit_s, name
    return 1.0, "seconds"


def compact(value: float) -> str:
    """`1.2k`, `30M`."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"


def _drawn(figure: Figure, axes: Axes, number: int, *, legend: bool) -> str:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    if legend:
        handles, names = axes.get_legend_handles_labels()
        short = [name if len(name) <= _LEGEND else f"{name[:_LEGEND]}…" for name in names]
        axes.legend(handles, short, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    out = io.BytesIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = _HEAD.sub(b"", out.getvalue(), count=1).decode()
    text = _METADATA.sub("", text, count=1)
    text = _COLOUR.sub(lambda found: f"var(--{_VARIABLES[found[0].lower()]})", text)
    return _own_ids(text, number)


def _own_ids(svg: str, number: int) -> str:
    """The same with ids that no other chart of the page has."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="c{number}-\1"', svg)
    return re.sub(r'(url\(#|href="#)', rf"\1c{number}-", svg)
