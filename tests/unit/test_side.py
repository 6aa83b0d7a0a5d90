"""The two tables of a run: each is recognised by itself, even if both have one name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.flow.context import TARGET
from ddbio.job.run import Caller, Run
from ddbio.job.side import Side
from ddbio.options import TransferOptions
from ddbio.values.table import TableInfo
from tests.support.tables import table

OPTIONS = TransferOptions(table="Orders")


def made(table_id: str) -> TableInfo:
    plain = table({"id": "S"})
    return replace(plain, name="Orders", description={**plain.description, "TableId": table_id})


def session(region: str) -> Any:
    return SimpleNamespace(region=region, endpoint_url=f"https://{region}")


def run_of(first: str, second: str) -> Run:
    other = Side.choose(session("eu-west-1"), made(second), "WCU", "Orders", None, role=TARGET)
    return Run.begin(OPTIONS, session("us-east-1"), made(first), "RCU", 1, Caller(), other)


def test_each_of_two_tables_of_one_name_is_a_fact_of_the_job() -> None:
    """Such as those of a copy to another region: if either is made anew, the job is another one."""
    facts = run_of("a", "b").facts()
    assert facts == run_of("a", "b").facts()
    assert facts != run_of("other", "b").facts()
    assert facts != run_of("a", "other").facts()


def test_one_table_is_a_fact_under_its_name() -> None:
    run = Run.begin(OPTIONS, session("us-east-1"), made("a"), "RCU", 1, Caller())
    assert [name for name in run.facts() if name.startswith("table")] == ["table Orders"]


def described(*tables: TableInfo) -> Any:
    """A session that describes a table like this, each time the next."""
    left = list(tables)
    return SimpleNamespace(region="us-east-1", endpoint_url="https://x", describe=lambda name: left.pop(0))


def test_another_capacity_is_one_of_the_table_as_it_is_now() -> None:
    small = replace(made("a"), provisioned=True, write_units=100.0)
    large = replace(small, write_units=400.0)
    side = Side.choose(described(large, large), small, "WCU", "Orders", None)
    half = side.with_capacity("50%", over_provisioned=False, option="set-cap")
    assert (half.cap.units_per_s, half.follows_table, half.role) == (200.0, True, TARGET)
    with pytest.raises(UsageError, match="set-cap 500 is more than the 400 WCU"):
        side.with_capacity("500", over_provisioned=False, option="set-cap")


def test_the_capacity_of_several_tables_is_not_that_of_the_first() -> None:
    both = replace(made("a"), provisioned=True, write_units=1000.0)
    side = replace(Side.choose(described(), both, "WCU", "Orders", None), follows=False)
    number = side.with_capacity("900", over_provisioned=False, option="set-cap")
    assert (number.cap.units_per_s, number.follows_table) == (900.0, False)
