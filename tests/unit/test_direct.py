"""Access without botocore: only where botocore would do the very same. If anything is odd, botocore decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.botocore_access import BotocoreAccess
from ddbio.dynamodb.direct import DirectAccess, direct_access
from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import INTERNAL_ERROR

HERE = "http://127.0.0.1:8000"
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test"}
REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}
NOWHERE = {"AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}
ENOUGH = {**KEYS, **REGION, **NOWHERE, "AWS_ENDPOINT_URL": HERE}


def direct(changed: dict[str, str] | None = None, *tables: str, **settings: Any) -> DirectAccess | None:
    return direct_access(AwsSettings(**settings), tables or ("Orders",), {**ENOUGH, **(changed or {})})


# Everything that botocore may know and this module does not: the right answer is to leave it to botocore.
LEFT_TO_BOTOCORE: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "a profile of the options": ({}, {"profile": "work"}),
    "a profile of the environment": ({"AWS_PROFILE": "work"}, {}),
    "a variable that may come next year": ({"AWS_SOMETHING_NEW": "1"}, {}),
    "FIPS": ({"AWS_USE_FIPS_ENDPOINT": "true"}, {}),
    "endpoints to be ignored": ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {}),
    "keys that expire": ({"AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}, {}),
    "the old name of the token": ({"AWS_SECURITY_TOKEN": "token"}, {}),
    "the name of an application": ({"AWS_SDK_UA_APP_ID": "app"}, {}),
    "a blank CA bundle": ({"AWS_CA_BUNDLE": ""}, {}),
    "a blank CA bundle of other programs": ({"REQUESTS_CA_BUNDLE": " "}, {}),
    "a proxy": ({"http_proxy": "http://proxy:3128"}, {}),
    "a proxy for all": ({"ALL_PROXY": "http://proxy:3128"}, {}),
    "no secret key": ({"AWS_SECRET_ACCESS_KEY": ""}, {}),
    "no region": ({"AWS_DEFAULT_REGION": ""}, {}),
    "no region of AWS": ({}, {"region": "local"}),
    "a region that means another": ({}, {"region": "fips-us-east-1"}),
    "TLS": ({}, {"endpoint_url": "https://127.0.0.1:8000"}),
    "no endpoint": ({"AWS_ENDPOINT_URL": ""}, {}),
    "an endpoint with a path": ({}, {"endpoint_url": f"{HERE}/path"}),
}


@pytest.mark.parametrize(("changed", "settings"), LEFT_TO_BOTOCORE.values(), ids=LEFT_TO_BOTOCORE)
def test_botocore_decides_if_anything_else_may_have_a_say(changed: dict[str, str], settings: dict[str, Any]) -> None:
    assert direct() is not None
    assert direct(changed, **settings) is None


@pytest.mark.parametrize("variable", list(NOWHERE))
def test_botocore_reads_files_even_if_they_are_empty(variable: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert direct({variable: str(tmp_path / "file")}) is None


def test_an_arn_is_for_botocore() -> None:
    assert direct({}, "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders") is None


@pytest.mark.parametrize(
    ("changed", "settings"),
    [
        ({}, {}),
        ({"AWS_REGION": "us-gov-west-1"}, {}),
        ({"AWS_REGION": "us-gov-west-1"}, {"region": "ap-southeast-2"}),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:1/"}, {}),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:1"}, {"endpoint_url": "http://[::1]:2"}),
        ({"AWS_SESSION_TOKEN": "a-token", "NO_PROXY": "*", "HTTPS_PROXY": "http://proxy:3128"}, {}),
        ({"AWS_CA_BUNDLE": "/bundle.pem", "REQUESTS_CA_BUNDLE": "/bundle.pem"}, {}),
    ],
)
def test_the_answer_is_that_of_botocore(
    changed: dict[str, str],
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    aws_environment: dict[str, str],
) -> None:
    monkeypatch.delenv("AWS_REGION")
    for name, value in {**ENOUGH, **changed}.items():
        monkeypatch.setenv(name, value)
    ours, theirs = direct_access(AwsSettings(**settings), ("Orders",)), BotocoreAccess(AwsSettings(**settings), ())
    assert ours is not None
    for name in ("region", "endpoint_url", "are_renewed", "application"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.keys() == theirs.keys()
    assert ours.endpoint.tls is False


def test_a_key_with_a_blank_in_it_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY has a blank") as refused:
        direct({"AWS_SECRET_ACCESS_KEY": "sec ret"})
    assert "sec ret" not in str(refused.value)


def test_a_table_is_described_as_by_botocore() -> None:
    with Simulator() as simulator:
        simulator.create_table("Orders", "id:S", wcu=10, rcu=5)
        settings = AwsSettings(endpoint_url=simulator.url)
        access, botocore = direct_access(settings, ("Orders",)), BotocoreAccess(settings, ())
        assert access is not None
        described = access.describe("Orders", "test")
        expected = botocore.describe("Orders")
        assert described is not None
        assert {name: described[name] for name in expected} == expected, "times and numbers, too"
        assert str(described["CreationDateTime"]) == str(expected["CreationDateTime"]), "a job is known by its text"


def test_a_refusal_is_told_in_botocores_way() -> None:
    """Its retries too: the service fails twice, once for each way, and then answers."""
    with Simulator() as simulator:
        simulator.create_table("Orders", "id:S")
        session = Session(AwsSettings(endpoint_url=simulator.url))
        with pytest.raises(UsageError, match='table "Missing" in us-east-1 does not exist'):
            session.describe("Missing")
        simulator.faults = FaultPlan([INTERNAL_ERROR] * 2)
        table = session.describe("Orders")
        assert session.data_plane(table).endpoint.url == simulator.url
