"""Streams whose events are not framed as the standard has it (WHATWG HTML section 9.2)."""

from __future__ import annotations

import json

from probe.simulator.call import Call
from probe.simulator.edit import each_frame, is_events
from probe.simulator.fault import Fault
from probe.simulator.script import Script


def _data(frame: bytes) -> bytes:
    return frame.removeprefix(b"data: ").rstrip(b"\n")


def _json_lines(frame: bytes) -> bytes:
    """Bare JSON lines, as Ollama's own API sends them."""
    return _data(frame) + b"\n" if frame.startswith(b"data:") else frame


def _no_blank_line(frame: bytes) -> bytes:
    """No empty line ends an event, so all of them are one."""
    return frame.rstrip(b"\n") + b"\n"


def _split_json(frame: bytes) -> bytes:
    """One JSON text in two events."""
    data = _data(frame)
    if not data.startswith(b"{"):
        return frame
    middle = len(data) // 2
    return b"data: " + data[:middle] + b"\n\ndata: " + data[middle:] + b"\n\n"


def _double_encoded(frame: bytes) -> bytes:
    """The JSON text as a JSON string."""
    data = _data(frame)
    if not data.startswith(b"{"):
        return frame
    return b"data: " + json.dumps(data.decode("utf-8", "replace"), ensure_ascii=False).encode() + b"\n\n"


def _double_prefix(frame: bytes) -> bytes:
    """A proxy frames what was framed already."""
    return b"data: " + frame if frame.startswith(b"data:") else frame


_KINDS = {
    "json-lines": _json_lines,
    "no-blank-line": _no_blank_line,
    "split-json": _split_json,
    "double-encoded": _double_encoded,
    "double-prefix": _double_prefix,
}


class Framing(Fault):
    """The bytes are no event stream that a client could read."""

    name = "stream-framing"
    summary = "events are framed wrongly (=json-lines, no-blank-line, split-json, double-encoded, double-prefix)"
    yields = ("stream.framing",)
    value = "json-lines"
    choices = tuple(_KINDS)

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, _KINDS[self.given or "json-lines"]) if is_events(script) else script
