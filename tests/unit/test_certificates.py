"""A missing intermediate certificate is told from a private authority by what was presented and what is trusted."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.parsing.certificates import missing_issuer, read
from probe.simulator.tls import Certificate, issue

HOUSE = "Example Trust Services"
ROOT = issue("Example Root", organization=HOUSE)
MIDDLE = issue("Example Issuing CA", ROOT, organization=HOUSE)
LEAF = issue("host", MIDDLE, names=("host.example",))
PRIVATE = issue("Private Root")
OWN = issue("host", PRIVATE, names=("host.example",))
STRANGER = issue("Another CA", PRIVATE)


def der(*certificates: Certificate) -> list[bytes]:
    return [item.certificate.public_bytes(Encoding.DER) for item in certificates]


def test_names_are_read() -> None:
    found = read(der(LEAF)[0])
    assert found is not None
    assert (found.issuer_name, found.organization) == (f"Example Issuing CA, {HOUSE}", HOUSE)
    assert (found.has_domain, found.names_source) == (False, False)


@pytest.mark.parametrize(
    ("chain", "trusted", "missing"),
    [
        ([LEAF], [ROOT], f"Example Issuing CA, {HOUSE}"),
        ([LEAF, MIDDLE], [ROOT], None),
        ([LEAF, STRANGER], [ROOT], f"Example Issuing CA, {HOUSE}"),
        ([LEAF], [PRIVATE], None),
        ([OWN], [ROOT], None),
        ([OWN, PRIVATE], [ROOT], None),
        ([PRIVATE], [ROOT], None),
        ([], [ROOT], None),
    ],
)
def test_what_is_missing(chain: list[Certificate], trusted: list[Certificate], missing: str | None) -> None:
    assert missing_issuer(der(*chain), der(*trusted)) == missing


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)
    assert missing_issuer([data], [data]) is None or read(data) is not None


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_certificate_raises_nothing(data: st.DataObject) -> None:
    whole = bytearray(der(LEAF)[0])
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    missing_issuer([bytes(whole)], der(ROOT))
