"""Endings that a script can trust: full disks, closed streams, Ctrl-C from the first line on, our own faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import CHECKOUT, EXPORT, IMPORT, Commands, Completed, Run, assert_holds
from tests.support.customize import patch_module, signal_on_import
from tests.support.items import Item, plain_items

pytestmark = pytest.mark.fuller

GENERATE = CHECKOUT / "GenerateTestData.py"
Environment = dict[str, str]

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def shell(text: str, environment: Environment, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which {python} is the interpreter; a failure in a pipe is that of the whole."""
    line = text.replace("{python}", sys.executable)
    command = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=folder)


def assert_ending(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    assert done.returncode in codes, (done.args, done.returncode, done.stderr)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr


@needs_full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_streams_that_take_nothing(environment: Environment, tmp_path: Path, unbuffered: str) -> None:
    """--help and --version need no service, so every stream can be tried; the rest is `test_of_a_transfer`."""
    environment["PYTHONUNBUFFERED"] = unbuffered
    for script in (IMPORT, EXPORT, GENERATE):
        for option in ("--help", "--version"):
            command = f"{{python}} {script} {option}"
            assert_ending(shell(f"{command} >/dev/full", environment, tmp_path), 3)
            assert_ending(shell(f"{command} >&-", environment, tmp_path), 3)
            assert_ending(shell(f"{command} 2>&-", environment, tmp_path), 0)
        assert_ending(shell(f"{{python}} {script} --help | true", environment, tmp_path), 0, 141)
        for nowhere in ("2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full"):
            assert_ending(shell(f"{{python}} {script} --no-such-option {nowhere}", environment, tmp_path), 2)


@needs_full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_streams_of_a_transfer_that_take_nothing(
    environment: Environment, simulator: Simulator, orders: list[Item], tmp_path: Path, unbuffered: str
) -> None:
    """The work is done; that its result or its messages could not be written is in the exit code."""
    environment["PYTHONUNBUFFERED"] = unbuffered
    simulator.create_table("Orders", "id:S")
    command = f"{{python}} {IMPORT} -t Orders -s orders.json -p 1"
    for streams, codes in {
        ">/dev/full": [3],
        ">&-": [3],
        "2>/dev/full": [3],
        ">/dev/full 2>&1": [3],
        ">&- 2>&-": [3],
        "2>&1 >/dev/null | true": [141],
        "| true": [0, 141],
    }.items():
        assert_ending(shell(f"{command} {streams}", environment, tmp_path), *codes)
        assert_holds(simulator, "Orders", orders)
    to_stdout = f"{{python}} {EXPORT} -t Orders -d - -p 1"
    assert_ending(shell(f"{to_stdout} >/dev/full", environment, tmp_path), 3)
    assert_ending(shell(f"{to_stdout} >&-", environment, tmp_path), 3)
    assert_ending(shell(f"{to_stdout} | head -1", environment, tmp_path), 0, 141)
    to_folder = f"{{python}} {EXPORT} -t Orders -d out -p 1"
    assert_ending(shell(f"{to_folder} >&- 2>/dev/full", environment, tmp_path), 3)
    assert (tmp_path / "out" / "manifest.json").exists() or (tmp_path / "out" / "_manifest.json").exists()


@needs_full
def test_streams_of_test_data_that_take_nothing(environment: Environment, tmp_path: Path) -> None:
    for unbuffered in ("", "1"):
        environment["PYTHONUNBUFFERED"] = unbuffered
        for streams, code in {"-f - >/dev/full": 3, "-f - >&-": 3, "-f x 2>/dev/full": 3, "-f x >&-": 0}.items():
            assert_ending(shell(f"{{python}} {GENERATE} -c 9 {streams}", environment, tmp_path), code)
        assert_ending(shell(f"{{python}} {GENERATE} -c 99999 -f - | head -1", environment, tmp_path), 141)


# --------------------------------------------------------------------------- Ctrl-C while a command starts

ENTRIES = {
    "DDBImport.py": [str(IMPORT)],
    "DDBExport.py": [str(EXPORT)],
    "GenerateTestData.py": [str(GENERATE)],
    "ddbimport.py": ["-m", "ddbio.cli.ddbimport"],
}
MODULES = {
    "DDBImport.py": [
        "ddbio",
        "ddbio.cli",
        "ddbio.cli.start",
        "ddbio.cli.ddbimport",
        "botocore.session",
        "ddbio.verbs.import_table",
    ],
    "DDBExport.py": ["ddbio", "argparse", "ddbio.cli.ddbexport", "botocore.session", "ddbio.verbs.export_table"],
    "GenerateTestData.py": ["ddbio", "ddbio.cli.start", "ddbio.cli.ddbgenerate", "ddbio.verbs.generate"],
    "ddbimport.py": ["ddbio.cli.ddbimport", "ddbio.options", "ddbio.verbs.import_table"],
}
ARGUMENTS = {"GenerateTestData.py": ["-c", "1", "-f", "x"], "DDBExport.py": ["-t", "Orders", "-d", "out"]}


@pytest.mark.parametrize("name", list(ENTRIES))
def test_ctrl_c_while_a_module_is_imported(environment: Environment, tmp_path: Path, name: str) -> None:
    """From the first line of ours on; before it, it meets Python itself."""
    for module in MODULES[name]:
        signal_on_import(environment, tmp_path / "custom", module)
        arguments = ARGUMENTS.get(name, ["-t", "Orders", "-s", "orders.json"])
        done = subprocess.run(
            [sys.executable, *ENTRIES[name], *arguments],
            capture_output=True,
            text=True,
            env={**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{CHECKOUT}"},
            cwd=tmp_path,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (130, f"{name}: error: stopped\n"), module


def test_ctrl_c_at_any_instant(commands: Commands, tmp_path: Path, simulator: Simulator) -> None:
    """In steps over the whole run. What Python was doing before our first line has none of our names in it."""
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text('{"id": "a"}\n')
    codes = set()
    for step in range(20):
        with commands.start(IMPORT, "-t", "Orders", "-s", "orders.json", "-p", 1, start_new_session=True) as command:
            time.sleep(step * 0.04)
            with suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGINT)
            done = command.wait(20)
        if "DDBImport" not in done.err and done.code != 0:
            continue
        codes.add(done.code)
        assert done.code in (0, 130), (step, done.err)
        assert "Traceback" not in done.err and "Exception ignored" not in done.err, (step, done.err)
        assert done.code == 0 or done.err.splitlines()[-1].startswith("DDBImport.py: error: stopped"), done.err
    assert 130 in codes


# --------------------------------------------------------------------------- faults of ddbio itself


def crash_file(environment: Environment) -> Path:
    (found,) = (Path(environment["HOME"]) / ".local" / "state" / "ddbio").glob("crash-*.txt")
    return found


@pytest.mark.parametrize("direction", ["import", "export", "generate"])
def test_an_unforeseen_exception_in_the_parent(
    commands: Commands,
    simulator: Simulator,
    orders: list[Item],
    environment: Environment,
    tmp_path: Path,
    direction: str,
) -> None:
    """Exit code 70, one line, the traceback in a file, the report says so; the same command then does the job."""
    simulator.create_table("Orders", "id:S").put_items(plain_items(5))
    environment["AWS_SESSION_TOKEN"] = "FwoGZXIvYXdzE-the-session-token"
    script, arguments, module, patch = {
        "import": (
            IMPORT,
            ("-t", "Orders", "-s", "orders.json", "--report", "r.json"),
            "ddbio.verbs.import_table",
            "outcome",
        ),
        "export": (
            EXPORT,
            ("-t", "Orders", "-d", "out", "--report", "r.json"),
            "ddbio.verbs.export_table",
            "outcome",
        ),
        "generate": (GENERATE, ("-c", 5, "-f", "x"), "ddbio.verbs.generate", "generate"),
    }[direction]
    fault = f"""
        def {patch}(*arguments, **options):
            import os
            raise LookupError(os.environ["AWS_SESSION_TOKEN"] + "\\nodd")
    """
    patch_module(environment, tmp_path / "custom", module, fault)
    done = commands.run(script, *arguments)
    file = crash_file(environment)
    assert done.code == 70
    assert done.err.splitlines()[-1] == (
        f"{script.name}: internal error: LookupError: *** odd; please report it with {file}"
    )
    assert "Traceback" not in done.err
    text = file.read_text()
    assert f"in {patch}" in text and "LookupError" in text
    assert environment["AWS_SESSION_TOKEN"] not in text
    if direction != "generate":
        report = json.loads((tmp_path / "r.json").read_text())
        assert (report["exit_code"], report["error"]["message"]) == (70, "LookupError: *** odd")
    del environment["PYTHONPATH"]
    assert commands.run(script, *arguments).code == 0


def test_an_unforeseen_exception_in_the_thread_that_changes_the_cap(
    run_import: Run, slow: Simulator, many: list[Item], environment: Environment, tmp_path: Path
) -> None:
    """A cap that no longer changes may be far too high: the run ends, and the same command resumes it."""
    fault = "def _now():\n    raise LookupError('odd')\n"
    patch_module(environment, tmp_path / "custom", "ddbio.rate.following", fault)
    command = ("-t", "Orders", "-s", "orders.json", "-p", 1, "--lanes", 1, "-c", "2000,00:00=2001")
    done = run_import(*command)
    assert (done.code, "Traceback" in done.err) == (70, False), done.err
    assert "internal error: LookupError: odd; please report it with" in done.err.splitlines()[-1]
    assert "_now" in crash_file(environment).read_text()
    del environment["PYTHONPATH"]
    assert run_import(*command).code == 0
    assert_holds(slow, "Orders", many)


# --------------------------------------------------------------------------- keys that cannot be keys

PARTS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzE",
}


def assert_nowhere(secrets: dict[str, str], done: Completed, *folders: Path) -> None:
    """None of the secrets is in what was said, or in a file that was left."""
    files = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "credentials"
    ]
    for text in [done.out.encode(), done.err.encode(), *(path.read_bytes() for path in files)]:
        for secret in secrets.values():
            assert secret.encode() not in text, text


