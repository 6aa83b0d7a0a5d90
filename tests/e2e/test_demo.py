"""`python -m ddbio.demo`, which shows a newcomer that the main job works: its last lines say what happened."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import CHECKOUT


def run_demo(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ddbio.demo", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.fuller
def test_the_demo_does_the_main_job_and_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    # Keys and settings of whoever runs it play no part.
    environment.update(AWS_PROFILE="no-such-profile", AWS_SESSION_TOKEN="old", AWS_ACCESS_KEY_ID="somebody's")
    done = run_demo(environment, tmp_path, "--items", "2000", "--folder", "files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("$ ")] == [
        "GenerateTestData.py",
        "DDBImport.py",
        "DDBImport.py",
        "DDBExport.py",
        "DDBImport.py",
    ]
    assert "Writes of table Orders: 2,000 items, 2,000 WCU" in done.stdout, "the plan"
    assert "\nCheapest: " in done.stdout
    assert done.stdout.count("2,000 read, 2,000 written, 0 rejected") == 2
    assert "2,000 read, 2,000 exported" in done.stdout
    verdicts, (conclusion, where) = done.stdout.splitlines()[-8:-2], done.stdout.splitlines()[-2:]
    assert [line for line in verdicts if line.startswith("yes: ")] == [
        "yes: the export holds exactly the generated items",
        "yes: the second table equals the first",
        "yes: the import keeps to its cap of 20,000 units per second",
        "yes: the export keeps to its cap of 1,000 units per second",
    ]
    assert re.fullmatch(r"2,000 items generated, imported, exported and compared in \d+\.\d s", conclusion)
    assert where == "files: files"
    assert done.stderr.startswith("GenerateTestData.py: 2,000 items")
    assert "</html>" in (tmp_path / "files" / "import.html").read_text()
    (export,) = (tmp_path / "files").glob("exported-*")
    assert json.loads((export / "_manifest.json").read_text())["items"] == 2000
    assert (tmp_path / "files" / "items.json").read_text().count("\n") == 2000


@pytest.mark.fuller
def test_the_demo_leaves_nothing_among_the_temporary_files(environment: dict[str, str], tmp_path: Path) -> None:
    done = run_demo({**environment, "TMPDIR": str(tmp_path)}, tmp_path, "--items", "100")
    assert (done.returncode, "files:" in done.stdout) == (0, False), done.stderr
    assert list(tmp_path.iterdir()) == []
