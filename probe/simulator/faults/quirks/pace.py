"""Honest slowness and signs of life."""

from __future__ import annotations

from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import is_events
from probe.simulator.fault import Fault
from probe.simulator.script import Script, Write, delayed


class SlowFirstToken(Fault):
    """A long prompt, a queue, a cold start."""

    name = "slow-first-token"
    summary = "the first token comes after N seconds (=N)"
    value = "3"

    def on_script(self, call: Call, script: Script) -> Script:
        return delayed(script, self.number) if call.operation in ("chat", "responses") else script


class Heartbeats(Fault):
    """Comments while nothing else is said (`: keep-alive`, every N seconds)."""

    name = "heartbeats"
    summary = "comments are sent in every silence of a stream, every N seconds (=N)"
    value = "1"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        every = max(self.number, 0.01)
        made: list[Write] = []
        last = 0.0
        for write in script.writes:
            while write.at - last > every:
                last += every
                made.append(Write(last, b": keep-alive\n\n"))
            made.append(write)
            last = write.at
        return replace(script, writes=made, head_at=min(script.head_at, made[0].at))


class Comments(Fault):
    """OpenRouter's, between the chunks."""

    name = "comments"
    summary = "comment lines stand between the events"

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        made: list[Write] = []
        for place, write in enumerate(script.writes):
            if place % 7 == 0:
                made.append(Write(write.at, b": OPENROUTER PROCESSING\n\n"))
            made.append(write)
        return replace(script, writes=made)


class CloseDelimited(Fault):
    """HTTP/1.0's way to end a body: by closing."""

    name = "close-delimited"
    summary = "streams are ended by closing the connection, without chunks"

    def on_script(self, call: Call, script: Script) -> Script:
        return replace(script, framing="close") if script.framing == "chunked" else script


class CloseEach(Fault):
    """No connection is used twice."""

    name = "connection-close"
    summary = "the connection is closed after every answer"

    def on_script(self, call: Call, script: Script) -> Script:
        return replace(script, close=True)


FAULTS = (SlowFirstToken, Heartbeats, Comments, CloseDelimited, CloseEach)
