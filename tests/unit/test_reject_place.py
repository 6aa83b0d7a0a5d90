"""Where rejects go: never over what is there, never over a source, found out before anything is moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.sinks.reject_place import RejectsPlace, choose_rejects_path, choose_rejects_place, next_free, upload
from ddbio.storage.output_paths import Protected


class Bucket:
    """Stands for the storages: one output in memory. failing: with what its writes fail."""

    def __init__(self, failing: Exception | None = None) -> None:
        self.failing = failing
        self.asked: list[str] = []
        self.content = b""
        self.ended: list[str] = []
        self.dropped: list[str] = []

    def of(self, uri: str) -> Bucket:
        return self

    def prepare_destination(self, uri: str) -> None:
        self.asked.append(uri)

    def discard_unfinished(self, uri: str, ours: Any, keep: Sequence[dict[str, Any]]) -> None:
        there = ("orders.jsonl", "orders.jsonl.old", "bad.jsonl")
        self.dropped = [f"{uri}{name}" for name in there if ours(name) and not keep]

    def create(self, uri: str, name: str, max_bytes: int) -> Bucket:
        self.asked.append(f"{uri} {name} {max_bytes}")
        return self

    def write(self, data: bytes) -> None:
        if self.failing:
            raise self.failing
        self.content += data

    def finish(self) -> None:
        self.ended.append("finished")

    def abort(self) -> None:
        self.ended.append("aborted")


def chosen(asked: str | None, *sources: str, files: Sequence[SourceFile] = (), storages: Any = None) -> RejectsPlace:
    return choose_rejects_place(asked, sources or ("orders.json",), files, storages)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("orders.json", "orders.rejects.jsonl"),
        ("/data/orders.2026.json", "orders.rejects.jsonl"),
        ("exports/", "exports.rejects.jsonl"),
        ("s3://bucket/prefix/orders.json", "orders.rejects.jsonl"),
        ("s3://bucket/", "bucket.rejects.jsonl"),
        ("*.json", "_.rejects.jsonl"),
        (".hidden.json", "import.rejects.jsonl"),
        ("/", "import.rejects.jsonl"),
        ("orders.rejects.jsonl", "orders.rejects.jsonl"),
    ],
)
def test_rejects_go_to_the_current_folder_under_the_name_of_the_source(
    source: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert chosen(None, source, "other.json") == RejectsPlace(Path(name), ours=True)


def test_rejects_of_an_earlier_run_are_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("orders.rejects.jsonl", "orders.2.rejects.jsonl"):
        Path(name).write_text("{}")
    assert chosen(None, "orders.json").path == Path("orders.3.rejects.jsonl")
    assert chosen(None, "orders.rejects.jsonl").path == Path("orders.3.rejects.jsonl")


def test_a_place_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "orders.rejects.jsonl"
    assert chosen(str(path), "orders.json") == RejectsPlace(path)
    path.write_text('{"source":"a","offset":0,"line":1,"code":"x","message":"y","record":"z"}\n')
    assert chosen(str(path), files=[SourceFile("s3://bucket/x", 1, "1")]) == RejectsPlace(path)


def test_a_source_is_never_overwritten(tmp_path: Path) -> None:
    source, link = tmp_path / "orders.json", tmp_path / "link.json"
    source.write_text("{}")
    link.symlink_to(source)
    for asked in (source, link):
        with pytest.raises(UsageError, match="is one of the sources"):
            chosen(str(asked), str(source), files=[SourceFile(str(source), 2, "1")])


@pytest.mark.parametrize("place", [".", "/dev/null"])
def test_what_is_no_file_is_not_written_to(place: str) -> None:
    with pytest.raises(UsageError, match="is not a file that rejects can be written to"):
        chosen(place, "orders.json")


def test_a_folder_that_is_not_there_is_told_before_anything_is_moved(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        chosen(str(tmp_path / "gone" / "x.jsonl"), "orders.json")


# --------------------------------------------------------------------------- objects


@pytest.mark.parametrize(
    ("asked", "uri", "folder"),
    [
        ("s3://bucket/bad/orders.jsonl", "s3://bucket/bad/orders.jsonl", "s3://bucket/bad/"),
        ("s3://bucket/orders.jsonl", "s3://bucket/orders.jsonl", "s3://bucket/"),
        ("s3://bucket/bad/", "s3://bucket/bad/orders.rejects.jsonl", "s3://bucket/bad/"),
        ("s3://bucket/", "s3://bucket/orders.rejects.jsonl", "s3://bucket/"),
    ],
)
def test_an_object_is_asked_for(asked: str, uri: str, folder: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    bucket = Bucket()
    place = chosen(asked, "orders.json", storages=bucket)
    assert place == RejectsPlace(Path("orders.rejects.jsonl"), ours=True, uri=uri)
    assert bucket.asked == [folder]


def test_objects_that_will_not_do() -> None:
    for asked in ("s3://", "s3:///"):
        with pytest.raises(UsageError, match=f'--rejects "{asked}" names no bucket'):
            chosen(asked, storages=Bucket())
    with pytest.raises(UsageError, match="is a bucket"):
        chosen("s3://bucket", storages=Bucket())
    with pytest.raises(UsageError, match="is one of the sources"):
        chosen("s3://bucket/x", files=[SourceFile("s3://bucket/x", 1, "1")], storages=Bucket())


def test_the_file_becomes_the_object(tmp_path: Path) -> None:
    (tmp_path / "rejects.jsonl").write_bytes(b"x" * 2_500_000)
    bucket: Any = Bucket()
    upload(tmp_path / "rejects.jsonl", "s3://bucket/bad/orders.jsonl", bucket)
    assert bucket.content == b"x" * 2_500_000
    assert bucket.asked == ["s3://bucket/bad/ orders.jsonl 2500000"]
    assert bucket.ended[0] == "finished"
    assert bucket.dropped == ["s3://bucket/bad/orders.jsonl"], "uploads of earlier runs, of this object alone"


@pytest.mark.parametrize("failing", [TransferError("S3 is away", "wait"), UsageError("no permission", "ask")])
def test_an_upload_that_fails_says_where_the_rejects_are(tmp_path: Path, failing: Exception) -> None:
    path = tmp_path / "rejects.jsonl"
    path.write_bytes(b"{}")
    bucket: Any = Bucket(failing)
    with pytest.raises(TransferError, match="could not be uploaded") as error:
        upload(path, "s3://bucket/bad.jsonl", bucket)
    assert str(path) in error.value.hint
    assert (path.read_bytes(), bucket.ended) == (b"{}", ["aborted"])


@pytest.mark.parametrize("table", ["Orders", "prod.Orders", "-x", "T" * 255])
def test_the_rejects_of_a_table_are_named_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.chdir(tmp_path)
    place = choose_rejects_path(None, table, Protected())
    assert (place.path.name, place.ours, place.uri) == (f"{table.lstrip('-')[:200]}.rejects.jsonl", True, "")
    place.path.write_text("data")
    second = choose_rejects_path(None, table, Protected()).path
    assert second == next_free(place.path) != place.path
    second.write_text("data")
    assert next_free(second).name == f"{table.lstrip('-')[:200]}.3.rejects.jsonl"


def test_the_rejects_of_a_table_go_to_a_file_that_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no path"):
        choose_rejects_path("s3://bucket/x", "Orders", Protected())
    (tmp_path / "data").write_text('{"id": 1}')
    with pytest.raises(UsageError, match="is not overwritten"):
        choose_rejects_path(str(tmp_path / "data"), "Orders", Protected())
    assert choose_rejects_path(str(tmp_path / "new"), "Orders", Protected()).ours is False
