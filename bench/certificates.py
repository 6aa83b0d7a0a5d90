"""A certificate authority for an hour, and a server certificate of it for the loopback address."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

CA_FILE = "ca.pem"  # what AWS_CA_BUNDLE points to
_SERVER_FILE = "server.pem"


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS 1.3 with a certificate made anew in `folder`, where the authority is then found as `CA_FILE`."""
    folder.mkdir(parents=True, exist_ok=True)
    _make(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / _SERVER_FILE)
    return context


def _make(folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ddbio bench")])
        builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        return builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(days=1)
        )

    root = certificate("ddbio bench", authority.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = certificate("127.0.0.1", own.public_key()).add_extension(here, critical=False)
    pem = serialization.Encoding.PEM
    key_text = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / CA_FILE).write_bytes(root.sign(authority, hashes.SHA256()).public_bytes(pem))
    (folder / _SERVER_FILE).write_bytes(server.sign(authority, hashes.SHA256()).public_bytes(pem) + key_text)
