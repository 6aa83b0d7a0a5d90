"""`--plan` says what a job costs and which other ways there are, at prices of three origins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run
from tests.support.items import Item
from tests.support.price_api import price_api, product

UNITS = ("--plan", "-t", "Orders", "-s", "orders.json", "-c", 2000, "-p", 1)


@pytest.fixture(autouse=True)
def table(simulator: Simulator, orders: list[Item]) -> None:
    """On demand, with an index that has each item."""
    simulator.create_table("Orders", "id:S", global_indexes={"by-id": ["id:S"]})


def after_cost(text: str) -> list[str]:
    lines = text.splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("Cost in US dollars")) :]


def test_the_plan_ends_with_a_table_of_costs_and_other_ways(run_import: Run) -> None:
    done = run_import(*UNITS)
    assert done.code == 0, done.err
    lines = after_cost(done.out)
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(lines[:2]) == (
        "Cost in US dollars, without free tier, taxes and discounts; prices of 2026-09-06 to 2026-10-08 (from   "
        "ddbio's own list; --prices live asks AWS):"
    )
    assert [line.split("  ")[0] for line in lines[2:] if not line.startswith("  ")] == [
        "way",
        "this command",
        "DynamoDB's import from S3",
        "StartBulkPutItems",
        "Cheapest: this command.",
    ]
    assert [" ".join(line.split()) for line in lines if line.startswith("  ")][1:3] == [
        "writes of Orders under $0.01",
        "writes of index by-id under $0.01",
    ]
    assert "  unknown: the size of the indexes' entries is unknown" in lines


def test_prices_of_a_file_and_all_of_it_as_json(run_import: Run, tmp_path: Path, simulator: Simulator) -> None:
    entry = {"region": "us-east-1", "date": "2026-11-01", "source": "our contract"}
    rates = {"million_write_units": 500.0, "wcu_hour": 0.001, "import_gb": 2.0}
    prices = [{**entry, "rate": rate, "usd": usd} for rate, usd in rates.items()]
    (tmp_path / "ours.json").write_text(json.dumps({"prices": prices}))
    done = run_import(*UNITS, "--json", "--prices", "ours.json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    costs = found["costs"]
    (demand,) = found["forecast"]["demands"]
    assert demand["units"]["likely"] == demand["by_index"]["by-id"]["likely"] == 1000
    assert costs["usd"] == {"likely": 1.0, "low": 1.0, "high": 1.0}  # 1,000 units of the table and 1,000 of the index
    assert [charge["usd"]["likely"] for charge in costs["on_demand"]] == [0.5, 0.5]
    assert costs["provisioned_usd"]["likely"] == 2000 * 0.001  # a started hour
    assert {price["source"] for price in costs["prices"]} == {"our contract"}
    assert costs["prices_origin"] == "ours.json"
    first = found["alternatives"]["ways"][0]
    assert (first["operations"], first["possible"]) == (["ImportTable"], False)
    assert found["alternatives"]["cheapest"] == "this command"
    assert simulator.table("Orders").consumed("write") == 0


def test_prices_that_aws_is_asked_for(run_import: Run, environment: dict[str, str]) -> None:
    catalogue = [product("AmazonDynamoDB", "us-east-1", "WriteRequestUnits", ("0", "0.0005"))]
    with price_api(*catalogue) as api:
        environment["AWS_ENDPOINT_URL_PRICING"] = api.url
        done = run_import(*UNITS, "--prices", "live")
        api.refuse = True
        refused = run_import(*UNITS, "--prices", "live")
    assert done.code == 0, done.err
    lines = after_cost(done.out)
    assert "prices of 2026-09-11 (from the AWS Price List API, asked on " in " ".join(" ".join(lines[:2]).split())
    assert next(line.split()[2] for line in lines if line.startswith("this command")) == "$1.00"
    refused.assert_error(2, "--prices live: GetProducts: AccessDeniedException", "allow pricing:GetProducts")


def test_prices_that_cannot_be_used_end_the_command_before_anything_is_read(
    run_import: Run, tmp_path: Path, simulator: Simulator
) -> None:
    (tmp_path / "bad.json").write_text('{"prices": [{"region": "us-east-1"}]}')
    run_import(*UNITS, "--prices", "bad.json").assert_error(2, "--prices bad.json: Object missing required field")
    run_import(*UNITS[1:], "--prices", "bad.json").assert_error(2, "--prices applies only with --plan")
    assert simulator.requests() == {}


def test_the_size_of_standard_input_is_unknown_and_not_nothing(run_import: Run) -> None:
    done = run_import("--plan", "--json", "-t", "Orders", "-s", "-")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["costs"]["usd"] is None
    assert found["alternatives"]["ways"][0]["cost"]["why"] == "the uncompressed size of the files is unknown"
