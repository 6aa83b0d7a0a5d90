"""The packages of ddbio import only what is below them (`checks.packages` has the layers and reads the source)."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

from checks.packages import APART, LAYERS, arrows, drawing, imports, modules, package_of

DOC = Path(__file__).parents[2] / "docs" / "architecture.md"
RANKS = {name: rank for rank, name in enumerate(name for row in LAYERS for name in row)}


def drawn(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_every_package_has_a_layer() -> None:
    packages = {package_of(module) for module in modules()} - {"ddbio", "__main__"}
    assert packages == {*RANKS, *APART}


def test_imports_point_down() -> None:
    wrong = sorted(
        f"{module} imports {imported}"
        for module, imported in imports()
        if (above := RANKS.get(package_of(module))) is not None and RANKS.get(package_of(imported), 99) > above
    )
    assert wrong == []


def test_the_packages_form_no_cycle() -> None:
    order = list(TopologicalSorter(arrows()).static_order())
    assert order.index("errors") < order.index("cli")


def test_the_simulator_and_the_product_do_not_know_each_other() -> None:
    users = {package for package, others in arrows().items() if "simulator" in others}
    assert users == {"demo"}
    assert arrows()["simulator"] == set()


def test_the_drawing_shows_the_layers() -> None:
    rows = [line.split() for line in drawn("layers").splitlines()]
    assert rows == [list(row) for row in reversed(LAYERS)]


def test_the_drawing_of_the_packages_is_that_of_the_source() -> None:
    assert drawn("packages") == drawing(), "run: python -m checks.docs"
