"""The state of a killed job, harmed at random, and the real command again: it finishes the job or says in one line
why it cannot, and what it claims is in the table or in the folder. `--fresh` always gets past."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.e2e.test_resume import IMPORT, jobs, kill, puts
from tests.support.commands import Completed, Run, Start, assert_holds
from tests.support.effort import examples
from tests.support.items import Item, contents, read_items

pytestmark = pytest.mark.fuller

SEEDS = range(examples(16))
EXPORT = ("-t", "Orders", "-d", "out", "-p", 2, "--segments", 8, "--lanes", 2)


def harm(folder: Path, chance: random.Random) -> str:
    """Do something to one or two files of a job's folder. Returns a description of it."""
    done = []
    for path in chance.sample(sorted(each for each in folder.iterdir() if each.is_file()), chance.choice((1, 2))):
        kind, change = chance.choice(list(HARMS.items()))
        change(path, chance)
        done.append(f"{path.name}: {kind}")
    return ", ".join(done)


def _cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) or 1)])


def _overwrite(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data) or 1)
    data[at : at + 500] = chance.randbytes(chance.choice((1, 16, 500)))
    path.write_bytes(data)


def _become_a_folder(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _become_a_link(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to("/nonexistent/file")


HARMS: dict[str, Callable[[Path, random.Random], None]] = {
    "cut": _cut,
    "overwritten": _overwrite,
    "noise": lambda path, chance: path.write_bytes(chance.randbytes(1 + path.stat().st_size)) and None,
    "lost": lambda path, _: path.unlink(),
    "a folder": _become_a_folder,
    "a link": _become_a_link,
}


def assert_plain(done: Completed, harmed: str) -> None:
    assert "Traceback" not in done.err, (harmed, done.err)
    assert done.code in (0, 2, 3), (harmed, done.code, done.err)
    if done.code:
        assert any(way in done.err for way in ("--fresh", "--state-dir", "--if-exists")), (harmed, done.err)


def clear_the_way(folder: Path) -> None:
    """Remove what only its owner may remove: the messages name it."""
    for path in folder.iterdir():
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import(
    seed: int,
    start_import: Start,
    run_import: Run,
    slow: Simulator,
    many: list[Item],
    environment: dict[str, str],
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    before = puts(slow)
    (folder,) = jobs(environment)
    harmed = harm(folder, random.Random(seed))
    done = run_import(*IMPORT)
    assert_plain(done, harmed)
    if done.code == 0:
        assert (done.counts["read"], done.counts["written"]) == (len(many), len(many)), harmed
    else:
        assert puts(slow) == before or done.code == 3, harmed  # refused before anything was moved
        clear_the_way(folder)
        done = run_import(*IMPORT, "--fresh")
        assert done.code == 0, (harmed, done.err)
        assert (done.counts["read"], done.counts["written"]) == (len(many), len(many)), harmed
    assert_holds(slow, "Orders", many)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_export(
    seed: int,
    start_export: Start,
    run_export: Run,
    slow: Simulator,
    many: list[Item],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    slow.table("Orders").put_items(many)
    with start_export(*EXPORT, "-c", 20) as command:
        command.until(lambda: slow.table("Orders").consumed("read") > 20)
        kill(command)
    (folder,) = jobs(environment)
    harmed = harm(folder, random.Random(100 + seed))
    done = run_export(*EXPORT)
    assert_plain(done, harmed)
    if done.code != 0:
        clear_the_way(folder)
        done = run_export(*EXPORT, "--fresh")
        if done.code == 2 and "--if-exists overwrite" in done.err:
            done = run_export(*EXPORT, "--fresh", "--if-exists", "overwrite")
        if done.code == 2 and "move it away" in done.err:  # the journal is lost, and with it the owner of these files
            shutil.rmtree(tmp_path / "out")
            done = run_export(*EXPORT, "--fresh")
    assert done.code == 0, (harmed, done.err)
    assert contents(read_items(tmp_path / "out")) == contents(many), harmed
