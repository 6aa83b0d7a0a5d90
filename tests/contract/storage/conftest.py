"""Every storage the contract runs against: the local disk, and S3 on each of the shared servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoints import LAUNCHES, Registry
from tests.support.environment import running
from tests.support.places import LocalPlace, Place, S3Place

S3_SERVERS = list(LAUNCHES["s3"])


@pytest.fixture(params=["local", *S3_SERVERS])
def place(request: pytest.FixtureRequest, tmp_path: Path, endpoints: Registry) -> Iterator[Place]:
    """An empty place on each kind of storage."""
    folder = tmp_path / "some folder"
    folder.mkdir()
    local = request.param == "local"
    chosen = LocalPlace(folder) if local else S3Place(running(endpoints, "s3", request.param).client())
    yield chosen
    chosen.close()


@pytest.fixture(params=S3_SERVERS)
def s3_place(request: pytest.FixtureRequest, endpoints: Registry) -> Iterator[S3Place]:
    """An empty prefix on each S3 server."""
    chosen = S3Place(running(endpoints, "s3", request.param).client())
    yield chosen
    chosen.close()
