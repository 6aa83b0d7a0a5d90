"""The helpers that start servers for tests: how tests are grouped, what is said when a server cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.endpoints import Registry, Unavailable, packages, registry
from tests.endpoints.processes import PORTS, free_port
from tests.endpoints.scheduling import group_of


@pytest.mark.parametrize(
    ("test_id", "group"),
    [
        ("tests/e2e/test_x.py::test_y[moto]", "moto"),
        ("tests/e2e/test_x.py::test_y[dynamodb-local-case]", "dynamodb-local"),
        ("tests/e2e/test_x.py::test_y[case-dynalite-1]", "dynalite"),
        ("tests/e2e/test_x.py::test_y[moto-seaweedfs]", "moto+seaweedfs"),
        ("tests/e2e/test_x.py::test_y[moto-moto]", "moto"),
        ("tests/e2e/test_spark.py::test_y", "spark"),
    ],
)
def test_the_tests_of_a_server_are_one_group(test_id: str, group: str) -> None:
    assert group_of(test_id) == group


@pytest.mark.parametrize("test_id", ["tests/test_moto.py::test_moto", "t.py::test_x[simulator]", "t.py::test[motor]"])
def test_other_tests_are_groups_of_their_own(test_id: str) -> None:
    assert group_of(test_id) == test_id


def test_a_missing_program_is_named() -> None:
    with pytest.raises(Unavailable, match=r"no-such-program is not installed \(hint\)"):
        packages.find_program("no-such-program", "hint")


def test_a_fetch_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "CACHE", tmp_path)
    script = "import sys; open(sys.argv[1] + '/half', 'w'); sys.exit('no network')"
    with pytest.raises(Unavailable, match=r"cannot fetch .*: no network"):
        packages.cached("name-1.0", lambda target: [sys.executable, "-c", script, str(target)])
    assert not (tmp_path / "name-1.0").exists()


def test_a_package_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "CACHE", tmp_path)
    calls: list[Path] = []

    def install(target: Path) -> list[str]:
        calls.append(target)
        return [sys.executable, "-c", "import sys; open(sys.argv[1] + '/file', 'w')", str(target)]

    places = [packages.cached("name-1.0", install) for _ in range(2)]
    assert places == [tmp_path / "name-1.0"] * 2
    assert len(calls) == 1
    assert (places[0] / "file").exists()


def test_a_server_that_cannot_be_had_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def launch() -> None:
        tries.append(1)
        raise Unavailable("no Java")

    monkeypatch.setitem(registry.LAUNCHES["dynamodb"], "moto", launch)
    with Registry() as servers:
        for _ in range(2):
            with pytest.raises(Unavailable, match="no Java"):
                servers.endpoint("dynamodb", "moto")
    assert len(tries) == 1


def test_ports_stay_clear_of_those_the_kernel_gives_away() -> None:
    assert free_port(1, 10_000) in PORTS
    assert max(PORTS) + 10_000 + 10 < 32_768


def test_a_machine_without_the_server_skips_or_fails_as_asked(tmp_path: Path) -> None:
    """The fixture itself, in a test run of its own without npm."""
    test = "def test_it(dynamodb_endpoint): pass\n"
    conftest = "from tests.conftest import *\nfrom tests.endpoints import packages\n"
    conftest += f"import pathlib\npackages.CACHE = pathlib.Path({str(tmp_path / 'cache')!r})\n"
    (tmp_path / "test_it.py").write_text(test)
    (tmp_path / "conftest.py").write_text(conftest)
    outcomes = {}
    for required in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "-k", "dynoxide", str(tmp_path)],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
            env={"PATH": "/nonexistent", "DDBIO_REQUIRE_ENDPOINTS": required},
        )  # fmt: skip
        outcomes[required] = (done.returncode, "cannot be had here" in done.stdout)
    assert outcomes == {"0": (0, True), "1": (1, True)}
