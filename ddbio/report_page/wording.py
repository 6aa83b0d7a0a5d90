"""Numbers and times as texts for people."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UNKNOWN = "unknown"


def number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def moment(when: datetime | float | None) -> str:
    if when is None:
        return UNKNOWN
    at = datetime.fromtimestamp(when, timezone.utc) if isinstance(when, float | int) else when
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
