"""The workshop of the suite: endpoints, data, contenders, and what was measured of them."""

from __future__ import annotations

import json
import marshal
import os
import shlex
import shutil
import ssl
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from bench import compiled, environment, shapes
from bench.certificates import CA_FILE
from bench.measure import ROOT, CommandError, Run, measure

PEERS = ROOT / "bench" / "peers"
_FOREIGN = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHONPATH")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)},
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Sink:
    """`bench.sink` in a process of its own."""

    def __init__(self, options: Sequence[str], tls_folder: Path | None = None) -> None:
        words = [sys.executable, "-m", "bench.sink", *options]
        words += ["--tls", str(tls_folder)] if tls_folder else []
        environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the endpoint did not start")
        ca = str(tls_folder / CA_FILE) if tls_folder else None
        self._context = ssl.create_default_context(cafile=ca) if ca else None
        self.environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.url, **({"AWS_CA_BUNDLE": ca} if ca else {})}

    def counts(self, path: str = "/") -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, context=self._context, timeout=30) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True)
class Task:
    """A command, and the endpoint it talks to; made anew for each run, for an output must not be there yet."""

    command: Callable[[], Sequence[str]]
    sink: Sink | None = None

    def run(self, folder: Path) -> Run:
        return measure(self.command(), self.sink.environment if self.sink else ENVIRONMENT, folder)


@dataclass
class Contender:
    """Who does a job, and its runs.

    items, size_bytes: what one run moves.
    idle: the same over nothing. What that costs is deducted for peers, whose runs are short; it is left in for this
        project.
    sinks: what the endpoint counted in each run.
    """

    job: str
    name: str
    task: Task
    items: int
    size_bytes: int
    idle: Task | None = None
    missing: str = ""
    start_cpu_s: float = 0.0
    runs: list[Run] = field(default_factory=list)
    sinks: list[dict[str, Any]] = field(default_factory=list)

    def run(self, folder: Path) -> None:
        if self.idle is not None and not self.runs:
            self.start_cpu_s = self.idle.run(folder).cpu_s
        sink = self.task.sink
        if sink is None:
            self.runs.append(self.task.run(folder))
            return
        sink.counts("/reset")
        self.runs.append(self.task.run(folder))
        self.sinks.append(sink.counts())
        if not self._did_it(self.sinks[-1]):
            raise CommandError(f"{self.name} did not move {self.items:,} items: {self.sinks[-1]}")

    def _did_it(self, counted: dict[str, Any]) -> bool:
        return self.items in (counted["puts"], counted["scanned"])

    def cpu_s(self) -> list[float]:
        return [run.cpu_s - self.start_cpu_s for run in self.runs]

    def items_per_cpu_s(self) -> float:
        return self.items / statistics.median(self.cpu_s())

    def writes_per_s(self) -> list[float]:
        """Items per second of each run, from the first put that reached the endpoint to the last."""
        return [each["puts"] / (each["last_write_at_s"] - each["first_write_at_s"]) for each in self.sinks]

    def against(self, other: Contender) -> float:
        """How many times as much a CPU-second moves; the median over the rounds, which were run in turns."""
        pairs = zip(self.cpu_s(), other.cpu_s(), strict=False)
        ratios = [(self.items / ours) / (other.items / theirs) for ours, theirs in pairs]
        return statistics.median(ratios)

    def figures(self) -> dict[str, Any]:
        wall_s = statistics.median(run.wall_s for run in self.runs)
        cpu_s = statistics.median(self.cpu_s())
        return {
            "job": self.job,
            "name": self.name,
            "items": self.items,
            "runs": len(self.runs),
            "items_per_cpu_s": self.items / cpu_s,
            "cpu_s_per_million_items": cpu_s / self.items * 1e6,
            "mb_per_cpu_s": self.size_bytes / cpu_s / 1e6,
            "items_per_s": self.items / wall_s,
            "mb_per_s": self.size_bytes / wall_s / 1e6,
            "start_cpu_s": self.start_cpu_s,
            "peak_process_bytes": max(max(run.peak_bytes.values(), default=0) for run in self.runs),
            "peak_total_bytes": max(run.peak_total_bytes for run in self.runs),
            "each_cpu_s": [round(each, 3) for each in self.cpu_s()],
        }


@dataclass(frozen=True)
class Bar:
    """One row of the table: what is measured, and what it must be. value: None where it could not be measured."""

    what: str
    value: float | None
    must: float
    aim: float
    unit: str = "×"
    at_most: bool = False
    note: str = ""

    def reaches(self, limit: float) -> bool:
        return self.value is not None and (self.value <= limit if self.at_most else self.value >= limit)

    def verdict(self) -> str:
        if self.value is None:
            return "missing"
        return "aim" if self.reaches(self.aim) else "must" if self.reaches(self.must) else "MISSED"


