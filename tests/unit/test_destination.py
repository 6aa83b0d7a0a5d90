"""What may be in the place of an export: nothing that is not explained, and nothing is removed that is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.messages import ExportCursor, ExportedFile
from ddbio.messages.files import WrittenFile
from ddbio.sinks.destination import Destination
from ddbio.storage.local import LocalStorage
from tests.support.failing import Failing

MINE = "Orders-0000-00000.json"


@pytest.fixture
def destination(tmp_path: Path) -> Destination:
    return Destination(LocalStorage(), str(tmp_path), "Orders")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("text")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def exported(*files: str, size: int = 4) -> list[ExportedFile]:
    return [ExportedFile(0, WrittenFile(name, size, "sha256:0"), 1) for name in files]


def continued(folder: Path, name: str, size: int = 4) -> ExportCursor:
    return ExportCursor("k", 0, {"path": str(folder / name), "durable_bytes": size, "sha256": "0"}, 1)


def test_an_empty_place_has_room_and_hidden_names_do_not_fill_it(destination: Destination, tmp_path: Path) -> None:
    write(tmp_path, ".hidden", f".{MINE}.part")
    for if_exists in ("fail", "overwrite"):
        assert destination.make_room(if_exists) == 0
    with pytest.raises(UsageError, match="no unfinished export"):
        destination.make_room("resume")


def test_a_place_that_is_not_there_has_room_and_is_not_made(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    LocalStorage().check_destination(str(place))
    assert Destination(LocalStorage(), str(place), "Orders").check_room("fail") == ([], [])
    assert names(tmp_path) == set()


@pytest.mark.parametrize("below", ["file", "file/a", "link/a", "a/" + "x" * 300, "x" * 300])
def test_a_place_that_cannot_be_made_is_refused_before_it_is_made(tmp_path: Path, below: str) -> None:
    write(tmp_path, "file")
    (tmp_path / "link").symlink_to("nowhere")
    for check in (LocalStorage().check_destination, LocalStorage().prepare_destination):
        with pytest.raises(UsageError, match=r"is not a folder|cannot write to"):
            check(str(tmp_path / below))


def test_a_place_that_is_not_empty_is_refused(destination: Destination, tmp_path: Path) -> None:
    write(tmp_path, MINE)
    with pytest.raises(UsageError, match=r"is not empty: it contains Orders-0000-00000\.json") as raised:
        destination.make_room("fail")
    assert "--if-exists overwrite" in raised.value.hint


def listing(*files: str, tool: str = "ddbio 0.1.0") -> str:
    entries = [{"name": name, "items": 1, "bytes": 4, "checksum": "sha256:0"} for name in files]
    return json.dumps({"version": 1, "tool": tool, "items": len(files), "files": entries})


@pytest.mark.parametrize("name", ["_manifest.json", "manifest.json"])
def test_overwrite_removes_what_a_manifest_lists_and_the_manifest(
    destination: Destination, tmp_path: Path, name: str
) -> None:
    write(tmp_path, "a.json", "b.json", ".hidden")
    (tmp_path / name).write_text(listing("a.json", "b.json"))
    assert destination.check_room("overwrite") == (["a.json", "b.json"], [name])
    assert names(tmp_path) == {".hidden", "a.json", "b.json", name}
    destination.make_room("overwrite")
    assert names(tmp_path) == {".hidden"}


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        "nonsense",
        listing("a.json"),
        '{"tool": "ddbio 0.1.0", "files": 5}',
        listing("../secret.json", "a.json", "b.json"),
        listing("a.json", "b.json", tool="another"),
        "[]",
    ],
)
def test_overwrite_removes_nothing_that_no_manifest_lists(tmp_path: Path, manifest: str | None) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write(tmp_path, "secret.json")
    write(folder, "a.json", "b.json")
    if manifest is not None:
        (folder / "_manifest.json").write_text(manifest)
    before = names(folder)
    with pytest.raises(UsageError, match="which no manifest there lists"):
        Destination(LocalStorage(), str(folder), "Orders").make_room("overwrite")
    assert names(folder) == before
    assert (tmp_path / "secret.json").exists()


def test_an_export_goes_on_where_all_is_there(destination: Destination, tmp_path: Path) -> None:
    write(tmp_path, MINE, ".Orders-0001-00000.json.part", "Orders-0002-00000.json")
    cursors = [continued(tmp_path, "Orders-0001-00000.json"), continued(tmp_path, "Orders-0002-00000.json")]
    destination.check(exported(MINE), cursors)
    destination.clear(exported(MINE), cursors)
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("lost", [MINE, ".Orders-0001-00000.json.part"])
def test_what_is_missing_is_named(destination: Destination, tmp_path: Path, lost: str) -> None:
    write(tmp_path, MINE, ".Orders-0001-00000.json.part")
    (tmp_path / lost).unlink()
    with pytest.raises(UsageError, match="is missing or changed") as raised:
        destination.check(exported(MINE), [continued(tmp_path, "Orders-0001-00000.json")])
    assert "--fresh" in raised.value.hint


def lose(folder: Path) -> None:
    (folder / MINE).unlink()


def shorten(folder: Path) -> None:
    (folder / MINE).write_text("tex")


def add_one(folder: Path) -> None:
    write(folder, "notes.txt")


@pytest.mark.parametrize(
    ("harm", "says", "hint"),
    [
        (lose, "is missing now: there is no manifest", "put it back and run the same command again, or"),
        (shorten, "wrote with 4 bytes, has 3 bytes now", "start over with --fresh"),
        (
            add_one,
            r"contains notes\.txt, which this export did not write",
            "move it away and run the same command again",
        ),
    ],
)
def test_what_happened_to_finished_files_is_seen(
    destination: Destination, tmp_path: Path, harm: Callable[[Path], None], says: str, hint: str
) -> None:
    write(tmp_path, MINE, "_manifest.json", ".hidden")
    destination.confirm(exported(MINE))
    harm(tmp_path)
    with pytest.raises(TransferError, match=says) as raised:
        destination.confirm(exported(MINE))
    assert hint in raised.value.hint


def test_what_others_put_there_is_named(destination: Destination, tmp_path: Path) -> None:
    write(tmp_path, MINE, "notes.txt")
    with pytest.raises(UsageError, match=r"notes\.txt, which the unfinished export did not write"):
        destination.check(exported(MINE), [])
    destination.clear((), [])
    assert names(tmp_path) == {"notes.txt"}


def test_what_nobody_goes_on_with_is_cleared(destination: Destination, tmp_path: Path) -> None:
    """A worker was killed between finishing a file and saying so, another before its first word."""
    kept = [MINE, ".Orders-0001-00000.json.part", ".Other-0001-00000.json.part", "OrdersX-0000-00000.json", ".x.part"]
    write(tmp_path, *kept, "Orders-0003-00007.json", ".Orders-0003-00008.json.part")
    destination.clear(exported(MINE), [continued(tmp_path, "Orders-0001-00000.json")])
    assert names(tmp_path) == set(kept)


def test_all_that_an_unfinished_export_left_is_dropped(destination: Destination, tmp_path: Path) -> None:
    other = "other-name.json"  # a finished file is dropped by what the journal says, whatever it is called
    write(tmp_path, MINE, other, ".Orders-0001-00000.json.part", "Orders-0009-00000.json", "notes.txt", ".hidden")
    (tmp_path / "_manifest.json").write_text(listing(MINE, other))
    destination.drop(exported(MINE, other, "Orders-0005-00000.json"), [continued(tmp_path, "Orders-0001-00000.json")])
    assert names(tmp_path) == {"notes.txt", ".hidden"}


def test_a_manifest_goes_before_the_files_that_it_lists(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    (tmp_path / "_manifest.json").write_text(listing(MINE))
    storage = Failing(LocalStorage(), ["remove"], fails_at=1)
    with pytest.raises(TransferError, match="step 1, remove, failed"):
        Destination(storage, str(tmp_path), "Orders").drop(exported(MINE), [])
    assert names(tmp_path) == {MINE}


def test_open_outputs_are_discarded_and_the_first_missing_file_is_named(tmp_path: Path) -> None:
    storage = Failing(LocalStorage(), ["discard"], None)
    destination = Destination(storage, str(tmp_path), "Orders")
    with pytest.raises(UsageError, match=r"Orders-0000-00000\.json.* is missing or changed"):
        destination.check(exported(MINE, "Orders-0000-00001.json"), [])
    destination.drop([], [continued(tmp_path, "Orders-0001-00000.json")])
    assert storage.calls == ["discard"]


def test_the_folder_that_the_user_named_stays(destination: Destination, tmp_path: Path) -> None:
    write(tmp_path, MINE)
    destination.drop(exported(MINE), [])
    assert tmp_path.is_dir() and names(tmp_path) == set()


def test_the_folders_an_export_made_go_when_they_are_empty(destination: Destination, tmp_path: Path) -> None:
    data = tmp_path / "AWSDynamoDB" / "0123" / "data"
    below = destination.below(str(data))
    data.mkdir(parents=True)
    write(data, MINE)
    below.drop(exported(MINE), [])
    assert names(tmp_path) == set()
