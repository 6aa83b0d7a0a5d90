"""`python -m tests.endpoints`: fetch and start every server once, say which can be had. Exits with 1 if one can't."""

from __future__ import annotations

import sys

from tests.endpoints.model import Unavailable
from tests.endpoints.registry import LAUNCHES, Registry


def main() -> int:
    missing = 0
    for service, launches in LAUNCHES.items():
        for name in launches:
            with Registry() as registry:
                try:
                    registry.endpoint(service, name)
                    print(f"{service:<8} {name:<14} ready", flush=True)
                except Unavailable as reason:
                    missing += 1
                    print(f"{service:<8} {name:<14} not to be had: {reason}", flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
