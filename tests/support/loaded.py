"""The modules that a command and its workers load, and who imports them: for tests of the start of commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

# Every Python that finds it on its path loads it first. The importer of a module is the nearest file of ddbio.
_RECORDER = """
import atexit, os, sys
importers = {}
class Recorder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        frame = sys._getframe(1)
        while frame is not None and f"{os.sep}ddbio{os.sep}" not in frame.f_code.co_filename:
            frame = frame.f_back
        importers.setdefault(name, "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}")
sys.meta_path.insert(0, Recorder)
def report():
    loaded = {name: importers.get(name, "") for name in sys.modules}
    import json
    with open(os.path.join(os.environ["LOADED_TO"], f"{os.getpid()}.json"), "w") as file:
        json.dump({"parent": os.getppid(), "modules": loaded}, file)
atexit.register(report)
"""


@dataclass(frozen=True)
class Loaded:
    """importers: of each module, as `ddbio/cli/run.py:12`; empty for the modules of the interpreter itself."""

    importers: dict[str, str]

    def ours(self) -> list[str]:
        return sorted(name for name in self.importers if name.split(".")[0] == "ddbio")

    def which(self, *names: str) -> list[str]:
        """Those of `names`, or inside a package of that name, that were loaded, with their importers."""
        found = [
            each for each in self.importers if any(each == name or each.startswith(f"{name}.") for name in names)
        ]
        return [f"{each}, imported by {self._place(each)}" for each in sorted(found)]

    def _place(self, name: str) -> str:
        return self.importers[name].removeprefix(f"{CHECKOUT}{os.sep}")


def loaded_by(folder: Path, *words: object, code: int = 0) -> tuple[Loaded, list[Loaded]]:
    """Run `python -m ddbio` with these words: the modules of the command, and those of each of its workers.

    folder: an empty one, for the records. code: the exit code that it must have.
    """
    (folder / "sitecustomize.py").write_text(_RECORDER)
    environment = {**os.environ, "PYTHONPATH": str(folder), "LOADED_TO": str(folder)}
    command = [sys.executable, "-m", "ddbio", *map(str, words)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code, said
    records = {int(path.stem): json.loads(path.read_text()) for path in folder.glob("[0-9]*.json")}
    own = Loaded(records.pop(process.pid)["modules"])
    return own, [Loaded(each["modules"]) for each in records.values() if each["parent"] == process.pid]
