"""Who issued a certificate, read from its DER form (RFC 5280, section 4.1).  Pure, for any bytes.

Only what distinguishes a chain with a missing certificate from one of a private authority: the names of subject and
issuer, and whether the certificate says where its issuer's can be fetched (RFC 5280, section 4.2.2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_SEQUENCE, _SET, _OID, _CONTEXT_0 = 0x30, 0x31, 0x06, 0xA0
#: Object identifiers in DER: commonName, organizationName, domainComponent, id-ad-caIssuers.
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_DOMAIN_COMPONENT = b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
_CA_ISSUERS = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02"
#: No certificate is longer, and no chain has more members, in bytes and certificates.
_LONGEST, _MOST = 64 * 1024, 12


@dataclass(frozen=True)
class Certificate:
    """The names in a certificate.

    Attributes:
        subject, issuer: names in DER, to be compared byte by byte.
        issuer_name: the issuer for people: its common name and organization.
        organization: of the issuer, empty where it has none.
        has_domain: the issuer is named by the domain of a directory service, as authorities of Active Directory are.
        names_source: the certificate says where its issuer's certificate is.
    """

    subject: bytes
    issuer: bytes
    issuer_name: str
    organization: str
    has_domain: bool
    names_source: bool


def _items(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, content and whole of each DER element; raises ValueError where the bytes are none."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("cut")
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= 4 or start + count > len(data):
                raise ValueError("no length")
            size, start = int.from_bytes(data[start : start + count], "big"), start + count
        end = start + size
        if end > len(data):
            raise ValueError("cut")
        yield tag, data[start:end], data[at:end]
        at = end


def _attributes(name: bytes) -> list[tuple[bytes, str]]:
    """Object identifier and value of each attribute of a name."""
    found = []
    for _, group, _ in _items(name):
        for tag, pair, _ in _items(group):
            parts = list(_items(pair)) if tag == _SEQUENCE else []
            if len(parts) == 2 and parts[0][0] == _OID:
                found.append((parts[0][1], parts[1][1].decode("utf-8", "replace")[:200]))
    return found


def read(der: bytes) -> Certificate | None:
    """The names in a certificate, or None where the bytes are not a certificate."""
    if len(der) > _LONGEST:
        return None
    try:
        (_, whole, _) = next(_items(der))
        (_, signed, _) = next(_items(whole))
        parts = [item for item in _items(signed) if item[0] != _CONTEXT_0]
        # serialNumber, signature, issuer, validity, subject
        issuer, subject = parts[2], parts[4]
        if issuer[0] != _SEQUENCE or subject[0] != _SEQUENCE:
            return None
        attributes = _attributes(issuer[1])
    except (ValueError, StopIteration, IndexError):
        return None
    named = [text for wanted in (_COMMON_NAME, _ORGANIZATION) for kind, text in attributes if kind == wanted]
    return Certificate(
        subject[2],
        issuer[2],
        ", ".join(named) or "an authority without a name",
        next((text for kind, text in attributes if kind == _ORGANIZATION), ""),
        any(kind == _DOMAIN_COMPONENT for kind, _ in attributes),
        _CA_ISSUERS in signed,
    )


def missing_issuer(chain: Sequence[bytes], trusted: Iterable[bytes]) -> str | None:
    """The name of the certificate that a server ought to have sent along, or None where no certificate is missing.

    A chain that ends below a known root lacks its intermediate if there is a sign that the issuer is not a root of a
    private authority: another certificate was sent in its place, the certificate names a source for its issuer's, or
    an authority of the same organization is trusted.

    Args:
        chain: what the server presented, its own certificate first, in DER.
        trusted: the roots that the client trusts, in DER.
    """
    presented = [found for der in chain[:_MOST] if (found := read(der))]
    if not presented:
        return None
    top, rest = presented[0], presented[1:]
    while (above := next((item for item in rest if item.subject == top.issuer), None)) is not None:
        rest.remove(above)
        top = above
    if top.issuer == top.subject:
        return None
    roots = [found for der in trusted if (found := read(der))]
    if any(root.subject == top.issuer for root in roots):
        return None
    same_house = bool(top.organization) and any(root.organization == top.organization for root in roots)
    of_public = top.names_source and not top.has_domain
    replaced = top is presented[0] and bool(rest)
    return top.issuer_name if same_house or of_public or replaced else None