@pytest.mark.parametrize("bad", list(PARTS))
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", " ", " x", "\tx", "\u00a0"])
def test_a_key_with_a_blank_or_a_line_end(
    commands: Commands, simulator: Simulator, environment: Environment, tmp_path: Path, bad: str, end: str
) -> None:
    """Refused before the first request, by the name of the variable."""
    environment.update(PARTS, DDBIO_DEBUG="1", **{bad: PARTS[bad] + end})
    (tmp_path / "orders.json").write_text('{"id": "a"}\n')
    places = (tmp_path, Path(environment["HOME"]), Path(environment["TMPDIR"]))
    done = commands.run(IMPORT, "-t", "Orders", "-s", "orders.json", "--report", "r.json")
    done.assert_one_line_error(2, f"{bad} has a blank, a line end or another character")
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 2
    assert_nowhere(PARTS, done, *places)
    assert simulator.requests() == {}


def test_a_key_of_a_profile_with_a_blank(
    commands: Commands, simulator: Simulator, environment: Environment, tmp_path: Path
) -> None:
    for name in PARTS:
        environment.pop(name, None)
    environment["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "credentials")
    for bad in PARTS:
        values = {name.lower(): PARTS[name] + (" x" if name == bad else "") for name in PARTS}
        lines = [f"{name} = {value}" for name, value in values.items()]
        (tmp_path / "credentials").write_text("\n".join(["[nightly]", *lines, ""]))
        done = commands.run(EXPORT, "-t", "Orders", "-d", "out", "--profile", "nightly", "--report", "r.json")
        done.assert_one_line_error(2, f'{bad.lower()} of the profile "nightly" has a blank')
        assert_nowhere(PARTS, done, tmp_path, Path(environment["HOME"]))
    assert simulator.requests() == {}


# --------------------------------------------------------------------------- faults in a worker, and the user's code


def test_an_unforeseen_exception_in_the_workers(
    run_import: Run, simulator: Simulator, orders: list[Item], environment: Environment, tmp_path: Path
) -> None:
    """Everything else of the job is done; what the fault kept from being done is left for the same command."""
    simulator.create_table("Orders", "id:S")
    fault = """
        class RecordReader(RecordReader):
            def __init__(self, *arguments, **options):
                raise LookupError("odd")
    """
    patch_module(environment, tmp_path / "custom", "ddbio.sources.reader", fault)
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2)
    file = crash_file(environment)
    assert (done.code, "Traceback" in done.err) == (70, False), done.err
    assert (
        f"DDBImport.py: internal error: LookupError: odd; please report it with {file}" in done.err.splitlines()[-1]
    )
    assert "failed by an error in ddbio (LookupError: odd)" in done.err
    assert "in __init__" in file.read_text()
    del environment["PYTHONPATH"]
    assert run_import("-t", "Orders", "-s", "orders.json", "-p", 2).code == 0
    assert_holds(simulator, "Orders", orders)


