"""The lines of a comparison as changes: read back as they were written, and told apart from everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.changes import CHANGE, DELETE, PUT, are_changes
from ddbio.sources.suspects import Difference
from ddbio.values.items import Deletion
from tests.support.strategies import ITEMS

KEY = {"id": {"S": "x"}}
FORMAT = get_format("changes")


@given(ITEMS, ITEMS)
def test_what_a_comparison_writes_is_read(old: Any, new: Any) -> None:
    old, new = {**old, **KEY}, {**new, **KEY}
    for difference in (Difference(PUT, KEY, None, new), Difference(CHANGE, KEY, old, new)):
        assert are_changes(difference.line())
        parsed = FORMAT.parse(difference.line())
        assert (type(parsed), parsed) == (dict, new)
    deleted = FORMAT.parse(Difference(DELETE, KEY, old, None).line())
    assert (type(deleted), deleted) == (Deletion, KEY)


@pytest.mark.parametrize(
    "line",
    [
        {"op": "move", "key": KEY, "old": None, "new": KEY},
        {"op": "put", "key": KEY, "new": KEY},
        {"op": "put", "key": KEY, "old": None, "new": None},
        {"op": "put", "key": KEY, "old": None, "new": {}},
        {"op": "put", "key": {"id": "x"}, "old": None, "new": KEY},
        {"op": "put", "key": KEY, "old": None, "new": {"id": {"S": "y"}}},
        {"op": "delete", "key": {}, "old": KEY, "new": None},
        {"op": "delete", "key": ["id"], "old": KEY, "new": None},
    ],
)
def test_what_is_no_change_is_rejected(line: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        FORMAT.parse(json.dumps(line).encode())


def test_other_files_are_no_changes() -> None:
    assert are_changes(b' { "op" : "put", "key" : {"id": {"S": "cut o')
    for other in (
        b'{"op": "put", "id": "x"}',
        b'{"op": "put", "key": "x", "id": 1}',
        b'{"op": "put", "key": {"id": "plain"}}',
        b'{"id": "x", "op": "put", "key": {"id": {"S": "y"}}}',
        b"",
    ):
        assert not are_changes(other)
