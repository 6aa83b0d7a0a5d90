"""A recipe of docs/library.md as a cell of a notebook, which has no main module that a worker could load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.e2e.test_library_recipes import RECIPES
from tests.endpoints import Unavailable
from tests.endpoints.packages import PIP_OPTIONS, cached
from tests.support.commands import with_slack
from tests.support.environment import missing
from tests.support.items import Item

PACKAGES = ("nbclient==0.10.2", "ipykernel==6.29.5")
EXECUTE = """
import json, nbclient, nbformat
cells = [nbformat.v4.new_code_cell(source) for source in json.load(open("cells.json"))]
notebook = nbformat.v4.new_notebook(cells=cells)
nbclient.NotebookClient(notebook, timeout=90).execute()
print(json.dumps([output.get("text", "") for cell in cells for output in cell.outputs]))
"""

SHOWN = "import ddbio; ddbio.count_items(ddbio.CountOptions(table='Orders'), progress=True); None"


def kernel() -> Path:
    """The folder that the packages of a kernel were installed into."""
    pip = [sys.executable, "-m", "pip", "install", *(each for each in PIP_OPTIONS if each != "--no-deps")]
    name = f"notebook-{sys.version_info[0]}.{sys.version_info[1]}"
    return cached(name, lambda target: [*pip, "--target", str(target), *PACKAGES])


@pytest.mark.fuller
def test_a_notebook(simulator: Simulator, environment: dict[str, str], orders: list[Item], tmp_path: Path) -> None:
    try:
        environment["PYTHONPATH"] = str(kernel())
    except Unavailable as reason:
        missing("a notebook", reason)
    simulator.create_table("Orders", "id:S")
    (tmp_path / "cells.json").write_text(json.dumps([RECIPES[0], "print(result.tally.written)", SHOWN]))
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        cwd=tmp_path,
        env={**environment, "JUPYTER_PLATFORM_DIRS": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=with_slack(120),
    )
    assert done.returncode == 0, done.stderr
    first, second, *shown = json.loads(done.stdout.splitlines()[-1])
    assert first.startswith("1000 items in") and second == "1000\n"
    assert any("Counting" in each for each in shown), shown
    assert len(simulator.table("Orders").items()) == 1000
