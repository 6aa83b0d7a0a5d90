"""How a page is recognised, and whether pages can be made here: for commands that make none."""

from __future__ import annotations

import importlib.util

from ddbio.errors import UsageError

BEGINNING = b"<!doctype html>\n<!-- a report by ddbio -->\n"
_NEEDED = ("matplotlib", "jinja2")


def check_installed() -> None:
    """Raises UsageError if the extra is missing. Imports nothing."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise UsageError("a report in HTML needs matplotlib and jinja2", "pip install 'ddbio[report]'")
