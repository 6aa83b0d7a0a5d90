"""Checks whether this Python can run ddbio: whether it is new enough and has the packages.

Python 3.7 and later can import this module, `ddbio.cli.start` and `ddbio` itself, so that a command can report the
problem in one line.
"""

import importlib.util
import sys

OLDEST = (3, 10)  # as `requires-python` in pyproject.toml
REQUIRED = ("botocore", "httptools", "msgspec", "orjson", "setproctitle", "tqdm")
BEFORE_3_11 = ("tomli",)  # later Pythons have tomllib


def what_is_missing() -> str:
    """Why this Python cannot run ddbio, and the remedy; empty if it can."""
    here = f"{sys.executable} is Python {sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < OLDEST:
        return f"ddbio needs Python {OLDEST[0]}.{OLDEST[1]} or later, and {here}; {remedy()}"
    required = REQUIRED if sys.version_info >= (3, 11) else REQUIRED + BEFORE_3_11
    missing = [name for name in required if importlib.util.find_spec(name) is None]
    return f"{here} without the packages {', '.join(missing)}; {remedy()}" if missing else ""


def remedy() -> str:
    return f"run scripts/setup, then .venv/bin/python {sys.argv[0]} ..."
