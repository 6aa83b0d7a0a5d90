"""The scripts at the top of the checkout, run by a Python that cannot run ddbio: one line, exit code 2."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ddbio.cli import front
from ddbio.errors import EXIT_USAGE

CHECKOUT = Path(__file__).parents[2]
SCRIPTS = ["DDBImport.py", "DDBExport.py", "GenerateTestData.py"]


def interpreter(version: str) -> str:
    """A Python of exactly this version on this machine; skips where there is none."""
    candidates = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for candidate in filter(None, candidates):
        asked = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if asked.stdout.startswith(f"Python {version}."):
            return str(candidate)
    pytest.skip(f"no Python {version} on this machine")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_the_packages_one_line_says_to_run_setup(script: str) -> None:
    done = run(sys.executable, "-S", str(CHECKOUT / script), "--help")  # -S: the packages of .venv are not seen
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{script}: error: {sys.executable} is Python 3.")
    assert "without the packages botocore, " in done.stderr
    assert f"; run scripts/setup, then .venv/bin/python {CHECKOUT / script} ..." in done.stderr


def test_a_single_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "REQUIRED", ("msgspec", "no_such_package_anywhere"))
    assert " without the packages no_such_package_anywhere; run scripts/setup, " in front.what_is_missing()


def test_with_the_packages_nothing_is_missing() -> None:
    assert front.what_is_missing() == ""


@pytest.mark.parametrize("version", ["3.7", "3.9"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_old_python_is_told_which_one_is_needed(script: str, version: str) -> None:
    done = run(interpreter(version), str(CHECKOUT / script), "--help")
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{script}: error: ddbio needs Python 3.10 or later, and ")
    assert f" is Python {version}; run scripts/setup, " in done.stderr


def test_every_package_without_which_ddbio_does_not_run_is_looked_for() -> None:
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    needed = {re.split(r"\W", line, maxsplit=1)[0] for line in lines if not line.startswith("#")}
    assert {*front.REQUIRED, *front.BEFORE_3_11} == needed - {
        "isal",
        "uvloop",
    }  # ddbio runs without these two, slower
