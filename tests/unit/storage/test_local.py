"""What only the local disk has: links, FIFOs, permissions, descriptors, full disks, a crashed machine."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.storage.local import LocalStorage
from ddbio.storage.local_listing import local_path

SUFFIXES = (".json",)
NAME = "Orders-0000-00000.json"
PART = f".{NAME}.part"

not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


def names(storage: LocalStorage, where: Path | str) -> list[str]:
    return [Path(file.uri).name for file in storage.list_files(str(where), SUFFIXES)]


def contents(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_relative_paths_become_absolute(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.json").write_bytes(b"{}")
    for uri in (".", "x", "./x/", "x/a.json", "x/*.json", "*/a.json", "**/a.json", f"file://{tmp_path}/x"):
        assert [file.uri for file in storage.list_files(uri, SUFFIXES)] == [str(tmp_path / "x" / "a.json")], uri


def test_file_uris() -> None:
    assert local_path("file:///x/a%20b.json") == Path("/x/a b.json")
    assert local_path("file://localhost/x") == Path("/x")
    assert local_path("/x/a%20b.json") == Path("/x/a%20b.json")
    for uri in ("file://host/x", "file://x"):
        with pytest.raises(UsageError, match="host"):
            local_path(uri)


def test_an_empty_name_is_not_the_current_folder(storage: LocalStorage) -> None:
    with pytest.raises(UsageError, match="empty"):
        storage.list_files("", SUFFIXES)
    with pytest.raises(UsageError, match="empty"):
        storage.prepare_destination("")


def test_links_are_followed_and_loops_end(storage: LocalStorage, tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "deep").mkdir(parents=True)
    elsewhere.mkdir()
    (data / "deep" / "a.json").write_bytes(b"{}")
    (elsewhere / "b.json").write_bytes(b"{}")
    (data / "deep" / "up").symlink_to(data)
    (data / "link").symlink_to(elsewhere)
    (data / "twice").symlink_to(elsewhere)
    (data / "self").symlink_to("self")
    (data / "c.json").symlink_to(elsewhere / "b.json")
    assert sorted(names(storage, data)) == ["a.json", "b.json", "c.json"]
    assert sorted(names(storage, data / "**" / "*.json")) == ["a.json", "b.json", "c.json"]


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path)]
)
def test_what_cannot_be_read_is_not_left_out(
    storage: LocalStorage, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    make(tmp_path / "odd.json")
    for where in (tmp_path, tmp_path / "odd.json", tmp_path / "*.json"):
        with pytest.raises(UsageError, match=r"odd\.json"):
            storage.list_files(str(where), SUFFIXES)


def test_a_device_is_refused(storage: LocalStorage) -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        storage.list_files("/dev/null", SUFFIXES)


def test_a_path_below_a_file(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    with pytest.raises(UsageError, match=r"a\.json/x"):
        storage.list_files(str(tmp_path / "a.json" / "x"), SUFFIXES)


@not_root
def test_what_may_not_be_read(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a.json").write_bytes(b"{}")
    (tmp_path / "b.json").write_bytes(b"{}")
    (tmp_path / "b.json").chmod(0)
    with pytest.raises(UsageError, match=rf"b\.json.*{os.strerror(errno.EACCES)}"):
        storage.list_files(str(tmp_path / "b.json"), SUFFIXES)
    (tmp_path / "closed").chmod(0)
    for where in (tmp_path, tmp_path / "closed" / "a.json"):
        with pytest.raises(UsageError, match=f"closed.*{os.strerror(errno.EACCES)}"):
            storage.list_files(str(where), SUFFIXES)
    (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_fails_while_it_is_walked(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a.json").write_bytes(b"{}")
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UsageError, match="Permission denied"):
        storage.list_files(str(tmp_path), SUFFIXES)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_not_utf8(storage: LocalStorage, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).write_bytes(b"{}")
    with pytest.raises(UsageError, match="UTF-8"):
        storage.list_files(str(tmp_path), SUFFIXES)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_descriptors_are_few_and_given_back(storage: LocalStorage, tmp_path: Path) -> None:
    def open_now() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    for number in range(50):
        (tmp_path / f"{number}.json").write_bytes(b"{}")
    before = open_now()
    for file in storage.list_files(str(tmp_path), SUFFIXES):
        assert storage.read_range(file, 0, 10) == b"{}"
    assert open_now() - before == 32
    storage.close()
    assert open_now() == before


def test_a_file_replaced_while_it_is_open_is_read_on_as_it_was(storage: LocalStorage, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    [file] = storage.list_files(str(path), SUFFIXES)
    assert storage.read_range(file, 0, 1) == b"o"
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").rename(path)
    assert storage.read_range(file, 1, 3) == b"ld"
    with pytest.raises(TransferError, match=r"a\.json"):
        LocalStorage().read_range(file, 1, 3)
    [new] = storage.list_files(str(path), SUFFIXES)
    assert storage.read_range(new, 0, 3) == b"new"


def test_a_file_that_becomes_a_fifo_does_not_hang(storage: LocalStorage, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    [file] = storage.list_files(str(path), SUFFIXES)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(TransferError, match=r"a\.json"):
        storage.read_range(file, 0, 3)


def test_a_read_that_comes_in_pieces(storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"0123456789")
    [file] = storage.list_files(str(path), SUFFIXES)
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, 3), offset))
    assert storage.read_range(file, 1, 9) == b"12345678"


def test_a_disk_fault_is_named(storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.json"
    path.write_bytes(b"0123456789")
    [file] = storage.list_files(str(path), SUFFIXES)
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(TransferError, match=r"a\.json.*Input/output"):
        storage.read_range(file, 0, 3)


def test_a_destination_is_made(storage: LocalStorage, tmp_path: Path) -> None:
    storage.prepare_destination(str(tmp_path / "x" / "y"))
    assert (tmp_path / "x" / "y").is_dir()


def test_destinations_that_cannot_be(storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    for uri in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(UsageError, match="not a folder"):
            storage.prepare_destination(str(uri))
    with pytest.raises(UsageError, match=os.strerror(errno.ENAMETOOLONG)):
        storage.prepare_destination(str(tmp_path / ("x" * 300)))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=os.strerror(errno.EACCES)):
        storage.prepare_destination(str(tmp_path))


def test_files_get_the_usual_permissions(storage: LocalStorage, tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    storage.write_small(str(tmp_path), NAME, b"{}")
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_the_checksum_is_that_of_sha256sum(storage: LocalStorage, tmp_path: Path) -> None:
    output = storage.create(str(tmp_path), NAME, 0)
    output.write(b"ab")
    output.write(b"c")
    assert output.finish().checksum == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"


def test_the_part_is_beside_the_file_and_hidden(storage: LocalStorage, tmp_path: Path) -> None:
    output = storage.create(str(tmp_path), NAME, 0)
    output.write(b"{}")
    assert contents(tmp_path) == [PART]
    assert (tmp_path / PART).read_bytes() == b"{}"
    output.abort()


@pytest.mark.parametrize("left_over", ["file", "link"])
def test_what_a_crash_left_behind_is_replaced_not_followed(
    storage: LocalStorage, tmp_path: Path, left_over: str
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    if left_over == "link":
        (tmp_path / PART).symlink_to(tmp_path / "precious")
    else:
        (tmp_path / PART).write_bytes(b"much more than will be written now")
    storage.write_small(str(tmp_path), NAME, b"{}")
    assert (tmp_path / NAME).read_bytes() == b"{}"
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / PART).exists()


def test_two_writers_of_one_file(storage: LocalStorage, tmp_path: Path) -> None:
    first = storage.create(str(tmp_path), NAME, 0)
    first.write(b"first")
    second = storage.create(str(tmp_path), NAME, 0)
    second.write(b"second")
    with pytest.raises(TransferError, match="another run"):
        first.finish()
    first.abort()
    second.finish()
    assert (tmp_path / NAME).read_bytes() == b"second"


def test_an_output_that_is_dropped_keeps_its_part_for_later(storage: LocalStorage, tmp_path: Path) -> None:
    output = storage.create(str(tmp_path), NAME, 0)
    output.write(b"kept")
    state = output.state()
    del output
    again = storage.reopen(state)
    assert (again.durable_bytes, again.state()) == (4, state)
    again.abort()


@pytest.mark.parametrize("damage", [b"kep", b"KEPT", b"", b"\0\0\0\0"])
def test_what_the_machine_lost_is_found_out(storage: LocalStorage, tmp_path: Path, damage: bytes) -> None:
    """After a power failure the end of an unsynced file may be missing, or zeros."""
    output = storage.create(str(tmp_path), NAME, 0)
    output.write(b"kept")
    (tmp_path / PART).write_bytes(damage)
    with pytest.raises(TransferError, match=NAME):
        storage.reopen(output.state())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS])
def test_a_write_that_fails_halfway_leaves_what_was_there(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    output = storage.create(str(tmp_path), NAME, 0)
    output.write(b"kept")
    pwrite, calls = os.pwrite, iter([3])

    def filling_up(fd: int, data: bytes, offset: int) -> int:
        for room in calls:
            return pwrite(fd, data[:room], offset)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", filling_up)
        with pytest.raises(TransferError, match=NAME) as caught:
            output.write(b"lost")
    assert os.strerror(code) in caught.value.message
    assert caught.value.hint
    assert output.written_bytes == output.durable_bytes == 4
    assert (tmp_path / PART).read_bytes() == b"kept"
    again = storage.reopen(output.state())
    again.write(b" and more")
    again.finish()
    assert (tmp_path / NAME).read_bytes() == b"kept and more"


WRITE_TOO_MUCH = """
import json, resource, sys
from ddbio.errors import TransferError
from ddbio.storage.local import LocalStorage
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
output = LocalStorage().create(sys.argv[1], sys.argv[2], 0)
try:
    while True:
        output.write(b"x" * 30_000)
except TransferError as error:
    print(json.dumps([str(error), output.state()]))
"""


def test_a_real_limit_of_the_file_size(storage: LocalStorage, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path), NAME]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, state = json.loads(done.stdout)
    assert NAME in message
    assert "ulimit" in message
    assert state["durable_bytes"] == 90_000 == (tmp_path / PART).stat().st_size
    output = storage.reopen(state)
    assert output.finish().size_bytes == 90_000


def test_a_failed_sync_does_not_show_the_file(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(TransferError, match=NAME):
        storage.write_small(str(tmp_path), NAME, b"{}")
    assert contents(tmp_path) == []


def test_a_file_system_that_cannot_sync_folders(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def files_only(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    storage.write_small(str(tmp_path), NAME, b"{}")
    assert contents(tmp_path) == [NAME]


def test_destinations_that_go_away(storage: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=NAME):
        storage.create(str(tmp_path / "gone"), NAME, 0)
    (tmp_path / NAME).mkdir()
    with pytest.raises(TransferError, match=NAME):
        storage.write_small(str(tmp_path), NAME, b"{}")
    assert contents(tmp_path) == [NAME]
