"""Odd but correct event streams (WHATWG HTML section 9.2)."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import each_frame, is_events
from probe.simulator.fault import Fault
from probe.simulator.script import Script, Write


class Crlf(Fault):
    """sse-starlette's separator."""

    name = "crlf"
    summary = "events end in CR LF"

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, lambda data: data.replace(b"\n", b"\r\n")) if is_events(script) else script


class Cr(Fault):
    """The third line ending that the standard allows."""

    name = "cr"
    summary = "events end in CR alone"

    def on_script(self, call: Call, script: Script) -> Script:
        return each_frame(script, lambda data: data.replace(b"\n", b"\r")) if is_events(script) else script


class NoSpace(Fault):
    """Old TGI."""

    name = "no-space"
    summary = "there is no space after data:"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        return each_frame(script, lambda data: data.replace(b"data: ", b"data:", 1))


class Bom(Fault):
    """One byte order mark may lead the stream."""

    name = "bom"
    summary = "the stream begins with a byte order mark"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        first, *rest = script.writes
        return replace(script, writes=[replace(first, data=b"\xef\xbb\xbf" + first.data), *rest])


class Fields(Fault):
    """Fields that chat clients have no use for."""

    name = "event-fields"
    summary = "events carry event:, id: and retry: fields"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made = []
        for place, write in enumerate(script.writes):
            lead = f"{'retry: 3000' + chr(10) if place == 0 else ''}id: {place}\nevent: message\n".encode()
            made.append(replace(write, data=lead + write.data))
        return replace(script, writes=made)


class Halves(Fault):
    """TCP knows no characters: a read may end inside one."""

    name = "utf8-split"
    summary = "every event is written in two pieces, cut inside a character where there is one"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made: list[Write] = []
        for write in script.writes:
            place = next((at + 1 for at, byte in enumerate(write.data) if byte >= 0xC0), len(write.data) // 2)
            made += [replace(write, data=write.data[:place]), Write(write.at + 0.001, write.data[place:])]
        return replace(script, writes=made, end_at=max(script.end_at, made[-1].at))


FAULTS = (Crlf, Cr, NoSpace, Bom, Fields, Halves)
