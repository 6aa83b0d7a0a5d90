"""How the data plane is reached: URL and signing region are those of botocore's own requests, in every partition and
under every setting; ARNs, endpoint URLs, regions and CA bundles that cannot work are refused."""

from __future__ import annotations

import itertools
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, EndpointConnectionError
from botocore.httpsession import get_cert_path
from botocore.loaders import Loader
from botocore.session import get_session

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.errors import TransferError, UsageError
from tests.support.wiretap import TABLE, Wiretap

ACCOUNT = "123456789012"
LOADER = Loader()  # of botocore's data files; shared, because most of the time of a new client is spent in there


@pytest.fixture(autouse=True)
def shared_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)


def of_botocore(region: str | None, table: str, endpoint_url: str | None = None) -> Any:
    """Where a write and a read of botocore's own go, which is one place; "refused" if they go nowhere."""
    try:
        client = boto3.Session(region_name=region).client("dynamodb", endpoint_url=endpoint_url)
        tap = Wiretap(client)
        client.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": {"id": {"S": "1"}}}}]})
        written = tap.reached
        client.scan(TableName=table)
    except BotoCoreError:
        return "refused"
    assert tap.reached == written
    return written


def of_ours(region: str | None, table: str, endpoint_url: str | None = None) -> Any:
    try:
        session = Session(AwsSettings(region=region, endpoint_url=endpoint_url), (table,))
        Wiretap(session._client)
        described = session.describe(table)
    except UsageError:
        return "refused"
    endpoint = session.data_plane(described).endpoint
    return endpoint.url, endpoint.region


def agree(region: str | None, table: str = TABLE, endpoint_url: str | None = None) -> Any:
    ours = of_ours(region, table, endpoint_url)
    assert ours == of_botocore(region, table, endpoint_url)
    return ours


# --------------------------------------------------------------------------- endpoint rules: botocore is the oracle


@cache
def regions() -> list[str]:
    """The first region of each partition botocore knows, those with exceptions of their own, and `local`."""
    core = get_session()
    first = [core.get_available_regions("dynamodb", partition)[:1] for partition in core.get_available_partitions()]
    of_partitions = [region for found in first for region in found]
    assert len(of_partitions) >= 5
    special = ["us-east-1", "us-gov-east-1", "us-gov-west-1", "cn-northwest-1", "us-iso-west-1", "us-isof-south-1"]
    return list(dict.fromkeys([*of_partitions, *special, "eusc-de-east-1", "eu-isoe-west-1", "local"]))


