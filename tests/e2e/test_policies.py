"""`ddbio iam-policy` prints what a command needs, no less and no more: moto enforces it on every kind of job.

With the policy the command succeeds; without any one of its permissions it fails and names the one that is missing.
"""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.cli.main import VERBS
from ddbio.verbs.iam_policy import Scope, policy_of
from tests.endpoints.dynamodb import moto
from tests.support.commands import CHECKOUT, EXPORT, IMPORT, Commands, Completed
from tests.support.environment import AWS_ENVIRONMENT

pytestmark = pytest.mark.fuller

REGION, ACCOUNT = AWS_ENVIRONMENT["AWS_REGION"], "123456789012"
SCOPE = Scope("aws", REGION, ACCOUNT)
SCRIPTS: dict[str, tuple[Any, ...]] = {
    "import": (IMPORT,),
    "export": (EXPORT,),
    "count": (Path("-m"), "ddbio", "count"),
    "copy": (Path("-m"), "ddbio", "copy"),
}
TABLE = "Orders"
ITEMS = [{"id": {"S": str(number)}, "day": {"S": "monday"}} for number in range(30)]
KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
INDEX = {
    "IndexName": "byDay",
    "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


class Account:
    """An AWS account: a moto that may enforce policies, with a user whose policy the test sets."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.enforce(False)
        self.iam = self.client("iam")
        self.iam.create_user(UserName="user")
        self.keys = self.iam.create_access_key(UserName="user")["AccessKey"]
        self.client("s3").create_bucket(Bucket="data")

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self._url, region_name=REGION)

    def enforce(self, on: bool) -> None:
        body, plain = b"0" if on else b"inf", {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self._url}/moto-api/reset-auth", body, plain)
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.keys["SecretAccessKey"],
            "AWS_ENDPOINT_URL": self._url,
        }

    def fill(self) -> None:
        """The table with its items, and objects to import."""
        dynamodb, s3 = self.client("dynamodb"), self.client("s3")
        for name in dynamodb.list_tables()["TableNames"]:
            dynamodb.delete_table(TableName=name)
        names = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "day")]
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=KEY,
            AttributeDefinitions=names,
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[INDEX],
        )
        for item in ITEMS:
            dynamodb.put_item(TableName=TABLE, Item=item)
        for each in s3.list_objects_v2(Bucket="data").get("Contents", []):
            s3.delete_object(Bucket="data", Key=each["Key"])
        lines = "".join(f'{{"id":"{number}"}}\n' for number in range(30))
        s3.put_object(Bucket="data", Key="in/orders.json", Body=lines.encode())
        s3.put_object(Bucket="data", Key="bad/orders.json", Body=(lines + "{bad\n").encode())

    def allow(self, policy: dict[str, Any]) -> None:
        """moto does not tell the tables apart: only the actions on them are enforced, while objects of S3 are."""
        policy = copy.deepcopy(policy)
        for statement in policy["Statement"]:
            if any(action.startswith("dynamodb:") for action in statement["Action"]):
                statement["Resource"] = "*"
        self.iam.put_user_policy(UserName="user", PolicyName="policy", PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def account(aws_environment: dict[str, str]) -> Iterator[Account]:
    with moto() as url:
        yield Account(url)


class Jobs:
    """Runs commands as the user, under a policy."""

    def __init__(self, account: Account, folder: Path, environment: dict[str, str], streams: Path) -> None:
        self._account = account
        self._commands = Commands(
            folder, {**environment, **account.environment(), "PYTHONPATH": str(CHECKOUT)}, streams
        )

    def run(self, verb: str, words: list[str], policy: dict[str, Any]) -> Completed:
        self._account.allow(policy)
        self._account.enforce(True)
        try:
            return self._commands.run(*SCRIPTS[verb], *words, "-p", 1, "--give-up-after", 5, "--fresh")
        finally:
            self._account.enforce(False)


@pytest.fixture
def jobs(account: Account, tmp_path: Path, environment: dict[str, str]) -> Jobs:
    account.fill()
    (tmp_path / "orders.json").write_text('{"id":"1"}\n')
    streams = tmp_path / "streams"
    streams.mkdir()
    return Jobs(account, tmp_path, environment, streams)


IMPORT_FILE = ["-t", TABLE, "-s", "orders.json"]
COPY = ["-t", TABLE, "--to", "Copies", "--create-table"]
EXPORT_S3 = ["-t", TABLE, "-d", "s3://data/out/", "--segments", "1"]
JOBS: dict[str, tuple[str, list[str], list[str]]] = {
    # what it is: verb, words, the permissions without which it fails
    "file": ("import", IMPORT_FILE, ["dynamodb:DescribeTable", "dynamodb:BatchWriteItem"]),
    "insert": ("import", [*IMPORT_FILE, "--mode", "insert"], ["dynamodb:PutItem"]),
    "delete": ("import", [*IMPORT_FILE, "--mode", "delete"], ["dynamodb:BatchWriteItem"]),
    "new table": (
        "import",
        ["-t", "NewTable", "-s", "orders.json", "--create-table", "--key", "id:S"],
        ["dynamodb:CreateTable"],
    ),
    "from S3": ("import", ["-t", TABLE, "-s", "s3://data/in/"], ["s3:ListBucket", "s3:GetObject"]),
    "rejects to S3": (
        "import",
        ["-t", TABLE, "-s", "s3://data/bad/", "--rejects", "s3://data/rejects.jsonl"],
        ["s3:PutObject"],
    ),
    "to a folder": ("export", ["-t", TABLE, "-d", "out"], ["dynamodb:DescribeTable", "dynamodb:Scan"]),
    "of an index": ("export", ["-t", TABLE, "-d", "out", "--index", "byDay"], ["dynamodb:Scan"]),
    "count": ("count", ["-t", TABLE], ["dynamodb:DescribeTable", "dynamodb:Scan"]),
    "count of an index": ("count", ["-t", TABLE, "--index", "byDay"], ["dynamodb:Scan"]),
    "copy": (
        "copy",
        COPY,
        [f"dynamodb:{each}" for each in ("DescribeTable", "Scan", "CreateTable", "BatchWriteItem")],
    ),
    "copy of what is new": ("copy", [*COPY, "--mode", "insert"], ["dynamodb:PutItem"]),
    "to S3": ("export", EXPORT_S3, ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"]),
}


def policy_for(verb: str, words: list[str]) -> dict[str, Any]:
    return policy_of(VERBS[verb].command.options_of(words), SCOPE)


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    rest = copy.deepcopy(policy)
    for statement in rest["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    rest["Statement"] = [statement for statement in rest["Statement"] if statement["Action"]]
    assert rest != policy
    return rest


@pytest.mark.parametrize("job", JOBS)
def test_the_policy_is_enough(jobs: Jobs, job: str) -> None:
    verb, words, _ = JOBS[job]
    done = jobs.run(verb, words, policy_for(verb, words))
    assert done.code == ("rejects" in job), done.err


@pytest.mark.parametrize(
    ("job", "action"), [(job, action) for job, (_, _, needed) in JOBS.items() for action in needed]
)
def test_a_missing_permission_is_named(jobs: Jobs, job: str, action: str) -> None:
    verb, words, _ = JOBS[job]
    done = jobs.run(verb, words, without(policy_for(verb, words), action))
    assert done.code in (2, 3), done.err
    assert action in done.err.splitlines()[-1]


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:DeleteObject"])
def test_an_export_that_is_replaced_is_read_and_deleted(jobs: Jobs, action: str) -> None:
    words = [*EXPORT_S3, "--if-exists", "overwrite"]
    policy = policy_for("export", words)
    assert jobs.run("export", words, policy).code == 0
    done = jobs.run("export", words, without(policy, action))
    assert done.code in (2, 3), done.err
    assert action in done.err.splitlines()[-1]
    done = jobs.run("export", words, policy)
    assert done.code == 0, done.err
