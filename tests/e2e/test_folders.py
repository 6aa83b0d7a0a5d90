"""What an import takes from a folder, and what it says of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run

UNCOMMITTED = {
    "a.json": '{"id":"a"}',
    "_SUCCESS": "",
    "_temporary/0/b.json": '{"id":"TEMP"}',
    "_delta_log/0.json": '{"commitInfo":{}}',
    ".a.json.crc": "x",
}
OTHERS = {
    "a.json": '{"id":"a"}',
    "manifest.json": '{"id":"not-a-manifest"}',
    "noext": '{"id":"d"}',
    "notes.txt": "x",
    "c.json.bak": '{"id":"c"}',
}
OLD_MANIFEST = {
    "version": 1,
    "tool": "ddbio 0.1.0",
    "format": "json",
    "items": 1,
    "files": [{"name": "a.json", "segment": 0, "items": 1, "bytes": 10, "checksum": ""}],
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def ids(simulator: Simulator) -> list[str]:
    return sorted(item["id"]["S"] for item in simulator.table("Orders").items())


@pytest.mark.parametrize("source", ["in", "in/*"])
def test_what_is_not_committed_is_passed_over_and_counted(
    run_import: Run, simulator: Simulator, tmp_path: Path, source: str
) -> None:
    simulator.create_table("Orders", "id:S")
    write(tmp_path / "in", UNCOMMITTED)
    done = run_import("-t", "Orders", "-s", source)
    assert (done.code, done.counts["written"], ids(simulator)) == (0, 1, ["a"]), done.err
    line = "Sources: passed over 4 files: .a.json.crc, _SUCCESS, _delta_log/0.json, ..."
    assert [each for each in done.log if "passed over" in each] == [line]


def test_what_is_no_data_is_named_and_a_manifest_of_another_program_is_data(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    write(tmp_path / "in", OTHERS)
    done = run_import("-t", "Orders", "-s", "in")
    assert (done.code, ids(simulator)) == (0, ["a", "not-a-manifest"]), done.err
    line = "Sources: passed over 3 files: c.json.bak, noext, notes.txt"
    assert [each for each in done.log if "passed over" in each] == [line]
    both = run_import("-t", "Orders", "-s", "in", "-s", "in/notes.txt", "-s", "in/noext", "--format", "json")
    assert "Sources: passed over 1 file: c.json.bak" in both.log, "what another source names is imported"


def test_the_manifest_of_an_earlier_version_is_no_data(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    write(tmp_path / "in", {"a.json": '{"id":"a"}', "sub/manifest.json": json.dumps(OLD_MANIFEST)})
    for source in ("in", "in/**/*.json"):
        done = run_import("-t", "Orders", "-s", source, "--no-verify")
        assert (done.code, done.counts["read"], ids(simulator)) == (0, 1, ["a"]), done.err
        assert not [each for each in done.log if "passed over" in each]
    run_import("-t", "Orders", "-s", "in").assert_one_line_error(2, "a.json", "--no-verify")


def test_a_table_whose_name_begins_with_an_underscore_comes_back(
    run_export: Run, run_import: Run, simulator: Simulator
) -> None:
    """Its files are named after it, and are data all the same."""
    simulator.create_table("_Tab", "id:S").put_items([{"id": {"S": "a"}}, {"id": {"S": "b"}}])
    simulator.create_table("Orders", "id:S")
    assert run_export("-t", "_Tab", "-d", "out").code == 0
    done = run_import("-t", "Orders", "-s", "out")
    assert (done.code, ids(simulator)) == (0, ["a", "b"]), done.err
