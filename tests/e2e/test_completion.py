"""Completion in real shells on a terminal, and the silence of the command that they ask for names."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, Commands, Run, wait_until

pytestmark = pytest.mark.fuller

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
BEGIN = {
    "bash": "source {script}",
    "zsh": "autoload -U compinit; compinit -D; source {script}",
    "fish": "source {script}",
}
# The same with more time to answer, as the machine may be busy.
DDBIO = """\
#!/bin/sh
if [ "$1" = __complete ]; then shift; set -- -c "import sys
from ddbio.cli.candidates import main
main(sys.argv[1:], limit_s=60)" "$@"; else set -- -m ddbio "$@"; fi
exec {python} "$@"
"""
KEY_ENTER, KEY_TAB, KEY_ERASE_LINE = "\r", "\t", "\x15"


@pytest.fixture
def run(commands: Commands, environment: dict[str, str]) -> Run:
    environment["PYTHONPATH"] = str(CHECKOUT)
    return lambda *words, **options: commands.run(Path("-m"), "ddbio", *words, **options)


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        os.set_blocking(self._fd, False)
        self._seen = ""

    def type(self, text: str) -> None:
        self._seen = ""
        os.write(self._fd, text.encode())

    def until(self, pattern: str) -> None:
        """Wait until what is seen since the last key matches."""
        wait_until(lambda: re.search(pattern, self._read()), 60)

    def _read(self) -> str:
        with suppress(OSError):  # nothing at the moment
            self._seen += os.read(self._fd, 1 << 16).decode(errors="replace")
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\x1b[=>]", "", self._seen)

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, run: Run, environment: dict[str, str], tmp_path: Path
) -> Iterator[Terminal]:
    """An interactive shell with the script in force."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    printed = run("completion", shell)
    assert (printed.code, printed.err) == (0, "")
    script = tmp_path / "script"
    script.write_text(f'eval "$(cat {tmp_path}/functions)"\n' if shell == "zsh" else printed.out)
    (tmp_path / "functions").write_text(printed.out)
    program = tmp_path / "bin" / "ddbio"
    program.parent.mkdir()
    program.write_text(DDBIO.format(python=sys.executable))
    program.chmod(0o755)
    environment = {**environment, "PATH": f"{program.parent}:{environment['PATH']}", "TERM": "dumb"}
    terminal = Terminal(SHELLS[shell], environment, tmp_path)
    try:
        terminal.type(f"{BEGIN[shell].format(script=script)}; echo rea''dy{KEY_ENTER}")
        terminal.until(r"\bready\b")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("terminal", SHELLS, indirect=True)
def test_a_shell_completes_verbs_options_choices_and_names(
    terminal: Terminal, simulator: Simulator, environment: dict[str, str]
) -> None:
    """The endpoint is on the command line, with the colons at which bash cuts words."""
    simulator.create_table("Orders", "id:S", global_indexes={"byCustomer": ["customer:S"]})
    simulator.create_table("Zebras", "id:S")
    terminal.type(f"ddbio cou{KEY_TAB}")
    terminal.until("ddbio count")
    terminal.type(f"{KEY_ERASE_LINE}ddbio export --compress gz{KEY_TAB}")
    terminal.until("gzip")
    terminal.type(f"{KEY_ERASE_LINE}ddbio count --consist{KEY_TAB}")
    terminal.until("--consistent-read")
    terminal.type(f"{KEY_ERASE_LINE}ddbio copy --endpoint-url {simulator.url} -t Orders --to Zeb{KEY_TAB}")
    terminal.until("--to Zebras")
    terminal.type(f"{KEY_ERASE_LINE}ddbio count --endpoint-url {simulator.url} -t Orders --index by{KEY_TAB}")
    terminal.until("--index byCustomer")


def test_names_that_are_offered(
    commands: Commands, simulator: Simulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """All tables, over several pages of ListTables; of the settings of the file; and jobs."""
    names = sorted(f"T{n:03}" for n in range(120))
    for name in names:
        simulator.create_table(name, "id:S")
    environment["PYTHONPATH"] = str(CHECKOUT)
    url = environment.pop("AWS_ENDPOINT_URL_DYNAMODB")
    file = tmp_path / "config.toml"
    file.write_text(f'[profile.here]\nendpoint-url = "{url}"\n[profile.there]\n')
    words = ["export", "--config", str(file), "--settings", "here", "-t"]
    program = "import sys; from ddbio.cli.candidates import main; main(sys.argv[1:], 60)"

    def offered(*asked: str) -> list[str]:
        done = commands.run(Path("-c"), program, *asked)
        assert (done.code, done.err) == (0, "")
        return sorted(done.out.split())

    assert offered("table", "--", *words) == names
    assert offered("settings", "--", "export", "--config", str(file), "--settings") == ["here", "there"]
    assert offered("job", "--line", "ddbio jobs show ") == []


@pytest.mark.parametrize(
    "words",
    [
        ["table", "--", "export", "-r", "us-east-1", "-t"],
        ["table", "--line", "ddbio nonsense -t "],
        ["table", "--line", "ddbio export --values '{\"open"],
        ["index", "--", "export", "--index"],
        ["index", "--", "export", "-p", "none", "--index"],
        ["settings", "--", "export", "--config", "/nowhere", "--settings"],
        ["nothing", "--", "export"],
        [],
    ],
)
def test_what_cannot_be_offered_is_passed_over_in_silence(
    run: Run, environment: dict[str, str], words: list[str]
) -> None:
    environment["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:1"
    done = run("__complete", *words)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_an_endpoint_that_never_answers_is_not_waited_for(run: Run) -> None:
    """botocore would wait for minutes: 10 seconds for an answer, several times."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run("__complete", "table", "--", "export", "--endpoint-url", url, "-t", timeout_s=9)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_usage(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    run("completion").assert_one_line_error(2, "the shell is missing; choose one of bash, zsh, fish")
    run("completion", "tcsh").assert_one_line_error(
        2, "'tcsh' belongs to no option; choose one shell: bash, zsh, fish"
    )
    (tmp_path / "shtab.py").write_text("raise ImportError")
    environment["PYTHONPATH"] = f"{tmp_path}:{CHECKOUT}"
    run("completion", "bash").assert_one_line_error(2, "needs the package shtab; pip install 'ddbio[completion]'")
