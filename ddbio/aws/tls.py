"""The certificates against which servers are verified: botocore's rules, for the data plane and for S3.

In order: `AWS_CA_BUNDLE` or `ca_bundle` of the profile, `REQUESTS_CA_BUNDLE`, botocore's own bundle. A file that is
missing or contains no certificates is an error, because the user asked for it. So is a blank setting: with one, some
versions of botocore do not verify at all.
"""

from __future__ import annotations

import os
import ssl
from typing import Any, NamedTuple

from ddbio.errors import UsageError


class CaBundle(NamedTuple):
    """A file of CA certificates, and the setting that names it."""

    path: str
    setting: str

    def check(self) -> None:
        """Raises UsageError if it cannot be read or contains no certificates."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=self.path)
        except ssl.SSLError:
            self._refuse("it contains no certificates in PEM")
        except OSError as exc:
            self._refuse(exc.strerror or str(exc))

    def check_name(self) -> None:
        """Raises UsageError if the setting is blank."""
        if not self.path.strip():
            self._refuse("that is not the name of a file")

    def _refuse(self, reason: str) -> None:
        raise UsageError(
            f'the CA bundle "{self.path}" cannot be used: {reason}',
            f"{self.setting} names it: give a PEM file of the authorities to trust, or remove the setting",
        )


def configured_bundle(core: Any) -> CaBundle | None:
    """The bundle for a botocore session (`core`); None for botocore's own.

    Raises UsageError for a blank setting. Call it before the session creates any client: the clients of credential
    providers use the same setting.
    """
    path = core.get_config_variable("ca_bundle")
    setting = "AWS_CA_BUNDLE" if "AWS_CA_BUNDLE" in os.environ else "ca_bundle of the profile"
    if path is None:
        path, setting = os.environ.get("REQUESTS_CA_BUNDLE"), "REQUESTS_CA_BUNDLE"
    if path is None:
        return None
    bundle = CaBundle(path, setting)
    bundle.check_name()
    return bundle


def verify_argument(bundle: CaBundle | None) -> str | bool:
    """The `verify` argument of a botocore client: never False, and never left to the environment."""
    return True if bundle is None else bundle.path


def verifying_context(ca_bundle: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and name, as strictly as botocore's.

    From Python 3.13 on, `ssl.create_default_context` also sets VERIFY_X509_STRICT, which refuses certificates
    without an authority key identifier. The private authorities of many companies issue such certificates, and
    botocore accepts them.
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    context.verify_flags = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags
    return context
