"""The comparisons. Each case runs its contenders in turns and gives the rows of the table that follow from them.

The limits are the project's own: what a run must reach, and what it aims at.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.measure import measure
from bench.suite import ENVIRONMENT, Bar, Contender, Suite, Task, our, peer

Case = Callable[[Suite], Iterable[Bar]]
CASES: dict[str, Case] = {}
LATENCY = ("--latency", "10")
AWAKE = ("--awake",)  # for one worker: with two of them, the endpoint's CPU is one that they need
MB = 1_000_000


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def ratio(ours: Contender, theirs: Contender) -> float | None:
    return ours.against(theirs) if ours.runs and theirs.runs else None


@case
def import_small(suite: Suite) -> Iterable[Bar]:
    """Items of GenerateTestData, one worker, beside what people use today."""
    job, sink, count = "import, 167-byte items", suite.sink(*AWAKE), suite.amount(2_000_000)
    ours = suite.importer(job, sink, suite.lines("small", count), count, "-p", "1")
    few = suite.amount(40_000)
    source = suite.lines("small", few)
    writer = suite.import_peer(job, "boto3 batch_writer", "batch_writer", sink, source, few)
    alone = suite.without_core(ours)
    suite.take_turns(ours, alone, writer)
    singles = suite.amount(5_000)
    suite.once(
        suite.import_peer(job, "boto3 put_item", "put_item", sink, suite.lines("small", singles), singles),
        suite.import_peer(job, "botocore client, unvalidated", "client", sink, source, few),
        suite.import_peer(job, "awswrangler put_items", "wrangler", sink, suite.dicts(few), few),
    )
    yield Bar("import, 167-byte items, -p 1, against batch_writer", ratio(ours, writer), 35, 50)
    yield Bar("the same by the Python code alone", ratio(alone, writer), 12, 20)


@case
def library(suite: Suite) -> Iterable[Bar]:
    """Items of a program into a table and back, by one worker, against awswrangler."""
    sink, count, few = suite.sink(*AWAKE), suite.amount(400_000), suite.amount(20_000)
    source, less = suite.lines("small", count), suite.lines("small", few)
    frame = suite.program("put_items, of a frame", sink, "put_frame", source, count)
    put_df = suite.import_peer("put_items, of a frame", "awswrangler put_df", "wrangler_df", sink, less, few)
    suite.take_turns(frame, put_df)
    yield Bar("put_items of an Arrow table, against awswrangler's put_df", ratio(frame, put_df), 10, 15)
    ours = suite.program("put_items, of dicts", sink, "put", suite.dicts(count), count)
    theirs = suite.import_peer(
        "put_items, of dicts", "awswrangler put_items", "wrangler", sink, suite.dicts(few), few
    )
    suite.take_turns(ours, theirs)
    yield Bar("put_items of a list of dicts, against awswrangler's", ratio(ours, theirs), 10, 15)
    pages, fewer = 60, 20  # with fewer, the idle time that is deducted is most of it
    reading = suite.reader("scan", pages, "small")
    read = suite.export_peer("scan", "awswrangler read_items", "wrangler_read", fewer, "small")
    suite.take_turns(reading, read)
    yield Bar("scan to a list of dicts, against awswrangler's read_items", ratio(reading, read), 10, 15)


@case
def import_tls(suite: Suite) -> Iterable[Bar]:
    """The same over TLS 1.3."""
    job, sink, count = "import over TLS 1.3", suite.sink(*AWAKE, tls=True), suite.amount(2_000_000)
    ours = suite.importer(job, sink, suite.lines("small", count), count, "-p", "1")
    few = suite.amount(40_000)
    source = suite.lines("small", few)
    writer = suite.import_peer(job, "boto3 batch_writer", "batch_writer", sink, source, few)
    suite.take_turns(ours, writer)
    yield Bar("the same over TLS 1.3", ratio(ours, writer), 15, 22)


@case
def import_capped(suite: Suite) -> Iterable[Bar]:
    """What governing costs, at the same rate with it and without: 10 ms a request, and a cap just above that.

    A cap that holds a job back makes its processes sleep between requests, and to wake them costs something, too.
    """
    job, sink, count = "import at 10 ms, -c 100000", suite.sink(*LATENCY), suite.amount(600_000)
    source = suite.lines("small", count)
    capped = suite.importer(job, sink, source, count, "-p", "1", "-c", "100000")
    free = suite.importer("import at 10 ms, no cap", sink, source, count, "-p", "1")
    suite.take_turns(capped, free, rounds=suite.rounds + 2)
    more = 1 / capped.against(free) - 1
    yield Bar("import with the cap on, against no cap: CPU", 100 * more, 5, 2, "% more", at_most=True)
    held = suite.importer("import, held at 100,000/s, -p 2", suite.sink(), source, count, "-p", "2", "-c", "100000")
    suite.take_turns(held, rounds=1)


@case
def import_nested(suite: Suite) -> Iterable[Bar]:
    """Items of nested maps, lists, a set and decimals."""
    job, sink, count = "import, nested 1 KB items", suite.sink(*AWAKE), suite.amount(150_000)
    ours = suite.importer(job, sink, suite.lines("nested", count), count, "-p", "1")
    few = suite.amount(6_000)
    writer = suite.import_peer(job, "boto3 batch_writer", "batch_writer", sink, suite.lines("nested", few), few)
    alone = suite.without_core(ours)
    suite.take_turns(ours, alone, writer)
    yield Bar("import of nested 1 KB items, against batch_writer", ratio(ours, writer), 60, 90)
    yield Bar("the same by the Python code alone", ratio(alone, writer), 8, 12)


@case
def import_compiled(suite: Suite) -> Iterable[Bar]:
    """Beside a plain Rust program with the AWS SDK, and a careful Go program that signs by itself."""
    for shape, many, few, what in (
        ("small", 1_000_000, 400_000, "167-byte items"),
        ("nested", 150_000, 60_000, "nested 1 KB items"),
    ):
        job, sink = f"import beside compiled programs, {what}", suite.sink(*AWAKE)
        count, fewer = suite.amount(many), suite.amount(few)
        ours = suite.importer(job, sink, suite.lines(shape, count), count, "-p", "1")
        theirs = [
            suite.compiled_peer(job, name, program, sink, suite.lines(shape, fewer), fewer)
            for name, program in (("Rust, AWS SDK", "rust_sdk"), ("Go, fasthttp", "go_fasthttp"))
        ]
        suite.take_turns(ours, *theirs)
        for each, must, aim in zip(theirs, (1.5, 0.8), (2.0, 1.0), strict=True):
            yield Bar(f"import of {what}, against {each.name}", ratio(ours, each), must, aim)


@case
def import_csv(suite: Suite) -> Iterable[Bar]:
    """The loaders' dataset, against a CSV loader of threads."""
    job, sink, count = "import, csv", suite.sink("--keys", "id", *AWAKE), suite.amount(1_000_000)
    few = suite.amount(20_000)
    theirs = suite.import_peer(job, "threaded CSV loader", "csv_threads", sink, suite.rows(few), few)
    rows = suite.rows(count)
    ours = suite.importer(job, sink, rows, count, "-p", "1", "--format", "csv")
    suite.take_turns(ours, theirs)
    suite.once(suite.import_peer(job, "dynamodb-csv", "dynamodb_csv", sink, suite.rows(few), few))
    yield Bar("import of csv, against the threaded loader", ratio(ours, theirs), 30, 45)


