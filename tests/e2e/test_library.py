"""The library from wherever Python runs: scripts without a main guard, standard input, threads, pools, a zip file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Completed, with_slack
from tests.support.items import Item, write_items

ROOT = Path(__file__).parents[2]
IMPORT = """
from ddbio import AwsSettings, ImportOptions, import_table
options = ImportOptions(table="Orders", sources=("orders.json",), processes=2, aws=AwsSettings(region="eu-west-1"))
"""
# No main guard: with `spawn` each worker would run the script again.
PLAIN = f"""{IMPORT}
print("started")
print(import_table(options).tally.written)
"""
IN_A_THREAD = f"""{IMPORT}
import threading
thread = threading.Thread(target=lambda: print(import_table(options).tally.written))
thread.start()
thread.join()
"""
IN_A_LOOP = f"""{IMPORT}
import asyncio
async def main():
    print(import_table(options).tally.written)
asyncio.run(main())
"""
# A process of a pool is daemonic: multiprocessing lets it start no process of its own.
IN_A_POOL = f"""{IMPORT}
import multiprocessing
def work(_):
    return import_table(options).tally.written
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(work, [0])[0])
"""
TWO_AT_ONCE = f"""{IMPORT}
import dataclasses, threading
written = []
def work(table):
    written.append(import_table(dataclasses.replace(options, table=table)).tally.written)
threads = [threading.Thread(target=work, args=(table,)) for table in ("Orders", "Others")]
[each.start() for each in threads]
[each.join() for each in threads]
print(sum(written) // 2)
"""
RunPython = Callable[..., Completed]


@pytest.fixture
def run_python(tmp_path: Path, environment: dict[str, str]) -> RunPython:
    def run(*arguments: str, **options: object) -> Completed:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=with_slack(60.0),
            **options,  # type: ignore[call-overload]
        )
        left = {each.name for each in Path(environment["TMPDIR"]).iterdir()} - {f"ddbio-state-{os.geteuid()}"}
        assert not left
        return Completed(done.returncode, done.stdout, done.stderr, 0.0)

    return run


@pytest.fixture
def table(simulator: Simulator) -> Simulator:
    simulator.create_table("Orders", "id:S")
    simulator.create_table("Others", "id:S")
    return simulator


@pytest.mark.parametrize("script", [PLAIN, IN_A_THREAD, IN_A_LOOP, IN_A_POOL, TWO_AT_ONCE])
def test_a_script_without_a_main_guard(
    run_python: RunPython, table: Simulator, orders: list[Item], tmp_path: Path, script: str
) -> None:
    (tmp_path / "job.py").write_text(script)
    done = run_python("job.py")
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == ["started"] * (script == PLAIN) + ["1000"]
    assert len(table.table("Orders").items()) == 1000


def test_a_script_on_standard_input(run_python: RunPython, table: Simulator, orders: list[Item]) -> None:
    done = run_python("-", input=PLAIN)
    assert (done.code, done.out.split(), done.err) == (0, ["started", "1000"], "")


def test_a_package_in_a_zip_file(run_python: RunPython, table: Simulator, orders: list[Item], tmp_path: Path) -> None:
    """Workers find modules where their parent does, in the order in which it does."""
    made = tmp_path / "app"
    shutil.copytree(ROOT / "ddbio", made / "ddbio", ignore=shutil.ignore_patterns("__pycache__"))
    (made / "__main__.py").write_text(f"{PLAIN}import ddbio; print(ddbio.__file__)\n")
    shutil.make_archive(str(tmp_path / "app"), "zip", made)
    shutil.rmtree(made)
    done = run_python("app.zip")
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == ["started", "1000", str(tmp_path / "app.zip" / "ddbio" / "__init__.py")]


def test_home_and_shared_memory_are_not_needed(
    run_python: RunPython, table: Simulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """As in AWS Lambda: only the temporary folder can be written."""
    write_items(tmp_path / "orders.json", [{"id": {"S": "a"}}])
    environment["HOME"] = str(tmp_path / "orders.json")  # no folder can be made there
    (tmp_path / "job.py").write_text(PLAIN)
    done = run_python("job.py")
    assert (done.code, done.out.split(), done.err) == (0, ["started", "1"], "")
    (state,) = Path(environment["TMPDIR"]).iterdir()
    assert state.name == f"ddbio-state-{os.geteuid()}" and state.stat().st_mode & 0o777 == 0o700


RAISES = f"""{IMPORT}
import ddbio
try:
    import_table(options, on_rejects="raise")
except ddbio.RejectedError as error:
    print(error.result.tally.written, error.result.tally.rejected, error)
"""
STOPPED = f"""{IMPORT}
import os, signal, threading, time, ddbio
class Shown:
    def update(self, amount, tally):
        if tally.written and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)
    asked = False
    def __getattr__(self, name):
        return lambda *_: None
try:
    import_table(options, progress=Shown())
except ddbio.Stopped as error:
    print("stopped with", error.result.tally.written)
print(import_table(options).tally.written)
"""


def test_rejected_records_raise_if_asked(run_python: RunPython, table: Simulator, tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text('{"id": "a"}\n{"no": "key"}\n')
    (tmp_path / "job.py").write_text(RAISES)
    done = run_python("job.py")
    assert (done.code, done.err) == (0, "")
    assert done.out == "1 1 1 record was rejected; the result has the reasons\n"


@pytest.mark.fuller
def test_ctrl_c_stops_in_order_and_the_same_call_resumes(
    run_python: RunPython, slow: Simulator, many: list[Item], tmp_path: Path
) -> None:
    (tmp_path / "job.py").write_text(STOPPED.replace("processes=2", "processes=1, lanes=1"))
    done = run_python("job.py")
    assert (done.code, done.err) == (0, "")
    stopped, finished = done.out.splitlines()
    assert 0 < int(stopped.split()[-1]) < len(many) and finished == str(len(many))
    assert len(slow.table("Orders").items()) == len(many)
