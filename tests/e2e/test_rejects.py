"""Records that cannot be imported: each is named in the rejects file, none harms its neighbours.

The predecessors lost the rest of a file, or of a batch, for one bad line, and exited with 0.
"""

from __future__ import annotations

import json
import os
import resource
import stat
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator, writes
from ddbio.simulator.errors import invalid
from ddbio.simulator.values import Item as SimulatorItem
from ddbio.simulator.values import check_item
from tests.e2e.conftest import Run, Start, assert_holds
from tests.e2e.items import Item, as_json, plain_items, write_items

DEEP = '{"id": "deep", "v": ' + "[" * 33 + "]" * 33 + "}"

BAD_LINES: list[tuple[bytes, str]] = [
    (b'{"id": "cut", "n":', "bad-json"),
    (b"not json at all", "bad-json"),
    (b'{"id": "two"} {"id": "objects"}', "bad-json"),
    (b'{"id": "nan", "n": NaN}', "bad-json"),
    (b'{"id": "latin-1 \xe9"}', "bad-json"),
    (b'{"id": "half a surrogate pair \\ud800"}', "bad-json"),
    (b"\x00\x01\x02", "bad-json"),
    (b"[1, 2, 3]", "not-an-object"),
    (b'"text"', "not-an-object"),
    (b"17", "not-an-object"),
    (b"null", "not-an-object"),
    (b"{}", "missing-key"),
    (b'{"ID": "the wrong case"}', "missing-key"),
    (b'{"id": ""}', "empty-key"),
    (b'{"id": 1}', "wrong-key-type"),
    (b'{"id": null}', "wrong-key-type"),
    (b'{"id": {"S": "typed"}}', "wrong-key-type"),
    (b'{"id": "' + b"k" * 2049 + b'"}', "key-too-long"),
    (b'{"id": "large", "v": "' + b"x" * 409_600 + b'"}', "item-too-large"),
    (b'{"id": "39 digits", "n": 123456789012345678901234567890123456789}', "bad-number"),
    (b'{"id": "39 digits", "n": 0.123456789012345678901234567890123456789}', "bad-number"),
    (b'{"id": "too big", "n": 1E+126}', "bad-number"),
    (b'{"id": "too small", "n": 1E-131}', "bad-number"),
    (b'{"id": "huge exponent", "n": 1e99999999999999999999}', "bad-number"),
    (b'{"id": "5,000 digits", "n": ' + b"9" * 5000 + b"}", "bad-number"),
    (b'{"id": "empty set", "v": {"$SS": []}}', "empty-set"),
    (b'{"id": "twice", "v": {"$NS": [1, 1.0]}}', "duplicate-member"),
    (b'{"id": "no set", "v": {"$SS": "a"}}', "bad-tag"),
    (b'{"id": "no base64", "v": {"$B": "%%%"}}', "bad-base64"),
    (DEEP.encode(), "too-deep"),
]


def rejects_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record_of(reject: dict[str, Any]) -> bytes:
    return b64decode(reject["record_base64"]) if "record_base64" in reject else reject["record"].encode()


def test_every_kind_of_bad_line_is_named_and_its_neighbours_are_written(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    good = plain_items(len(BAD_LINES) * 3 + 3)
    lines: list[bytes] = []
    expected = {}
    rest = iter(good)
    for bad, code in BAD_LINES:
        lines += [as_json(next(rest)).encode() for _ in range(3)]
        lines += [b"", b"   \t"]
        expected[len(lines) + 1] = (sum(len(line) + 1 for line in lines), code, bad)
        lines.append(bad)
    lines += [as_json(item).encode() for item in rest]
    source = tmp_path / "orders.json"
    source.write_bytes(b"\n".join(lines) + b"\n")

    done = run_import("-t", "Orders", "-s", "orders.json")

    blank = 2 * len(BAD_LINES)
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        f"{len(good) + len(BAD_LINES)} read, {len(good)} written, {len(BAD_LINES)} rejected, "
        f"{blank} blank lines skipped",
    )
    assert done.out.splitlines()[2:] == ["rejected records, each with the reason: orders.rejects.jsonl"]
    assert_holds(simulator, "Orders", good)
    rejects = rejects_in(tmp_path / "orders.rejects.jsonl")
    found = {reject["line"]: (reject["offset"], reject["code"], record_of(reject)) for reject in rejects}
    assert found == expected
    assert {reject["source"] for reject in rejects} == {str(source)}
    assert all(reject["message"] for reject in rejects)
    members = {"source", "offset", "line", "code", "message"}
    assert all(reject.keys() - {"record", "record_base64"} == members for reject in rejects)
    assert stat.S_IMODE((tmp_path / "orders.rejects.jsonl").stat().st_mode) == 0o600


