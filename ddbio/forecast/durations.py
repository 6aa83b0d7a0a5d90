"""Durations as text. Pure."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`12 s`, `3 min 20 s`, `5 h 10 min` or `2 d 3 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:,.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400:,} d {whole % 86400 // 3600} h"
