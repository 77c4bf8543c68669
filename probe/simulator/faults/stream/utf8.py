"""Streams that spoil what is not ASCII."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.edit import each_frame, is_events
from probe.simulator.fault import Fault
from probe.simulator.script import Script


def _halved(frame: bytes) -> bytes:
    """Each token decoded by itself, with characters cut in half: U+FFFD in place of every one."""
    return "".join(char if ord(char) < 128 else "\ufffd\ufffd" for char in frame.decode()).encode()


def _latin1(frame: bytes) -> bytes:
    """Latin-1 bytes (or `?`) under a UTF-8 name: no valid UTF-8."""
    return b"".join(char.encode() if ord(char) < 128 else bytes([0xC0 | (ord(char) & 0x1F)]) for char in frame.decode())


class Utf8(Fault):
    """Characters of several bytes do not survive."""

    name = "stream-utf8"
    summary = "characters outside ASCII are mangled in streams (=replaced or invalid)"
    yields = ("stream.utf8",)
    value = "replaced"
    choices = ("replaced", "invalid")

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        return each_frame(script, _halved if self.given == "replaced" else _latin1)