@case
def export_json(suite: Suite) -> Iterable[Bar]:
    """170-byte items to plain JSON lines and to DynamoDB JSON."""
    pages, few = suite.amount(600), 10
    sink = suite.sink("--pages", str(pages))
    plain = suite.exporter("export, json", sink, pages, "small", "-p", "1")
    typed = suite.exporter("export, dynamodb-json", sink, pages, "small", "-p", "1", "--format", "dynamodb-json")
    scan = suite.export_peer("export, json", "boto3 scan + json.dumps", "scan", few, "small")
    suite.take_turns(plain, typed, scan)
    suite.once(suite.export_peer("export, dynamodb-json", "dynamodump", "dump", few, "small"))
    yield Bar("export json, 170-byte items, against boto3 scan + json.dumps", ratio(plain, scan), 30, 45)
    yield Bar("export dynamodb-json, against the same", ratio(typed, scan), 60, 80)


@case
def export_large(suite: Suite) -> Iterable[Bar]:
    """Items of 200 KB, the predecessors' case: documents; and nothing but long texts."""
    documents = "export of 200 KB items, documents, MB per CPU-second, against boto3"
    for shape, pages, few, what, must, aim in (
        ("document", 600, 60, documents, 20, 30),
        ("texts", 3000, 200, "the same, items that are 20 texts of 10 KB", 3, 5),
    ):
        job, full = f"export, 200 KB, {shape}", suite.amount(pages)
        ours = suite.exporter(job, suite.sink("--shape", shape, "--pages", str(full)), full, shape, "-p", "1")
        scan = suite.export_peer(job, "boto3 scan + json.dumps", "scan", suite.amount(few), shape)
        suite.take_turns(ours, scan)
        yield Bar(what, ratio(ours, scan), must, aim)


@case
def copy(suite: Suite) -> Iterable[Bar]:
    """170-byte items from table to table, beside an export that is piped into an import."""
    job, pages = "copy, 170-byte items", suite.amount(200)
    source, target = suite.sink("--pages", str(pages)), suite.sink()
    ours, piped = suite.copier(job, source, target, pages), suite.pipe(job, source, target, pages)
    suite.take_turns(ours, piped)
    yield Bar("copy against export -d - | import -s -: items per CPU-second", ours.against(piped), 2, 4)
    pairs = zip(ours.runs, piped.runs, strict=True)
    yield Bar("the same: items per second", statistics.median(b.wall_s / a.wall_s for a, b in pairs), 1, 2)


