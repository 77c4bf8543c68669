"""Hops that give up on a silent or a long answer."""

from __future__ import annotations

import time
from dataclasses import replace

from probe.simulator.call import Call, Connection
from probe.simulator.fault import Fault
from probe.simulator.script import Script, delayed, send_html, send_text

_PAGE = """<html>\r
<head><title>504 Gateway Time-out</title></head>\r
<body>\r
<center><h1>504 Gateway Time-out</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""


def _cut(script: Script, at: float, manner: str) -> Script:
    kept = [write for write in script.writes if write.at <= at]
    return replace(script, writes=kept, end=manner, end_at=at)  # type: ignore[arg-type]


def _silence_over(script: Script, limit: float) -> float | None:
    """When a silence of more than `limit` seconds is over with, counted from the request; None: there is none."""
    last = 0.0
    for moment in sorted([script.head_at, *(write.at for write in script.writes), script.end_at]):
        if moment - last > limit:
            return last + limit
        last = moment
    return None


class L7Timeout(Fault):
    """A read timer, as nginx's proxy_read_timeout: started anew by every byte."""

    name = "idle-l7-timeout"
    summary = "a hop gives up after N seconds without a byte: 504, or a cut stream (=N)"
    yields = ("idle.l7-timeout",)
    value = "2"
    layer = 2

    def on_script(self, call: Call, script: Script) -> Script:
        at = _silence_over(script, self.number)
        if at is None:
            return script
        if at < script.head_at:
            return delayed(send_html(504, _PAGE, [("Server", "nginx")]), at)
        return _cut(script, at, "cut")


class TotalDeadline(Fault):
    """A timer over the whole answer, as Envoy's route timeout: bytes do not help."""

    name = "idle-total-deadline"
    summary = "a hop ends every answer N seconds after the request: 504, or a cut stream (=N)"
    yields = ("idle.total-deadline",)
    value = "2"
    layer = 2

    def on_script(self, call: Call, script: Script) -> Script:
        if script.finished_at() <= self.number:
            return script
        if self.number < script.head_at:
            return delayed(send_text(504, "upstream request timeout", [("Server", "envoy")]), self.number)
        return _cut(script, self.number, "cut")


class L4Reset(Fault):
    """A middlebox that resets idle connections, as F5's idle timeout does."""

    name = "idle-l4-reset"
    summary = "the connection is reset after N seconds without a byte (=N)"
    yields = ("idle.l4-reset",)
    value = "2"
    layer = 2

    def on_script(self, call: Call, script: Script) -> Script:
        at = _silence_over(script, self.number)
        if at is None:
            return script
        if at < script.head_at:
            return replace(script, writes=[], head_at=at, end_at=at, end="reset", status=0)
        return _cut(script, at, "reset")


class L4Dropped(Fault):
    """A NAT or firewall that forgets silent connections without a word; what is sent afterwards goes nowhere."""

    name = "idle-l4-dropped"
    summary = "the connection is forgotten after N seconds without a byte: nothing more comes, not even a reset (=N)"
    yields = ("idle.l4-dropped",)
    value = "2"
    layer = 2

    def on_script(self, call: Call, script: Script) -> Script:
        at = _silence_over(script, self.number)
        if at is None:
            return script
        if at < script.head_at:
            return replace(script, writes=[], head_at=at, end_at=at, end="lost", status=0)
        return _cut(script, at, "lost")


class ReuseClosed(Fault):
    """The connection is kept open in appearance; the next request on it is answered with RST."""

    name = "idle-reuse-closed"
    summary = "a connection that was idle for N seconds is reset when it is used again (=N)"
    yields = ("idle.reuse-closed",)
    value = "1"

    def on_connection(self, connection: Connection) -> str | None:
        idle = time.monotonic() - connection.last_used
        return "reset" if connection.requests and idle > self.number else None
