"""Known deviations of the test servers from AWS: the tests that show them must fail there."""

from __future__ import annotations

import pytest

Deviations = dict[str, dict[str, list[str]]]
"""server -> what it does -> the tests that show it"""


def expect_deviations(request: pytest.FixtureRequest, server: str, deviations: Deviations) -> None:
    """Mark the running test as one that must fail if it shows a deviation of `server`."""
    test = request.node.name.replace(f"[{server}-", "[").replace(f"[{server}]", "")
    for reason, tests in deviations.get(server, {}).items():
        if test in tests:
            request.applymarker(pytest.mark.xfail(reason=f"{server}: {reason}", strict=True))


def unknown_tests(request: pytest.FixtureRequest, deviations: Deviations) -> set[str]:
    """The tests that deviations name and the module does not have."""
    named = {test.split("[")[0] for reasons in deviations.values() for tests in reasons.values() for test in tests}
    return named - set(vars(request.module))
