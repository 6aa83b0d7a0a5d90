"""The real commands as subprocesses, and what a test asks of their processes and of the table afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddbio.simulator import Simulator
from ddbio.system.machine import usable_cpus
from tests.support.items import Item, contents

CHECKOUT = Path(__file__).parents[2]
IMPORT = CHECKOUT / "DDBImport.py"
EXPORT = CHECKOUT / "DDBExport.py"
TIMEOUT_S = 60.0
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (.+)")


@dataclass(frozen=True)
class Completed:
    """A command that has ended. seconds: how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def log(self) -> list[str]:
        """The lines of stderr without their times, which those about the run have and errors have not."""
        return [LOG_LINE.sub(r"\1", line) for line in self.err.splitlines()]

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of the summary by the word after them: `{"read": 500, "written": 499, "throttled": 3}`."""
        found = re.findall(r"(?<![\w.,])(\d[\d,]*) ([a-z]+)", self.out)
        return {word: int(number.replace(",", "")) for number, word in found}

    def assert_error(self, code: int, *words: str) -> None:
        """It ended with this exit code and a last line on stderr that has these words, without a traceback."""
        assert (self.code, "Traceback" in self.err) == (code, False), self.err
        last = self.err.splitlines()[-1]
        assert re.match(r"(DDB(Import|Export)\.py|ddbio \S+): error: \S", last), self.err
        for word in words:
            assert word in last

    def assert_one_line_error(self, code: int, *words: str) -> None:
        """The same, and that line is all it said."""
        self.assert_error(code, *words)
        assert (self.out, len(self.err.splitlines())) == ("", 1), self.err


@dataclass
class Running:
    """A command that runs; its streams go to files, so that nothing it says can block it."""

    process: subprocess.Popen[bytes]
    streams: Path
    began_s: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[int]:
        """The pids of its worker processes that have come up."""
        return [pid for pid in descendants(self.pid) if _text(pid, "cmdline").startswith("ddbio worker")]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def until(self, condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait until `condition` holds, while it runs."""
        wait_until(lambda: condition() or self.process.poll() is not None, timeout_s)
        assert self.process.poll() is None, f"it ended too early: {self._stream('err')}"

    def wait(self, timeout_s: float = TIMEOUT_S) -> Completed:
        code = self.process.wait(with_slack(timeout_s))
        return Completed(code, self._stream("out"), self._stream("err"), time.monotonic() - self.began_s)

    def _stream(self, name: str) -> str:
        return (self.streams / name).read_text()


Run = Callable[..., Completed]
Start = Callable[..., AbstractContextManager[Running]]


class Commands:
    """Runs the scripts in `folder` with `environment`."""

    def __init__(self, folder: Path, environment: dict[str, str], streams: Path) -> None:
        self._folder = folder
        self._environment = environment
        self._streams = streams
        self._number = 0

    def run(self, script: Path, *arguments: object, timeout_s: float = TIMEOUT_S, **options: Any) -> Completed:
        with self.start(script, *arguments, **options) as command:
            done = command.wait(timeout_s)
        assert self._left_behind() == [], "temporary files were left behind"
        return done

    def _left_behind(self) -> list[Path]:
        """All but empty folders: that of a killed command may stay for a minute (`ddbio.system.scratch`)."""
        found = Path(self._environment["TMPDIR"]).iterdir()
        return [path for path in found if path.is_file() or any(path.iterdir())]

    @contextmanager
    def start(self, script: Path, *arguments: object, **options: Any) -> Iterator[Running]:
        """options: further ones of Popen. Whatever becomes of the command, none of its processes survives this."""
        self._number += 1
        streams = self._streams / str(self._number)
        streams.mkdir()
        command = [sys.executable, str(script), *map(str, arguments)]
        with (streams / "out").open("wb") as out, (streams / "err").open("wb") as err:
            defaults: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
            process = subprocess.Popen(command, cwd=self._folder, env=self._environment, **{**defaults, **options})
        try:
            yield Running(process, streams)
        finally:
            left = descendants(process.pid)
            if process.poll() is None:
                process.kill()
            process.wait(10)
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def with_slack(seconds: float) -> float:
    """As long, times the processes that want each CPU: a busy machine is no fault of the command."""
    return seconds * max(1.0, os.getloadavg()[0] / usable_cpus())


def wait_until(condition: Callable[[], Any], timeout_s: float) -> None:
    """Wait until `condition` holds; fail after `timeout_s`, or later on a busy machine."""
    deadline_s = time.monotonic() + with_slack(timeout_s)
    while not condition():
        assert time.monotonic() < deadline_s, f"nothing of the kind happened within {timeout_s} s"
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """The pids of all processes below `pid`."""
    children = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if _text(int(folder.name), "stat").rpartition(")")[2].split()[1:2] == [str(pid)]
    ]
    return children + [below for child in children for below in descendants(child)]


def is_alive(pid: int) -> bool:
    return _text(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def _text(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def make_old(simulator: Simulator, table: str) -> None:
    """Let the table be an hour old: a command asks again for a minute whether a new one exists."""
    made = simulator.service.database.table(table)
    simulator.call(lambda: setattr(made, "created_s", made.created_s - 3600))


def assert_holds(simulator: Simulator, table: str, items: list[Item]) -> None:
    """The table has exactly these items."""
    assert contents(simulator.table(table).items()) == contents(items)
