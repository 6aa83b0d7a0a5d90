"""What the workers of a run share: it is there for as long as the run, in every process, and nowhere after it."""

from __future__ import annotations

import errno
import os
import pickle
import threading
from pathlib import Path

import pytest

from ddbio.aws.credentials import Keys
from ddbio.engines.environment import Environment, Needs, TableNeeds, local_environment, shared_environment
from ddbio.engines.keyring import KeyRing
from ddbio.errors import TransferError, UsageError
from ddbio.flow.context import SOURCE, TARGET
from ddbio.steps.limit import LimitNeeds


def keys() -> Keys:
    return Keys("AKID", "secret")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def needs(checkpoint: Path | None = None) -> Needs:
    tables = {SOURCE: TableNeeds((25.0,), keys), TARGET: TableNeeds((100.0, 7.0), keys)}
    return Needs(tables, LimitNeeds(10, 3, {1: 4}), most_rejects=2, checkpoint=checkpoint)


def used(made: Environment) -> tuple[object, ...]:
    """What a worker finds there. It takes an item of the limit, and rejects a record."""
    assert made.limit is not None and made.reject_count is not None
    made.limit.take(0, 1)
    rates = {role: each.rates() for role, each in made.governors.items()}
    return rates, made.limit.left(), made.reject_count.passed_with(1)


def test_every_process_finds_the_same(temporary: Path, tmp_path: Path) -> None:
    with shared_environment(needs(tmp_path / "places"), workers=2, lanes=3) as made:
        other: Environment = pickle.loads(pickle.dumps(made))
        rates = {SOURCE: (25.0,), TARGET: (100.0, 7.0)}
        assert [used(each) for each in (made, other, made)] == [
            (rates, 5, False),
            (rates, 4, False),
            (rates, 3, True),
        ]
        assert [len(list(each.slots(worker))) for worker, each in enumerate((made, other))] == [3, 3]
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []
    assert (tmp_path / "places").exists(), "who reads it removes it"


def test_an_engine_in_one_process_needs_no_file_but_the_checkpoint(temporary: Path, tmp_path: Path) -> None:
    with local_environment(needs(tmp_path / "places"), lanes=3) as made:
        assert [used(made)[1:] for _ in range(3)] == [(5, False), (4, False), (3, True)]
        assert (len(list(made.slots(0))), list(temporary.iterdir())) == (3, [])
    assert (tmp_path / "places").exists(), "the next run reads it if this process is killed"


def test_a_job_that_needs_nothing(temporary: Path) -> None:
    with shared_environment(Needs(), workers=1, lanes=1) as made, local_environment(Needs(), lanes=1) as alone:
        assert made == alone == Environment({}, {})


@pytest.mark.parametrize("module", ["ddbio.rate.governor.open", "ddbio.steps.limit.Path.write_bytes"])
def test_a_full_temporary_folder_is_said_and_left_empty(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module, full, raising=False)
    with pytest.raises(TransferError, match="set TMPDIR"), shared_environment(needs(), workers=1, lanes=1):
        pass
    assert list(temporary.iterdir()) == []


def test_a_temporary_folder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(TransferError, match="temporary folder"), shared_environment(needs(), workers=1, lanes=1):
        pass


def test_no_room_for_the_checkpoint_leaves_nothing_else(temporary: Path, tmp_path: Path) -> None:
    nowhere = needs(tmp_path / "nowhere" / "places")
    with pytest.raises(TransferError, match="cannot create"), shared_environment(nowhere, workers=1, lanes=1):
        pass
    assert list(temporary.iterdir()) == []


def test_keys_are_those_of_their_role() -> None:
    ring = KeyRing({role: lambda role=role: Keys(role, "secret") for role in (SOURCE, TARGET)})  # type: ignore[misc]
    assert {role: each.access_key for role, each in ring.handed.items()} == {SOURCE: SOURCE, TARGET: TARGET}
    assert (list(ring.renewed()), list(ring.news()), ring.failure) == ([], [], "")
    ring.end()


def test_a_provider_without_keys_ends_those_before_it() -> None:
    def none() -> Keys:
        raise UsageError("no keys")

    with pytest.raises(UsageError, match="no keys"):
        KeyRing({SOURCE: keys, TARGET: none})
    asking = [thread for thread in threading.enumerate() if thread.name == "keys"]
    for thread in asking:
        thread.join(5)
    assert not any(thread.is_alive() for thread in asking)


def test_the_governor_of_each_table_has_a_clock_of_its_own(temporary: Path) -> None:
    """To throttle one table costs the other nothing."""
    with shared_environment(needs(), workers=1, lanes=1) as made:
        made.governors[TARGET].throttled(0)
        assert made.governors[TARGET].rates()[0] < 100.0
        assert made.governors[SOURCE].rates() == (25.0,)
