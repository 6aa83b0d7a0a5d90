"""The peers' own environment: a virtual environment in `.cache`, with the packages as their users get them."""

from __future__ import annotations

import subprocess
import sys

from bench.measure import ROOT

FOLDER = ROOT / ".cache" / "bench-venv"
PYTHON = FOLDER / "bin" / "python"
INSTALL_TIMEOUT_S = 600
# Each with pip's options. dynamodump pins one old boto3 release, but runs with the one that the others get.
PACKAGES: dict[str, tuple[str, ...]] = {
    "boto3": (),
    "awswrangler": (),
    "dynamodb-csv": (),
    "dynamodump": ("--no-deps",),
}


def prepare() -> dict[str, str]:
    """Install what is missing; what cannot be had, by package: the reason."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True, timeout=INSTALL_TIMEOUT_S)
    return {name: reason for name, options in PACKAGES.items() if (reason := _install(name, options))}


def versions() -> dict[str, str]:
    """What is installed, by package."""
    return {name: version for name in PACKAGES if (version := _version(name))}


def _version(package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    found = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, timeout=60)
    return found.stdout.strip()


def _install(package: str, options: tuple[str, ...]) -> str:
    """Why the package cannot be had; empty when it is there."""
    if _version(package):
        return ""
    words = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, package]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"not installed within {INSTALL_TIMEOUT_S} s"
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""
