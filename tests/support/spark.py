"""A Spark of its own version, in a process that keeps one session for many tests.

    with spark_shell("4.1.4", environment, folder) as shell:
        assert shell.run("answer = spark.range(5).count()") == 5

The sources of pyspark on PyPI have all of Spark; they are unpacked and used as they are, without an installation.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.endpoints.dynamodb import find_java
from tests.endpoints.packages import cached
from tests.support.commands import CHECKOUT, descendants, with_slack

SCALA = {"3": "2.12", "4": "2.13"}
FETCH_S = 400.0  # 450 MB
CLUSTER = "local-cluster[2,1,1024]"  # two executors with a core and 1,024 MB each, in JVMs of their own
_UNPACK = """
set -eu
cd "$1"
"$2" -m pip download --quiet --no-deps --no-binary :all: --disable-pip-version-check --dest download "pyspark==$3"
tar -xzf download/*.tar.gz --strip-components 1
rm -r download
"""
_PROGRAM = """
import json, os, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
answers, names = os.fdopen(int(sys.argv[1]), "w"), {"spark": spark}
for line in sys.stdin:
    try:
        exec(json.loads(line), names)
        answer = [True, names.pop("answer", None)]
    except BaseException as error:
        answer = [False, f"{type(error).__name__}: {error}"]
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
spark.stop()
"""


def spark_environment(version: str) -> dict[str, str]:
    """The variables with which this Python finds Spark. Raises Unavailable."""
    find_java()
    fill = ["sh", "-c", _UNPACK, "unpack"]
    folder = cached(f"spark-{version}", lambda place: [*fill, str(place), sys.executable, version], FETCH_S)
    (py4j,) = folder.glob("lib/py4j-*.zip")
    return {
        "SPARK_HOME": str(folder / "deps"),
        "SPARK_SCALA_VERSION": SCALA[version[0]],
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(map(str, (folder, py4j, CHECKOUT))),
        "PYSPARK_PYTHON": sys.executable,
    }


def submit_arguments(master: str, folder: Path) -> list[str]:
    """Of spark-submit, for a small machine that nobody else may reach."""
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "800m",
        "spark.ui.port": "0",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.python.filterPushdown.enabled": "true",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.task.maxFailures": "8",
    }
    return ["--master", master, *(word for each in settings.items() for word in ("--conf", "=".join(each)))]


class SparkShell:
    """A Python with a session, `spark`. Its names are kept from one text to the next."""

    def __init__(self, process: subprocess.Popen[bytes], answers: Any, log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._answers = answers
        self.log = log

    def run(self, text: str) -> Any:
        """Run a text of Python; returns what it named `answer`, as JSON has it. Its exception fails the test."""
        self.begin(text)
        return self.end()

    def begin(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(text).encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        line = self._answers.readline()
        assert line, f"Spark ended:\n{self.log.read_text()[-4000:]}"
        succeeded, answer = json.loads(line)
        assert succeeded, answer
        return answer

    def fails(self, text: str) -> str:
        """The exception of a text of Python, with its class."""
        self.begin(text)
        succeeded, answer = json.loads(self._answers.readline())
        assert not succeeded, answer
        return str(answer)

    def executors(self) -> list[int]:
        """The pids of the JVMs of a cluster's executors."""
        return [pid for pid in descendants(self.pid) if "CoarseGrainedExecutorBackend" in _command(pid)]

    def seats(self) -> list[int]:
        """The pids of the Python processes that work for executors: the children of their daemons."""
        found = []
        for executor in self.executors():
            below = descendants(executor)
            found += [pid for pid in below if "pyspark.daemon" in _command(pid) and _parent(pid) in below]
        return found


@contextmanager
def spark_shell(version: str, environment: dict[str, str], folder: Path) -> Iterator[SparkShell]:
    """A session, until the end of the block; none of its processes survives it. Raises Unavailable."""
    added = spark_environment(version)
    submit = " ".join(f"'{word}'" if "[" in word else word for word in submit_arguments(CLUSTER, folder))
    ours, theirs = os.pipe()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs)],
            cwd=folder,
            env={**environment, **added, "PYSPARK_SUBMIT_ARGS": f"{submit} pyspark-shell"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[theirs],
        )
    os.close(theirs)
    try:
        with os.fdopen(ours) as answers:
            yield SparkShell(process, answers, log)
    finally:
        left = descendants(process.pid)
        process.kill()
        process.communicate(timeout=with_slack(10))
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
