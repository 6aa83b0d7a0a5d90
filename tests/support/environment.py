"""The AWS environment of every test, and how a test asks for a server."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from tests.endpoints import ACCESS_KEY, REGION, SECRET_KEY, Endpoint, Registry, Unavailable

NOWHERE = "/nonexistent"

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": f"{NOWHERE}/config",
    "AWS_SHARED_CREDENTIALS_FILE": f"{NOWHERE}/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def running(registry: Registry, service: str, name: str) -> Endpoint:
    try:
        return registry.endpoint(service, name)
    except Unavailable as reason:
        missing(name, reason)


def missing(name: str, reason: Unavailable) -> NoReturn:
    """Skip the test; fail it where nothing may be missing."""
    give_up = pytest.fail if os.environ.get("DDBIO_REQUIRE_ENDPOINTS") == "1" else pytest.skip
    give_up(f"{name} cannot be had here: {reason}")
