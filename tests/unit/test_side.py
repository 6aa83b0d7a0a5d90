"""The two tables of a run: each is recognised by itself, even if both have one name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

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
