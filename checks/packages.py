"""The packages of ddbio and which imports which, read from the source with `ast`: also inside functions and under
TYPE_CHECKING."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "ddbio"

# From the bottom up. Packages of one row may import each other only to the left.
LAYERS = (
    ("errors", "version", "native"),
    ("system",),
    ("aws",),
    ("values",),
    ("natural",),
    ("messages",),
    ("options",),
    ("rate", "storage"),
    ("formats",),
    ("layouts", "dynamodb"),
    ("steps", "sources", "sinks"),
    ("flow",),
    ("engines",),
    ("cluster",),
    ("forecast",),
    ("report_page",),
    ("job",),
    ("verbs",),
    ("cli", "library", "aio"),
    ("loaders", "spark"),
)
COMPILED = "ddbio._native"  # the native core, which has no source here; a part of `ddbio.native`
APART = ("demo", "simulator")  # outside of the layers, each with a rule of its own


def modules() -> dict[str, Path]:
    """Dotted name -> path of every module."""
    return {
        ".".join(("ddbio", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }


def package_of(module: str) -> str:
    """`ddbio.job.spine` -> `job`; the package itself is `ddbio`."""
    return module.split(".")[1] if "." in module else "ddbio"


@cache
def imports() -> set[tuple[str, str]]:
    """(module that imports, module of ddbio that it imports). A relative import is an AssertionError."""
    known = modules()
    return {
        (module, imported)
        for module, path in known.items()
        for imported in _imports(path, known)
        if imported.split(".")[0] == "ddbio" and imported != COMPILED
    }


def arrows() -> dict[str, set[str]]:
    """Package -> the other packages that it imports."""
    found: dict[str, set[str]] = {package_of(module): set() for module in modules()}
    for module, imported in imports():
        found[package_of(module)].add(package_of(imported))
    return {package: others - {package, "ddbio"} for package, others in found.items()}


def drawing() -> str:
    """The packages from the top of the layers down, a line each, with the packages they import."""
    found = arrows()
    rows = [package for row in reversed(LAYERS) for package in reversed(row)]
    order = {package: place for place, package in enumerate([*rows, *APART])}
    lines = [
        f"{package:10} -> {' '.join(sorted(found[package], key=order.__getitem__)) or '(nothing)'}"
        for package in [*rows, *APART]
    ]
    return "\n".join(lines) + "\n"


def _imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
