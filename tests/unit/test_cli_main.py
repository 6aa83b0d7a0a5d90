"""`ddbio VERB`: which verb, and what is said of words that are none."""

from __future__ import annotations

import sys

import pytest

from ddbio import __version__
from ddbio.cli.main import VERBS, main


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ddbio", *words])
    return main()


@pytest.mark.parametrize("verb", ["import", "export", "generate", "iam-policy"])
def test_a_verb_is_called_as_it_was_typed(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "--help"], monkeypatch) == 0
    assert capsys.readouterr().out.startswith(f"usage: ddbio {verb} ")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", verb], monkeypatch) == 0
    shown = capsys.readouterr().out
    assert run([verb, "--help"], monkeypatch) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_names_every_verb(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([word], monkeypatch) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in VERBS)


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], monkeypatch) == 0
    assert capsys.readouterr().out == f"ddbio {__version__}\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "a verb is missing"),
        (["exprt"], "did you mean export?"),
        (["frobnicate", "-t", "x"], "use one of import, export"),
        (["help", "exprt"], "there is no verb 'exprt'; did you mean export?"),
        (["export", "--format", "jsno"], "ddbio export: error: --format has no choice 'jsno'; did you mean json?"),
        (
            ["import", "--mode", "upsert"],
            "has no choice 'upsert'; did you mean insert? If not, choose one of put, insert, delete",
        ),
        (["import", "--mode", "all"], "--mode has no choice 'all'; choose one of put, insert, delete"),
        (["import", "--tabel", "x"], "ddbio import: error: there is no option --tabel; did you mean --table?"),
    ],
)
def test_what_is_no_command(
    words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words, monkeypatch) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert len(said.splitlines()) == 1
