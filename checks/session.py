"""Records docs/first-session.md: runs its commands, and writes the output of each below it.

`python -m checks.session` runs them from the first one on, which installs the package: it needs an index. A test runs
the others against the checkout and compares their output with the page.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "first-session.md"
PORT = "8000"  # in the page; a free one in a run
_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```)", re.MULTILINE | re.DOTALL)
_UNTIL_READY = "\nfor _ in $(seq 300); do grep -qs export simulator.txt && break; sleep 0.1; done"


def commands_of(page: str) -> list[str]:
    return [line[2:] for block in _BLOCK.findall(page) for line in block.splitlines() if line.startswith("$ ")]


def recorded(page: str) -> dict[str, str]:
    """The output in the page, by command."""
    parts = [part for block in _BLOCK.findall(page) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return {command: output for command, _, output in (part.partition("\n") for part in parts)}


def run(commands: list[str], folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Run the commands in one shell. Returns the output of each, of both streams, by command. Ends the simulator that
    they start."""
    mark = "-- next command --"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    steps = [f"{each}{_UNTIL_READY if each.endswith('&') else ''}" for each in commands]
    script = f"\necho; echo '{mark}'\n".join(["trap 'kill $(jobs -p)' EXIT", *_keeping_status(steps)])
    done = subprocess.run(
        ["bash", "-c", script.replace(PORT, port)],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    outputs = done.stdout.replace(port, PORT).replace(f"{folder}/", "/home/me/").split(f"\n{mark}\n")[1:]
    return dict(zip(commands, outputs, strict=True))


def _keeping_status(steps: list[str]) -> list[str]:
    """The commands, of which `echo $?` sees the exit code of the one before, not that of a mark."""
    return [f"{step.replace('$?', '$status')}\nstatus=$?" for step in steps]


def with_outputs(page: str, outputs: Mapping[str, str]) -> str:
    """The page with what the commands printed."""

    def filled(block: re.Match[str]) -> str:
        return "".join(f"$ {each}\n{outputs[each]}" for each in commands_of(f"```console\n{block.group()}```\n"))

    return _BLOCK.sub(filled, page)


def main(say: Callable[[str], object] = print) -> None:
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ddbio"
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        for each in listed.stdout.splitlines():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / each, folder / each)
        environment = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": name, "LANG": "C.UTF-8"}
        environment |= {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))}
        outputs = run(commands_of(page), folder, environment)
    PAGE.write_text(with_outputs(page, outputs))
    say(f"written: {PAGE}")


if __name__ == "__main__":
    main()
