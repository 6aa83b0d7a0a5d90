"""`python -m ddbio.demo`: an import and an export in a minute, without AWS.

Starts the embedded DynamoDB on a loopback port, and runs the real commands against it: generate items, print the plan
of their import, import them under a cap, export them again, import the export into a second table. Then it compares
the exported items with the generated ones, and checks the cap against the *server's* count. Exits with 0 only if all
checks succeed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from ddbio.simulator import Simulator, TableView, ThroughputSettings

DEFAULT_ITEMS = 100_000
WRITE_CAP = 20_000  # units per second, as given to the commands
READ_CAP = 1_000
TABLE_UNITS = 40_000  # units per second of the tables: more than the cap, so that the cap is the limit
STRICT = ThroughputSettings(burst_s=0, initial_burst_s=0)
_ENTRIES = {"GenerateTestData.py": "ddbgenerate", "DDBImport.py": "ddbimport", "DDBExport.py": "ddbexport"}
_CALL = "import sys; from ddbio.cli import start; sys.argv[0] = '{program}'; sys.exit(start.{name}())"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ddbio.demo", description="An import and an export in a minute, without AWS."
    )
    parser.add_argument("--items", type=int, default=DEFAULT_ITEMS, help="number of items (default: %(default)s)")
    parser.add_argument(
        "--folder", type=Path, help="folder for the files (default: a temporary one, removed at the end)"
    )
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="ddbio-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Simulator() as simulator:
            code = _Demo(simulator, folder, given.items).run()
    finally:
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if given.folder is not None:
        print(f"files: {folder}")
    return code


class _Demo:
    def __init__(self, simulator: Simulator, folder: Path, items: int) -> None:
        self._simulator = simulator
        self._folder = folder
        self._items = items
        self._problems: list[str] = []

    def run(self) -> int:
        began_s = time.monotonic()
        orders, copies = self._table("Orders"), self._table("Copies")
        export = self._folder / f"exported-{os.getpid()}"
        self._command("GenerateTestData.py", "-c", self._items, "-f", "items.json")
        self._import("Orders", "items.json", "--plan")
        self._import("Orders", "items.json", *_page("import.html"))
        self._command("DDBExport.py", *self._aws("Orders"), "-d", export.name, "-p", 2, "-c", READ_CAP)
        self._import("Copies", export.name)
        generated = _sorted_lines([self._folder / "items.json"])
        exported = _sorted_lines(export.glob("*-*.json"))
        self._expect(generated == exported, "the export holds exactly the generated items")
        self._expect(_items(orders) == _items(copies), "the second table equals the first")
        self._print_consumption("import", orders, "write", WRITE_CAP)
        self._print_consumption("export", orders, "read", READ_CAP)
        print(
            f"{self._items:,} items generated, imported, exported and compared in {time.monotonic() - began_s:.1f} s"
        )
        for problem in self._problems:
            print(f"FAILED: {problem}", file=sys.stderr)
        return 3 if self._problems else 0

    def _table(self, name: str) -> TableView:
        return self._simulator.create_table(
            name, "hash:S", "range:S", wcu=TABLE_UNITS, rcu=TABLE_UNITS, throughput=STRICT
        )

    def _aws(self, table: str) -> tuple[str, ...]:
        return ("-r", "us-east-1", "-t", table, "--endpoint-url", self._simulator.url)

    def _import(self, table: str, source: str, *more: str) -> None:
        self._command("DDBImport.py", *self._aws(table), "-s", source, "-p", 2, "-c", WRITE_CAP, *more)

    def _command(self, program: str, *arguments: object) -> None:
        words = [str(argument) for argument in arguments]
        print(f"\n$ {program} {shlex.join(words)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-c", _CALL.format(program=program, name=_ENTRIES[program]), *words],
            cwd=self._folder,
            env=_environment(self._folder),
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.returncode)

    def _print_consumption(self, job: str, table: TableView, access: str, cap: float) -> None:
        total, busiest = table.consumed(access), _busiest_second(table.consumption(access))
        print(f"{job}: {total:,.1f} units by the server's count; its busiest second had {busiest:,.1f} of {cap:,}")
        self._expect(busiest <= cap * 1.1 + 130, f"the {job} keeps to its cap of {cap:,} units per second")

    def _expect(self, holds: bool, claim: str) -> None:
        print(f"{'yes' if holds else 'NO'}: {claim}")
        if not holds:
            self._problems.append(claim)


def _page(name: str) -> tuple[str, ...]:
    """The option for a report for people, if its extra is installed."""
    installed = all(importlib.util.find_spec(each) for each in ("matplotlib", "jinja2"))
    return ("--report", name) if installed else ()


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment, with keys valid only for the embedded endpoint, and with the jobs' state below
    `folder`."""
    keys = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_EC2_METADATA_DISABLED": "true"}
    here = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("AWS_PROFILE", "AWS_SESSION_TOKEN")
    }
    ours = {"PYTHONPATH": path, "NO_PROXY": "127.0.0.1", "DDBIO_STATE_DIR": str(folder.resolve() / "state")}
    return {**inherited, **keys, **ours}


def _sorted_lines(files: Iterable[Path]) -> list[bytes]:
    """All lines without spaces, sorted: the generator writes `": "`, an export the compact form."""
    return sorted(line.replace(b" ", b"") for file in files for line in file.read_bytes().splitlines())


def _items(table: TableView) -> list[str]:
    return sorted(map(repr, table.items()))


def _busiest_second(history: list[tuple[float, float]]) -> float:
    """The most units in any ten consecutive steps of a tenth of a second."""
    steps: dict[int, float] = {}
    for at_s, units in history:
        steps[round(at_s * 10)] = steps.get(round(at_s * 10), 0.0) + units
    return max((sum(steps.get(first + step, 0.0) for step in range(10)) for first in steps), default=0.0)


if __name__ == "__main__":
    sys.exit(main())