VARIANTS = [
    dict(zip(("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"), each, strict=True))
    for each in itertools.product(("false", "true"), repeat=2)
]
IDENTITIES: list[dict[str, str]] = [
    {},
    {"AWS_ACCOUNT_ID": ACCOUNT},
    {"AWS_ACCOUNT_ID": ACCOUNT, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
    {"AWS_ACCOUNT_ID": ACCOUNT, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
    {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
]
ENDPOINTS: list[dict[str, str]] = [
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000", "AWS_ENDPOINT_URL_DYNAMODB": "https://vpce.example:8443"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_ENDPOINT_URL_DYNAMODB": "https://vpce-1-dynamodb.eu-west-1.vpce.amazonaws.com/"},
]


def set_all(monkeypatch: pytest.MonkeyPatch, *settings: dict[str, str]) -> None:
    for name, value in itertools.chain(*(each.items() for each in settings)):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: "-".join(each.values()))
def test_every_partition_is_reached_as_botocore_reaches_it(
    monkeypatch: pytest.MonkeyPatch, variant: dict[str, str]
) -> None:
    set_all(monkeypatch, variant)
    reached = {region: agree(region) for region in regions()}
    assert sum(each != "refused" for each in reached.values()) >= 7  # with botocore 1.37; later ones know more
    if variant == VARIANTS[0]:
        assert reached["us-east-1"] == ("https://dynamodb.us-east-1.amazonaws.com", "us-east-1")
        assert reached["local"] == ("http://localhost:8000", "us-east-1")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=range(len(ENDPOINTS)))
def test_configured_endpoints_count_as_botocore_counts_them(
    monkeypatch: pytest.MonkeyPatch, endpoint: dict[str, str]
) -> None:
    set_all(monkeypatch, endpoint)
    for variant in VARIANTS:
        with monkeypatch.context() as patch:
            set_all(patch, variant, IDENTITIES[1])
            agree("eu-west-1")
    agree("eu-west-1", endpoint_url="http://127.0.0.1:9000")


@pytest.mark.parametrize("identity", IDENTITIES, ids=range(len(IDENTITIES)))
def test_endpoints_of_accounts_are_used_as_botocore_uses_them(
    monkeypatch: pytest.MonkeyPatch, identity: dict[str, str]
) -> None:
    set_all(monkeypatch, identity)
    for region in ("eu-west-1", "cn-north-1", "local"):
        agree(region)
    for variant in VARIANTS[1:]:
        with monkeypatch.context() as patch:
            set_all(patch, variant)
            agree("eu-west-1")
    reached = agree("eu-west-1", f"arn:aws:dynamodb:eu-west-1:999999999999:table/{TABLE}")
    if identity == {"AWS_ACCOUNT_ID": ACCOUNT}:
        assert ".ddb." in reached[0]  # the endpoint of an account; of which one has changed between versions


def test_the_settings_of_a_profile_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\nregion = us-gov-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert agree(None)[1] == "us-gov-west-1"


# --------------------------------------------------------------------------- endpoint URLs


@pytest.mark.parametrize("way", ["--endpoint-url", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:8000/dynamodb", "has a path"),
        ("https://gateway.example/?stage=prod", "has a query"),
        ("https://gateway.example?stage=prod", "has a query"),
        ("https://gateway.example/#x", "has a fragment"),
        ("http://jo:hush@127.0.0.1:8000", "has a user"),
        ("http://jo@127.0.0.1:8000", "has a user"),
        ("http://127.0.0.1:70000", "70000"),
        ("localhost:8000", "localhost:8000"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("ftp://127.0.0.1:8000", "ftp://"),
        ("//127.0.0.1:8000", "//127.0.0.1"),
        ("http://", "http://"),
    ],
)
def test_an_endpoint_url_is_a_scheme_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, url: str, says: str, way: str
) -> None:
    if way != "--endpoint-url":
        monkeypatch.setenv(way, url)
    with pytest.raises(UsageError) as refused:
        Session(AwsSettings(region="eu-west-1", endpoint_url=url if way == "--endpoint-url" else None))
    assert says in refused.value.message
    assert "hush" not in str(refused.value)
    assert "--endpoint-url" in refused.value.hint


# --------------------------------------------------------------------------- regions and ARNs


def arn(region: str = "eu-west-1", partition: str = "aws", resource: str = f"table/{TABLE}") -> str:
    return f"arn:{partition}:dynamodb:{region}:{ACCOUNT}:{resource}"


def session_of(*tables: str, **settings: Any) -> Session:
    return Session(AwsSettings(**settings), tables)


def test_an_arn_brings_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert session_of(arn()).region == "eu-west-1"
    assert session_of(arn(), arn()).region == "eu-west-1"
    assert session_of(arn(), region="eu-west-1").region == "eu-west-1"
    assert session_of("Orders", arn()).region == "eu-west-1"
    assert session_of(arn("cn-north-1", "aws-cn")).region == "cn-north-1"
    assert of_ours(None, arn())[1] == "eu-west-1"


def test_a_local_server_may_have_a_region_of_its_own() -> None:
    assert session_of(arn("ddblocal"), endpoint_url="http://127.0.0.1:8000").region == "ddblocal"


@pytest.mark.parametrize(
    ("tables", "settings", "says"),
    [
        ((arn(),), {"region": "us-east-1"}, ["eu-west-1", "us-east-1"]),
        ((arn(), arn("us-west-2")), {}, ["eu-west-1", "us-west-2"]),
        ((arn("cn-north-1"),), {}, ["cn-north-1", "aws-cn"]),
        ((arn("eu-west-1", "aws-us-gov"),), {}, ["eu-west-1", "aws-us-gov"]),
        ((arn(""),), {}, ["no region"]),
        ((arn(resource=f"table/{TABLE}/index/by-day"),), {}, ["index"]),
        ((arn(resource=f"table/{TABLE}/stream/2026"),), {}, ["cannot be"]),
        ((arn().replace(":dynamodb:", ":s3:"),), {}, ["cannot be"]),
        (("arn:aws:dynamodb",), {}, ["cannot be"]),
    ],
)
def test_an_arn_that_contradicts_something_is_refused(
    tables: tuple[str, ...], settings: dict[str, str], says: list[str]
) -> None:
    with pytest.raises(UsageError) as refused:
        session_of(*tables, **settings)
    assert [word for word in says if word not in refused.value.message] == []


@pytest.mark.parametrize(
    ("settings", "environment", "region"),
    [
        ({"region": "eu-west-3"}, {"AWS_REGION": "us-west-2"}, "eu-west-3"),
        ({}, {"AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "us-east-1"}, "cn-north-1"),
        ({}, {"AWS_DEFAULT_REGION": "us-gov-west-1"}, "us-gov-west-1"),
    ],
)
def test_s3_gets_the_region_that_dynamodb_has(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], environment: dict[str, str], region: str
) -> None:
    monkeypatch.delenv("AWS_REGION")
    set_all(monkeypatch, environment)
    session = session_of(**settings, s3_endpoint_url="http://127.0.0.1:9000")
    assert (session.aws.region, session.region) == (region, region)
    assert session.aws.s3_endpoint_url == "http://127.0.0.1:9000"


def test_there_is_no_s3_in_the_region_local() -> None:
    assert session_of(region="local").aws.region == "us-east-1"


# --------------------------------------------------------------------------- CA bundles


BUNDLES: list[tuple[dict[str, str], str]] = [
    ({}, ""),
    ({"AWS_CA_BUNDLE": "first"}, ""),
    ({"REQUESTS_CA_BUNDLE": "second"}, ""),
    ({"AWS_CA_BUNDLE": "first", "REQUESTS_CA_BUNDLE": "second"}, ""),
    ({"REQUESTS_CA_BUNDLE": "second"}, "third"),
    ({"AWS_CA_BUNDLE": "first"}, "third"),
    ({"CURL_CA_BUNDLE": "second"}, ""),
]


@pytest.mark.parametrize(("environment", "in_profile"), BUNDLES, ids=range(len(BUNDLES)))
def test_the_ca_bundle_is_the_one_botocore_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], in_profile: str
) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / name).write_bytes(Path(get_cert_path(True)).read_bytes())
    set_all(monkeypatch, {name: str(tmp_path / value) for name, value in environment.items()})
    if in_profile:
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {tmp_path / in_profile}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    theirs = boto3.Session(region_name="eu-west-1").client("dynamodb")._endpoint.http_session._verify
    session = session_of(region="eu-west-1")
    Wiretap(session._client)
    ours = session.data_plane(session.describe(TABLE)).endpoint.ca_bundle
    assert ours == (theirs if isinstance(theirs, str) else ours)
    assert session._client._endpoint.http_session._verify == theirs
    assert ours is not None and os.path.exists(ours)  # noqa: PTH110 - a path as text


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "ca_bundle"])
@pytest.mark.parametrize("bundle", ["missing.pem", "empty.pem", "text.pem", "folder", " "])
def test_a_ca_bundle_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, bundle: str
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("not a certificate")
    (tmp_path / "folder").mkdir()
    value = bundle if bundle == " " else str(tmp_path / bundle)
    if name == "ca_bundle":
        if bundle == " ":
            pytest.skip("a configuration file has no blank values")
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {value}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        session_of(region="eu-west-1")
    assert name in str(refused.value)
    assert bundle.strip() in refused.value.message


