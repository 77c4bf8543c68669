"""HTTPS with certificates that a client must refuse or warn about."""

from __future__ import annotations

from probe.simulator.call import Connection
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


# Connections that end before an answer. ------------------------------------------------------------


class Reset(Fault):
    """The connection is accepted and then torn down with RST when the request comes."""

    name = "connect-reset"
    summary = "every connection is reset when a request arrives"
    yields = ("connect.reset",)

    def on_connection(self, connection: Connection) -> str | None:
        return "reset"


class Silent(Fault):
    """The connection is accepted and nothing is ever said."""

    name = "connect-silent"
    summary = "requests are taken and never answered"
    yields = ("connect.timeout",)

    def on_connection(self, connection: Connection) -> str | None:
        return "hang"
