"""The description of the package on an index: README.md without its relative links, which lead nowhere there. All
other metadata are in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://)([^)#]+)[^)]*\)")


def without_relative_links(text: str) -> str:
    """`[more](docs/verbs.md#copy)` as `more: docs/verbs.md`, other links as their text, a picture as nothing."""

    def said(link: re.Match[str]) -> str:
        is_picture, label, path = link.groups()
        return "" if is_picture else f"more: {path}" if label == "more" else label

    return _LINK.sub(said, text)


setup(
    long_description=without_relative_links((Path(__file__).parent / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
