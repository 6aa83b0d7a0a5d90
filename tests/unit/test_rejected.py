"""The rejects file as a source: what was refused is parsed again, mended or not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.rejected import RejectedRecords, of_rejects, read_rejected
from ddbio.messages import Reject
from ddbio.messages.format_spec import JSON, FormatSpec
from ddbio.sinks.rejects import RejectsFile

DDB_JSON = FormatSpec("dynamodb-json")
PLACE = {"source": "orders.json", "offset": 7, "line": 2, "code": "missing-key", "message": "no key"}


def line(**members: Any) -> bytes:
    return json.dumps({**PLACE, **members}).encode()


@pytest.mark.parametrize(
    ("spec", "record"), [(JSON, '{"id": "a", "n": 1}'), (DDB_JSON, '{"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}')]
)
@pytest.mark.parametrize("as_base64", [False, True])
def test_the_record_inside_is_parsed_by_the_format_of_the_run(spec: FormatSpec, record: str, as_base64: bool) -> None:
    kept = {"record_base64": base64.b64encode(record.encode()).decode()} if as_base64 else {"record": record}
    assert get_format(of_rejects(spec)).parse(line(**kept)) == {"id": {"S": "a"}, "n": {"N": "1"}}


@pytest.mark.parametrize(
    "record",
    [
        b'{"id": "a"}',
        b'{"id": "a", "record": "an attribute of that name"}',
        b'{"source": "x", "offset": 1, "line": null, "code": "c", "message": "m"}',
    ],
)
def test_a_line_that_is_no_reject_is_a_record_itself(record: bytes) -> None:
    assert get_format(of_rejects(JSON)).parse(record) == get_format(JSON).parse(record)


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        ({"record": "bad"}, "bad-json"),
        ({"record": ""}, "bad-json"),
        ({"record": " \n"}, "bad-json"),
        ({"record_base64": "%"}, "bad-base64"),
        ({"record_base64": ""}, "bad-json"),
        ({"record": '{"id": "x', "record_bytes": 100_000_000}, "line-too-long"),
        ({"record": "a,b", "csv": {"columns": ["id", "x"], "types": ["?", "?"]}}, "bad-csv"),
        ({"record": "a,b", "csv": {"columns": ["id", "x"], "delimiter": "--"}}, "bad-csv"),
    ],
)
def test_what_is_still_bad_is_refused(kept: dict[str, Any], code: str) -> None:
    with pytest.raises(RecordError) as refused:
        get_format(of_rejects(JSON)).parse(line(**kept))
    assert refused.value.code == code


@given(st.binary())
def test_anything_at_all_is_a_reject_or_none(record: bytes) -> None:
    assert read_rejected(record) is None


@given(st.binary())
def test_what_is_refused_again_keeps_its_place(tmp_path_factory: pytest.TempPathFactory, record: bytes) -> None:
    """However often: the record is what it was, and the reason is the newest."""
    path = tmp_path_factory.mktemp("rejects") / "x.rejects.jsonl"
    add(path, Reject("orders.json", 7, 0, 2, "one", "first", record))
    once = path.read_bytes().rstrip(b"\n")
    add(path, Reject("x.jsonl", 100, 5, 6, "two", "second", once, format=of_rejects(JSON)))
    (again,) = map(json.loads, path.read_bytes().splitlines())
    assert again == {**json.loads(once), "code": "two", "message": "second"}
    again_rejected = read_rejected(path.read_bytes())
    assert again_rejected is not None and again_rejected.content() == record


def add(path: Any, reject: Reject) -> None:
    rejects = RejectsFile(path)
    rejects.add([reject])
    rejects.finish({})


def test_a_part_of_a_record_is_not_imported_alone() -> None:
    """Though its text may be a whole object."""
    line = {"source": "a", "offset": 0, "line": 1, "code": "part-of-record", "message": "m", "record": '{"id":"a"}'}
    format = RejectedRecords(JSON)
    with pytest.raises(RecordError) as error:
        format.parse(json.dumps(line).encode())
    assert (error.value.code, "replace the line" in error.value.message) == ("part-of-record", True)
    assert format.parse(b'{"id":"a"}') == {"id": {"S": "a"}}
