"""Where a file beside the data may be written: never over a source, nor where a later command takes it for data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.sinks.reject_place import choose_rejects_place
from ddbio.storage import Storages
from ddbio.storage.output_paths import Protected, check_output_path

SUFFIXES = (".json", ".jsonl", ".csv")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sources: a file, a folder with a subfolder, links to them."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/sub", "in/.hidden", "out", "state/import-Orders-1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "orders.json").write_text("{}")
    (tmp_path / "in" / "a.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("orders.json")
    (tmp_path / "dangling.json").symlink_to("in/new.json")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "linked").symlink_to("in")
    os.link(tmp_path / "orders.json", tmp_path / "hard.json")
    return tmp_path


def refused(path: str, *sources: str, destination: str = "", state: str = "") -> str:
    protected = Protected(sources, SUFFIXES, destination, Path(state) if state else None)
    try:
        check_output_path(Path(path), "a report", "--report", protected)
    except UsageError as error:
        assert error.hint == "give another place with --report"
        return error.message
    return ""


@pytest.mark.parametrize(
    "path", ["orders.json", "link.json", "hard.json", "./in/../orders.json", "linked/../orders.json"]
)
def test_a_source_is_refused_by_whatever_name(path: str) -> None:
    assert "is one of the sources" in refused(path, "s3://bucket/x", "-", "orders.json")


def test_a_source_that_is_not_there_is_not_made() -> None:
    assert "is one of the sources" in refused("typo.json", "typo.json")


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("in/report.json", "in", "by the next import"),
        ("in/sub/report.json", "in/", "by the next import"),
        ("linked/report.json", "in", "by the next import"),
        ("in/report.json", "linked", "by the next import"),
        ("dangling.json", "in", "by the next import"),
        ("report.json", ".", "by the next import"),
        ("in/report.json", "in/*.json", "by the next import"),
        ("in/report.json", "**", "by the next import"),
        ("in/report.json", "i?", "by the next import"),
        ("in/report.json", "file://{here}/in", "by the next import"),
        ("in/report.txt", "in", ""),
        ("in/report.rejects.jsonl", "in", ""),
        ("in/.report.json", "in", ""),
        ("in/.hidden/report.json", "in", ""),
        ("report.json", "in", ""),
        ("in/report.json", "in/a*.json", ""),
        ("report.json", "-", ""),
        ("report.json", "s3://bucket/", ""),
    ],
)
def test_a_file_that_the_next_import_would_take_is_refused(path: str, source: str, why: str, here: Path) -> None:
    told = refused(path, source.format(here=here))
    assert (why in told) and bool(told) == bool(why)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("out/report.json", "inside the destination"),
        ("out/report.txt", "inside the destination"),  # "is not empty", says the next export
        ("out/.report.json", ""),
        ("report.json", ""),
    ],
)
def test_an_export_is_not_added_to(path: str, why: str) -> None:
    told = refused(path, destination="out")
    assert (why in told) and bool(told) == bool(why)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("state/import-Orders-1/journal.sqlite", "a job's state"),
        ("state/import-Orders-1/report.json", "a job's state"),
        ("state/report.json", ""),
    ],
)
def test_the_state_of_jobs_is_left_alone(path: str, why: str) -> None:
    told = refused(path, state="state")
    assert (why in told) and bool(told) == bool(why)


@pytest.mark.parametrize("path", ["in", "pipe", "gone/report.json", "orders.json/report.json", "loop", "x" * 300])
def test_what_cannot_be_written_is_refused_in_one_line(path: str) -> None:
    assert refused(path)


def test_a_loop_of_links_among_the_places_is_another_matter() -> None:
    """It is refused where it is read or made."""
    assert refused("report.json", "loop", state="loop", destination="loop") == ""


def test_a_nul_is_refused_in_one_line() -> None:
    assert "cannot be written" in refused("a\0b")


# --------------------------------------------------------------------------- the same rules for rejects


@pytest.mark.parametrize(
    "path", ["orders.json", "hard.json", "in/bad.json", "state/import-Orders-1/journal.sqlite", "gone/bad.json"]
)
def test_rejects_obey_the_same_rules(path: str) -> None:
    sources = ("orders.json", "in")
    protected = Protected(sources, SUFFIXES, state=Path("state"))
    with pytest.raises(UsageError):
        choose_rejects_place(path, sources, [], Storages(AwsSettings()), protected)


@pytest.mark.parametrize(
    ("uri", "source", "free"),
    [
        ("s3://bucket/in/bad.json", "s3://bucket/in/", False),
        ("s3://bucket/in/bad.json", "s3://bucket/in", False),
        ("s3://bucket/in/bad.json", "s3://bucket", False),
        ("s3://bucket/in/bad.json", "s3://bucket/*/b*.json", False),
        ("s3://bucket/in/bad.rejects.jsonl", "s3://bucket/in/", True),
        ("s3://bucket/input/bad.json", "s3://bucket/in/", True),
    ],
)
def test_an_object_that_the_next_import_would_take(uri: str, source: str, free: bool) -> None:
    assert (Protected((source,), SUFFIXES).why_not_object(uri) == "") == free