def test_bad_values_of_dynamodb_json(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    bad = [
        '{"Item": {"id": {"S": "a"}, "v": {"N": 1}}}',
        '{"Item": {"id": {"S": "a"}, "v": {"X": "1"}}}',
        '{"Item": {"id": {"S": "a"}, "v": {"S": "1", "N": "1"}}}',
        '{"Item": {"id": {"S": "a"}, "v": {"NULL": false}}}',
        '{"Item": {"id": {"S": "a"}, "v": "plain"}}',
        '{"Item": null}',
        '{"Item": {"id": {"S": "a"}, "v": {"N": "one"}}}',
    ]
    lines = ['{"Item": {"id": {"S": "good"}}}', *bad, '{"id": {"S": "bare"}}']
    (tmp_path / "orders.json").write_text("\n".join(lines))
    done = run_import("-t", "Orders", "-s", "orders.json", "--format", "dynamodb-json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 2, len(bad))
    assert_holds(simulator, "Orders", [{"id": {"S": "good"}}, {"id": {"S": "bare"}}])
    codes = [reject["code"] for reject in rejects_in(tmp_path / "orders.rejects.jsonl")]
    assert codes == ["bad-value"] * (len(bad) - 1) + ["bad-number"]


def test_line_numbers_count_from_the_start_of_a_file_that_was_cut(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    expected = {}
    good: list[Item] = []
    for name in ("a.json", "b.json"):
        lines = []
        for n in range(1, 1001):
            if n % 50 == 0:
                lines.append("" if n % 100 else f"bad {name} {n}")
                if n % 100 == 0:
                    expected[name, n] = (sum(len(line) + 1 for line in lines[:-1]), f"bad {name} {n}")
            else:
                item: Item = {"id": {"S": f"{name} {n}"}, "filler": {"S": "x" * (n % 400)}}
                good.append(item)
                lines.append(as_json(item))
        (tmp_path / name).write_text("\n".join(lines))
    assert (tmp_path / "a.json").stat().st_size > 3 * 64 * 1024
    done = run_import("-t", "Orders", "-s", "a.json", "-s", "b.json", "-p", 2, "--rejects", "bad.jsonl")
    assert (done.code, done.counts["rejected"]) == (1, len(expected))
    assert_holds(simulator, "Orders", good)
    found = {
        (Path(reject["source"]).name, reject["line"]): (reject["offset"], reject["record"])
        for reject in rejects_in(tmp_path / "bad.jsonl")
    }
    assert found == expected


def test_a_crlf_line_is_rejected_with_its_own_offset(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n\r\nbad\r\n{"id": "b"}\r\n')
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["blank"]) == (1, 2, 1)
    (reject,) = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert (reject["line"], reject["offset"], reject["record"].rstrip("\r")) == (3, 18, "bad")


def test_nothing_but_bad_lines(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.json").write_text("bad\n" * 1000)
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.out.splitlines()[0]) == (1, "1,000 read, 0 written, 1,000 rejected")
    rejects = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert [reject["line"] for reject in rejects] == list(range(1, 1001))


def test_an_index_key_of_the_wrong_type(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S", global_indexes={"byDate": ["date:N"]})
    (tmp_path / "orders.json").write_text(
        '{"id": "a", "date": 1}\n{"id": "b", "date": "1"}\n{"id": "c"}\n{"id": "d", "date": 2}\n'
    )
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, simulator.table("Orders").item_count()) == (1, 3)
    (reject,) = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert (reject["line"], reject["code"]) == (2, "wrong-key-type")
    assert "date" in reject["message"]


def test_an_item_that_only_the_service_can_judge_is_found_in_its_batch(
    run_import: Run, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(item: SimulatorItem) -> None:
        if item["n"]["N"] in ("7", "8", "33"):
            raise invalid("The service does not like it")
        check_item(item)

    monkeypatch.setattr(writes, "check_item", check)
    simulator.create_table("Orders", "id:S")
    items = plain_items(60)
    write_items(tmp_path / "orders.json", items)
    done = run_import("-t", "Orders", "-s", "orders.json")
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 57, 3)
    assert_holds(simulator, "Orders", [item for item in items if item["n"]["N"] not in ("7", "8", "33")])
    rejects = rejects_in(tmp_path / "orders.rejects.jsonl")
    assert sorted((reject["line"], reject["code"]) for reject in rejects) == [
        (8, "ValidationException"),
        (9, "ValidationException"),
        (34, "ValidationException"),
    ]
    assert {reject["message"] for reject in rejects} == {"The service does not like it"}
    # Bisecting costs about 2 log2(25) requests for one bad item, and no item is sent on its own without need.
    assert simulator.requests()["BatchWriteItem"] < 40


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
    old.write_text("old\n" * 100)
    old.chmod(0o644)
    (tmp_path / "orders.json").write_text("bad\n")
    assert run_import("-t", "Orders", "-s", "orders.json", "--rejects", "mine.jsonl").code == 1
    assert len(rejects_in(old)) == 1
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


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

    done = run_import("-t", "Orders", "-s", "orders.json", preexec_fn=small_files)
    done.assert_error(3, "cannot write the rejects file orders.rejects.jsonl", "--rejects")
