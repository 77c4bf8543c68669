"""Connections that end before an answer."""

from __future__ import annotations

from probe.simulator.call import Connection
from probe.simulator.fault import Fault


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


FAULTS = (Reset, Silent)
