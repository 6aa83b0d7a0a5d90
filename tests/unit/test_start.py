"""What a command loads before it works: most of the time of a small job is imports.

A test here fails when a module is loaded that the command in hand does not need. Its message names the module and the
line that imports it: import it where it is used, inside the function, or under `TYPE_CHECKING` if only types need it.
The limits are numbers of modules, not times, so they hold on any machine. They leave room for a few more; raise one
only for a module that every such command needs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.items import plain_items, write_items
from tests.support.loaded import Loaded, loaded_by

# What costs as much to load as it takes to import thousands of items, and who needs it.
OF_BOTOCORE = ("boto3", "botocore", "urllib3", "dateutil", "jmespath")  # access that is not as simple as this
OF_WORK = ("asyncio", "uvloop", "msgspec", "orjson", "httptools", "sqlite3", "subprocess", "ssl", "ddbio.job")
OF_PLANS = ("ddbio.forecast", "ddbio.verbs.import_forecast", "ddbio.verbs.other_ways")
OF_PAGES = ("ddbio.report_page.page", "ddbio.report_page.charts", "jinja2", "matplotlib")
OF_OTHER_FORMATS = ("pyarrow", "fastavro", "duckdb", "zstandard", "prometheus_client")
OF_WORKERS = ("multiprocessing", "ddbio.engines.pool", "ddbio.engines.process")
OF_MISTAKES = ("difflib", "ddbio.cli.crash")
OF_THE_PARENT = ("argparse", "sqlite3", "tqdm", "ddbio.cli", "ddbio.job", "ddbio.verbs", "ddbio.report_page")


def assert_lean(loaded: Loaded, most: int, *needless: str) -> None:
    """It loaded at most that many modules of ddbio, and none of the needless ones."""
    found = loaded.which(*needless)
    assert not found, "\n".join(["this command does not need", *found])
    ours = loaded.ours()
    assert len(ours) <= most, f"{len(ours)} modules of ddbio: {', '.join(ours)}"


def test_help_waits_for_nothing(tmp_path: Path) -> None:
    own, _ = loaded_by(tmp_path, "--help")
    assert_lean(own, 13, *OF_BOTOCORE, *OF_WORK, *OF_PLANS, "argparse", "difflib", "importlib.metadata")


@pytest.mark.parametrize("words", [("import", "--help"), ("export", "--help")], ids=" ".join)
def test_the_help_of_a_verb_waits_for_options_only(words: tuple[str, ...], tmp_path: Path) -> None:
    own, _ = loaded_by(tmp_path, *words)
    assert_lean(own, 40, *OF_BOTOCORE, *OF_WORK, *OF_PLANS, "difflib")


def test_a_usage_error_is_found_before_the_work_is_loaded(tmp_path: Path) -> None:
    own, _ = loaded_by(tmp_path, "import", "-t", "Orders", code=2)
    assert_lean(own, 40, *OF_BOTOCORE, *OF_WORK, *OF_PLANS)


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, aws_environment: dict[str, str]) -> Simulator:  # type: ignore[misc]
    with Simulator() as running:
        running.create_table("Orders", "id:S").put_items(plain_items(20))
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", running.url)
        yield running


NEEDLESS = (*OF_BOTOCORE, *OF_PLANS, *OF_PAGES, *OF_OTHER_FORMATS, *OF_MISTAKES)


def test_a_small_import_loads_neither_botocore_nor_workers_nor_plans(simulator: Simulator, tmp_path: Path) -> None:
    write_items(tmp_path / "orders.json", plain_items(20))
    own, workers = loaded_by(tmp_path, "import", "-t", "Orders", "-s", "orders.json")
    assert workers == []
    assert_lean(own, 230, *NEEDLESS, *OF_WORKERS)


def test_a_small_export_loads_neither_botocore_nor_workers_nor_plans(simulator: Simulator, tmp_path: Path) -> None:
    own, workers = loaded_by(tmp_path, "export", "-t", "Orders", "-d", "out")
    assert workers == []
    assert_lean(own, 210, *NEEDLESS, *OF_WORKERS)


def test_a_worker_loads_nothing_of_the_command(simulator: Simulator, tmp_path: Path) -> None:
    write_items(tmp_path / "orders.json", plain_items(20))
    own, (worker,) = loaded_by(tmp_path, "import", "-t", "Orders", "-s", "orders.json", "-p", 1)
    assert_lean(own, 232, *NEEDLESS, "uvloop")
    assert_lean(worker, 125, *NEEDLESS, *OF_THE_PARENT)


def test_a_loader_imports_almost_nothing_in_the_thread_of_the_loop() -> None:
    """Which waits for the import: the modules that `load_csv` imports before it hands the load to another thread."""
    script = (
        "import asyncio, concurrent.futures.thread, ddbio.loaders, json, sys\n"
        "before = {*sys.modules}\n"
        "import ddbio.loaders.child\n"
        "print(json.dumps(sorted({*sys.modules} - before)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == ["ddbio.loaders.child"]
