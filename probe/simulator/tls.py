"""Certificates for the simulated endpoint, made when they are needed. Requires the `cryptography` package."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DAY = datetime.timedelta(days=1)
LOOPBACK = ("localhost", "127.0.0.1")

#: Days that a certificate of each kind is valid from now, and the names it is for.
KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "good": (365, LOOPBACK),
    "untrusted": (365, LOOPBACK),
    "expired": (-2, LOOPBACK),
    "expiring": (3, LOOPBACK),
    "hostname": (365, ("other.example",)),
}


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """The TLS settings of a listening socket.

    ca_bundle           file with the authority that a client has to trust; None: it is not handed out
    client_certificate  file with a certificate and key that the server accepts from a client; None: it wants none
    """

    context: ssl.SSLContext
    ca_bundle: Path | None = None
    client_certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key (objects of `cryptography`)."""

    certificate: Any
    key: Any

    def pem(self, *, key: bool = False) -> bytes:
        """The certificate, and with `key` the private key, as PEM."""
        from cryptography.hazmat.primitives import serialization

        pem = serialization.Encoding.PEM
        text: bytes = self.certificate.public_bytes(pem)
        if key:
            text += self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return text


def issue(
    subject: str,
    issuer: Certificate | None = None,
    *,
    names: Sequence[str] = (),
    days: int = 365,
    organization: str | None = None,
) -> Certificate:
    """A certificate valid from 30 days ago for `days` days from now.

    issuer        signs it; None makes a root
    names         DNS names and IP addresses; without any it is an authority
    organization  of the subject; None for none

    Raises ValueError when `cryptography` is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise ValueError("the tls faults need the Python package 'cryptography': pip install cryptography") from None
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    parts = [x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]
    if organization is not None:
        parts.insert(0, x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    named = x509.Name(parts)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer.certificate.subject if issuer else named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        alternatives = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[-1].isdigit() else x509.DNSName(name) for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    else:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return Certificate(builder.sign(signer, hashes.SHA256()), key)


def serve(chain: Sequence[Certificate], trusted: Certificate | None) -> ServerTLS:
    """Settings that present this chain, the server's own certificate first.

    trusted  the authority that is written to a file for the client; None: it is not handed out
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(b"".join(certificate.pem(key=place == 0) for place, certificate in enumerate(chain)))
        file.flush()
        context.load_cert_chain(file.name)
    if trusted is None:
        return ServerTLS(context)
    with tempfile.NamedTemporaryFile(suffix=".pem", prefix="simulated-authority-", delete=False) as bundle:
        bundle.write(trusted.pem())
    return ServerTLS(context, Path(bundle.name))


def require_client_certificate(settings: ServerTLS) -> ServerTLS:
    """The settings of a server that also requires a certificate of the client; one that it accepts is in a file."""
    authority = issue("Simulated Authority of Clients")
    settings.context.verify_mode = ssl.CERT_REQUIRED
    settings.context.load_verify_locations(cadata=authority.pem().decode())
    client = issue("simulated client", authority, names=("client.example",))
    with tempfile.NamedTemporaryFile(suffix=".pem", prefix="simulated-client-", delete=False) as file:
        file.write(client.pem(key=True))
    return replace(settings, client_certificate=Path(file.name))


def make(kind: str) -> ServerTLS:
    """Settings with a certificate of that kind; raises ValueError for an unknown kind and as `issue` does."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of certificate {kind!r}: one of {', '.join(KINDS)}")
    days, names = KINDS[kind]
    authority = issue("Simulated Authority")
    leaf = issue("localhost", authority, names=names, days=days)
    return serve([leaf], None if kind == "untrusted" else authority)
