"""Spark: DataFrames of tables, and verbs worked by the tasks of a cluster. One session for all tests of a version."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import ddbio
from ddbio.simulator import Simulator
from tests.endpoints import Unavailable
from tests.endpoints.model import SECRET_KEY
from tests.support.commands import EXPORT, descendants, wait_until, with_slack
from tests.support.environment import AWS_ENVIRONMENT, missing
from tests.support.spark import SparkShell, spark_environment, spark_shell, submit_arguments

NEWEST, OLDEST = "4.1.4", "3.5.9"
pytestmark = [pytest.mark.fuller, pytest.mark.timeout(900)]

ITEMS = 60_000
ODD: dict[str, Any] = {"tags": {"a", "b"}, "sizes": {1, 2}, "part": {"x": [1, {"y": b"1"}]}, "raw": b"\x00\xff"}


@pytest.fixture(scope="module")
def cluster_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        **AWS_ENVIRONMENT,
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LANG": "C.UTF-8",
        "DDBIO_STATE_DIR": str(tmp_path_factory.mktemp("state")),
    }


@pytest.fixture(scope="module")
def dynamodb(cluster_environment: dict[str, str]) -> Iterator[Simulator]:
    """`Orders` has items of all types, `Many` has `ITEMS` small ones."""
    with Simulator() as simulator, pytest.MonkeyPatch.context() as patch:
        cluster_environment["AWS_ENDPOINT_URL_DYNAMODB"] = simulator.url
        for name, value in cluster_environment.items():
            patch.setenv(name, value)
        for name in ("Orders", "Many", "Copy", "Dear", "Imported", "Capped"):
            simulator.create_table(name, "id:S")
        ddbio.put_items("Orders", orders(), processes=1)
        ddbio.put_items("Many", ({"id": f"{n:06}", "n": n} for n in range(ITEMS)), processes=1)
        yield simulator


def orders() -> list[dict[str, Any]]:
    return [
        {"id": f"{n}", "price": Decimal(n) / 4, "n": n, "even": n % 2 == 0, "mixed": "x" if n % 2 else 5, **ODD}
        for n in range(2000)
    ]


def open_shell(version: str, environment: dict[str, str], folder: Path) -> Iterator[SparkShell]:
    try:
        with spark_shell(version, environment, folder) as shell:
            shell.run("import ddbio, ddbio.spark\nfrom ddbio.spark import run_spark")
            yield shell
    except Unavailable as reason:
        missing(f"Spark {version}", reason)


@pytest.fixture(scope="module")
def spark(
    dynamodb: Simulator, cluster_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkShell]:
    for shell in open_shell(NEWEST, cluster_environment, tmp_path_factory.mktemp("spark")):
        shell.run("from ddbio.spark import DynamoDB; spark.dataSource.register(DynamoDB)")
        yield shell


def scanned(table: str) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in ddbio.scan(table, processes=1)}


def ids_in(folder: Path) -> list[str]:
    lines = [line for path in folder.glob("*-*.json") for line in path.read_text().splitlines()]
    return [json.loads(line)["id"] for line in lines]


def manifest_items(folder: Path) -> int:
    return int(json.loads((folder / "_manifest.json").read_text())["items"])


# --------------------------------------------------------------------------- DataFrames


def test_types_survive_a_dataframe(dynamodb: Simulator, spark: SparkShell) -> None:
    types = spark.run("df = ddbio.spark.read(spark, 'Orders'); answer = df.dtypes")
    assert dict(types) == {
        "id": "string",
        "price": "decimal(38,4)",
        "n": "bigint",
        "even": "boolean",
        "mixed": "string",
        "tags": "array<string>",
        "sizes": "array<bigint>",
        "part": "string",
        "raw": "binary",
    }
    written = spark.run(
        "done = ddbio.spark.write(df.where('n < 500'), 'Copy'); answer = [done.tally.written, done.tally.rejected]"
    )
    assert written == [500, 0]
    expected = {item["id"]: item for item in orders() if item["n"] < 500}
    for item in expected.values():
        if not item["n"] % 2:
            item["mixed"] = 5
    assert scanned("Copy") == expected


def test_the_data_source_pushes_filters_down_and_fails_a_job_for_rejected_rows(
    dynamodb: Simulator, spark: SparkShell
) -> None:
    spark.run(
        "def source(**more): return spark.read.format('dynamodb').options(partitions=2, **more)\n"
        "def sink(df, **more): df.write.format('dynamodb').options(tasks=2, **more).mode('append').save()"
    )
    before = dynamodb.requests()["Scan"]
    assert spark.run(
        "some = source(pushdown='true').schema('id string, price decimal(10,2)').load('Orders')\n"
        "answer = sorted(row.id for row in some.where(\"price >= 499.5 and id > '1'\").collect())"
    ) == ["1998", "1999"]
    assert dynamodb.requests()["Scan"] > before
    spark.run("sink(source().load('Orders').where('price > 450'), table='Dear')")
    assert scanned("Dear") == {item["id"]: item for item in orders() if item["price"] > 450}
    rejected = spark.fails("sink(spark.createDataFrame([('', 1), ('new', 2)], ['id', 'n']), table='Dear')")
    assert "1 row was rejected, and all others are written" in rejected
    assert "new" in scanned("Dear")


def test_tasks_share_a_cap_and_mistakes_are_named(dynamodb: Simulator, spark: SparkShell) -> None:
    written, seconds = spark.run(
        "import time; few = ddbio.spark.read(spark, 'Many', capacity=400).limit(900); began = time.monotonic()\n"
        "done = ddbio.spark.write(few, 'Capped', capacity=150)\n"
        "answer = [done.tally.written, time.monotonic() - began]"
    )
    assert written == 900 and seconds >= 900 / 150 - 1.5  # what may be saved up before is less
    for wrong, message in (
        ("ddbio.spark.read(spark, 'Nothing')", 'table "Nothing" in us-east-1 does not exist'),
        ("ddbio.spark.read(spark, 'Orders', limit=3)", "UsageError: there is no option 'limit' here"),
        ("ddbio.spark.write(spark.range(2).toDF('n'), 'Copy')", "UsageError: no column is called 'id'"),
        ("spark.range(2).write.format('dynamodb').mode('overwrite').save('Copy')", "a table is not overwritten"),
        (
            "spark.range(2).selectExpr('string(id)').write.format('dynamodb').option('capacity', 5).mode('append')"
            ".save('Copy')",
            "nobody said how many",
        ),
    ):
        assert message in spark.fails(wrong)


# --------------------------------------------------------------------------- verbs on a cluster


def begin_export(spark: SparkShell, out: Path, *more: str) -> None:
    options = ", ".join(["table='Many'", f"destination={str(out)!r}", "segments=40", *more])
    spark.begin(
        f"done = ddbio.export_table(ddbio.ExportOptions({options}), engine=run_spark(spark, shares_disk=True))\n"
        "answer = done.tally.written"
    )


def kill_one(pids: Callable[[], list[int]], dynamodb: Simulator, operation: str) -> None:
    """One of the processes, in the middle of the work."""
    before = dynamodb.requests().get(operation, 0)
    wait_until(lambda: dynamodb.requests().get(operation, 0) >= before + 4 and pids(), 90)
    os.kill(pids()[0], signal.SIGKILL)


def test_an_export_loses_and_repeats_nothing_if_a_python_worker_is_killed(
    dynamodb: Simulator, spark: SparkShell, tmp_path: Path
) -> None:
    begin_export(spark, tmp_path / "out", "capacity=60")
    kill_one(spark.seats, dynamodb, "Scan")
    assert spark.end() == ITEMS
    found = ids_in(tmp_path / "out")
    assert len(found) == len(set(found)) == manifest_items(tmp_path / "out") == ITEMS


def test_an_import_loses_nothing_if_an_executor_is_killed(
    dynamodb: Simulator, spark: SparkShell, tmp_path: Path
) -> None:
    source = tmp_path / "items.json"
    source.write_text("".join(json.dumps({"id": f"{n:05}", "n": n}) + "\n" for n in range(20_000)))
    options = f"table='Imported', sources=[{str(source)!r}], capacity=4000"
    spark.begin(
        f"done = ddbio.import_table(ddbio.ImportOptions({options}), engine=run_spark(spark, shares_disk=True))\n"
        "answer = done.tally.written"
    )
    kill_one(spark.executors, dynamodb, "BatchWriteItem")
    assert spark.end() >= 20_000
    assert len(dynamodb.table("Imported").items()) == 20_000


@contextmanager
def kept_engine(spark: SparkShell, **more: object) -> Iterator[None]:
    """`engine`, whose tasks stay until the end of the block, so that a test can look at them after the work."""
    spark.run(f"engine = run_spark(spark, shares_disk=True, **{more!r}).__enter__()")
    try:
        yield
    finally:
        spark.run("engine.__exit__(None, None, None)")


def test_a_suspended_task_writes_nothing_when_it_wakes_up(
    dynamodb: Simulator, spark: SparkShell, tmp_path: Path
) -> None:
    """Its units are at others by then."""
    table = dynamodb.create_table("Suspended", "id:S")
    source = tmp_path / "items.json"
    source.write_text("".join(json.dumps({"id": f"{n:05}", "n": n}) + "\n" for n in range(2500)))
    options = f"table='Suspended', sources=[{str(source)!r}], capacity=800, lanes=2"
    with kept_engine(spark, silence_s=1.0):
        spark.begin(f"answer = ddbio.import_table(ddbio.ImportOptions({options}), engine=engine).tally.written")
        wait_until(lambda: table.consumed("write") > 500 and len(spark.seats()) == 2, 90)
        suspended = spark.seats()[0]
        os.kill(suspended, signal.SIGSTOP)
        try:
            assert spark.end() == 2500
            before = table.consumed("write")
        finally:
            os.kill(suspended, signal.SIGCONT)
        time.sleep(1.0)
        assert table.consumed("write") == before
    assert len(table.items()) == 2500


def test_a_copy_has_all_items(dynamodb: Simulator, spark: SparkShell) -> None:
    dynamodb.create_table("Copied", "id:S")
    copied = "ddbio.copy_table(ddbio.CopyOptions(table='Orders', to='Copied'), engine=run_spark(spark))"
    assert spark.run(f"answer = {copied}.tally.written") == 2000
    assert scanned("Copied") == scanned("Orders")


def test_no_page_of_spark_shows_the_token_or_the_keys(dynamodb: Simulator, spark: SparkShell) -> None:
    """While tasks work with keys of the driver; nor does a log or the list of processes."""
    with kept_engine(spark, send_keys=True):
        token, address, counted = spark.run(
            "counted = ddbio.count_items(ddbio.CountOptions(table='Many'), engine=engine).tally.counted\n"
            "answer = [engine._hub.settings.token.decode(), spark.sparkContext.uiWebUrl, counted]"
        )
        assert counted == ITEMS
        pages = {
            name: urllib.request.urlopen(f"{address}/{name}", timeout=with_slack(60)).read().decode()
            for name in ("jobs/", "stages/", "environment/", "executors/")
        }
    assert "spark.driver.host" in pages["environment/"] and "workers of ddbio" in pages["jobs/"]
    shown = {**pages, "the log": spark.log.read_text(errors="replace")}
    shown["ps"] = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(spark.pid))
    for secret in (token, SECRET_KEY):
        assert [name for name, text in shown.items() if secret in text] == []


def test_a_limit_is_exact_over_executors(dynamodb: Simulator, spark: SparkShell, tmp_path: Path) -> None:
    begin_export(spark, tmp_path / "out", "limit=5000")
    assert spark.end() == len(set(ids_in(tmp_path / "out"))) == 5000


def test_a_run_begun_on_spark_is_finished_by_processes(
    dynamodb: Simulator, spark: SparkShell, cluster_environment: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stopped = spark.fails(
        "import threading; stop = ddbio.StopFlag(); threading.Timer(6, stop.ask).start()\n"
        f"ddbio.export_table(ddbio.ExportOptions(table='Many', destination={str(out)!r}, segments=40, capacity=12), "
        "engine=run_spark(spark, shares_disk=True), stop=stop)"
    )
    assert stopped.startswith("Stopped"), stopped
    done = subprocess.run(
        [sys.executable, str(EXPORT), "-t", "Many", "-d", str(out), "--segments", "40", "-p", "2", "-c", "100000"],
        env=cluster_environment,
        capture_output=True,
        text=True,
        timeout=with_slack(60),
        check=False,
    )
    assert done.returncode == 0 and "Resuming" in done.stderr, done.stderr
    found = ids_in(out)
    assert len(found) == len(set(found)) == ITEMS


def test_seats_without_a_spark_context_and_a_cluster_that_cannot_work(dynamodb: Simulator, spark: SparkShell) -> None:
    """By mapInArrow, as in Spark Connect; and tasks that end at once, as those of a cluster without ddbio."""
    assert (
        spark.run(
            "import ddbio.cluster.on_spark as on_spark\n"
            "by_rdd, on_spark.RddJob = on_spark.RddJob, lambda context, slots, work: "
            "on_spark.ArrowJob(spark, slots, work)\n"
            "answer = ddbio.count_items(ddbio.CountOptions(table='Many'), engine=run_spark(spark, 2)).tally.counted"
        )
        == ITEMS
    )
    failed = spark.fails(
        "def broken(*_): raise RuntimeError('no ddbio here')\n"
        "on_spark.RddJob = lambda context, slots, work: by_rdd(context, slots, broken)\n"
        "ddbio.count_items(ddbio.CountOptions(table='Many'), engine=run_spark(spark, 2))"
    )
    assert failed.startswith("TransferError: no worker is left: the Spark job failed"), failed


def test_the_command_under_spark_submit(
    dynamodb: Simulator, cluster_environment: dict[str, str], tmp_path: Path
) -> None:
    try:
        environment = {**cluster_environment, **spark_environment(NEWEST)}
    except Unavailable as reason:
        missing("Spark", reason)
    program = tmp_path / "run_ddbio.py"
    program.write_text("import sys\n\nfrom ddbio.cli.start import ddbio\n\nsys.exit(ddbio())\n")
    submit = [f"{environment['SPARK_HOME']}/bin/spark-submit", *submit_arguments("local[2]", tmp_path), str(program)]
    done = subprocess.run(
        [*submit, "count", "-t", "Many", "--engine", "spark", "--slots", "2"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=with_slack(120),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "works on it, with 2 tasks" in done.stdout  # spark-submit joins the streams of the program
    assert f"{ITEMS:,} items ({ITEMS:,} scanned)" in done.stdout


@pytest.mark.skipif(os.environ.get("DDBIO_TESTS") != "thorough", reason="fetches 320 MB for an older Spark")
def test_the_older_spark(
    dynamodb: Simulator, cluster_environment: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shells = open_shell(OLDEST, cluster_environment, tmp_path_factory.mktemp("spark"))
    spark = next(shells)
    dynamodb.create_table("Older", "id:S")
    written = "ddbio.spark.write(ddbio.spark.read(spark, 'Orders').where('n < 300'), 'Older').tally.written"
    assert spark.run(f"answer = {written}") == 300
    assert scanned("Older") == {item["id"]: item for item in orders() if item["n"] < 300}
    begin_export(spark, tmp_path / "out")
    assert spark.end() == len(set(ids_in(tmp_path / "out"))) == ITEMS
    assert 'format("dynamodb") needs Spark 4' in spark.fails("ddbio.spark.DynamoDB")
    shells.close()
