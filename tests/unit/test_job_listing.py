"""A job is found by the beginning of its id, and of several by the state that an action needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.errors import UsageError
from ddbio.job.listing import JobState, find_job

CODES = {"import-Orders-aa0000000000": 0, "import-Orders-ab0000000000": 3, "import-Ordersold-ac0000000000": 3}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, code in CODES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(f'{{"exit_code": {code}}}')
    return tmp_path


def exited(code: int) -> Callable[[JobState], bool]:
    return lambda job: job.exit_code == code


@pytest.mark.parametrize(
    ("asked", "code", "number"),
    [("import", 0, 0), ("import-Orders-", 3, 1), ("import-Orders-ab0000000000", 0, 1), ("ac", 0, 2)],
)
def test_one_of_several_is_meant(root: Path, asked: str, code: int, number: int) -> None:
    """A job that is asked for by itself is found even if it does not fit: the action then reports why."""
    assert find_job(root, asked, exited(code)).id == [*CODES][number]


@pytest.mark.parametrize(("code", "named"), [(3, [*CODES][1:]), (5, [*CODES]), (None, [*CODES])])
def test_several_are_named(root: Path, code: int | None, named: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        find_job(root, "import", None if code is None else exited(code))
    assert refused.value.message == "'import' is the beginning of 3 jobs"
    assert sorted(refused.value.hint.removeprefix("give more of the id: ").split(", ")) == sorted(named)
