"""The same command again: it finishes what a run left, however that ended, and refuses what would mix two jobs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator
from tests.support.commands import Completed, Run, Running, Start, assert_holds, descendants, is_alive, wait_until
from tests.support.items import MANIFEST, Item, as_json, contents, plain_items, read_items, write_items

pytestmark = pytest.mark.fuller

Signals = signal.Signals
IMPORT = ("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 2)
LANES, BATCH = 4, 25


def jobs(environment: dict[str, str]) -> list[Path]:
    """The folders of the jobs there are."""
    return sorted(Path(environment["HOME"], ".local/state/ddbio").iterdir())


def report_of(environment: dict[str, str]) -> dict[str, Any]:
    (folder,) = jobs(environment)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def is_unfinished(environment: dict[str, str]) -> bool:
    (folder,) = jobs(environment)
    return (folder / "journal.sqlite").exists()


def puts(simulator: Simulator) -> float:
    """Items written so far, each as often as it was: all are below 1 KB."""
    return simulator.table("Orders").consumed("write")


def kill(command: Running) -> list[int]:
    """SIGKILL the parent. Returns the pids of its workers."""
    pids = descendants(command.pid)
    command.signal(Signals.SIGKILL)
    command.wait(5)
    wait_until(lambda: not any(map(is_alive, pids)), 2.0)
    return pids


def resumed(done: Completed) -> bool:
    return any(line.startswith("Resuming: ") for line in done.log)


# --------------------------------------------------------------------------- an import goes on


def test_an_import_of_csv_is_cut_again_as_it_was(
    start_import: Start, run_import: Run, slow: Simulator, tmp_path: Path
) -> None:
    """Where its units begin is found by reading it; the run that goes on must find the same."""
    rows = [f'k{number},"two\nlines, {number}, {"x" * 100}"\n' for number in range(3000)]
    (tmp_path / "orders.csv").write_text("id,note\n" + "".join(rows))
    asked = ("-t", "Orders", "-s", "orders.csv", "-p", 2, "--lanes", 2, "--csv-types", "note:S")
    with start_import(*asked) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    before = puts(slow)
    done = run_import(*asked)
    assert (done.code, resumed(done)) == (0, True), done.err
    assert (done.counts["read"], done.counts["written"]) == (3000, 3000)
    assert slow.table("Orders").item_count() == 3000
    assert puts(slow) - before < 2500, "what was done is not done again"


def test_an_import_whose_parent_is_killed_is_finished_by_the_same_command(
    start_import: Start, run_import: Run, slow: Simulator, many: list[Item], environment: dict[str, str]
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 3000)
        kill(command)
    assert is_unfinished(environment)
    done = run_import(*IMPORT)
    assert done.code == 0, done.err
    assert resumed(done)
    assert puts(slow) - len(many) <= LANES * BATCH, "more than the last batch of each lane was done again"
    assert (done.counts["read"], done.counts["written"], done.counts["rejected"]) == (len(many), len(many), 0)
    assert_holds(slow, "Orders", many)
    assert not is_unfinished(environment)
    report = report_of(environment)
    assert (report["counts"]["written"], report["timing"]["runs"]) == (len(many), 2)
    assert 0 < report["this_run"]["written"] < len(many)


@pytest.mark.parametrize("number", [Signals.SIGINT, Signals.SIGTERM], ids=lambda each: each.name)
def test_an_import_that_was_stopped_goes_on(
    start_import: Start, run_import: Run, slow: Simulator, many: list[Item], number: signal.Signals
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1000)
        command.signal(number)
        stopped = command.wait(20)
    stopped.assert_error(130, "stopped", "run the same command again to resume")
    done = run_import(*IMPORT)
    assert done.code == 0, done.err
    assert resumed(done)
    assert done.counts["read"] == done.counts["written"] == len(many)
    assert_holds(slow, "Orders", many)
    assert puts(slow) == len(many), "what was settled in order is not written twice"


def test_a_finished_import_starts_anew(
    run_import: Run, simulator: Simulator, orders: list[Item], environment: dict[str, str]
) -> None:
    simulator.create_table("Orders", "id:S")
    for _ in range(2):
        done = run_import("-t", "Orders", "-s", "orders.json")
        assert (done.code, resumed(done), done.counts["written"]) == (0, False, 1000)
        assert not is_unfinished(environment)
    assert puts(simulator) == 2000


def test_rejects_are_continued(start_import: Start, run_import: Run, slow: Simulator, tmp_path: Path) -> None:
    """Each rejected record is in the file once, with its line, though two runs wrote it."""
    good = plain_items(4000, padding=60)
    lines = [as_json(item) for item in good]
    bad = list(range(7, 4000, 50))
    for number in bad:
        lines[number] = f"no JSON {number}"
    (tmp_path / "orders.json").write_text("".join(f"{line}\n" for line in lines))
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    done = run_import(*IMPORT)
    assert done.code == 1, done.err
    assert resumed(done)
    assert (done.counts["read"], done.counts["rejected"]) == (4000, len(bad))
    rejects = [json.loads(line) for line in (tmp_path / "orders.rejects.jsonl").read_text().splitlines()]
    assert sorted((each["line"], each["record"]) for each in rejects) == [
        (number + 1, f"no JSON {number}") for number in bad
    ]
    assert not (tmp_path / "orders.2.rejects.jsonl").exists()


# --------------------------------------------------------------------------- what is refused


@pytest.fixture
def unfinished(start_import: Start, slow: Simulator, many: list[Item]) -> Simulator:
    """An import was killed in the middle; the table answers at once again."""
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 500)
        command.signal(Signals.SIGINT)
        command.wait(20)
    slow.faults = FaultPlan()
    return slow


def test_a_changed_source_is_refused_and_fresh_starts_over(
    run_import: Run, unfinished: Simulator, tmp_path: Path
) -> None:
    items = plain_items(4400, padding=60)
    write_items(tmp_path / "orders.json", items)
    done = run_import(*IMPORT)
    done.assert_one_line_error(2, "unfinished", 'orders.json" has changed', "--fresh")
    done = run_import(*IMPORT, "--fresh")
    assert (done.code, resumed(done), done.counts["written"]) == (0, False, 4400)


def test_another_format_is_refused(run_import: Run, unfinished: Simulator) -> None:
    run_import(*IMPORT, "--format", "dynamodb-json").assert_one_line_error(
        2, '--format was "auto" and is "dynamodb-json"', "--fresh"
    )


def test_a_table_that_was_made_anew_is_refused(run_import: Run, unfinished: Simulator) -> None:
    unfinished.call(lambda: unfinished.service.database.tables.pop("Orders"))
    unfinished.create_table("Orders", "id:S")
    run_import(*IMPORT).assert_one_line_error(2, "unfinished", "table Orders", "--fresh")


def test_what_does_not_matter_may_change(
    run_import: Run, unfinished: Simulator, many: list[Item], environment: dict[str, str]
) -> None:
    done = run_import("-t", "Orders", "-s", "./orders.json", "-p", 1, "--lanes", 7, "-c", 50_000)
    assert (done.code, resumed(done)) == (0, True), done.err
    assert_holds(unfinished, "Orders", many)


def test_a_journal_that_is_no_journal(
    run_import: Run, unfinished: Simulator, many: list[Item], environment: dict[str, str]
) -> None:
    (folder,) = jobs(environment)
    (folder / "journal.sqlite-wal").unlink(missing_ok=True)
    (folder / "journal.sqlite").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    run_import(*IMPORT).assert_one_line_error(2, "journal", "--fresh")
    assert run_import(*IMPORT, "--fresh").code == 0
    assert_holds(unfinished, "Orders", many)


DENIED = [Fault(error="AccessDeniedException", message="not authorized")] * 10_000


def test_a_command_that_moved_nothing_may_be_corrected(
    run_import: Run,
    run_export: Run,
    simulator: Simulator,
    many: list[Item],
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    """Without --fresh, whatever was wrong in it. And a permission that is missing is not put right by repeating."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(DENIED, operations=["BatchWriteItem", "Scan"])
    denied = run_import(*IMPORT, "--drop", "n", "--rejects", "wrong.jsonl")
    denied.assert_error(3, "AccessDenied", "what is done is kept")
    assert "run the same command again" not in denied.err
    simulator.faults = FaultPlan()
    done = run_import(*IMPORT, "--rejects", "right.jsonl")
    assert (done.code, resumed(done)) == (0, False), done.err
    assert_holds(simulator, "Orders", many)
    simulator.faults = FaultPlan(DENIED, operations=["Scan"])
    denied = run_export("-t", "Orders", "-d", "out", "--segments", 9)
    denied.assert_error(3, "AccessDenied", "what is done is kept")
    (tmp_path / "out" / ".Orders-0007-00000.json.part").touch()  # as a worker leaves it that began a file and died
    simulator.faults = FaultPlan()
    done = run_export("-t", "Orders", "-d", "out", "--segments", 2, "--consistent-read")
    assert (done.code, resumed(done)) == (0, False), done.err
    assert contents(read_items(tmp_path / "out")) == contents(many)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_two_runs_of_one_job_at_once(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: puts(slow) > 100)
        slow.faults = FaultPlan(latency_s=3.0)  # so that it is still at work
        with start_import(*IMPORT) as second:
            second.wait().assert_one_line_error(2, f"process {command.pid}")
        slow.faults = FaultPlan()
        assert command.wait().code == 0


