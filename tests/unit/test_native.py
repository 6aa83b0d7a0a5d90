"""DynamoDB's own exports as sources: found wherever they were copied to, and held to what their manifests say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import RecordError, UsageError
from ddbio.formats.incremental import IncrementalExport
from ddbio.layouts.native import NativeExport, chain_warnings, in_order, read_export
from ddbio.storage import Storages
from ddbio.values.items import Deletion
from tests.support.native_exports import change, write_export

ITEMS = [[{"Item": {"id": {"S": f"{file}-{n}"}}} for n in range(3 + file)] for file in range(2)]


def found(source: Path | str) -> NativeExport | None:
    return read_export(str(source), Storages(AwsSettings()))


@pytest.mark.parametrize("checksums", [".checksum", ".md5", None])
@pytest.mark.parametrize("full_keys", [True, False])
@pytest.mark.parametrize("incremental", [True, False])
def test_an_export_and_a_copy_of_it(
    tmp_path: Path, checksums: str | None, full_keys: bool, incremental: bool
) -> None:
    folder = write_export(
        tmp_path, "01-abcdef", [*ITEMS, []], checksums=checksums, full_keys=full_keys, incremental=incremental
    )
    shutil.move(tmp_path / "exports", tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / folder.relative_to(tmp_path / "exports")
    for source in (folder, f"{folder}/", folder / "manifest-summary.json"):
        export = found(source)
        assert export is not None
        assert (export.incremental, export.items) == (incremental, 7)
        assert [(Path(file.uri).name, expected.items) for file, expected in export.files] == [
            ("abcdeffile0.json.gz", 3),
            ("abcdeffile1.json.gz", 4),  # and none of the third, which is empty
        ]
        assert export.ends == "2026-11-20T12:00:00.000Z"


def test_an_empty_file_may_be_missing(tmp_path: Path) -> None:
    folder = write_export(tmp_path, "01-abcdef", [*ITEMS, []])
    (folder / "data" / "abcdeffile2.json.gz").unlink()
    export = found(folder)
    assert export is not None and len(export.files) == 2


@pytest.mark.parametrize("source", ["", "data", "exports/AWSDynamoDB", "nothing", "*"])
def test_what_is_no_export(tmp_path: Path, source: str) -> None:
    write_export(tmp_path, "01-abcdef", ITEMS)
    (tmp_path / "data").mkdir()
    assert found(tmp_path / source) is None


def drop_a_file(folder: Path) -> None:
    (folder / "data" / "abcdeffile1.json.gz").unlink()


def drop_the_list(folder: Path) -> None:
    (folder / "manifest-files.json").unlink()


def change_the_list(folder: Path) -> None:
    path = folder / "manifest-files.json"
    path.write_text(path.read_text().replace('"itemCount": 3', '"itemCount": 4'))


def change_the_list_and_its_checksum(folder: Path) -> None:
    change_the_list(folder)
    (folder / "manifest-files.checksum").unlink()


def say_nothing(folder: Path) -> None:
    (folder / "manifest-summary.json").write_text("{}")
    (folder / "manifest-summary.checksum").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop_a_file, 'AWSDynamoDB/01-abcdef/data/abcdeffile1.json.gz" of the export'),
        (drop_the_list, "has no manifest-files.json"),
        (change_the_list, 'manifest-files.json" has the MD5 '),
        (change_the_list_and_its_checksum, "have 8 items by manifest-files.json, and manifest-summary.json says 7"),
        (say_nothing, 'manifest-summary.json" is not a valid manifest of an export'),
    ],
)
def test_a_damaged_export(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    folder = write_export(tmp_path, "01-abcdef", ITEMS)
    damage(folder)
    with pytest.raises(UsageError) as caught:
        found(folder)
    assert words in caught.value.message


def test_ion_is_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path, "01-abcdef", ITEMS, outputFormat="ION")
    with pytest.raises(
        UsageError, match="the format ION, which is not supported; export the table again as DYNAMODB_JSON"
    ):
        found(folder)


def export_of(ends: str, begins: str = "", arn: str = "orders") -> NativeExport:
    return NativeExport(f"{begins}..{ends}", bool(begins), begins or ends, ends, arn, 0, ())


def test_exports_are_applied_by_their_times() -> None:
    full, first, second = (
        export_of("2026-01-01"),
        export_of("2026-01-02", "2026-01-01"),
        export_of("2026-01-03", "2026-01-02"),
    )
    chain = in_order([second, full, first])
    assert chain == [full, first, second]
    assert list(chain_warnings(chain)) == []
    assert in_order([export_of("2026-01-01", "2025-12-31"), full])[0] is full


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (
            [export_of("2026-01-01"), export_of("2026-01-03", "2026-01-02")],
            "no export has the changes from 2026-01-01",
        ),
        ([export_of("2026-01-01"), export_of("2026-01-02", "2026-01-01", "else")], "is of another table"),
        ([export_of("2026-01-01"), export_of("2026-01-02")], "is a full export: items deleted since"),
    ],
)
def test_a_doubtful_chain_has_warnings(chain: list[NativeExport], words: str) -> None:
    (said,) = chain_warnings(chain)
    assert words in said


KEY = {"id": {"S": "a"}}
ITEM = {"id": {"S": "a"}, "n": {"N": "1"}}


def parsed(line: Any) -> Any:
    return IncrementalExport().parse(json.dumps(line).encode())


@pytest.mark.parametrize("micros", [{"N": "1680109764000000"}, "1680109764000000", 1680109764000000])
def test_changes(micros: Any) -> None:
    put = parsed(change(KEY, ITEM, {"id": {"S": "a"}}, micros))
    assert (put, type(put)) == (ITEM, dict)
    deleted = parsed(change(KEY, None, ITEM, micros))
    assert (deleted, type(deleted)) == (KEY, Deletion)


@pytest.mark.parametrize("line", [{"Item": ITEM}, {"Keys": {}}, {"Keys": KEY, "NewImage": "x"}, {"NewImage": ITEM}])
def test_what_is_no_change_is_rejected(line: Any) -> None:
    with pytest.raises(RecordError) as caught:
        parsed(line)
    assert caught.value.code == "bad-change"
