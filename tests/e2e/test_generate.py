"""GenerateTestData.py as a user runs it: what is on disk, stdout and stderr, and the exit code."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.fuller

SCRIPT = Path(__file__).parents[2] / "GenerateTestData.py"
LAST_LINE = r"GenerateTestData\.py: ([\d,]+) items?, ([\d,]+) bytes in \d+\.\d\d s to (.+)\n"


def generate(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = script.replace("GenerateTestData", f"{shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))}")
    command = ["bash", "-o", "pipefail", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def assert_one_line_error(done: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    assert done.returncode == exit_code
    assert re.fullmatch(r"GenerateTestData\.py: error: .+\n", done.stderr)
    for word in words:
        assert word in done.stderr


def test_a_file_of_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    done = generate("-c", "2500", "-f", path)
    lines = path.read_text().splitlines()
    assert (done.returncode, done.stdout) == (0, "")
    assert len({json.loads(line)["hash"] for line in lines}) == len(lines) == 2500
    said = re.fullmatch(LAST_LINE, done.stderr)
    assert said is not None
    assert said.groups() == ("2,500", f"{path.stat().st_size:,}", str(path))


def test_a_file_of_the_same_name_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text("old\n" * 10_000)
    assert generate("--count", "3", "--file", "items.json", cwd=tmp_path).returncode == 0
    assert len((tmp_path / "items.json").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["orders.csv", "ORDERS.CSV"])
def test_csv_by_the_name_of_the_file(tmp_path: Path, name: str) -> None:
    assert generate("-c", "200", "-f", name, "--dataset", "loader", cwd=tmp_path).returncode == 0
    with (tmp_path / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    assert list(rows[0])[:2] == ["id", "timestamp"]


def test_a_format_that_is_asked_for_beats_the_name(tmp_path: Path) -> None:
    assert generate("-c", "2", "-f", "x.csv", "--format", "json", cwd=tmp_path).returncode == 0
    assert len([json.loads(line) for line in (tmp_path / "x.csv").read_text().splitlines()]) == 2


def test_standard_output(tmp_path: Path) -> None:
    done = generate("-c", "3", "-f", "-", cwd=tmp_path)
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 3
    assert re.fullmatch(LAST_LINE, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        generate("-c", "5000", "-f", name, "--seed", "11", cwd=tmp_path)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_reader_that_goes_away_ends_it_quietly_like_any_unix_tool(tmp_path: Path) -> None:
    done = shell("GenerateTestData -c 1000000000 -f - | head -1", tmp_path)
    assert (done.returncode, done.stderr) == (141, "")
    assert list(json.loads(done.stdout)) == ["hash", "range", "val_1", "val_2"]


def test_both_streams_into_a_reader_that_goes_away(tmp_path: Path) -> None:
    done = shell("GenerateTestData -c 1000000000 -f - 2>&1 | head -1", tmp_path)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing/items.json", [os.strerror(errno.ENOENT), "make its folder"]),
        (".", [os.strerror(errno.EISDIR), "folder"]),
        ("file/items.json", [os.strerror(errno.ENOTDIR)]),
    ],
)
def test_a_path_that_cannot_be_written(tmp_path: Path, path: str, words: list[str]) -> None:
    (tmp_path / "file").write_text("")
    assert_one_line_error(generate("-c", "1", "-f", path, cwd=tmp_path), 2, path, *words)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("script", ["-f /dev/full", "-f - >/dev/full"])
def test_a_full_disk(tmp_path: Path, script: str) -> None:
    done = shell(f"GenerateTestData -c 100 {script}", tmp_path)
    assert_one_line_error(done, 3, os.strerror(errno.ENOSPC), "incomplete")


def test_a_closed_standard_output(tmp_path: Path) -> None:
    assert_one_line_error(shell("GenerateTestData -c 1 -f - >&-", tmp_path), 3, "standard output is closed")


def test_a_pipe_other_than_standard_output_that_loses_its_reader(tmp_path: Path) -> None:
    done = shell("mkfifo pipe; head -c 1 pipe & GenerateTestData -c 1000000 -f pipe", tmp_path)
    assert_one_line_error(done, 3, os.strerror(errno.EPIPE), "pipe is incomplete")


def test_a_closed_stderr_does_not_put_the_last_line_into_the_data(tmp_path: Path) -> None:
    done = shell("GenerateTestData -c 2 -f - 2>&-", tmp_path)
    assert done.returncode == 3  # its last line is lost
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 2


def test_a_size_that_is_too_small_names_the_minimum_and_leaves_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text("precious")
    done = generate("-c", "1", "-f", "items.json", "--item-size", "50", cwd=tmp_path)
    assert_one_line_error(done, 2, "50 bytes", "from 137 to 409,600")
    assert (tmp_path / "items.json").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "required: -c/--count, -f/--file"),
        (["-c", "0", "-f", "x"], "'0' is not a whole number above 0"),
        (["-c", "many", "-f", "x"], "'many' is not a whole number above 0"),
        (["-c", "1", "-f", "x.parquet"], "x.parquet is named like neither; name it .json or .csv, or add --format"),
        (["-c", "1", "-f", "x.tsv"], "test data are JSON or CSV"),
        (["-c", "1", "-f", "x.json.GZ"], "x.json.GZ is named like a compressed file"),
        (["-c", "1", "-f", "x", "--keys", "hot"], "--keys has no choice 'hot'; choose one of uuid, sorted, skewed"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: list[str], word: str) -> None:
    done = generate(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert word in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_far_it_came(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    command = [sys.executable, str(SCRIPT), "-c", "1000000000", "-f", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not (path.exists() and path.stat().st_size):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert re.fullmatch(
        r"GenerateTestData\.py: error: stopped after [\d,]+ items, .*items\.json is incomplete\n", stderr
    )


def test_the_examples_of_the_help_run_as_they_stand(tmp_path: Path) -> None:
    text = generate("--help").stdout
    commands = re.findall(r"^ +\d\. .+:\n +(.+)$", text, flags=re.MULTILINE)
    assert len(commands) == len(re.findall(r"^ +\d\. ", text, flags=re.MULTILINE)) == 5
    for command in commands:
        program, script, *arguments = shlex.split(command)
        assert (program, script) == ("python3", SCRIPT.name)
        arguments[arguments.index("-c") + 1] = "20"
        done = generate(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("GenerateTestData.py: 20 items, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.json", "orders.csv", "skewed.json"]


def test_help_answers_without_importing_the_heavy_things() -> None:
    listing = "import sys, ddbio.cli.ddbgenerate; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    heavy = {"ddbio.verbs.generate", "tqdm", "boto3", "botocore", "asyncio", "msgspec", "orjson"}
    assert heavy.isdisjoint(done.stdout.split())
