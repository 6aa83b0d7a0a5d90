"""botocore's session, which knows profiles, regions, credentials and endpoints. boto3 would only load for longer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddbio.errors import UsageError
from ddbio.system.signals import signals_held

if TYPE_CHECKING:
    from botocore.session import Session


def new_session(profile: str | None = None, region: str | None = None) -> Session:
    """None: as botocore's rules choose. A profile that does not exist is found at the first use: ProfileNotFound."""
    with signals_held():
        from botocore.session import Session

    session = Session(profile=profile)
    if region is not None:
        session.set_config_variable("region", region)
    return session


def check_region(region: str | None) -> None:
    """Raise UsageError for a region with characters that no region has, such as a line end. It goes into host names,
    signatures and messages."""
    if region is not None and not re.fullmatch(r"[A-Za-z0-9-]+", region):
        raise UsageError(f"{region!r} is no region: it has letters, digits and hyphens only", "check --region")
