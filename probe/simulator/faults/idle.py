"""Proxies and middleboxes that end a silent or a long answer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_request, on_response, on_stream
from probe.simulator.response import End, Response, Write, no_response, send_html, send_text

_PAGE = """<html>\r
<head><title>504 Gateway Time-out</title></head>\r
<body>\r
<center><h1>504 Gateway Time-out</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""


#: The limit of the faults whose value is not their limit, in seconds.
_LIMIT_S = 2.0


class _AfterSilence(Fault):
    """Something ends an answer after N seconds without a byte; every byte restarts its timer."""

    value = "2"
    layer = 2
    end: ClassVar[End]

    def on_response(self, call: Call, response: Response) -> Response:
        at = response.silence_after(self.number)
        if at is None:
            return response
        return self.without_head(at) if at < response.head_at else response.cut(at, self.end)

    def without_head(self, at: float) -> Response:
        """The end of an answer that has not begun."""
        return no_response(self.end, at)


class L7Timeout(_AfterSilence):
    """A read timeout such as nginx's proxy_read_timeout."""

    name = "idle-l7-timeout"
    summary = "a proxy ends the answer after N seconds without a byte: 504, or a cut stream (=N)"
    yields = ("idle.l7-timeout",)
    end = "cut"

    def without_head(self, at: float) -> Response:
        return send_html(504, _PAGE, [("Server", "nginx")]).delayed(at)


# A hop with a timer of its own for one path, such as an nginx `location` with another proxy_read_timeout.
ResponsesTimeout = L7Timeout.variant(
    "idle-responses-timeout",
    "a proxy ends answers of /responses alone after N seconds without a byte (=N)",
    yields=("responses.silence",),
    deep=True,
    operation="responses",
)
MessagesTimeout = ResponsesTimeout.variant(
    "idle-messages-timeout",
    "a proxy ends answers of /messages alone after N seconds without a byte (=N)",
    yields=("messages.silence",),
    home="litellm",
    operation="messages",
)
# A middlebox that resets idle connections, such as F5 with an idle timeout.
L4Reset = _AfterSilence.variant(
    "idle-l4-reset",
    "the connection is reset after N seconds without a byte (=N)",
    yields=("idle.l4-reset",),
    end="reset",
)
# A NAT or firewall that forgets silent connections: packets sent afterwards are lost.
L4Dropped = _AfterSilence.variant(
    "idle-l4-dropped",
    "the connection is forgotten after N seconds without a byte: nothing more comes, not even a reset (=N)",
    yields=("idle.l4-dropped",),
    end="lost",
)


class TotalDeadline(Fault):
    """A timeout for the whole answer such as Envoy's route timeout: bytes do not restart it."""

    name = "idle-total-deadline"
    summary = "a proxy ends every answer N seconds after the request: 504, or a cut stream (=N)"
    yields = ("idle.total-deadline",)
    value = "2"
    layer = 2

    def on_response(self, call: Call, response: Response) -> Response:
        if response.finished_at() <= self.number:
            return response
        if self.number < response.head_at:
            return send_text(504, "upstream request timeout", [("Server", "envoy")]).delayed(self.number)
        return response.cut(self.number, "cut")


class InBandDeadline(TotalDeadline):
    """A gateway that ends the stream with an event of its own."""

    name = "idle-deadline-in-band"
    summary = "a gateway ends every answer N seconds after the request: 504, or an error event in the stream (=N)"

    def on_response(self, call: Call, response: Response) -> Response:
        ended = super().on_response(call, response)
        if ended is response or ended.status != 200:
            return ended
        event = b'data: {"error":{"message":"Deadline exceeded","code":504}}\n\ndata: [DONE]\n\n'
        return replace(ended, writes=[*ended.writes, Write(self.number, event)], end="complete")


@on_response(
    "nothing can be written any more N seconds after the request: a cut stream, or no answer at all (=N)",
    "idle.total-deadline",
    value="2",
    layer=2,
)
def idle_write_deadline(fault: Fault, call: Call, response: Response) -> Response:
    """A write timeout of a Go server (Caddy, Traefik): it is noticed at the first write after it."""
    late = [write.at for write in response.writes if write.at > fault.number]
    if not late:
        return response
    return response.cut(late[0], "cut") if response.head_at <= fault.number else no_response("cut", late[0])


@on_stream(
    "every stream ends N seconds after the request, in the middle of a chunk (=N)",
    "idle.total-deadline",
    value="1",
    layer=2,
)
def idle_stream_deadline(fault: Fault, call: Call, response: Response) -> Response:
    """A limit on the time of a stream such as a serverless platform's: answers without streaming pass."""
    return response.cut(fault.number, "mid-chunk") if response.finished_at() > fault.number else response


@on_response(
    "an answer that has not begun after 2 s is given up with this status and a text that says nothing (=500)",
    "idle.l7-timeout",
    choices=("500", "503", "522", "408", "200"),
    layer=2,
)
def idle_late_error(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway whose timer shows as an error of another kind: not as 504, or not as an error at all."""
    if response.head_at <= _LIMIT_S:
        return response
    if fault.given == "500":
        return fault.error(500, "Internal server error", "server_error").delayed(_LIMIT_S)
    return send_html(int(fault.given), "<html><h1>Sorry, something went wrong</h1></html>").delayed(_LIMIT_S)


@on_response(
    "an answer that has not begun after N s is tried three times, then given up with 504 (=N)",
    "idle.l7-timeout",
    value="0.9",
    layer=2,
)
def idle_retries(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway with a timeout for each try that repeats the request (Envoy: `per_try_timeout`, `num_retries`)."""
    if response.head_at <= fault.number:
        return response
    return send_text(504, "upstream request timeout", [("Server", "envoy")]).delayed(3 * fault.number)


@on_request(
    "a connection that was idle for N seconds is reset when it is used again (=N)", "idle.reuse-closed", value="1"
)
def idle_reuse_closed(fault: Fault, call: Call) -> Response | None:
    """The connection seems to stay open; the next request on it is answered with RST."""
    idle_s = time.monotonic() - call.connection.last_used
    return no_response("reset") if call.connection.requests > 1 and idle_s > fault.number else None
