"""Keys that cannot be had: one line with the trouble and the way out, for every provider that botocore knows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import botocore.session
import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.provider import KeySource
from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
EXPIRED = json.dumps(
    {
        "Version": 1,
        "AccessKeyId": "ASIAEXPIRED",
        "SecretAccessKey": SECRET,
        "SessionToken": "token",
        "Expiration": "2020-01-01T00:00:00Z",
    }
)
ROLE = "role_arn = arn:aws:iam::123456789012:role/r"
SSO = "sso_start_url = https://example.com\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r"

Aws = Callable[[str], None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with no keys anywhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def process(path: Path, prints: str, code: int = 0) -> str:
    script = path / "process.py"
    script.write_text(f"import sys\nprint({prints!r})\nprint('no entry', file=sys.stderr)\nsys.exit({code})\n")
    return f"credential_process = {sys.executable} {script}"


PROFILES: dict[str, tuple[Callable[[Path], str], list[str]]] = {
    "process missing": (lambda _: "credential_process = /nonexistent/tool", ["/nonexistent/tool", "does not exist"]),
    "process failing": (lambda path: process(path, "", 3), ["credential_process", "by hand"]),
    "process without JSON": (lambda path: process(path, f"<html>{SECRET}"), ["valid JSON", "credential_process"]),
    "process with half the JSON": (
        lambda path: process(path, '{"Version": 1}'),
        ["AccessKeyId", "credential_process"],
    ),
    "process with expired keys": (lambda path: process(path, EXPIRED), ["expired", "renew"]),
    "role of a token file": (
        lambda path: f"{ROLE}\nweb_identity_token_file = {path}/no-token",
        ["no-token", "does not exist", "AWS_WEB_IDENTITY_TOKEN_FILE"],
    ),
    "role with MFA": (
        lambda _: f"{ROLE}\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/x",
        ["MFA code", "get-session-token"],
    ),
    "role of a profile that is not there": (
        lambda _: f"{ROLE}\nsource_profile = gone",
        ["gone", 'profile "p"'],
    ),
    "SSO without a login": (lambda _: SSO, ["aws sso login --profile p"]),
    "SSO session without a login": (
        lambda _: (
            "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\n"
            "sso_start_url = https://example.com\nsso_region = eu-west-1"
        ),
        ["aws sso login --profile p"],
    ),
    "half of the keys": (lambda _: "aws_access_key_id = AKIDHALF", ["aws_secret_access_key"]),
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_that_gives_no_keys(name: str, home: Path) -> None:
    profile, words = PROFILES[name]
    (home / "config").write_text(
        f"[profile p]\nregion = eu-west-1\n{profile(home)}\n"
        f"[profile base]\naws_access_key_id = AKID\naws_secret_access_key = {SECRET}\n"
    )
    assert_refused(AwsSettings(profile="p"), words)


def assert_refused(settings: AwsSettings, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        Session(settings)
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    assert error.value.hint
    assert SECRET not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": ROLE.partition("= ")[2]},
            ["/nonexistent/token", "does not exist"],
        ),
        (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nonexistent/token",
            },
            ["/nonexistent/token", "does not exist"],
        ),
        ({"AWS_ACCESS_KEY_ID": "AKIDHALF"}, ["AWS_SECRET_ACCESS_KEY"]),
    ],
)
def test_an_environment_that_gives_no_keys(
    variables: dict[str, str], words: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert_refused(AwsSettings(region="eu-west-1"), words)


@pytest.mark.parametrize("content", ["[profile p\nregion", "region = x\n", "\x00[]"])
def test_a_configuration_file_that_cannot_be_read(content: str, home: Path) -> None:
    (home / "config").write_text(content)
    assert_refused(AwsSettings(region="eu-west-1"), ["config"])


class Renewals:
    """A profile whose process gives keys that botocore wants to renew at once, until it fails."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._home = home
        (home / "config").write_text(f"[profile p]\nregion = eu-west-1\n{process(home, self.keys())}\n")
        monkeypatch.setenv("AWS_PROFILE", "p")
        self.source = KeySource(botocore.session.Session())

    def keys(self) -> str:
        ends = datetime.now(timezone.utc) + timedelta(minutes=12)  # botocore renews 15 minutes before, must at 10
        return EXPIRED.replace("2020-01-01T00:00:00Z", f"{ends:%Y-%m-%dT%H:%M:%SZ}")


def test_a_renewal_that_botocore_swallows_is_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renewals = Renewals(home, monkeypatch)
    assert renewals.source.are_renewed
    keys = renewals.source.keys()
    assert (keys.access_key, keys.renewal_failure) == ("ASIAEXPIRED", "")
    assert keys.ends is not None and keys.ends > datetime.now(timezone.utc)
    process(home, "", 3)
    failed = renewals.source.keys()
    assert failed == keys
    assert "no entry" in failed.renewal_failure
    process(home, renewals.keys())
    assert renewals.source.keys().renewal_failure == ""


def test_keys_of_the_environment_are_not_renewed(aws_environment: dict[str, str]) -> None:
    source = KeySource(botocore.session.Session())
    assert not source.are_renewed
    assert source.keys().access_key == os.environ["AWS_ACCESS_KEY_ID"]
    assert source.keys().ends is None
