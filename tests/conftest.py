"""Fixtures for all tests: an environment without AWS in it, and servers to test against (`tests.endpoints`)."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.endpoints import ACCESS_KEY, LAUNCHES, REGION, SECRET_KEY, Endpoint, Registry, Unavailable

NOWHERE = "/nonexistent"

# The fuller checks: real commands against real servers, minutes of them. `scripts/test` leaves them out; .ci/run runs
# them too, and so do `scripts/test -m fuller` and whoever names one.
FULLER = {
    "contract": {"test_expressions", "test_readers", "test_transfer"},
    "e2e": {
        *("test_aws", "test_chaos", "test_credentials", "test_csv_export", "test_endings", "test_export_caps"),
        *("test_json_documents", "test_machine_faults", "test_own_exports", "test_parquet", "test_policies"),
        *("test_rejects", "test_report", "test_s3", "test_secrets", "test_sources", "test_state_fuzz", "test_stdout"),
    },
}

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": f"{NOWHERE}/config",
    "AWS_SHARED_CREDENTIALS_FILE": f"{NOWHERE}/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked_for_all = config.args == config.getini("testpaths") and not (
        config.option.keyword or config.option.markexpr
    )
    fuller = [item for item in items if item.path.stem in FULLER.get(item.path.parent.name, ())]
    for item in fuller:
        item.add_marker("fuller")
    if asked_for_all:
        config.hook.pytest_deselected(items=fuller)
        items[:] = [item for item in items if item not in set(fuller)]


@pytest.hookimpl(optionalhook=True)  # there only with xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.endpoints.scheduling import ByServer

    return ByServer(config, log) if config.getoption("dist") == "load" else None


def pytest_runtest_setup() -> None:
    """Commands that a test starts heed Ctrl-C, though a shell may have put this run into the background, and though a
    test before may have called a command as a function, which ignores signals at its end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def aws_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Fake keys and a region, and none of the AWS and proxy settings of whoever runs the tests.

    Gives what it set. Commands that a test starts inherit it; a test changes it with monkeypatch.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if re.fullmatch(r"AWS_.*|BOTO_.*|(HTTPS?|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE", name, re.IGNORECASE):
                patch.delenv(name)
        patch.setenv("DDBIO_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield AWS_ENVIRONMENT


@pytest.fixture(scope="session")
def endpoints(aws_environment: dict[str, str]) -> Iterator[Registry]:
    """The servers of this test process."""
    with Registry() as registry:
        yield registry


def running(registry: Registry, service: str, name: str) -> Endpoint:
    try:
        return registry.endpoint(service, name)
    except Unavailable as reason:
        give_up = pytest.fail if os.environ.get("DDBIO_REQUIRE_ENDPOINTS") == "1" else pytest.skip
        give_up(f"{name} cannot be had here: {reason}")


@pytest.fixture(params=list(LAUNCHES["dynamodb"]))
def dynamodb_endpoint(request: pytest.FixtureRequest, endpoints: Registry) -> Endpoint:
    """Each DynamoDB server in turn: name, url, env, client()."""
    return running(endpoints, "dynamodb", request.param)


@pytest.fixture(params=list(LAUNCHES["s3"]))
def s3_endpoint(request: pytest.FixtureRequest, endpoints: Registry) -> Endpoint:
    """Each S3 server in turn: name, url, env, client()."""
    return running(endpoints, "s3", request.param)