# --------------------------------------------------------------------------- an export goes on

# Under this cap a page is a quarter of a second's units: two seconds, a dozen pages or more.
EXPORT = ("-t", "Orders", "-d", "out", "-p", 2, "--lanes", 2, "--segments", 4, "-c", 200)


@pytest.fixture
def large(slow: Simulator) -> list[Item]:
    """3,000 items of 1,000 bytes, in the table: 375 read units."""
    items = plain_items(3000, padding=970)
    slow.table("Orders").put_items(items)
    return items


@pytest.fixture
def begun(start_export: Start, slow: Simulator, large: list[Item]) -> Simulator:
    """An export was killed in the middle."""
    with start_export(*EXPORT) as command:
        command.until(lambda: slow.table("Orders").consumed("read") > 150)
        kill(command)
    return slow


@pytest.mark.parametrize("size", [1, 256], ids=["many files", "one file a segment"])
def test_an_export_whose_parent_is_killed_is_finished_by_the_same_command(
    start_export: Start, run_export: Run, slow: Simulator, large: list[Item], tmp_path: Path, size: int
) -> None:
    with start_export(*EXPORT, "-s", size) as command:
        command.until(lambda: slow.table("Orders").consumed("read") > 200)
        kill(command)
    before = slow.table("Orders").consumed("read")
    done = run_export(*EXPORT, "-s", size)
    assert done.code == 0, done.err
    assert resumed(done)
    assert contents(read_items(tmp_path / "out")) == contents(large)
    assert done.counts["read"] == done.counts["exported"] == len(large)
    assert slow.table("Orders").consumed("read") - before < 375 - 100, "what was read is not read again"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert {each["name"] for each in manifest["files"]} == names - {MANIFEST}
    assert sum(each["items"] for each in manifest["files"]) == len(large)


