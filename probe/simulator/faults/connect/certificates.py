"""HTTPS with certificates that a client must refuse or warn about."""

from __future__ import annotations

from probe.simulator.fault import Fault


class Untrusted(Fault):
    """Signed by an authority that the client does not know."""

    name = "tls-untrusted"
    summary = "https with a certificate of an unknown authority"
    yields = ("tls.untrusted",)
    certificate = "untrusted"


class Expired(Fault):
    """Signed by a known authority, past its last day."""

    name = "tls-expired"
    summary = "https with an expired certificate"
    yields = ("tls.expired",)
    certificate = "expired"


class Expiring(Fault):
    """Still valid, for three days."""

    name = "tls-expiring"
    summary = "https with a certificate that ends in three days"
    yields = ("tls.expiring",)
    certificate = "expiring"


class Hostname(Fault):
    """Valid, for another host."""

    name = "tls-hostname"
    summary = "https with a certificate for another host name"
    yields = ("tls.hostname",)
    certificate = "hostname"


class Good(Fault):
    """A good certificate of a private authority."""

    name = "tls"
    summary = "https with a good certificate (its authority is written to a file)"
    certificate = "good"


FAULTS = (Untrusted, Expired, Expiring, Hostname, Good)
