"""The packages of ddbio import only what is below them: read from the source with `ast`, also inside functions and
under TYPE_CHECKING."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ddbio

ROOT = Path(ddbio.__file__).parent
DOC = ROOT.parent / "docs" / "architecture.md"

# From the bottom up. What stands in one row may import each other's packages only to the left.
LAYERS = (
    ("errors", "version"),
    ("system",),
    ("aws",),
    ("values",),
    ("messages",),
    ("options",),
    ("rate", "storage"),
    ("formats",),
    ("layouts", "dynamodb"),
    ("steps", "sources", "sinks"),
    ("flow",),
    ("engines",),
    ("job",),
    ("verbs",),
    ("cli",),
)
RANKS = {name: rank for rank, name in enumerate(name for row in LAYERS for name in row)}
APART = {"__main__", "demo", "simulator"}  # each with a rule of its own below


def _modules() -> dict[str, Path]:
    return {
        ".".join(("ddbio", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }


def _imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _package(module: str) -> str:
    return module.split(".")[1] if "." in module else "ddbio"


def _arrows() -> set[tuple[str, str]]:
    """(module that imports, module of ddbio that it imports)."""
    modules = _modules()
    return {
        (module, imported)
        for module, path in modules.items()
        for imported in _imports(path, modules)
        if imported.split(".")[0] == "ddbio"
    }


def test_every_package_has_a_layer() -> None:
    packages = {_package(module) for module in _modules()} - {"ddbio"}
    assert packages == {*RANKS, *APART}


def test_imports_point_down() -> None:
    wrong = sorted(
        f"{module} imports {imported}"
        for module, imported in _arrows()
        if (above := RANKS.get(_package(module))) is not None and RANKS.get(_package(imported), 99) > above
    )
    assert wrong == []


def test_the_simulator_and_the_product_do_not_know_each_other() -> None:
    users = {_package(module) for module, imported in _arrows() if _package(imported) == "simulator"}
    assert users == {"simulator", "demo"}
    used = {_package(imported) for module, imported in _arrows() if _package(module) == "simulator"}
    assert used == {"simulator"}


def test_the_drawing_shows_the_layers() -> None:
    drawn = re.search(r"<!-- layers -->\n```\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert drawn is not None
    rows = [line.split() for line in drawn.group(1).splitlines()]
    assert rows == [list(row) for row in reversed(LAYERS)]
