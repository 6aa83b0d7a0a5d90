"""The recipes of docs/library.md run as they are printed there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import with_slack
from tests.support.items import write_items

pytestmark = pytest.mark.fuller

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
RECIPES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
SAID = {0: "200 items in", 2: "Orders-", 5: "19900", 6: "[(200, 199)]", 7: "10 deleted", 9: "a"}  # by recipe


def test_there_are_ten() -> None:
    assert len(RECIPES) == 10


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_a_recipe(number: int, simulator: Simulator, environment: dict[str, str], tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    items = [{"id": {"S": f"item-{each}"}, "price": {"N": str(each)}} for each in range(200)]
    write_items(tmp_path / "orders.json", items)
    (tmp_path / "orders.csv").write_text("id;price;note\na;1.50;x\nb;2;\n")
    (tmp_path / "change.py").write_text("def with_tax(item):\n    return {**item, 'tax': item['price'] / 5}\n")
    for name, text in {"before.py": RECIPES[0], "recipe.py": RECIPES[number]}.items():
        (tmp_path / name).write_text(text)
    needs_items = number in (2, 5, 6, 7)
    for script in ["before.py"] * needs_items + ["recipe.py"]:
        done = subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=with_slack(60),
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert SAID.get(number, "") in done.stdout
    if number not in (2, 5, 6, 7):
        assert simulator.table("Orders").items()
    if number == 1:
        stored = sorted(simulator.table("Orders").items(), key=lambda item: item["id"]["S"])
        assert stored[0] == {"id": {"S": "a"}, "price": {"N": "1.5"}, "tax": {"N": "0.3"}}
