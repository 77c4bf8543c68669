"""Failures are named from the chain of exceptions, as the HTTP client's TLS layer raises them."""

from __future__ import annotations

import errno
import itertools
import ssl

import httpx
import pytest

from probe.wire import failures


def _raised(*links: BaseException) -> BaseException:
    """The first exception, each of the others the cause of the one before."""
    for outer, cause in itertools.pairwise(links):
        outer.__cause__ = cause
    return links[0]


def _tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:2580)")
    error.reason = reason
    return error


@pytest.mark.parametrize("waited_by", [ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLZeroReturnError])
def test_a_reset_below_tls_is_a_reset(waited_by: type[ssl.SSLError]) -> None:
    reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    found = failures.name(_raised(httpx.ReadError(""), OSError(), reset, waited_by(2, "not done")), "headers")
    assert (found.kind, found.errno) == (failures.RESET, errno.ECONNRESET)


@pytest.mark.parametrize(
    "reason",
    [
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    ],
)
def test_an_alert_about_the_certificate_of_the_client(reason: str) -> None:
    found = failures.name(_raised(httpx.ReadError(""), _tls_error(reason)), "headers")
    assert found.kind == failures.TLS_CLIENT_CERTIFICATE


@pytest.mark.parametrize("reason", ["WRONG_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_CLOSE_NOTIFY"])
def test_other_alerts_are_no_such_thing(reason: str) -> None:
    found = failures.name(_raised(httpx.ConnectError(""), _tls_error(reason)), "tls")
    assert found.kind == failures.TLS_OTHER
