"""The profile of a table on every server: that of its items."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.values.profile import Profile, Subject
from ddbio.verbs.inspect_table import inspect_table
from ddbio.verbs.options import InspectOptions
from tests.contract.test_transfer import INLINE, Tables, aws, counts, do_import, tables
from tests.support.items import rich_items, write_items
from tests.unit.test_profile import figures

__all__ = ["aws", "tables"]  # fixtures
pytestmark = pytest.mark.fuller


def test_the_profile_is_that_of_the_items(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    name = tables.create()
    write_items(tmp_path / "in.json", rich_items(150))
    assert counts(do_import(aws, name, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    result = inspect_table(InspectOptions(table=name, aws=aws, segments=3), engine=INLINE)
    assert (result.exit_code, result.tally.counted, result.ttl or "") == (0, 150, ""), result.error
    expected = Profile()
    expected.add(tables.items(name), Subject(("id",)))
    assert figures(result.profile) == figures(expected)
    assert result.distribution is not None and result.distribution.mean == 50
