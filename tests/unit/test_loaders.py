"""The arguments, the results and the counting of the loaders, without an import."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbio.library.wording import parameters
from ddbio.loaders import AsyncDynamoDBLoader, LoadResult, ThreadedDynamoDBLoader
from ddbio.loaders.command import block
from ddbio.loaders.config import LoaderConfig
from ddbio.loaders.csv_file import readable, records
from ddbio.loaders.load import options_of
from ddbio.loaders.wording import of_command, of_loader


@pytest.mark.parametrize("loader", [ThreadedDynamoDBLoader, AsyncDynamoDBLoader])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"table_name": ""}, "table_name must be a non-empty string"),
        ({"table_name": "  "}, "table_name must be a non-empty string"),
        ({"region": "invalid-region"}, "region must be a valid AWS region, got invalid-region"),
        ({"region": ""}, "region must be a valid AWS region"),
        ({"max_workers": 0}, "max_workers must be greater than 0, got 0"),
        ({"batch_size": -5}, "batch_size must be greater than 0, got -5"),
        ({"max_retries": -1}, "max_retries must be >= 0, got -1"),
        ({"base_delay": -0.1}, "base_delay must be >= 0, got -0.1"),
        ({"base_delay": 5.0, "max_delay": 2.0}, "max_delay must be >= base_delay, got max_delay=2.0, base_delay=5.0"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_done(loader: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        loader(**{"table_name": "Orders", **wrong})
    assert message in str(raised.value)


@pytest.mark.parametrize("region", ["us-east-1", "mx-central-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
def test_a_region_may_be_newer_than_any_list(region: str) -> None:
    loader = ThreadedDynamoDBLoader("Orders", region, max_workers=10, batch_size=100, max_retries=0)
    assert (loader.config.region, loader.config.batch_size, loader.config.base_delay) == (region, 100, 0.1)


@given(st.integers(1, 500), st.integers(1, 64))
def test_workers_become_connections_of_no_more_processes_than_cpus(workers: int, cpus: int) -> None:
    processes, lanes = LoaderConfig("Orders", max_workers=workers).shared_out(cpus)
    assert processes is not None and lanes is not None
    assert 1 <= processes <= cpus
    assert workers <= processes * lanes < workers + processes
    assert LoaderConfig("Orders").shared_out(cpus) == (None, None)


def test_patience_comes_from_the_retries_and_is_a_minute_at_least() -> None:
    assert LoaderConfig("Orders").patience_s == 60.0
    assert LoaderConfig("Orders", max_retries=0).patience_s == 60.0
    patient = options_of(LoaderConfig("Orders", max_retries=10, max_delay=30.0), "/a.csv")
    assert (patient.give_up_after_s, patient.aws.longest_wait_s) == (300.0, 300.0)


def test_the_import_reads_as_the_loaders_did() -> None:
    options = options_of(LoaderConfig("Orders", "eu-west-1"), "/a.csv")
    assert (options.format, options.csv.empty, options.csv.keep_blanks) == ("csv", "string", True)
    assert (options.csv.infer_types, options.mode, options.aws.region) == (False, "put", "eu-west-1")


def test_the_success_rate_is_percent() -> None:
    assert LoadResult(8, 6, 2, 1.0, []).success_rate() == 75.0
    assert LoadResult(0, 0, 0, 1.0, []).success_rate() == 0.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=4)))
def test_rows_are_counted_as_they_were_read_there(tmp_path: Path, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([["id", "name"], *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(text.getvalue().encode())
    with path.open(newline="", encoding="utf-8") as lines:
        assert records(str(path)) == sum(1 for _ in csv.DictReader(lines))


def test_rows_that_cannot_be_counted_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\x1f\x8b\x08" + b"\n" * 100)
    (tmp_path / "empty.csv").write_bytes(b"")
    assert records(str(tmp_path / "a.csv")) == 1
    assert records(str(tmp_path / "gone.csv")) == 1
    os.mkfifo(tmp_path / "fifo.csv")
    assert records(str(tmp_path / "fifo.csv")) == 1
    assert records(str(tmp_path / "empty.csv")) == 0


def test_a_file_that_cannot_be_opened_is_the_error_of_open(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        readable(tmp_path / "gone.csv")
    with pytest.raises(IsADirectoryError):
        readable(str(tmp_path))


def test_the_block_names_ten_errors_and_counts_the_rest() -> None:
    lines = "\n".join(
        block(LoadResult(1_012, 1_000, 12, 1.234, [f"error {n}" for n in range(12)], "a.rejects.jsonl"))
    )
    assert "Total Records:     1,012\nSuccessful Writes: 1,000\nFailed Writes:     12\n" in lines
    assert "Success Rate:      98.81%\nDuration:          1.23 seconds\n" in lines
    assert "Errors encountered (12):" in lines and "  - error 9\n  ... and 2 more errors" in lines
    assert "error 10" not in lines and "a.rejects.jsonl" in lines


def test_messages_name_the_loaders_own_parameters_and_options() -> None:
    text = "set -r; the table of -t, -s a.csv, -p 4; with --give-up-after 5, --state-dir x or --fresh"
    loader = "set region; the table of table_name, csv_file a.csv, max_workers 4; with max_retries 5, "
    command = "set --region; the table of --table, --csv a.csv, --workers 4; with --max-retries 5, "
    rest = "DDBIO_STATE_DIR x or fresh=True of ddbio.import_table"
    assert parameters(text, of_loader) == loader + rest
    assert parameters(text, of_command) == command + rest
