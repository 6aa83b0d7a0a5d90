"""What is mutated, which tests must notice, and which mutants may live."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """module: its path. only: the class to mutate; empty for all of the module. tests: below tests/unit, as
    pytest names them."""

    module: str
    tests: tuple[str, ...]
    only: str = ""

    @property
    def name(self) -> str:
        return f"{self.module}:{self.only}" if self.only else self.module


COMPLETION = "test_export_order.py::test_an_export_is_complete_only_after_all_else_happened"

TARGETS = (
    Target("ddbio/sources/lines.py", ("test_lines.py", "test_writer.py")),
    Target("ddbio/job/accounts.py", ("test_accounts.py",)),
    Target("ddbio/flow/checkpoint.py", ("test_checkpoint.py", "test_counters.py")),
    Target("ddbio/sinks/estimates.py", ("test_estimates.py",)),
    Target(
        "ddbio/messages/counts.py",
        ("test_counts.py", "test_accounts.py", "test_checkpoint.py", "test_counters.py"),
        only="Tally",
    ),
    Target("ddbio/job/work.py", ("test_effect_order.py",), only="_Entries"),
    Target(
        "ddbio/sinks/destination.py",
        ("test_destination.py", "test_effect_order.py", "test_export_order.py"),
        only="Destination",
    ),
)
