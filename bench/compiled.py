"""The peers in other languages: built in `.cache` where their compilers are."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.measure import ROOT

FOLDER = ROOT / ".cache" / "bench-compiled"
BUILD_TIMEOUT_S = 1200


def binary(name: str) -> Path:
    """Where the program of `bench/peers/NAME` is built."""
    return FOLDER / "release" / name


def build(name: str) -> str:
    """Build it, if anything changed since; why it cannot be had, or an empty text."""
    words = _COMMANDS[name]
    if shutil.which(words[0]) is None:
        return f"there is no {words[0]}"
    try:
        source = ROOT / "bench" / "peers" / name
        done = subprocess.run(words, cwd=source, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"not built within {BUILD_TIMEOUT_S} s"
    return (done.stderr.strip().splitlines() or ["its build failed"])[-1] if done.returncode else ""


_COMMANDS: dict[str, Sequence[str]] = {
    "rust_sdk": ("cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(FOLDER)),
    "go_fasthttp": ("go", "build", "-o", str(binary("go_fasthttp")), "."),
}
