"""botocore's session, which knows profiles, regions, credentials and endpoints. boto3 would only load for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
