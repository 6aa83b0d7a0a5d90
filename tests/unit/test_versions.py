"""One answer to the question which versions ddbio runs on: the metadata, the lock file and CI agree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import Environment, Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ddbio.cli.front import OLDEST

CHECKOUT = Path(__file__).parents[2]
PYPROJECT = (CHECKOUT / "pyproject.toml").read_text()
LOCK = (CHECKOUT / "requirements-dev.lock").read_text()
SUPPORTED = re.findall(r'^    "Programming Language :: Python :: (3\.\d+)",$', PYPROJECT, re.MULTILINE)
PLATFORMS = {"linux": "Linux", "darwin": "Darwin"}


def requirements(file: str) -> Iterator[Requirement]:
    for line in (CHECKOUT / file).read_text().splitlines():
        text = re.sub(r"\s*#.*", "", line)
        if text and not text.startswith("-r "):
            yield Requirement(text)


def locked() -> list[tuple[Requirement, str]]:
    """The entries of the lock file, each with the lines that belong to it."""
    entries = re.findall(r"^([a-z0-9].*?) \\\n((?:    .*\n)+)", LOCK, re.MULTILINE)
    return [(Requirement(entry), rest) for entry, rest in entries]


def environment(python: str, platform: str) -> Environment:
    system = PLATFORMS[platform]
    versions = {"python_version": python, "python_full_version": f"{python}.1", "implementation_version": python}
    return {**default_environment(), **versions, "sys_platform": platform, "platform_system": system}  # type: ignore[typeddict-item]


def applies(marker: Marker | None, python: str, platform: str) -> bool:
    return marker is None or marker.evaluate({**environment(python, platform), "extra": ""})


# --------------------------------------------------------------------------- Python


def test_the_supported_versions_have_no_gap_and_begin_with_the_oldest() -> None:
    assert [f"3.{minor}" for minor in range(OLDEST[1], OLDEST[1] + len(SUPPORTED))] == SUPPORTED
    assert f'requires-python = ">={SUPPORTED[0]}"' in PYPROJECT
    assert f'target-version = "py{SUPPORTED[0].replace(".", "")}"' in PYPROJECT
    assert f'python_version = "{SUPPORTED[0]}"' in PYPROJECT  # mypy's


def test_ci_takes_the_supported_versions_from_the_metadata() -> None:
    """And says of each whether it was found."""
    asked = subprocess.run(
        [str(CHECKOUT / "scripts/pythons")], capture_output=True, text=True, check=True, timeout=100
    )
    found = [line.partition("\t")[0] for line in asked.stdout.splitlines()]
    missing = re.findall(r"no Python (3\.\d+) on this machine", asked.stderr)
    assert sorted(found + missing) == sorted(SUPPORTED)
    assert "scripts/pythons" in (CHECKOUT / ".ci/run").read_text()


# --------------------------------------------------------------------------- the lock file


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", SUPPORTED)
def test_the_lock_file_satisfies_every_requirement(python: str, platform: str) -> None:
    """Where this fails, run scripts/lock."""
    pinned: dict[str, list[str]] = {}
    for entry, _ in locked():
        if applies(entry.marker, python, platform):
            pinned.setdefault(entry.name, []).append(str(entry.specifier).removeprefix("=="))
    assert [name for name, versions in pinned.items() if len(versions) > 1] == []
    for asked in [*requirements("requirements.txt"), *requirements("requirements-dev.txt")]:
        if applies(asked.marker, python, platform):
            (version,) = pinned[asked.name.lower()]
            assert SpecifierSet(str(asked.specifier)).contains(version, prereleases=True), asked


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_file_was_made_of_these_requirements_and_no_others(file: str) -> None:
    made_of = {entry.name for entry, rest in locked() if re.search(rf"-r {re.escape(file)}$", rest, re.MULTILINE)}
    assert made_of == {each.name.lower() for each in requirements(file)}


def test_every_entry_of_the_lock_file_is_exact_and_hashed() -> None:
    for entry, rest in locked():
        assert re.fullmatch(r"==[^,*]+", str(entry.specifier)), entry
        assert "--hash=sha256:" in rest, entry
    assert len(locked()) == len(re.findall(r"^[a-z0-9]", LOCK, re.MULTILINE))


def test_the_lock_file_says_nothing_of_where_packages_come_from() -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links", LOCK)


def test_the_extras_are_tested_in_the_versions_they_ask_for() -> None:
    extras = dict(re.findall(r'"((?:zstandard|pyarrow))(>=[\d.]+)"', PYPROJECT))
    assert extras == {
        each.name: str(each.specifier)
        for each in requirements("requirements-dev.txt")
        if each.name in ("zstandard", "pyarrow")
    }
