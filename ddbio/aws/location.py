"""The region in which this machine is, as far as it is known without asking the network."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

CLOUD_INIT = Path("/run/cloud-init/instance-data.json")
"""cloud-init writes it at each start, readable to all: `v1.cloud_name`, `v1.region`.
https://cloudinit.readthedocs.io/en/latest/explanation/instancedata.html"""
_PLATFORMS = ("AWS_Lambda_", "AWS_ECS_")  # that set AWS_REGION themselves


def machine_region(environment: Mapping[str, str] = os.environ, cloud_init: Path = CLOUD_INIT) -> str | None:
    """None if it is unknown, or not one of AWS."""
    if environment.get("AWS_EXECUTION_ENV", "").startswith(_PLATFORMS):
        return environment.get("AWS_REGION")
    try:
        described = json.loads(cloud_init.read_bytes())["v1"]
        return str(described["region"]) if described["cloud_name"] == "aws" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
