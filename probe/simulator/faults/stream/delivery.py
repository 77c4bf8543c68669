"""Streams that are held back, replayed or bunched by a buffer."""

from __future__ import annotations

import gzip
from dataclasses import replace

from probe.simulator.call import Call
from probe.simulator.edit import is_events, joined
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class Held(Fault):
    """Everything comes at the end, the headers too: a proxy that buffers responses."""

    name = "stream-held"
    summary = "nothing arrives before the end of the generation"
    yields = ("stream.held",)
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        end = script.finished_at()
        return replace(joined(script, [(end, script.body)]), head_at=end)


class Replayed(Fault):
    """The server generates the whole answer and then plays it back quickly (fake streaming)."""

    name = "stream-replayed"
    summary = "the answer is generated whole and then played back as a stream"
    yields = ("stream.replayed",)

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        end, first = script.finished_at(), script.writes[0].at
        writes = [replace(write, at=end + (write.at - first) * 0.25) for write in script.writes]
        return replace(script, writes=writes, end_at=writes[-1].at, head_at=script.writes[0].at)


class SizeBuffered(Fault):
    """A buffer that is passed on when it is full, wherever the event happens to be."""

    name = "stream-size-buffered"
    summary = "the stream is flushed every N bytes, in the middle of events (=N)"
    yields = ("stream.size-buffered",)
    value = "4096"
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        size = max(int(self.number), 1)
        made: list[tuple[float, bytes]] = []
        held = b""
        for write in script.writes:
            held += write.data
            while len(held) >= size:
                made.append((write.at, held[:size]))
                held = held[size:]
        made.append((script.finished_at(), held))
        return replace(joined(script, made), head_at=made[0][0])


class Coalesced(Fault):
    """A timer that flushes whole events now and then (HAProxy without http-no-delay)."""

    name = "stream-coalesced"
    summary = "events are bunched and flushed every N seconds (=N)"
    yields = ("stream.coalesced",)
    value = "0.25"
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        if not is_events(script):
            return script
        period = max(self.number, 0.001)
        bursts: dict[int, list[bytes]] = {}
        for write in script.writes:
            bursts.setdefault(int(write.at / period) + 1, []).append(write.data)
        made = [(tick * period, b"".join(parts)) for tick, parts in sorted(bursts.items())]
        return replace(joined(script, made), head_at=made[0][0])


class Compressed(Fault):
    """A compressor without flushing, which acts only when the client says that it takes gzip."""

    name = "stream-compressed"
    summary = "with Accept-Encoding: gzip the stream is compressed and withheld until the end"
    yields = ("stream.compressed",)
    layer = 1

    def on_script(self, call: Call, script: Script) -> Script:
        accepts = (call.request.header("accept-encoding") or "").lower()
        if "gzip" not in accepts or not script.writes or script.status != 200:
            return script
        end = script.finished_at()
        script = replace(joined(script, [(end, gzip.compress(script.body, 5))]), head_at=end)
        return script.with_header("Content-Encoding", "gzip").with_header("Vary", "Accept-Encoding")


FAULTS = (Held, Replayed, SizeBuffered, Coalesced, Compressed)
