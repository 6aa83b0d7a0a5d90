"""Fixtures for all tests: an environment without AWS in it, and servers to test against (`tests.endpoints`)."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.support")  # before anything of it is imported

from ddbio.cli.configuration import NO_OPTIONS  # noqa: E402
from tests.endpoints import LAUNCHES, Endpoint, Registry  # noqa: E402
from tests.support.environment import AWS_ENVIRONMENT, running  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the fuller tests, which run real commands for minutes, unless some are asked for: by a path, `-k` or
    `-m fuller`."""
    if config.args != config.getini("testpaths") or config.option.keyword or config.option.markexpr:
        return
    fuller = {item for item in items if item.get_closest_marker("fuller")}
    config.hook.pytest_deselected(items=list(fuller))
    items[:] = [item for item in items if item not in fuller]


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
    """Fake keys and a region, and none of the settings for AWS, proxies and ddbio of whoever runs the tests.

    Gives what it set. Commands that a test starts inherit it; a test changes it with monkeypatch.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if re.fullmatch(r"AWS_.*|BOTO_.*|(HTTPS?|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE", name, re.IGNORECASE):
                patch.delenv(name)
        for name in [name for name in os.environ if name.startswith("DDBIO_") and name not in NO_OPTIONS]:
            patch.delenv(name)
        patch.setenv("DDBIO_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield AWS_ENVIRONMENT


@pytest.fixture(scope="session")
def endpoints(aws_environment: dict[str, str]) -> Iterator[Registry]:
    """The servers of this test process."""
    with Registry() as registry:
        yield registry


@pytest.fixture(params=list(LAUNCHES["dynamodb"]))
def dynamodb_endpoint(request: pytest.FixtureRequest, endpoints: Registry) -> Endpoint:
    """Each DynamoDB server in turn: name, url, env, client()."""
    return running(endpoints, "dynamodb", request.param)


@pytest.fixture(params=list(LAUNCHES["s3"]))
def s3_endpoint(request: pytest.FixtureRequest, endpoints: Registry) -> Endpoint:
    """Each S3 server in turn: name, url, env, client()."""
    return running(endpoints, "s3", request.param)
