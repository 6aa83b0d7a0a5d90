"""Exports and the manifests beside them, by the real commands: what a run claims is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run, Start, assert_holds
from tests.support.items import data_files, plain_items

pytestmark = pytest.mark.fuller


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "_manifest.json").read_text())
    return found


def test_other_programs_read_the_folder_and_pass_over_the_manifest(
    run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(300))
    done = run_export("-t", "Orders", "-d", "columns", "--format", "parquet", "--segments", 3)
    assert done.code == 0, done.err
    assert pyarrow.parquet.read_table(tmp_path / "columns").num_rows == 300
    assert run_export("-t", "Orders", "-d", "lines", "--segments", 3).code == 0
    query = "select count(*), count(distinct id), count(n) from read_json_auto('{}')"
    counted = duckdb.sql(query.format(tmp_path / "lines" / "Orders-*.json")).fetchall()
    assert counted == [(300, 300, 300)]
    assert duckdb.sql(f"select count(*) from '{tmp_path}/columns/*.parquet'").fetchall() == [(300,)]
    assert all((tmp_path / name / "_manifest.json").exists() for name in ("columns", "lines"))


def delete(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("harm", [delete, shorten])
def test_a_finished_file_that_changes_while_the_export_runs(
    start_export: Start,
    run_export: Run,
    slow: Simulator,
    tmp_path: Path,
    harm: Callable[[Path], None],
    native: bool,
) -> None:
    slow.table("Orders").put_items(plain_items(400))
    command = ("-t", "Orders", "-d", "out", "-p", 1, "--lanes", 1, "--segments", 30, *["--native-layout"] * native)

    def finished() -> list[Path]:
        return sorted((tmp_path / "out").rglob("[!.]*.json*"))

    with start_export(*command) as running:
        running.until(finished)
        victim, content = finished()[0], finished()[0].read_bytes()
        harm(victim)
        done = running.wait()
    done.assert_error(3, victim.name, "put it back", "--fresh")
    assert not list((tmp_path / "out").rglob("*manifest*")), "nothing claims that all is there"
    run_export(*command).assert_error(2, victim.name, "put it back, or start over with --fresh")
    if harm is delete:
        victim.write_bytes(content)
        again = run_export(*command)
    else:
        again = run_export(*command, "--fresh")
    assert (again.code, again.counts["exported"]) == (0, 400), again.err
    (manifest,) = (tmp_path / "out").rglob("_manifest.json")
    listed = manifest_of(manifest.parent)["files"]
    data = manifest.parent / "data" if native else manifest.parent
    files = {path.name: path.stat().st_size for path in data.iterdir() if path != manifest}
    assert {each["name"]: each["bytes"] for each in listed} == files


def lose_one(folder: Path) -> Path:
    victim = data_files(folder)[1]
    victim.unlink()
    return victim


def shorten_one(folder: Path) -> Path:
    victim = data_files(folder)[1]
    shorten(victim)
    return victim


def add_one(folder: Path) -> Path:
    (folder / "other.json").write_text('{"id":"other"}\n')
    return folder / "other.json"


def damage_one(folder: Path) -> Path:
    victim = data_files(folder)[1]
    victim.write_bytes(victim.read_bytes().replace(b"item", b"itum", 1))
    return victim


def blank_one_line(folder: Path) -> Path:
    """The size stays, and a record is lost."""
    victim = data_files(folder)[1]
    first, rest = victim.read_bytes().split(b"\n", 1)
    victim.write_bytes(b" " * len(first) + b"\n" + rest)
    return victim


@pytest.mark.parametrize("old_name", [False, True])
def test_an_export_is_held_to_its_manifest(
    run_export: Run, run_import: Run, simulator: Simulator, tmp_path: Path, old_name: bool
) -> None:
    items = plain_items(300)
    simulator.create_table("Orders", "id:S").put_items(items)
    copy = simulator.create_table("Copy", "id:S")
    assert run_export("-t", "Orders", "-d", "whole", "--segments", 4).code == 0
    if old_name:
        (tmp_path / "whole" / "_manifest.json").rename(tmp_path / "whole" / "manifest.json")
    harms: list[tuple[Callable[[Path], Path], tuple[str, ...]]] = [
        (lose_one, ()),
        (shorten_one, ()),
        (add_one, ()),
        (damage_one, ("--verify-checksums",)),
    ]
    for number, (harm, options) in enumerate(harms):
        shutil.copytree(tmp_path / "whole", tmp_path / f"in{number}")
        victim = harm(tmp_path / f"in{number}")
        run_import("-t", "Copy", "-s", f"in{number}", *options).assert_error(2, victim.name, "--no-verify")
    assert copy.item_count() == 0, "nothing was moved"
    accepted = run_import("-t", "Copy", "-s", "in1", "--no-verify")
    assert any("not verified (--no-verify)" in line for line in accepted.log), accepted.err
    assert run_import("-t", "Copy", "-s", "whole", "--verify-checksums").code == 0
    assert_holds(simulator, "Copy", items)


def test_another_number_of_items_than_the_manifest_says(
    run_export: Run, run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(300))
    simulator.create_table("Copy", "id:S")
    assert run_export("-t", "Orders", "-d", "out", "--segments", 4).code == 0
    victim = blank_one_line(tmp_path / "out")
    run_import("-t", "Copy", "-s", "out").assert_error(3, victim.name, "items, but its manifest says", "--no-verify")
    again = run_import("-t", "Copy", "-s", "out")
    again.assert_error(3, victim.name)
    assert "run the same command again" not in again.err, "that never helps"
    assert run_import("-t", "Copy", "-s", "out", "--no-verify").code == 0


def test_the_place_of_an_unfinished_export(
    run_export: Run, run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(100))
    simulator.create_table("Copy", "id:S")
    assert run_export("-t", "Orders", "-d", "out", "--segments", 2).code == 0
    (tmp_path / "out" / "_manifest.json").unlink()
    last = data_files(tmp_path / "out")[-1]
    last.rename(last.with_name(f".{last.name}.part"))
    run_import("-t", "Copy", "-s", "out").assert_error(2, "unfinished export", "--allow-unfinished")
    assert run_import("-t", "Copy", "-s", "out", "--allow-unfinished").code == 0
