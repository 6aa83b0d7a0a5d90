"""Which xdist worker runs which test: all the tests of one server go to one worker, so that it starts only once.

xdist's own way, `xdist_group` marks and `--dist loadgroup`, changes the ids of the tests, which pytest 9.2 no longer
lets it do: the marks are silently ignored. Here the group is read from the id, which names the server.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

from tests.endpoints.registry import LAUNCHES

CHEAP = {"simulator"}
SERVERS = sorted({name for launches in LAUNCHES.values() for name in launches} - CHEAP)
IN_BRACKETS = re.compile(rf"(?<=[\[-])({'|'.join(SERVERS)})(?=[\]-])")


def group_of(test_id: str) -> str:
    """The servers that the test needs; a test that needs none is a group of its own. Tests of Spark are one group."""
    if "/test_spark.py::" in test_id and "/e2e/" in test_id:
        return "spark"
    return "+".join(sorted(set(IN_BRACKETS.findall(test_id)))) or test_id


class ByServer(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
