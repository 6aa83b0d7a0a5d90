"""The faults of the tools that this one succeeds, each with what holds it down here.

Each was reproduced on the tool that had it. `HELD` names the tests that would fail on the original; those below are
for what no other test says. The numbers are those of the list they were found under.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import stall
from tests.support.commands import CHECKOUT, Run, assert_holds
from tests.support.items import Item, plain_items, write_items

pytestmark = pytest.mark.fuller

HELD = {
    # The export and import scripts on boto3 and multiprocessing.
    "1 a malformed or blank line kills the worker, the rest of the file is lost, exit code 0": [
        "e2e/test_bad_input.py::test_every_kind_of_bad_line_is_named_and_its_neighbours_are_written",
        "e2e/test_bad_input.py::test_files_with_nothing_good_in_them",
    ],
    "1 nearly every failure exits with 0": ["e2e/test_usage_errors.py::test_a_table_that_does_not_exist"],
    "2 a folder that holds one file is taken for a file": ["e2e/test_import.py::test_a_folder_with_one_file_in_it"],
    "2 s3://bucket without a slash looks for another bucket": ["e2e/test_s3.py::test_sources"],
    "3 a set or binary in the table cuts the file short, exit code 0": [
        "e2e/test_import.py::test_export_then_import_gives_the_same_table",
        "contract/test_transfer.py::test_a_table_with_all_types_comes_back_equal",
    ],
    "4 -s counts scan pages, and -s 1 never begins another file": [
        "e2e/test_export.py::test_a_file_is_closed_only_because_the_next_line_would_not_fit"
    ],
    "5 the cap leaks, credit piles up while workers sleep, half units are lost, all wake together": [
        "e2e/test_export.py::test_the_cap_holds_in_every_second",
        "e2e/test_caps.py::test_c_of_all_processes_together",
        "e2e/test_signals.py::test_a_worker_that_is_suspended_does_not_break_the_cap",
    ],
    "6 SIGTERM leaves orphans": [
        "e2e/test_signals.py::test_an_import_is_stopped",
        "e2e/test_signals.py::test_an_export_is_stopped",
        "e2e/test_signals.py::test_no_worker_outlives_its_parent",
    ],
    "7 numbers go through float": [
        "e2e/test_import.py::test_export_then_import_gives_the_same_table",
        "contract/test_endpoints.py::test_numbers_keep_38_digits_and_are_normalised",
    ],
    "7 a table switched back to provisioned is taken for on-demand": [
        "unit/test_table.py::test_capacity_is_what_the_table_has"
    ],
    "8 one request an item": ["e2e/test_faults.py::test_a_connection_that_is_closed_after_every_answer"],
    "8 a file is read whole into the parent": [
        "unit/test_reader.py::test_what_is_read_is_the_slice_and_little_more",
        "e2e/test_bad_input.py::test_a_line_of_100_mb",
    ],
    "9 no endpoint, profile, progress or final counts": [
        "e2e/test_help.py::test_help_tells_every_option_and_exit_code",
        "e2e/test_export.py::test_what_it_says_and_writes",
    ],
    "keys are asked for by every process, and some fail to renew them": [
        "e2e/test_credentials.py::test_the_provider_is_asked_as_often_for_16_workers_as_for_one",
        "e2e/test_credentials.py::test_newer_keys_are_handed_on_before_the_old_ones_end",
    ],
    # The threaded and the async loaders of CSV.
    "one bad row loses its batch of 25 and is not named": [
        "contract/test_transfer.py::test_bad_records_harm_nobody",
        "e2e/test_csv.py::test_bad_rows_are_rejected_with_their_line_and_harm_nobody",
    ],
    "all is a string, so that a table with a numeric key cannot be loaded": [
        "e2e/test_csv.py::test_the_loaders_data_set_goes_into_tables_with_keys_of_both_types"
    ],
    "a byte order mark breaks the key column": ["e2e/test_csv.py::test_csv_as_spreadsheets_write_it"],
    "what never succeeds is tried again": [
        "unit/test_client.py::test_a_bad_request_is_told_to_the_lane",
        "e2e/test_faults.py::test_a_permission_that_is_lost_in_mid_run",
    ],
    "an option is documented and not accepted": ["e2e/test_help.py::test_readme_names_only_options_that_exist"],
    # A script of 2013, and what people say of many such tools.
    "a throttled batch silently drops writes, or is sent again at once, 51,000 times for 6,000 items": [
        "e2e/test_caps.py::test_a_table_that_throttles_harder_than_the_cap"
    ],
    "empty cells are dropped without a choice": ["e2e/test_csv.py::test_csv_as_spreadsheets_write_it"],
    "a key twice in a batch fails the batch": [
        "e2e/test_import.py::test_of_records_with_one_key_in_a_batch_the_later_wins_and_the_other_is_counted"
    ],
}
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("fault", HELD)
def test_what_holds_a_fault_down_is_there(fault: str) -> None:
    for name in HELD[fault]:
        file, _, test = name.partition("::")
        functions = {
            node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert test in functions, name


# --------------------------------------------------------------------------- what no other test says


def test_1_the_files_after_one_with_a_bad_line_are_lost(
    run_import: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """100 of 500 items arrived, "All done.", then a hang."""
    simulator.create_table("Orders", "id:S")
    items = plain_items(500)
    for number in range(5):
        path = write_items(tmp_path / "in" / f"{number}.json", items[number * 100 : number * 100 + 100])
        path.write_text("{broken\n\n" + path.read_text())
    done = run_import("-t", "Orders", "-s", "in", "-p", 2)
    assert (done.code, done.counts["written"], done.counts["rejected"]) == (1, 500, 5)
    assert_holds(simulator, "Orders", items)


def test_8_workers_give_up_when_nothing_happens_for_two_seconds(
    run_import: Run, simulator: Simulator, orders: list[Item]
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([stall(2.5)])
    done = run_import("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 1)
    assert (done.code, done.counts["written"]) == (0, 1000), done.err
    assert_holds(simulator, "Orders", orders)


@pytest.mark.parametrize("script", ["DDBImport", "DDBExport", "GenerateTestData"])
def test_9_without_a_main_guard_each_worker_runs_the_script_again(script: str) -> None:
    """Workers are started by `spawn`, which imports the script: that must do nothing."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {script}"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""


def test_a_list_of_15_regions_refuses_the_others(run_import: Run, simulator: Simulator, orders: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    assert run_import("-t", "Orders", "-s", "orders.json", "-r", "mx-central-1").code == 0
    assert_holds(simulator, "Orders", orders)