def test_a_scheme_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert agree("eu-west-1", endpoint_url="HTTPS://vpce.example:8443") == ("https://vpce.example:8443", "eu-west-1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(UsageError, match=r"missing\.pem"):
        session_of(region="eu-west-1", endpoint_url="HTTPS://vpce.example:8443")


def test_an_http_endpoint_needs_no_bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert session_of(region="eu-west-1", endpoint_url="http://127.0.0.1:8000").region == "eu-west-1"


# --------------------------------------------------------------------------- what botocore cannot use


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "always"}, "account_id_endpoint_mode"),
        ({"AWS_CA_BUNDLE": ""}, "AWS_CA_BUNDLE"),
        ({"AWS_DEFAULTS_MODE": "junk"}, "defaults mode"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "junk"}, "STS regional endpoints"),
        ({"AWS_REQUEST_CHECKSUM_CALCULATION": "junk"}, "request_checksum_calculation"),
        ({"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "junk"}, "request_min_compression_size_bytes"),
    ],
)
def test_a_setting_that_botocore_refuses_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str
) -> None:
    set_all(monkeypatch, settings)
    with pytest.raises(UsageError, match=says):
        session_of(region="eu-west-1")


def test_an_unreachable_service_may_be_reached_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        session = session_of(region="eu-west-1", endpoint_url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        session._client._endpoint._event_emitter.register_first("needs-retry.dynamodb", lambda **_: None)
        monkeypatch.setattr("time.sleep", lambda _: None)
        with pytest.raises(TransferError):
            session.describe(TABLE)


def test_config_of_botocore_is_ours() -> None:
    """botocore's own settings of timeouts and retries are the only ones that are overridden."""
    assert Config().account_id_endpoint_mode is None
    client = session_of(region="eu-west-1")._client
    assert client.meta.config.account_id_endpoint_mode == "preferred"


@pytest.mark.parametrize(
    ("region", "error", "says"),
    [
        ("us-eats-1", UsageError, 'there is no region "us-eats-1"'),
        ("us-east", UsageError, "did you mean us-east-"),
        ("us-east-1", TransferError, "check --region, --endpoint-url and the network"),
        ("cn-north-1", TransferError, "check --region"),
    ],
)
def test_a_region_that_nobody_knows_is_named_if_nothing_answers(
    region: str, error: type[Exception], says: str
) -> None:
    session = Session(AwsSettings(region=region), (TABLE,))

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url=session.endpoint_url)

    session._client.meta.events.register_first("before-send.dynamodb", refuse)
    with pytest.raises(error) as refused:
        session.describe("Orders")
    assert says in str(refused.value)
