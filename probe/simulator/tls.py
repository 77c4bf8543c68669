"""Certificates for the simulated endpoint, made on the spot. Needs the `cryptography` package."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("good", "untrusted", "expired", "expiring", "hostname")


@dataclass(frozen=True, slots=True)
class Made:
    """A server context, and the file with the authority that a client should trust (None: it is not given away)."""

    context: ssl.SSLContext
    ca_bundle: Path | None


def make(kind: str) -> Made:
    """A context whose certificate is of that kind; raises ValueError when `cryptography` is not installed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise ValueError("the tls faults need the Python package 'cryptography': pip install cryptography") from None
    if kind not in KINDS:
        raise ValueError(f"unknown kind of certificate {kind!r}: one of {', '.join(KINDS)}")
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    start, end = now - 30 * day, now + 365 * day
    if kind == "expired":
        end = now - 2 * day
    elif kind == "expiring":
        end = now + 3 * day

    def build(subject: str, key: Any, issuer: str, signer: Any, until: datetime.datetime, authority: bool) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            names: list[Any] = [x509.DNSName("other.example")]
            if kind != "hostname":
                names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = build("Simulated Authority", ca_key, "Simulated Authority", ca_key, now + 365 * day, True)
    leaf = build("localhost", key, "Simulated Authority", ca_key, end, False)
    pem = serialization.Encoding.PEM
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(leaf.public_bytes(pem))
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    if kind == "untrusted":
        return Made(context, None)
    with tempfile.NamedTemporaryFile(suffix=".pem", prefix="simulated-authority-", delete=False) as bundle:
        bundle.write(ca.public_bytes(pem))
    return Made(context, Path(bundle.name))
