"""`verify` and `sql` by the library, on every server: items of all types as they are read back."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.job.run import Caller
from ddbio.verbs.options import SqlOptions, VerifyOptions
from ddbio.verbs.sql import sql
from ddbio.verbs.verify_export import Verify
from tests.contract.test_transfer import INLINE, Tables, aws, counts, do_export, do_import, tables
from tests.support.items import Item, rich_items, write_items

__all__ = ["aws", "tables"]  # fixtures
pytestmark = pytest.mark.fuller

NUMBER = "12345678901234567890.123456789012345678"


@pytest.fixture
def items() -> list[Item]:
    return [{**item, "exact": {"N": NUMBER}} for item in rich_items(60)]


@pytest.fixture
def table(tables: Tables, aws: AwsSettings, items: list[Item], tmp_path: Path) -> str:
    name = tables.create()
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, name, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    return name


def test_an_export_is_what_the_table_holds_until_it_changes(
    tables: Tables, aws: AwsSettings, table: str, tmp_path: Path
) -> None:
    assert counts(do_export(aws, table, tmp_path / "out", segments=3))[0] == 0
    asked = VerifyOptions(table=str(tmp_path / "out"), to=table, aws=aws, to_aws=aws)
    assert Verify(asked).perform(Caller(engine=INLINE)).exit_code == 0
    tables.endpoint.client().delete_item(TableName=table, Key={"id": {"S": "item-000007"}})
    assert Verify(asked).perform(Caller(engine=INLINE)).exit_code == 1


def test_a_query_over_the_items(aws: AwsSettings, table: str, items: list[Item], tmp_path: Path) -> None:
    query = "SELECT count(*) AS items, sum(number) AS total, max(exact) AS exact FROM t WHERE id >= 'item-000010'"
    output = tmp_path / "out.parquet"
    result = sql(SqlOptions(table=table, aws=aws, query=query, output=str(output), segments=3), engine=INLINE)
    assert (result.exit_code, result.rows, result.tally.read) == (0, 1, len(items)), result.error
    (row,) = pyarrow.parquet.read_table(output).to_pylist()
    assert (row["items"], row["total"], str(row["exact"])) == (50, sum(range(10, 60)), NUMBER)
