"""How commands end: every kind of ending has its exit code, and at most one line on stderr."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from ddbio.cli.run import invocation, positive_int, run
from ddbio.errors import DdbioError, Stopped, TransferError, UsageError


def raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_action_chooses_its_exit_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prog", lambda: code) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no table", "name one"), 2, "prog: error: no table; name one\n"),
        (TransferError("disk full"), 3, "prog: error: disk full\n"),
        (DdbioError("odd"), 3, "prog: error: odd\n"),
        (Stopped("stopped after 3"), 130, "prog: error: stopped after 3\n"),
        (KeyboardInterrupt(), 130, "prog: error: stopped\n"),
    ],
)
def test_errors_are_one_line(error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prog", raising(error)) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("a bug")])
def test_bugs_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run("prog", raising(error))


def test_positive_int() -> None:
    assert positive_int("12") == 12


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_positive_int_refuses(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number above 0"):
        positive_int(text)


def test_scripts_are_called_through_python_and_commands_are_not() -> None:
    assert (invocation("DDBImport.py"), invocation("ddbimport")) == ("python3 DDBImport.py", "ddbimport")
