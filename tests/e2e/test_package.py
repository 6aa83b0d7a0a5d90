"""The package as it is installed: a wheel built from the source, with its data, its programs and its description.

It is the wheel without the native core, which takes half a minute to build."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from readme_renderer import markdown

from tests.support.commands import CHECKOUT

# What an image is built of; a wheel needs no more.
SOURCES = re.findall(r"^!(.+)", (CHECKOUT / ".dockerignore").read_text(), re.MULTILINE)
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
FROM_WHEEL = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
RUN = FROM_WHEEL + "from {module} import {name}; sys.argv[0] = 'x'; sys.exit({name}())"
LOOK = FROM_WHEEL + "from ddbio.forecast import prices; print(prices.__file__, len([*prices.bundled()]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    for name in SOURCES:
        source, target = CHECKOUT / name, folder / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "target", "*.so"))
        else:
            shutil.copy(source, target)
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=folder,
        env={**os.environ, "DDBIO_NATIVE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*-py3-none-any.whl")
    return found


def part(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (each for each in archive.namelist() if each.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()


def test_everything_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    pages = {name for name in packed if ".data/" in name}
    assert [name.partition(".data/")[2] for name in pages] == ["data/share/man/man1/ddbio.1"]
    source = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "ddbio").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    assert packed - pages == source


def test_its_programs_run_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(part(wheel, "entry_points.txt"))
    programs = dict(entries["console_scripts"])
    assert {*programs} == {"ddbio", "ddbimport", "ddbexport", "ddbgenerate"}
    for program, place in programs.items():
        module, _, name = place.partition(":")
        done = subprocess.run(
            [sys.executable, "-I", "-c", RUN.format(module=module, name=name), str(wheel), "--version"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.fullmatch(r"\S+ \d+\.\d+\.\d+\n", done.stdout), (program, done.stderr)


def test_its_data_can_be_read_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOOK, str(wheel)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    place, count = done.stdout.split()
    assert place.startswith(str(wheel)) and int(count) > 20


def test_the_image_and_the_instructions_have_all_extras(wheel: Path) -> None:
    extras = set(message_from_string(part(wheel, "METADATA")).get_all("Provides-Extra") or ())
    (named,) = re.findall(r"\[(zstd,[a-z,]*)\]'", (CHECKOUT / "Dockerfile").read_text())
    assert set(named.split(",")) == extras
    table = (CHECKOUT / "README.md").read_text().partition("| extra | adds |")[2].partition("\n\n")[0]
    assert {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])} == extras


def test_its_description_shows_on_an_index_without_broken_links(wheel: Path) -> None:
    metadata = message_from_string(part(wheel, "METADATA"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    shown = markdown.render(str(metadata.get_payload()))  # as an index does; None if it cannot
    assert shown is not None and "<h1>ddbio</h1>" in shown
    links = re.findall(r'(?:href|src)="([^"]*)"', shown)
    assert links and [link for link in links if not link.startswith("https://")] == []
    assert "](" not in shown  # nor what is left of one
