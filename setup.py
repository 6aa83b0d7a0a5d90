"""The two parts of the package that pyproject.toml cannot have: its description on an index, which is README.md
without relative links, as they lead nowhere there; and the native core, which is built if cargo is found, unless
DDBIO_NATIVE=0. Without it the package is pure Python."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import setup

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://)([^)#]+)[^)]*\)")


def without_relative_links(text: str) -> str:
    """`[more](docs/verbs.md#copy)` as `more: docs/verbs.md`, other links as their text, a picture as nothing."""

    def said(link: re.Match[str]) -> str:
        is_picture, label, path = link.groups()
        return "" if is_picture else f"more: {path}" if label == "more" else label

    return _LINK.sub(said, text)


def native_core() -> dict[str, object]:
    """The arguments for it. A build that fails is not fatal."""
    if os.environ.get("DDBIO_NATIVE") == "0" or shutil.which("cargo") is None:
        return {}
    try:
        from setuptools_rust import Binding, RustExtension
    except ImportError:
        return {}
    core = RustExtension(
        "ddbio._native",
        "native/Cargo.toml",
        binding=Binding.PyO3,
        py_limited_api=True,
        debug=False,
        optional=True,
    )
    return {"rust_extensions": [core], "options": {"bdist_wheel": {"py_limited_api": "cp310"}}}


setup(
    **native_core(),
    long_description=without_relative_links((Path(__file__).parent / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
