"""The table that an import makes: what is asked of the service, and what is refused before it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.errors import TransferError, UsageError
from ddbio.simulator import Simulator
from ddbio.values.table import TableInfo
from ddbio.verbs.create_table import (
    Target,
    _vector_indexes,
    check_options,
    choose_target,
    copy_of,
    create_request,
    parse_key,
)
from ddbio.verbs.options import ImportOptions
from tests.support.tables import table

LOCAL = {
    "IndexName": "byDay",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "day", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["text"]},
    "IndexSizeBytes": 17,
    "IndexArn": "arn:aws:dynamodb:...",
}
DESCRIBED: dict[str, Any] = {
    **table({"id": "S", "at": "N"}, {"byText": {"text": "S"}}).description,
    "LocalSecondaryIndexes": [LOCAL],
    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
}
DESCRIBED["AttributeDefinitions"] = [
    *DESCRIBED["AttributeDefinitions"],
    {"AttributeName": "day", "AttributeType": "B"},
]


def options(**others: Any) -> ImportOptions:
    return ImportOptions(**{"table": "New", "sources": ("in",), "create_table": True, **others})


def chosen(folder: Path, there: TableInfo | None = None, **others: Any) -> Target:
    return choose_target(options(**others), there, [str(folder), str(folder / "deeper")], mock.Mock())


def names(definitions: list[dict[str, str]]) -> dict[str, str]:
    return {each["AttributeName"]: each["AttributeType"] for each in definitions}


def test_a_request_has_what_the_service_wants_and_no_more() -> None:
    bare = create_request("New", DESCRIBED, indexes=False)
    assert set(bare) == {"TableName", "KeySchema", "AttributeDefinitions", "BillingMode"}
    assert (bare["TableName"], bare["BillingMode"]) == ("New", "PAY_PER_REQUEST")
    assert names(bare["AttributeDefinitions"]) == {"id": "S", "at": "N"}  # one that is not used is refused
    whole = create_request("New", DESCRIBED, indexes=True)
    assert names(whole["AttributeDefinitions"]) == {"id": "S", "at": "N", "text": "S", "day": "B"}
    assert whole["LocalSecondaryIndexes"] == [
        {member: LOCAL[member] for member in ("IndexName", "KeySchema", "Projection")}
    ]
    assert [index["IndexName"] for index in whole["GlobalSecondaryIndexes"]] == ["byText"]


@pytest.mark.parametrize(
    ("text", "key"),
    [("id:S", {"id": "S"}), ("id:S, at:N", {"id": "S", "at": "N"}), ("a:b:B", {"a:b": "B"})],
)
def test_keys_as_people_write_them(text: str, key: dict[str, str]) -> None:
    parsed = parse_key(text)
    assert names(parsed["AttributeDefinitions"]) == key
    roles = [(part["AttributeName"], part["KeyType"]) for part in parsed["KeySchema"]]
    assert roles == list(zip(key, ("HASH", "RANGE"), strict=False))


@pytest.mark.parametrize("text", ["", "id", "id:X", "id:s", ":S", "a:S,b:N,c:B", "a:S,a:N", "a:S,", "id:SS"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(UsageError, match="is no key"):
        parse_key(text)


def manifest(table: Any) -> str:
    return json.dumps({"version": 1, "tool": "ddbio 0.1.0", "table": table, "files": [], "items": 0})


@pytest.mark.parametrize("name", ["_manifest.json", "manifest.json"])
def test_the_manifest_is_looked_for_beside_every_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / name).write_text(manifest(DESCRIBED))
    target = chosen(tmp_path, with_indexes=True)
    assert target.request == create_request("New", DESCRIBED, indexes=True)
    assert target.describe() == (
        f"Making table New, on-demand, key id:S,at:N with the indexes byText, byDay ({tmp_path}/deeper/{name})"
    )
    assert not target.table.provisioned
    assert chosen(tmp_path, table({"id": "S", "at": "N"})).request is None


def test_keys_that_are_named_come_before_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text(manifest(DESCRIBED))
    assert chosen(tmp_path, key="n:N").describe() == "Making table New, on-demand, key n:N (--key)"


def test_keys_that_are_told_by_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the keys of table .New., .* are unknown.*--key"):
        chosen(tmp_path)
    assert chosen(tmp_path, table({"id": "S"})).request is None  # it is there


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"table": 5}', json.dumps({"table": DESCRIBED})])
def test_a_manifest_of_another_program_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=r"the keys of table .* are unknown"):
        chosen(tmp_path)


def test_a_manifest_of_ours_without_the_keys(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text(manifest({"KeySchema": []}))
    with pytest.raises(UsageError, match=r"_manifest.json. does not describe a table"):
        chosen(tmp_path)


def test_a_table_with_other_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"exists with the key id:N, and --key has id:S") as refused:
        chosen(tmp_path, table({"id": "N"}), key="id:S")
    assert "another table" in refused.value.hint


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"create_table": False, "key": "id:S"}, "--key applies only to a new table"),
        ({"create_table": False, "with_indexes": True}, "--with-indexes applies only to a new table"),
        ({"key": "id:S", "with_indexes": True}, "--key names no indexes"),
        ({"mode": "delete"}, "nothing to delete"),
        ({"table": "arn:aws:dynamodb:us-east-1:1:table/Orders"}, "by name, not by ARN"),
    ],
)
def test_options_that_do_not_go_together(others: dict[str, Any], says: str) -> None:
    check_options(options())
    with pytest.raises(UsageError, match=says):
        check_options(options(**others))


def test_a_table_that_never_becomes_active() -> None:
    with Simulator(activation_s=60) as simulator:
        session = Session(AwsSettings(endpoint_url=simulator.url))
        assert session.find("New") is None
        session.create(create_request("New", parse_key("id:S"), indexes=False))
        with pytest.raises(TransferError, match="not ACTIVE after 0 s"):
            session.await_active("New", patience_s=0.1)
        found = session.find("New")
        assert found is not None and not found.is_usable


def test_vector_indexes_are_not_left_out_in_silence() -> None:
    description = {
        **create_request("Old", parse_key("id:S"), indexes=False),
        "VectorIndexes": [{"IndexName": "near"}],
    }
    options = ImportOptions(table="New", sources=("x.json",), create_table=True, with_indexes=True)
    target = Target(table({"id": "S"}), {}, "x/manifest.json", _vector_indexes(options, description))
    assert "not copied from that table: the vector indexes near" in target.describe()
    assert _vector_indexes(replace(options, with_indexes=False), description) == ""


# --------------------------------------------------------------------------- like the table that is copied


@dataclass
class Answers:
    """Stands for a session. ttl: what the service says."""

    ttl: str | None

    def time_to_live(self, table: str) -> str | None:
        return self.ttl


PROPERTIES = {
    "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    "StreamSpecification": {"StreamEnabled": True},
    "SSEDescription": {"KMSMasterKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"},
    "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
    "DeletionProtectionEnabled": True,
    "Replicas": [{"RegionName": "eu-west-2"}],
}


def test_the_table_of_a_copy_has_the_keys_of_the_other_and_what_it_lacks_is_named() -> None:
    model = table({"id": "S", "at": "N"}, {"byDay": {"day": "S"}}, **PROPERTIES)
    target = copy_of(model, "Copies", cast(Any, Answers("expires")), indexes=False)
    assert target.request == {
        "TableName": "Copies",
        "KeySchema": model.description["KeySchema"],
        "AttributeDefinitions": model.description["AttributeDefinitions"][:2],
        "BillingMode": "PAY_PER_REQUEST",
    }
    assert target.describe() == (
        "Making table Copies, on-demand, key id:S,at:N (as table Orders); not copied from that table: index byDay "
        "(--with-indexes), provisioned capacity, stream, encryption with a KMS key, table class, "
        "deletion protection, replicas, "
        "time to live (expires), tags, backups, auto scaling and policies, if it has any"
    )


@pytest.mark.parametrize(("ttl", "words"), [("", "tags, backups"), (None, "time to live, tags, backups")])
def test_a_table_without_more_says_little(ttl: str | None, words: str) -> None:
    model = table({"id": "S"}, {"byDay": {"day": "S"}})
    target = copy_of(model, "Copies", cast(Any, Answers(ttl)), indexes=True)
    assert [index.name for index in target.table.indexes] == ["byDay"]
    left = f"; not copied from that table: {words}, auto scaling and policies, if it has any"
    assert target.describe().endswith(f"with the index byDay (as table Orders){left}")
