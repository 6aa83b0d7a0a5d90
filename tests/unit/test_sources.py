"""Which files and exports the sources of an import are: exports below a folder, and what may not be mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.sources.find import Found, find_sources
from ddbio.storage import Storages
from tests.support.native_exports import write_export

SUFFIXES = (".json", ".jsonl")
ITEMS = [[{"Item": {"id": {"S": f"{file}-{n}"}}} for n in range(3)] for file in range(2)]


def find(*uris: Path | str, suffixes: tuple[str, ...] = SUFFIXES, **options: Any) -> Found:
    return find_sources([str(uri) for uri in uris], suffixes, Storages(AwsSettings()), **options)


def own_export(folder: Path, name: str = "_manifest.json", files: int = 2) -> Path:
    folder.mkdir(parents=True)
    listed = []
    for number in range(files):
        path = folder / f"Orders-0000-{number:05}.json"
        path.write_text('{"id":"a"}\n')
        listed.append({"name": path.name, "segment": 0, "items": 1, "bytes": 11, "checksum": ""})
    manifest = {"version": 1, "tool": "ddbio 0.1.0", "format": "json", "items": files, "files": listed}
    (folder / name).write_text(json.dumps(manifest))
    return folder


def full(root: Path, name: str = "01-aaaaaa", ends: str = "2026-11-20T12:00:00.000Z", **summary: Any) -> Path:
    return write_export(root, name, [*ITEMS, []], ends=ends, **summary)


def changes(root: Path, name: str, begins: str, ends: str, **summary: Any) -> Path:
    line = {"Keys": {"id": {"S": name}}, "NewImage": {"id": {"S": name}}}
    return write_export(root, name, [[line]], incremental=True, begins=begins, ends=ends, **summary)


def refusal(*uris: Path | str, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        find(*uris, **options)
    return str(caught.value)


def names(found: Found) -> list[str]:
    return [Path(file.uri).name for file in found.all_files()]


# --------------------------------------------------------------------------- one export below


@pytest.mark.parametrize("name", ["_manifest.json", "manifest.json"])
@pytest.mark.parametrize("source", ["", "exports", "exports/deep/", "ex*", "exports/*/"])
def test_one_own_export_below_is_held_to_its_manifest(tmp_path: Path, name: str, source: str) -> None:
    folder = own_export(tmp_path / "exports" / "deep" / "a", name)
    found = find(f"{tmp_path}/{source}")
    assert [export.uri for export in found.own] == [str(folder / name)]
    assert names(found) == ["Orders-0000-00000.json", "Orders-0000-00001.json"]
    (folder / "Orders-0000-00001.json").unlink()
    assert "Orders-0000-00001.json" in refusal(f"{tmp_path}/{source}")


def test_one_empty_own_export_below(tmp_path: Path) -> None:
    folder = own_export(tmp_path / "exports" / "a", files=0)
    found = find(tmp_path)
    assert (found.empty_exports, found.all_files()) == ((str(folder),), [])


def test_files_named_outright_or_by_a_glob_are_held_to_nothing(tmp_path: Path) -> None:
    folders = [own_export(tmp_path / name) for name in "ab"]
    for pattern in (f"{tmp_path}/*/Orders-*.json", f"{tmp_path}/*/*.json"):
        assert (len(names(find(pattern))), find(pattern).own) == (4, ())
    assert names(find(folders[0] / "Orders-0000-00000.json")) == ["Orders-0000-00000.json"]


def test_a_manifest_of_another_program_is_none_of_ours(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.json").write_text('{"id":"a"}\n')
        (tmp_path / name / "_manifest.json").write_text('{"tool": "other", "files": []}')
    assert names(find(tmp_path)) == ["data.json", "data.json"]


@pytest.mark.parametrize("source", ["", "exports", "exports/AWSDynamoDB/"])
def test_one_export_by_dynamodb_below(tmp_path: Path, source: str) -> None:
    folder = full(tmp_path)
    found = find(tmp_path / source)
    assert [export.uri for export in found.exports] == [f"{folder}/"]
    assert (len(found.exports[0].files), found.files) == (2, ())
    assert list(found.passed_over.describe(())) == [], "checksums and marks of an export are its own"


def test_an_own_export_in_the_layout_of_dynamodb_is_one(tmp_path: Path) -> None:
    folder = full(tmp_path)
    (folder / "_manifest.json").write_text('{"tool": "ddbio 0.1.0", "files": [], "items": 6}')
    assert ([export.uri for export in find(tmp_path).exports], find(tmp_path).own) == ([f"{folder}/"], ())


# --------------------------------------------------------------------------- several exports below

NOON, ONE, TWO = (f"2026-11-20T{hour}:00:00.000Z" for hour in (12, 13, 14))


def test_a_full_export_and_its_changes_are_applied_in_order(tmp_path: Path) -> None:
    last = changes(tmp_path, "01-bbbbbb", ONE, TWO)
    first = full(tmp_path, "02-aaaaaa", NOON)
    second = changes(tmp_path, "03-cccccc", NOON, ONE)
    found = find(tmp_path)
    assert [export.uri for export in found.exports] == [f"{folder}/" for folder in (first, second, last)]
    assert (found.files, list(found.passed_over.describe(()))) == ((), [])
    assert found.mode("put") == "changes"


def two_full(root: Path) -> None:
    full(root, "01-aaaaaa", NOON)
    full(root, "02-bbbbbb", ONE)


def no_full(root: Path) -> None:
    changes(root, "01-aaaaaa", NOON, ONE)
    changes(root, "02-bbbbbb", ONE, TWO)


def a_gap(root: Path) -> None:
    full(root, "01-aaaaaa", NOON)
    changes(root, "02-bbbbbb", ONE, TWO)


def two_tables(root: Path) -> None:
    full(root, "01-aaaaaa", NOON)
    changes(root, "02-bbbbbb", NOON, ONE, tableArn="arn:aws:dynamodb:us-east-1:123456789012:table/Other")


def older_changes(root: Path) -> None:
    changes(root, "01-aaaaaa", NOON, ONE)
    full(root, "02-bbbbbb", TWO)


def one_of_each_kind(root: Path) -> None:
    own_export(root / "01-aaaaaa")
    full(root, "02-bbbbbb")


def two_own(root: Path) -> None:
    own_export(root / "01-aaaaaa")
    own_export(root / "02-bbbbbb", "manifest.json")


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    "make", [two_full, no_full, a_gap, two_tables, older_changes, one_of_each_kind, two_own], ids=lambda m: m.__name__
)
def test_other_exports_are_refused_by_their_names(tmp_path: Path, make: Callable[[Path], None], verify: bool) -> None:
    make(tmp_path)
    said = refusal(tmp_path, verify=verify)
    assert "01-aaaaaa" in said and "02-bbbbbb" in said and "-s" in said


def test_of_very_many_exports_ten_are_named(tmp_path: Path) -> None:
    for number in range(13):
        own_export(tmp_path / f"export-{number:02}")
    said = refusal(tmp_path)
    assert "13 exports" in said and "export-09" in said and "export-10" not in said and "3 more" in said


# --------------------------------------------------------------------------- data beside exports


@pytest.mark.parametrize("place", ["", "more", "exports/AWSDynamoDB/data"])
def test_data_beside_an_export_by_dynamodb_is_refused(tmp_path: Path, place: str) -> None:
    full(tmp_path)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "loose.json.gz").write_text('{"id":"a"}\n')
    for verify in (True, False):
        said = refusal(tmp_path, verify=verify)
        assert "loose.json.gz" in said and "01-aaaaaa" in said


def test_data_beside_an_own_export_is_refused(tmp_path: Path) -> None:
    own_export(tmp_path / "a")
    (tmp_path / "loose.json").write_text('{"id":"a"}\n')
    said = refusal(tmp_path)
    assert "loose.json" in said and f"{tmp_path}/a" in said and "--no-verify" in said
    assert len(names(find(tmp_path, verify=False))) == 3


def test_data_called_manifest_is_data_and_a_manifest_of_ours_is_none(tmp_path: Path) -> None:
    (full(tmp_path) / "manifest.json").write_text('{"tool": "ddbio 0.1.0", "files": []}')
    assert len(find(tmp_path).exports[0].files) == 2
    (tmp_path / "manifest.json").write_text('{"id":"a"}\n')
    assert f'"{tmp_path}/manifest.json"' in refusal(tmp_path)


def test_data_files_without_items_are_not_beside(tmp_path: Path) -> None:
    folder = full(tmp_path)
    assert len(list((folder / "data").iterdir())) == 3
    assert len(find(tmp_path).exports[0].files) == 2


def test_a_folder_that_cannot_be_read_is_said_though_there_is_an_export(tmp_path: Path) -> None:
    own_export(tmp_path / "a", files=0)
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere")
    assert "is a broken link" in refusal(tmp_path)


# --------------------------------------------------------------------------- exports without a manifest


def test_an_unfinished_export_is_refused_though_no_file_of_it_is_finished(tmp_path: Path) -> None:
    (tmp_path / ".Orders-0000-00000.json.part").write_text("{}")
    assert "unfinished export" in refusal(tmp_path)
    assert "no file below" in refusal(tmp_path, allow_unfinished=True)


def test_parts_beside_a_manifest_are_no_unfinished_export(tmp_path: Path) -> None:
    folder = own_export(tmp_path / "a")
    (folder / ".Orders-0000-00009.json.part").write_text("{}")
    assert len(names(find(tmp_path))) == len(names(find(folder))) == len(names(find(folder, verify=False))) == 2


def test_files_named_like_an_export_without_a_manifest_are_imported_with_a_warning(tmp_path: Path) -> None:
    (own_export(tmp_path / "a") / "_manifest.json").unlink()
    (said,) = find(tmp_path).remarks()
    assert "a/Orders-0000-0000" in said and "no manifest" in said
    assert list(find(tmp_path, allow_unfinished=True).remarks()) == []
    assert list(find(f"{tmp_path}/a/*.json").remarks()) == []
    own_export(tmp_path / "b")
    assert list(find(tmp_path / "b", verify=False).remarks()) == []