def test_what_an_export_may_find_in_its_place(
    run_export: Run, begun: Simulator, large: list[Item], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_export(*EXPORT, "--consistent-read").assert_one_line_error(
        2, "--consistent-read was not given and is given", "--fresh"
    )
    (out / "notes.txt").write_text("mine")
    run_export(*EXPORT).assert_one_line_error(2, "notes.txt", "did not write")
    (out / "notes.txt").unlink()
    done = run_export(*EXPORT, "--if-exists", "resume")
    assert (done.code, resumed(done)) == (0, True), done.err
    run_export(*EXPORT, "--if-exists", "resume").assert_one_line_error(2, "no unfinished export")
    run_export(*EXPORT).assert_one_line_error(2, "is not empty", "--if-exists overwrite")
    (out / "notes.txt").write_text("mine")
    run_export(*EXPORT, "--if-exists", "overwrite").assert_one_line_error(2, "notes.txt", "no manifest")
    (out / "notes.txt").unlink()
    assert contents(read_items(out)) == contents(large)
    fewer = ("-t", "Orders", "-d", "out", "--segments", 2, "--if-exists", "overwrite")
    done = run_export(*fewer)
    assert (done.code, "Replacing the export in out: its " in done.err) == (0, True)
    assert sorted(path.name for path in out.iterdir()) == [
        "Orders-0000-00000.json",
        "Orders-0001-00000.json",
        MANIFEST,
    ]
    assert contents(read_items(out)) == contents(large)


def test_fresh_drops_what_an_unfinished_export_left(
    run_export: Run, begun: Simulator, large: list[Item], tmp_path: Path
) -> None:
    assert list((tmp_path / "out").iterdir()) != []
    done = run_export("-t", "Orders", "-d", "out", "--segments", 1, "--fresh")
    assert (done.code, resumed(done)) == (0, False), done.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Orders-0000-00000.json", MANIFEST]
    assert contents(read_items(tmp_path / "out")) == contents(large)


# --------------------------------------------------------------------------- a report of every run


def test_a_report_is_private_and_has_no_secrets(
    run_import: Run, simulator: Simulator, orders: list[Item], tmp_path: Path, environment: dict[str, str]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([Fault(status=500, error="InternalServerError")])
    done = run_import("-t", "Orders", "-s", "orders.json", "-c", 5000, "--report", "out.json")
    assert done.code == 0, done.err
    text = (tmp_path / "out.json").read_text()
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o600
    assert environment["AWS_SECRET_ACCESS_KEY"] not in text
    report = json.loads(text)
    assert (report["exit_code"], report["error"], report["command"]) == (0, None, "import")
    assert (report["counts"]["read"], report["counts"]["units"]) == (1000, 1000.0)
    assert report["cap"] == {"units_per_s": 5000.0, "kind": "WCU", "origin": "-c"}
    assert report["reasons"] == {"InternalServerError": 1} or report["counts"]["retries"] == 0
    assert report["options"]["sources"] == ["orders.json"]
    assert {"ddbio", "python", "botocore"} < set(report["versions"])


def test_a_run_that_cannot_work_is_reported_too(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    done = run_import("-t", "Orders", "-s", "nowhere.json", "--report", "out.json")
    assert done.code == 2
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["exit_code"] == 2
    assert report["error"]["message"] in done.err


def test_rejects_by_code_survive_the_death_of_a_worker_and_of_the_parent(
    start_import: Start, run_import: Run, slow: Simulator, tmp_path: Path
) -> None:
    kinds = ['{"ID": "x"}', "no JSON", '{"id": ""}']
    lines = [as_json(item) if n % 4 else kinds[n // 4 % 3] for n, item in enumerate(plain_items(6000, padding=60))]
    (tmp_path / "orders.json").write_text("".join(f"{line}\n" for line in lines))
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.table("Orders").item_count() > 800)
        os.kill(command.workers()[0], Signals.SIGKILL)
        command.until(lambda: slow.table("Orders").item_count() > 2000)
        kill(command)
    done = run_import(*IMPORT, "--report", "report.json")
    assert (done.code, resumed(done), done.counts["rejected"]) == (1, True, 1500), done.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert {code: (kind["count"], kind["first"]["line"]) for code, kind in report["rejects_by_code"].items()} == {
        "missing-key": (500, 1),
        "bad-json": (500, 5),
        "empty-key": (500, 9),
    }
    assert "empty-key 500, first: orders.json line 9: the key 'id' is empty" in done.out.splitlines()
    assert (tmp_path / "orders.rejects.jsonl").read_text().count("\n") == 1500


def test_too_many_errors_stop_an_import(run_import: Run, slow: Simulator, tmp_path: Path) -> None:
    lines = [as_json(item) if number % 2 else "no JSON" for number, item in enumerate(plain_items(4000, padding=60))]
    (tmp_path / "orders.json").write_text("".join(f"{line}\n" for line in lines))
    done = run_import(*IMPORT, "--max-errors", 100)
    done.assert_error(3, "records read so far were rejected", "--max-errors", "orders.rejects.jsonl")
    assert 100 < done.counts["rejected"] <= 100 + LANES * BATCH
    again = run_import(*IMPORT, "--max-errors", 100)
    again.assert_error(3, "--max-errors")
    assert again.counts["read"] == done.counts["read"], "it is still too many: nothing was done"
    slow.faults = FaultPlan()
    done = run_import(*IMPORT, "--max-errors", "60%")
    assert done.code == 1, done.err
    assert (done.counts["read"], done.counts["written"], done.counts["rejected"]) == (4000, 2000, 2000)


def test_an_import_of_avro_that_was_killed_goes_on_inside_its_units(
    start_import: Start, run_import: Run, slow: Simulator, tmp_path: Path
) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": each, "type": "string"} for each in ("id", "note")]}
    rows = [{"id": f"k{number}", "note": "x" * 100} for number in range(3000)]
    with (tmp_path / "orders.avro").open("wb") as file:
        fastavro.writer(file, schema, rows)
    asked = ("-t", "Orders", "-s", "orders.avro", "-p", 2, "--lanes", 2)
    with start_import(*asked) as command:
        command.until(lambda: slow.table("Orders").item_count() > 1500)
        kill(command)
    before = puts(slow)
    done = run_import(*asked)
    assert (done.code, resumed(done)) == (0, True), done.err
    assert (done.counts["read"], done.counts["written"]) == (3000, 3000)
    assert slow.table("Orders").item_count() == 3000
    assert puts(slow) - before < 1700, "what was done is not done again"
