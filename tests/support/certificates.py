"""Certificates for tests of TLS, made when they are needed: nothing that could expire lies in the repository."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Certificates:
    """Two certificate authorities (paths), and servers with a certificate of the first: for localhost, for another
    name, and for localhost without an authority key identifier, as companies' own authorities often make them."""

    authority: str
    stranger: str
    server: ssl.SSLContext
    misnamed: ssl.SSLContext
    plain: ssl.SSLContext

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        authority, stranger = folder / "authority.pem", folder / "stranger.pem"
        key = _authority(authority)
        _authority(stranger)
        localhost = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return cls(
            str(authority),
            str(stranger),
            _server(folder / "server.pem", key, localhost),
            _server(folder / "misnamed.pem", key, [x509.DNSName("elsewhere.example")]),
            _server(folder / "plain.pem", key, localhost, identified=False),
        )


def _server(
    path: Path,
    authority_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    *,
    identified: bool = True,
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(path.stem, key, issuer="authority").add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    if identified:
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        leaf = leaf.add_extension(issued_by, critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + leaf.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def _authority(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    not_for = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    usage = dict.fromkeys([*not_for, "encipher_only", "decipher_only"], False)
    certificate = (
        _certificate(path.stem, key, issuer=path.stem)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, *, issuer: str) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
