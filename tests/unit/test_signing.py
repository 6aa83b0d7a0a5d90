"""The signer against botocore's own, and what it may and may not keep from one request to the next."""

from __future__ import annotations

import datetime
from collections import deque

import pytest
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.credentials import Keys
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.wire import Endpoint
from ddbio.system.clock import ManualClock

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()
TARGET = "DynamoDB_20120810.Scan"
TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

ALL_KEYS = st.builds(
    Keys,
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16, max_size=32),
    st.text(TOKEN_CHARACTERS, min_size=1, max_size=60),
    st.none() | st.text(TOKEN_CHARACTERS, min_size=1, max_size=900),
)
TIMES = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2090, 1, 1)).map(
    lambda time: time.replace(tzinfo=UTC).timestamp()
)
URLS = st.sampled_from(
    [
        "https://dynamodb.eu-central-1.amazonaws.com",
        "https://dynamodb.eu-central-1.amazonaws.com/",
        "https://dynamodb.eu-central-1.amazonaws.com:443",
        "https://dynamodb.eu-central-1.amazonaws.com:8443",
        "https://DynamoDB.us-gov-east-1.API.aws",
        "http://localhost:8000",
        "http://127.0.0.1:80",
        "http://127.0.0.1:443",
        "http://[::1]:8000",
        "https://[::1]",
    ]
)


def signed(signer: Signer, target: str = TARGET, body: bytes = b"{}") -> dict[str, str]:
    lines = signer.headers(target, body)
    assert lines.endswith("\r\n")
    return dict(line.split(": ", 1) for line in lines[:-2].split("\r\n"))


def botocore_headers(keys: Keys, url: str, region: str, target: str, body: bytes, at_s: float) -> dict[str, str]:
    """The oracle: what botocore sends for the same request. `add_auth`, but at a time of our choosing."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    request = AWSRequest("POST", url.rstrip("/") + "/", headers=headers, data=body)
    request.context["timestamp"] = datetime.datetime.fromtimestamp(at_s, UTC).strftime(SIGV4_TIMESTAMP)
    auth = SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "dynamodb", region)
    auth._modify_request_before_signing(request)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(to_sign, request))
    return dict(request.headers.items())


@given(
    keys=ALL_KEYS,
    url=URLS,
    region=st.sampled_from(["us-east-1", "ap-southeast-2", "us-gov-east-1", "local"]),
    target=st.sampled_from([TARGET, "DynamoDB_20120810.BatchWriteItem"]),
    body=st.binary(max_size=2000),
    at_s=TIMES,
)
def test_it_signs_what_botocore_signs(
    keys: Keys, url: str, region: str, target: str, body: bytes, at_s: float
) -> None:
    expected = botocore_headers(keys, url, region, target, body, at_s)
    host = Endpoint(url, region).host_header
    ours = signed(Signer(lambda: keys, region=region, host=host, wall_clock=lambda: at_s), target, body)
    assert ours["Host"] == host
    assert {name: ours[name] for name in expected} == expected


@given(moments=st.lists(st.tuples(st.sampled_from([0, 0.5, 1, 59, 3600, 86400, -86400, 86399.9]), st.booleans())))
def test_whatever_it_keeps_between_requests_is_as_good_as_new(moments: list[tuple[float, bool]]) -> None:
    clock = ManualClock(NOON)
    available = deque([Keys("AKIDONE", "secret one"), Keys("AKIDTWO", "secret two", "token")])
    old = Signer(lambda: available[0], region="us-east-1", host="localhost", wall_clock=clock)
    for step_s, renew in moments:
        clock.now_s += step_s
        available.rotate(renew)
        new = Signer(lambda: available[0], region="us-east-1", host="localhost", wall_clock=clock)
        assert signed(old) == signed(new)


def test_new_keys_count_within_the_same_second() -> None:
    keys = [Keys("AKIDONE", "secret", "token one")]
    signer = Signer(lambda: keys[-1], region="us-east-1", host="localhost", wall_clock=ManualClock(NOON))
    before = signed(signer)
    keys.append(Keys("AKIDTWO", "secret"))
    after = signed(signer)
    assert "Credential=AKIDTWO/" in after["Authorization"]
    assert ("X-Amz-Security-Token" in before, "X-Amz-Security-Token" in after) == (True, False)


@pytest.mark.parametrize(
    ("later_s", "stamp", "day"),
    [
        (0.9, "20261121T120000Z", "20261121"),
        (1.0, "20261121T120001Z", "20261121"),
        (12 * 3600, "20261122T000000Z", "20261122"),
    ],
)
def test_the_date_follows_the_clock(later_s: float, stamp: str, day: str) -> None:
    clock = ManualClock(NOON)
    signer = Signer(lambda: Keys("AKID", "secret"), region="us-east-1", host="localhost", wall_clock=clock)
    signed(signer)
    clock.now_s += later_s
    headers = signed(signer)
    assert headers["X-Amz-Date"] == stamp
    assert f"Credential=AKID/{day}/us-east-1/dynamodb/aws4_request," in headers["Authorization"]


@pytest.mark.parametrize("change", ["body", "target"])
def test_the_signature_covers_body_and_target(change: str) -> None:
    signer = Signer(
        lambda: Keys("AKID", "secret"), region="us-east-1", host="localhost", wall_clock=ManualClock(NOON)
    )
    other = signed(signer, body=b"{ }") if change == "body" else signed(signer, target="DynamoDB_20120810.Query")
    assert other["Authorization"] != signed(signer)["Authorization"]


def test_keys_never_show_their_secret() -> None:
    assert "hidden" in repr(Keys("AKIDEXAMPLE", "wJalrXUtnFEMI", "token"))
    assert "wJalr" not in f"{Keys('AKIDEXAMPLE', 'wJalrXUtnFEMI', 'token')!r}"


def test_the_user_agent_is_sent_and_not_signed() -> None:
    signer = Signer(
        lambda: Keys("AKID", "secret"), region="r", host="h", user_agent="ddbio/1", wall_clock=lambda: NOON
    )
    plain = Signer(lambda: Keys("AKID", "secret"), region="r", host="h", wall_clock=lambda: NOON)
    lines = signed(signer)
    assert lines.pop("User-Agent") == "ddbio/1"
    assert lines == signed(plain)