@case
def latency(suite: Suite) -> Iterable[Bar]:
    """10 ms a request: two workers against one, with lanes so few that nothing is busy; one worker at its best."""
    sink, count = suite.sink(*LATENCY), suite.amount(600_000)
    source = suite.lines("small", count)
    one = suite.importer("import at 10 ms, 16 lanes, -p 1", sink, source, count, "-p", "1", "--lanes", "16")
    two = suite.importer("import at 10 ms, 16 lanes, -p 2", sink, source, count, "-p", "2", "--lanes", "16")
    alone = suite.importer("import at 10 ms, -p 1", sink, source, count, "-p", "1")
    suite.take_turns(one, two, alone)
    pairs = zip(one.writes_per_s(), two.writes_per_s(), strict=True)
    yield Bar("throughput -p 2 against -p 1, 10 ms a request", statistics.median(b / a for a, b in pairs), 1.9, 1.97)
    best = statistics.median(alone.writes_per_s())
    yield Bar("one worker at 10 ms a request, no cap", best, 40_000, 100_000, "items/s")


@case
def long_job(suite: Suite) -> Iterable[Bar]:
    """Ten times the items in the memory of one; and the parent's part in a job of that length."""
    sink, count = suite.sink(), suite.amount(1_000_000)
    source = suite.lines("small", count)
    folder = suite.folder / "ten"
    folder.mkdir()
    for number in range(10):
        os.link(source, folder / f"{number}.json")
    one = suite.importer("import, -p 2, 1 M", sink, source, count, "-p", "2")
    ten = suite.importer("import, -p 2, 10 M", sink, folder, 10 * count, "-p", "2")
    suite.take_turns(one, ten, rounds=1)
    small, big = one.runs[0].worker_peak_bytes, ten.runs[0].worker_peak_bytes
    yield Bar("memory per worker, 10 M items against 1 M", big / small, 1.1, 1.1, at_most=True)
    yield Bar("memory per worker, 10 M items", big / MB, 100, 60, "MB", at_most=True)
    share = 100 * ten.runs[0].parent_cpu_s / ten.runs[0].cpu_s
    yield Bar("parent's share of the tree's CPU, -p 2, 10 M items", share, 8, 4, "%", at_most=True)


@case
def start(suite: Suite) -> Iterable[Bar]:
    """Start times."""
    rounds = suite.rounds * 2 + 1
    helped = [measure([*our("DDBImport.py"), "--help"], ENVIRONMENT, suite.folder).wall_s for _ in range(rounds)]
    yield Bar("--help", statistics.median(helped), 0.15, 0.08, "s", at_most=True)
    ours = suite.importer("import of 1,000 items", suite.sink(), suite.lines("small", 1000), 1000, "-p", "2")
    suite.take_turns(ours, rounds=rounds)
    thousand = suite.lines("small", 1000)
    writer = suite.import_peer(
        "import of 1,000 items", "boto3 batch_writer", "batch_writer", suite.sink(), thousand, 1000
    )
    writer.idle = None  # its start counts
    default = suite.importer("import of 1,000 items, no -p", suite.sink(), thousand, 1000)
    suite.take_turns(default, writer, rounds=rounds)
    if writer.runs:
        pairs = zip(default.runs, writer.runs, strict=True)
        ratios = [mine.cpu_s / theirs.cpu_s for mine, theirs in pairs]
        yield Bar(
            "1,000 items, whole process, CPU, against batch_writer", statistics.median(ratios), 1, 0.7, at_most=True
        )
    firsts = [counted["first_write_at_s"] - run.began_s for counted, run in zip(ours.sinks, ours.runs, strict=True)]
    yield Bar("first request on the wire", statistics.median(firsts), 1, 0.5, "s", at_most=True)


@case
def generator(suite: Suite) -> Iterable[Bar]:
    """GenerateTestData against a loop of uuid4 and `%`."""
    job, many, few = "test data", suite.amount(1_000_000), suite.amount(200_000)
    target = suite.folder / "generated.json"

    def words(program: list[str], count: int) -> Task:
        return Task(lambda: [*program, *(("-c", str(count), "-f", str(target)) if count else ())])

    ours = Contender(job, "ddbio", words(our("GenerateTestData.py"), many), many, 167 * many)
    loops = [Task(lambda count=count: [*peer("generate", str(target)), str(count)]) for count in (few, 0)]
    theirs = Contender(job, "uuid4 and %", loops[0], few, 167 * few, loops[1])
    theirs.missing = suite.missing.get("boto3", "")
    suite.contenders += [ours, theirs]
    suite.take_turns(ours, theirs)
    yield Bar("GenerateTestData against a loop of uuid4 and %", ratio(ours, theirs), 5, 10)


def chosen(names: Iterable[str]) -> list[Case]:
    return [CASES[name] for name in names] or list(CASES.values())


def scratch_folder() -> Path | None:
    """Memory rather than a disk, where there is plenty: it is CPU that is measured."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return None
    free = os.statvfs(shared)
    return shared if free.f_bavail * free.f_frsize > 6_000 * MB else None
