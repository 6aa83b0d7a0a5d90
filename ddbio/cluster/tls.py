"""TLS between the machines of a job: a self-signed certificate for each run of the driver.

No authority vouches for it: the proofs of the token do (`ddbio.cluster.handshake`), because each side proves the
certificate that it sees. On one machine there is nobody between the ends, and no TLS.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import tempfile
from pathlib import Path

from ddbio.errors import UsageError

_VALID_FOR = datetime.timedelta(days=365)


def is_loopback(host: str) -> bool:
    """Whether all addresses of the host are of this machine."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(str(each).partition("%")[0]).is_loopback for each in found)


def hub_context() -> tuple[ssl.SSLContext, bytes]:
    """A context with a new certificate, and the certificate in DER. Raises UsageError without `cryptography`."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise UsageError(
            "encryption between machines needs the library cryptography", "pip install 'ddbio[cluster]'"
        ) from None
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ddbio")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID_FOR)  # clocks differ
        .not_valid_after(now + _VALID_FOR)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="ddbio-tls-") as folder:  # the ssl module reads keys from files only
        pem = Path(folder) / "pair.pem"
        pem.touch(0o600)
        pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(pem)
    return context, certificate.public_bytes(serialization.Encoding.DER)


def seat_context() -> ssl.SSLContext:
    """A context that accepts any certificate: the handshake verifies it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
