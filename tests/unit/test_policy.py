"""The policy that a command needs: which actions on what. tests/e2e/test_policies.py shows that they suffice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ddbio.cli import iam_policy
from ddbio.cli.main import VERBS
from ddbio.verbs.iam_policy import Scope, policy_of

SCOPE = Scope("aws", "us-east-1", "123456789012")
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"


def statements(verb: str, *words: str, scope: Scope = SCOPE) -> dict[str, dict[str, Any]]:
    policy = policy_of(VERBS[verb].command.options_of(["-t", "Orders", *words]), scope)
    named = {each["Sid"]: each for each in policy["Statement"]}
    assert len(named) == len(policy["Statement"]), "names of statements are unique"
    assert all(each["Action"] and each["Resource"] for each in named.values())
    return named


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        ([], ["DescribeTable", "BatchWriteItem"]),
        (["--mode", "insert"], ["DescribeTable", "PutItem"]),
        (["--mode", "delete"], ["DescribeTable", "BatchWriteItem"]),
        (["--create-table", "--key", "id:S"], ["DescribeTable", "BatchWriteItem", "CreateTable"]),
    ],
)
def test_an_import_of_files_on_disk(words: Sequence[str], actions: list[str]) -> None:
    named = statements("import", "-s", "orders.json", *words)
    assert {sid: (each["Action"], each["Resource"]) for sid, each in named.items()} == {
        "Table": ([f"dynamodb:{action}" for action in actions], [TABLE])
    }


def test_an_import_from_s3_lists_and_reads_what_it_imports() -> None:
    named = statements("import", "-s", "s3://a/in/2026-*.json", "-s", "s3://b", "-s", "s3://a/more/")
    assert named["List"]["Resource"] == ["arn:aws:s3:::a"]
    assert named["List"]["Condition"] == {"StringLike": {"s3:prefix": ["in/2026-*", "more/*"]}}
    assert (named["List2"]["Resource"], "Condition" in named["List2"]) == (["arn:aws:s3:::b"], False)
    assert named["Sources"]["Action"] == ["s3:GetObject"]
    assert named["Sources"]["Resource"] == ["arn:aws:s3:::a/in/2026-*", "arn:aws:s3:::b/*", "arn:aws:s3:::a/more/*"]


@pytest.mark.parametrize(
    ("words", "of_other"),
    [
        ([], ["DescribeTable", "BatchWriteItem"]),
        (["--mode", "insert"], ["DescribeTable", "PutItem"]),
        (["--create-table"], ["DescribeTable", "CreateTable", "BatchWriteItem"]),
    ],
)
def test_a_copy_reads_one_table_and_writes_the_other(words: Sequence[str], of_other: list[str]) -> None:
    named = statements("copy", "--to", "Copies", "--to-region", "eu-west-1", *words)
    expected = {
        "Table": (["DescribeTable", "Scan"], [TABLE]),
        "ToTable": (of_other, ["arn:aws:dynamodb:eu-west-1:123456789012:table/Copies"]),
        **({"TimeToLive": (["DescribeTimeToLive"], [TABLE])} if "--create-table" in words else {}),
    }
    assert {sid: (each["Action"], each["Resource"]) for sid, each in named.items()} == {
        sid: ([f"dynamodb:{action}" for action in actions], tables) for sid, (actions, tables) in expected.items()
    }


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        (["delete", "--all"], ["DescribeTable", "DescribeContinuousBackups", "Scan", "BatchWriteItem"]),
        (["delete", "--all", "--if-unchanged"], ["DescribeTable", "DescribeContinuousBackups", "Scan", "DeleteItem"]),
        (["delete", "-s", "old.json"], ["DescribeTable", "DescribeContinuousBackups", "BatchWriteItem"]),
        (["update", "--all", "--remove", "a"], ["DescribeTable", "DescribeContinuousBackups", "Scan", "UpdateItem"]),
    ],
)
def test_deletes_and_updates(words: Sequence[str], actions: list[str]) -> None:
    named = statements(*words)
    assert {sid: (each["Action"], each["Resource"]) for sid, each in named.items()} == {
        "Table": ([f"dynamodb:{action}" for action in actions], [TABLE])
    }


def test_the_backup_of_a_delete_is_written_and_read() -> None:
    named = statements("delete", "--all", "--backup", "s3://a/saved")
    assert named["Objects"]["Resource"] == ["arn:aws:s3:::a/saved/*"]
    assert {"s3:PutObject", "s3:GetObject"} <= {*named["Objects"]["Action"]}


def test_rejects_on_s3_want_their_folder_listed() -> None:
    named = statements("import", "-s", "orders.json", "--rejects", "s3://a/rejected/r.jsonl")
    assert named["List"]["Condition"] == {"StringLike": {"s3:prefix": ["rejected/*"]}}
    assert named["ListUploads"]["Resource"] == ["arn:aws:s3:::a"]
    assert (named["Rejects"]["Resource"], "Sources" in named) == (["arn:aws:s3:::a/rejected/r.jsonl"], False)
    assert "Condition" not in statements("import", "-s", "orders.json", "--rejects", "s3://a/r.jsonl")["List"]


def test_an_export_to_s3_may_be_resumed_and_replaced() -> None:
    named = statements("export", "-d", "s3://a/out")
    assert named["Table"]["Action"] == ["dynamodb:DescribeTable", "dynamodb:Scan"]
    assert named["List"]["Condition"] == {"StringLike": {"s3:prefix": ["out/*"]}}
    assert "Condition" not in named["ListUploads"], "S3 knows no s3:prefix for that action"
    assert named["Objects"]["Resource"] == ["arn:aws:s3:::a/out/*"]
    assert {
        "s3:PutObject",
        "s3:GetObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    } == {*named["Objects"]["Action"]}


def test_a_scan_of_an_index_is_allowed_on_the_index() -> None:
    named = statements("export", "-d", "out", "--index", "byDay")
    assert (named["Table"]["Action"], named["Table"]["Resource"]) == (["dynamodb:DescribeTable"], [TABLE])
    assert (named["Index"]["Action"], named["Index"]["Resource"]) == (["dynamodb:Scan"], [f"{TABLE}/index/byDay"])


def test_keys_and_acls_of_objects() -> None:
    named = statements("export", "-d", "s3://a", "--s3-sse-kms-key-id", "k1", "--s3-acl", "private")
    assert named["ObjectsKey"] == {
        "Sid": "ObjectsKey",
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": ["arn:aws:kms:us-east-1:123456789012:key/k1"],
    }
    assert "s3:PutObjectAcl" in named["Objects"]["Action"]
    arn = "arn:aws:kms:us-east-1:1:key/k1"
    assert statements("export", "-d", "s3://a", "--s3-sse-kms-key-id", arn)["ObjectsKey"]["Resource"] == [arn]


def test_a_directory_bucket_wants_a_session_and_nothing_else() -> None:
    named = statements("export", "-d", "s3://fast--use1-az4--x-s3/out")
    assert named["List"]["Action"] == ["s3express:CreateSession"]
    assert named["List"]["Resource"] == ["arn:aws:s3express:us-east-1:123456789012:bucket/fast--use1-az4--x-s3"]
    assert set(named) == {"Table", "List"}


def test_the_table_may_be_an_arn_and_the_rest_unknown() -> None:
    policy = policy_of(VERBS["import"].command.options_of(["-t", TABLE, "-s", "x.json"]), Scope())
    assert policy["Statement"][0]["Resource"] == [TABLE]
    assert statements("import", "-s", "x.json", scope=Scope())["Table"]["Resource"] == [
        "arn:aws:dynamodb:*:*:table/Orders"
    ]


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_is_the_regions(
    region: str, partition: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["ddbio iam-policy", "import", "-r", region, "-t", "Orders", "-s", "x.json", "--account", "123456789012"]
    monkeypatch.setattr("sys.argv", words)
    assert iam_policy.main() == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert statement["Resource"] == [f"arn:{partition}:dynamodb:{region}:123456789012:table/Orders"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "needs the verb"),
        (["generate", "-t", "Orders"], "generate has no policy"),
        (["cont", "-t", "Orders"], "there is no verb 'cont'; did you mean count?"),
        (["import", "-t", "Orders", "-s", "x", "--account", "12"], "is not an account"),
        (["import", "-t", "Orders", "-s", "x", "--account"], "is not an account"),
        (["import", "-t", "Orders"], "-s"),
    ],
)
def test_what_cannot_be_answered(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ddbio iam-policy", *words])
    assert iam_policy.main() == 2
    assert complaint in capsys.readouterr().err


def test_a_count_scans_the_table_or_its_index() -> None:
    assert {sid: (each["Action"], each["Resource"]) for sid, each in statements("count").items()} == {
        "Table": (["dynamodb:DescribeTable", "dynamodb:Scan"], [TABLE])
    }
    index = statements("count", "--index", "byDay")["Index"]
    assert (index["Action"], index["Resource"]) == (["dynamodb:Scan"], [f"{TABLE}/index/byDay"])


def test_a_comparison_only_reads() -> None:
    named = statements("diff", "--to", "Copy", "--to-region", "eu-west-1", "--output", "s3://a/out/diff.jsonl")
    actions = ["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem"]
    assert (named["Table"]["Action"], named["Table"]["Resource"]) == (actions, [TABLE])
    assert named["OtherTable"]["Resource"] == ["arn:aws:dynamodb:eu-west-1:123456789012:table/Copy"]
    assert named["Output"]["Resource"] == ["arn:aws:s3:::a/out/diff.jsonl"]
    export = statements("diff", "--to", "s3://b/exported/", "--output", "s3://a/diff.jsonl")
    assert "OtherTable" not in export
    assert export["Sources"] == {
        **export["Sources"],
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::b/exported/*"],
    }


def test_the_price_list_is_asked_only_for_a_plan_with_its_prices(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*words: str) -> str:
        iam_policy._print(["export", "-r", "us-east-1", "-t", "Orders", "-d", "there", *words])
        return capsys.readouterr().out

    assert "pricing:" not in printed("--plan") + printed()
    asked = json.loads(printed("--plan", "--prices", "live"))["Statement"][-1]
    assert (asked["Action"], asked["Resource"]) == (["pricing:GetProducts"], ["*"])


def test_a_plan_may_ask_for_the_quota_and_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*words: str) -> dict[str, list[str]]:
        iam_policy._print(["copy", "-r", "us-east-1", "-t", "Orders", "--to", "Copy", *words])
        return {each["Sid"]: each["Resource"] for each in json.loads(capsys.readouterr().out)["Statement"]}

    assert not [sid for sid in printed() if sid.startswith("Plan")]
    planned = printed("--plan")
    assert planned["PlanQuota"] == ["*"]
    assert [each.rpartition("/")[2] for each in planned["PlanHistory"]] == ["Orders", "Copy"]