def test_a_transform_that_ends_the_program(
    run_import: Run, run_export: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """As it is loaded, in the parent or only in a worker: nothing is moved. For an item: that is rejected."""
    simulator.create_table("Orders", "id:S")
    ends = "import sys\n{when}sys.exit(0)\ndef f(item):\n    return item\n"
    (tmp_path / "parent.py").write_text(ends.format(when=""))
    (tmp_path / "worker.py").write_text(
        ends.format(when="if 'ddbio.engines.lanes' in sys.modules and 'ddbio.cli.run' not in sys.modules: ")
    )
    for name in ("parent", "worker"):
        for run, rest in ((run_import, ("-s", "orders.json")), (run_export, ("-d", "out"))):
            done = run("-t", "Orders", *rest, "-p", 2, "--transform", f"{name}.py:f")
            done.assert_error(2, "--transform f:", f"{name}.py cannot be loaded: SystemExit: 0 (line 2)")
        assert (simulator.table("Orders").item_count(), simulator.requests().get("BatchWriteItem", 0)) == (0, 0)
    (tmp_path / "item.py").write_text(
        "import sys\ndef f(item):\n    return item if item['n'] != 7 else sys.exit(0)\n"
    )
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2, "--transform", "item.py:f")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 999, 1), done.err
    assert "SystemExit: 0 (line 3 of item.py)" in (tmp_path / "orders.rejects.jsonl").read_text()


def test_threads_of_the_users_module_are_not_waited_for(
    run_import: Run, simulator: Simulator, orders: list[Item], tmp_path: Path
) -> None:
    """One that it began while it loaded, in the parent and in every worker, and one for an item."""
    simulator.create_table("Orders", "id:S")
    (tmp_path / "threads.py").write_text(
        "import threading, time\n"
        "begin = lambda: threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "begin()\n"
        "def f(item):\n    return item if item['n'] != 7 else begin() or item\n"
    )
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2, "--transform", "threads.py:f", timeout_s=30)
    assert (done.code, done.counts["written"]) == (0, 1000), done.err
    assert_holds(simulator, "Orders", orders)
