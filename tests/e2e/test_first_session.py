"""The session of docs/first-session.md, against the checkout: its commands print what the page shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from checks.session import PAGE, commands_of, recorded, run, with_outputs
from tests.support.commands import CHECKOUT


def masked(text: str) -> list[str]:
    """Without numbers, times and plurals."""
    return [
        re.sub(r"(process|segment)(es|s)?\b", r"\1", re.sub(r"\d[\d,.:T-]*", "#", line)) for line in text.splitlines()
    ]


@pytest.mark.fuller
def test_the_session_is_as_the_page_shows(environment: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in {"ddbio": "-m ddbio", "python3": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (programs / name).chmod(0o755)
    own = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    own |= {"PATH": f"{programs}:{environment['PATH']}", "PYTHONPATH": str(CHECKOUT)}
    page = PAGE.read_text()
    commands = [each for each in commands_of(page) if "venv" not in each]
    folder = tmp_path / "ddbio"
    folder.mkdir()
    printed, shown = run(commands, folder, own), recorded(page)
    for command in commands:
        assert masked(printed[command]) == masked(shown[command]), command
    assert "1 rejected" in shown["ddbio import -t Orders -s orders.json"]
    assert shown["echo $?"] == "1\n"
    assert shown["ddbio count -t Orders -q"].startswith("3 items")


def test_a_page_is_filled_with_outputs() -> None:
    page = "Text\n\n```console\n$ a\nold\n$ b\n```\n\n```sh\n$ no\n```\n"
    filled = with_outputs(page, {"a": "1\n2\n", "b": ""})
    assert filled == page.replace("old\n", "1\n2\n")
    assert recorded(filled) == {"a": "1\n2\n", "b": ""}
