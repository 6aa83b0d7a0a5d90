"""Settings of all unit tests: hypothesis measures no time, for the machine may be busy with other tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.effort import examples

settings.register_profile(
    "unit", deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")
