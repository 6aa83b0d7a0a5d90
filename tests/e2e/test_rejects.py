"""Records that cannot be imported: each is named in the rejects file, none harms its neighbours.

The predecessors lost the rest of a file, or of a batch, for one bad line, and exited with 0.
"""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator
from tests.endpoints import Endpoint
from tests.support.commands import Run, Start, assert_holds
from tests.support.items import Item, as_json, plain_items, write_items

pytestmark = pytest.mark.fuller


def rejects_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_batch_that_is_refused_as_a_whole_once_is_written_in_halves(
    run_import: Run, simulator: Simulator, orders: list[Item]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([Fault(error="ValidationException")], operations={"BatchWriteItem"})
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["rejected"]) == (0, 0)
    assert_holds(simulator, "Orders", orders)


def test_large_items_travel_in_requests_of_less_than_16_mb(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """25 items of 400 KB are 10 MB in DynamoDB's arithmetic, and more than 16 MB where JSON has to escape them."""
    simulator.create_table("Orders", "id:S")
    items: list[Item] = [{"id": {"S": f"k{n}"}, "v": {"S": "\u0001" * 400_000}} for n in range(30)]
    write_items(tmp_path / "orders.json", items)
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"]) == (0, 30), done.err
    assert_holds(simulator, "Orders", items)


def test_rejects_of_an_earlier_run_are_kept(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    old = tmp_path / "orders.rejects.jsonl"
    old.write_text("not repaired yet\n")
    (tmp_path / "orders.json").write_text("bad\n")
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, "orders.2.rejects.jsonl" in done.out) == (1, True)
    assert old.read_text() == "not repaired yet\n"
    assert len(rejects_in(tmp_path / "orders.2.rejects.jsonl")) == 1


def test_a_rejects_file_that_was_asked_for_is_replaced(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    old = tmp_path / "mine.jsonl"
    old.write_text('{"source":"a","offset":0,"line":1,"code":"x","message":"y","record":"z"}\n' * 100)
    old.chmod(0o644)
    (tmp_path / "orders.json").write_text("bad\n")
    assert run_import("-t", "Orders", "-s", "orders.json", "--rejects", "mine.jsonl").code == 1
    assert len(rejects_in(old)) == 1
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["my notes\n", '{"id": "a"}\n', "\n\n"])
def test_a_file_that_holds_no_rejects_is_not_overwritten(
    run_import: Run, simulator: Simulator, tmp_path: Path, content: str
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "notes.txt").write_text(content)
    (tmp_path / "orders.json").write_text("bad\n")
    done = run_import("-t", "Orders", "-s", "orders.json", "--rejects", "notes.txt")
    done.assert_one_line_error(2, '"notes.txt" exists and is not a file of rejects', "--rejects")
    assert (tmp_path / "notes.txt").read_text() == content
    assert "BatchWriteItem" not in simulator.requests()


# --------------------------------------------------------------------------- imported again


def test_rejects_are_mended_and_imported(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """In place, by putting the record itself there, or not yet: what is refused again keeps where it came from."""
    simulator.create_table("Orders", "id:S")
    good = [as_json({"id": {"S": f"k{n}"}}) for n in range(4)]
    bad = [line.replace('"id"', '"ID"') for line in good[1:]]
    (tmp_path / "orders.json").write_bytes("\n".join([good[0], *bad, "bad"]).encode() + b"\n\xff\n")
    options = ("-t", "Orders")
    assert run_import(*options, "-s", "orders.json").counts["rejected"] == 5
    path = tmp_path / "orders.rejects.jsonl"
    lines = path.read_text().splitlines()
    first, second, third = (line.replace('\\"ID\\"', '\\"id\\"') for line in lines[:3])
    assert first != lines[0]
    path.write_text("\n".join([first, json.loads(second)["record"], lines[2], *lines[3:], ""]))

    done = run_import(*options, "-s", "orders.rejects.jsonl")

    assert (done.code, done.out.splitlines()[0]) == (1, "5 read, 2 written, 3 rejected"), done.err
    assert_holds(simulator, "Orders", [{"id": {"S": f"k{n}"}} for n in range(3)])
    assert rejects_in(tmp_path / "orders.2.rejects.jsonl") == [json.loads(line) for line in lines[2:]]
    (tmp_path / "last.rejects.jsonl").write_text(third + "\n")
    assert run_import(*options, "-s", "last.rejects.jsonl").code == 0
    assert_holds(simulator, "Orders", [{"id": {"S": f"k{n}"}} for n in range(4)])


# --------------------------------------------------------------------------- where the rejects go


@pytest.mark.parametrize(
    "arguments", [["-s", "in.rejects.jsonl"], ["-s", "in.rejects.jsonl", "--rejects", "./in.rejects.jsonl"]]
)
def test_a_source_is_never_overwritten_with_its_own_rejects(
    run_import: Run, simulator: Simulator, tmp_path: Path, arguments: list[str]
) -> None:
    """Whoever mends the lines in a rejects file and imports it must not lose those that are still bad."""
    simulator.create_table("Orders", "id:S")
    text = '{"id": "a"}\nbad\n{"id": "b"}\n'
    (tmp_path / "in.rejects.jsonl").write_text(text)
    done = run_import("-t", "Orders", *arguments)
    assert (tmp_path / "in.rejects.jsonl").read_text() == text
    assert done.code in (1, 2)


def test_a_place_for_rejects_that_cannot_be_written_is_found_before_anything_is_moved(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text('{"id": "a"}\nbad\n')
    done = run_import("-t", "Orders", "-s", "orders.json", "--rejects", "missing/rejects.jsonl")
    done.assert_one_line_error(2, "missing/rejects.jsonl", "--rejects")
    assert simulator.table("Orders").item_count() == 0


def test_a_device_is_not_replaced_by_a_file_of_rejects(
    start_import: Start, simulator: Simulator, tmp_path: Path
) -> None:
    """`--rejects /dev/null` is what a script writes; root must not lose its /dev/null by it."""
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text('{"id": "a"}\nbad\n')
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with start_import("-t", "Orders", "-s", "orders.json", "--rejects", "pipe") as command:
            done = command.wait(10)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (done.code in (1, 2), "Traceback" in done.err) == (True, False)


def test_a_full_disk_under_the_rejects(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    """The rejects cannot be kept, so the run must not go on as if they were."""
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text('{"id": "a"}\n' + "bad\n" * 50_000)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run_import("-t", "Orders", "-s", "orders.json", "--lanes", 4, preexec_fn=small_files)
    done.assert_error(3, "cannot write the rejects file orders.rejects.jsonl", "--rejects")


# --------------------------------------------------------------------------- on S3


@pytest.fixture
def bucket(s3: Endpoint, tmp_path: Path) -> tuple[Any, str]:
    """(a client, the name of a bucket of this test's own)"""
    name = f"rejects-{tmp_path.name.lower().replace('_', '-')}"[:60].rstrip("-")
    client = s3.client()
    client.create_bucket(Bucket=name)
    return client, name


def objects_in(bucket: tuple[Any, str]) -> dict[str, list[dict[str, Any]]]:
    """What each object has, by key."""
    client, name = bucket
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=name).get("Contents", [])]
    bodies = {key: client.get_object(Bucket=name, Key=key)["Body"].read().decode() for key in keys}
    return {key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


def left_behind(tmp_path: Path, environment: dict[str, str]) -> list[Path]:
    """Files with rejects on this machine."""
    return [path for folder in (tmp_path, Path(environment["HOME"])) for path in folder.rglob("*rejects.jsonl")]


def test_rejects_go_to_s3_and_come_back(
    run_import: Run, simulator: Simulator, tmp_path: Path, bucket: tuple[Any, str], environment: dict[str, str]
) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text('{"id": "a"}\nbad\n{"ID": "b"}\n')
    done = run_import("-t", "Orders", "-s", "orders.json", "--rejects", f"s3://{bucket[1]}/bad/")
    uri = f"s3://{bucket[1]}/bad/orders.rejects.jsonl"
    assert (done.code, done.out.splitlines()[-2]) == (1, f"rejected records, each with the reason: {uri}"), done.err
    (rejects,) = objects_in(bucket).values()
    assert [(each["line"], each["code"], each["record"]) for each in rejects] == [
        (2, "bad-json", "bad"),
        (3, "missing-key", '{"ID": "b"}'),
    ]
    assert left_behind(tmp_path, environment) == []
    again = run_import("-t", "Orders", "-s", uri, "--rejects", f"s3://{bucket[1]}/worse.jsonl")
    assert (again.code, again.counts["rejected"]) == (1, 2), again.err
    assert objects_in(bucket)["worse.jsonl"] == rejects


def test_rejects_that_cannot_be_uploaded_are_kept_for_the_next_run(
    start_import: Start,
    run_import: Run,
    simulator: Simulator,
    tmp_path: Path,
    bucket: tuple[Any, str],
    environment: dict[str, str],
) -> None:
    """And those of a run that was stopped are uploaded as far as it came."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.05)
    items = plain_items(1000)
    path = write_items(tmp_path / "orders.json", items)
    path.write_text("bad\n" * 150 + path.read_text() + "worse\n")
    command_line = ("-t", "Orders", "-s", "orders.json", "--rejects", f"s3://{bucket[1]}/bad.jsonl", "-p", 1)
    with start_import(*command_line, "--lanes", 1) as command:
        command.until(lambda: simulator.table("Orders").item_count() > 300)
        command.process.terminate()
        stopped = command.wait(10)
    assert stopped.code == 130, stopped.err
    assert [each["record"] for each in objects_in(bucket)["bad.jsonl"]] == ["bad"] * stopped.counts["rejected"]
    bucket[0].delete_object(Bucket=bucket[1], Key="bad.jsonl")
    with start_import(*command_line, "--lanes", 1) as command:
        command.until(lambda: simulator.table("Orders").item_count() > 750)
        bucket[0].delete_bucket(Bucket=bucket[1])
        failed = command.wait()
    failed.assert_error(3, "could not be uploaded", f"s3://{bucket[1]}/bad.jsonl", "run the same command again")
    (kept,) = left_behind(tmp_path, environment)
    assert str(kept) in failed.err and len(rejects_in(kept)) == 151
    bucket[0].create_bucket(Bucket=bucket[1])
    done = run_import(*command_line, "--lanes", 1)
    assert (done.code, done.counts["rejected"]) == (1, 151), done.err
    assert [each["line"] for each in objects_in(bucket)["bad.jsonl"]] == [*range(1, 151), 1151]
    assert left_behind(tmp_path, environment) == []
    assert_holds(simulator, "Orders", items)


def test_rejects_under_another_name_are_no_data(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "source:S")
    (tmp_path / "in.json").write_text('{"sourc": "a"}\n{"source": "b"}\n')
    command = ("-t", "Orders", "-p", 1)
    assert run_import(*command, "-s", "in.json", "--rejects", "bad.jsonl").code == 1
    done = run_import(*command, "-s", "bad.jsonl")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 0, 1), done.out
    (tmp_path / "bad.jsonl").write_text((tmp_path / "bad.jsonl").read_text().replace("sourc\\", "source\\"))
    done = run_import(*command, "-s", "bad.jsonl")
    assert (done.code, done.counts["written"]) == (0, 1), done.err
    assert sorted(item["source"]["S"] for item in simulator.table("Orders").items()) == ["a", "b"]
