"""Code of a test that a command runs inside itself: as its `sitecustomize`, so before its own first line."""

from __future__ import annotations

import textwrap
from pathlib import Path

_ON_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{signal})

sys.meta_path.insert(0, Finder())
"""

_AFTER_IMPORT = """
import importlib.machinery, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != {module!r}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            exec(PATCH, module.__dict__)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
PATCH = {patch!r}
"""


def customize(environment: dict[str, str], folder: Path, code: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    environment["PYTHONPATH"] = str(folder)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"


def signal_on_import(environment: dict[str, str], folder: Path, module: str, signal: str = "SIGINT") -> None:
    """The command gets the signal as it begins to import the module."""
    customize(environment, folder, _ON_IMPORT.format(module=module, signal=signal))


def patch_module(environment: dict[str, str], folder: Path, module: str, patch: str) -> None:
    """In every process of the command, `patch` runs in the namespace of the module as soon as it is loaded."""
    customize(environment, folder, _AFTER_IMPORT.format(module=module, patch=textwrap.dedent(patch)))