class Suite:
    """What the cases work with. rounds: of each comparison. share: of the full amounts that are moved."""

    def __init__(self, folder: Path, *, rounds: int, share: float, everyone: bool = True) -> None:
        self.folder = folder
        self.rounds = rounds
        self.share = share
        self._everyone = everyone
        self._sinks: dict[tuple[str, ...], Sink] = {}
        self._stack = ExitStack()
        self._outputs = 0
        self._builds: dict[str, str] = {}  # by program: why it could not be built
        self.contenders: list[Contender] = []

    @cached_property
    def missing(self) -> dict[str, str]:
        print("preparing the peers' environment ...", flush=True)
        return environment.prepare()

    def close(self) -> None:
        """Stop the endpoints: one that stays awake would take a CPU from whatever comes next."""
        self._stack.close()
        self._sinks.clear()

    def sink(self, *options: str, tls: bool = False) -> Sink:
        key = (*options, str(tls))
        if key not in self._sinks:
            self._sinks[key] = sink = Sink(options, self.folder / "tls" if tls else None)
            self._stack.callback(sink.stop)
        return self._sinks[key]

    # -- data

    def amount(self, full: int) -> int:
        return int(full * self.share)

    def lines(self, shape: str, count: int) -> Path:
        """A file of so many items."""
        path = self.folder / f"{shape}-{count}.json"
        if not path.exists() and shape == "small":
            self._generate(path, count)
        elif not path.exists():
            with path.open("w") as out:
                out.writelines(json.dumps(item) + "\n" for item in shapes.items(shape, count))
        return path

    def dicts(self, count: int) -> Path:
        """A file with this number of items, as a list of dicts that a program loads quickly."""
        path = self.folder / f"dicts-{count}.marshal"
        if not path.exists():
            with self.lines("small", count).open() as lines:
                path.write_bytes(marshal.dumps([json.loads(line) for line in lines]))
        return path

    def rows(self, count: int) -> Path:
        """A CSV file of the loaders' columns."""
        path = self.folder / f"loader-{count}.csv"
        if not path.exists():
            self._generate(path, count, "--dataset", "loader")
        return path

    def _generate(self, path: Path, count: int, *options: str) -> None:
        if count == 0:
            with path.open("wb") as out:
                out.writelines(islice(self.rows(1).open("rb"), 1) if path.suffix == ".csv" else [])
            return
        words = [*our("GenerateTestData.py"), "-c", str(count), "-f", str(path), "--seed", "7", *options]
        subprocess.run(words, check=True, env=ENVIRONMENT, capture_output=True)

    def output(self) -> str:
        """A folder that is not there yet."""
        self._outputs += 1
        return str(self.folder / f"out-{self._outputs}")

    def _remove_outputs(self) -> None:
        for each in self.folder.glob("out-*"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    # -- contenders

    def importer(self, job: str, sink: Sink, source: Path, items: int, *options: str) -> Contender:
        command = [*our("DDBImport.py"), "-t", "Orders", "-s", str(source), *options]
        size = sum(each.stat().st_size for each in (source.iterdir() if source.is_dir() else [source]))
        return self._enter(Contender(job, "ddbio", Task(lambda: command, sink), items, size))

    def without_core(self, contender: Contender) -> Contender:
        """The same by the Python code alone."""
        command = contender.task.command
        task = replace(contender.task, command=lambda: ["env", "DDBIO_NATIVE=0", *command()])
        return self._enter(
            Contender(contender.job, "ddbio, Python alone", task, contender.items, contender.size_bytes)
        )

    def exporter(self, job: str, sink: Sink, pages: int, shape: str, *options: str) -> Contender:
        task = Task(lambda: [*our("DDBExport.py"), "-t", "Orders", "-d", self.output(), *options], sink)
        return self._enter(Contender(job, "ddbio", task, pages * shapes.PAGE_ITEMS[shape], pages << 20))

    def copier(self, job: str, source: Sink, target: Sink, pages: int, *options: str) -> Contender:
        """Two endpoints, each with a table of that name."""
        tables = ["-t", "Orders", "--endpoint-url", source.url, "--to", "Orders", "--to-endpoint-url", target.url]
        command = [sys.executable, "-m", "ddbio", "copy", *tables, "--fresh", *options]
        return self._enter(Contender(job, "ddbio copy", Task(lambda: command, target), *_amount("small", pages)))

    def pipe(self, job: str, source: Sink, target: Sink, pages: int) -> Contender:
        exporting = [*our("DDBExport.py"), "-t", "Orders", "--endpoint-url", source.url, "-d", "-"]
        importing = [*our("DDBImport.py"), "-t", "Orders", "-s", "-"]
        command = ["sh", "-c", f"{shlex.join(exporting)} | {shlex.join(importing)}"]
        return self._enter(Contender(job, "export | import", Task(lambda: command, target), *_amount("small", pages)))

    def program(self, job: str, sink: Sink, name: str, source: Path, items: int) -> Contender:
        """A program of `bench/programs` that writes the items of a file."""
        task, idle = (
            Task(lambda path=path: [*our(f"bench/programs/{name}.py"), str(path)], sink)
            for path in (source, self._nothing(source))
        )
        return self._enter(Contender(job, "ddbio", task, items, source.stat().st_size, idle))

    def reader(self, job: str, pages: int, shape: str) -> Contender:
        """A program that reads all items."""
        task, idle = (
            Task(lambda: our("bench/programs/read.py"), self._scanned(shape, count)) for count in (pages, 0)
        )
        return self._enter(Contender(job, "ddbio", task, pages * shapes.PAGE_ITEMS[shape], pages << 20, idle))

    def _scanned(self, shape: str, pages: int) -> Sink:
        return self.sink("--shape", shape, "--pages", str(pages))

    def import_peer(self, job: str, name: str, script: str, sink: Sink, source: Path, items: int) -> Contender:
        places = (source, self._nothing(source))
        task, idle = (Task(lambda path=path: peer(script, str(path)), sink) for path in places)
        return self._peer(script, Contender(job, name, task, items, source.stat().st_size, idle))

    def compiled_peer(self, job: str, name: str, program: str, sink: Sink, source: Path, items: int) -> Contender:
        """A program in another language, of `bench/peers/PROGRAM`."""
        places = (source, self._nothing(source))
        task, idle = (Task(lambda path=path: [str(compiled.binary(program)), str(path)], sink) for path in places)
        size = source.stat().st_size
        return self._enter(Contender(job, name, task, items, size, idle, missing=self._not_built(program)))

    def _not_built(self, program: str) -> str:
        if program not in self._builds:
            print(f"building {program} ...", flush=True)
            self._builds[program] = compiled.build(program)
        return self._builds[program]

    def _nothing(self, source: Path) -> Path:
        """A file like the source, without items."""
        if source.suffix == ".marshal":
            return self.dicts(0)
        return self.rows(0) if source.suffix == ".csv" else self.lines("small", 0)

    def export_peer(self, job: str, name: str, script: str, pages: int, shape: str) -> Contender:
        task, idle = (Task(lambda: peer(script, self.output()), self._scanned(shape, count)) for count in (pages, 0))
        items = pages * shapes.PAGE_ITEMS[shape]
        return self._peer(script, Contender(job, name, task, items, pages << 20, idle))

    def _peer(self, script: str, contender: Contender) -> Contender:
        contender.missing = self.missing.get(PACKAGE_OF.get(script, "boto3"), "")
        return self._enter(contender)

    def _enter(self, contender: Contender) -> Contender:
        self.contenders.append(contender)
        return contender

    def take_turns(self, *contenders: Contender, rounds: int | None = None) -> None:
        """Run them one after the other, round after round, so that what happens on the machine meets them all."""
        for _ in range(rounds or self.rounds):
            for each in contenders:
                if each.missing:
                    continue
                try:
                    each.run(self.folder)
                except CommandError as error:
                    if each.idle is None:
                        raise
                    each.missing, each.runs = f"failed: {str(error).splitlines()[-1]}", []
                    print(f"  {each.job}: {each.name}: {each.missing}", flush=True)
                    continue
                print(f"  {each.job}: {each.name}: {each.runs[-1].cpu_s:.2f} CPU-s", flush=True)
                self._remove_outputs()

    def once(self, *contenders: Contender) -> None:
        """Those that no bar is measured against."""
        if self._everyone:
            self.take_turns(*contenders, rounds=1)


PACKAGE_OF = {
    "wrangler": "awswrangler",
    "wrangler_read": "awswrangler",
    "wrangler_df": "awswrangler",
    "dynamodb_csv": "dynamodb-csv",
    "dump": "dynamodump",
}


def _amount(shape: str, pages: int) -> tuple[int, int]:
    """The number of items and of bytes in pages of this shape, of 1 MiB each."""
    return pages * shapes.PAGE_ITEMS[shape], pages << 20


def our(program: str) -> list[str]:
    return [sys.executable, str(ROOT / program)]


def peer(script: str, argument: str) -> list[str]:
    return [str(environment.PYTHON), str(PEERS / f"{script}.py"), argument]
