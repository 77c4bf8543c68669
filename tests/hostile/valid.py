"""What a healthy endpoint would answer: the simulated endpoint's plan for a request, without a socket."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from probe.simulator import Simulator
from probe.simulator.call import Call, Connection
from probe.simulator.planner import Planner
from probe.simulator.request import Request
from probe.simulator.response import Head


@dataclass(frozen=True)
class Valid:
    """A right answer: status, header fields, and the body in the pieces in which it is sent."""

    status: int
    fields: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]
    streamed: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The body as a JSON value; None for a stream, and for the plain pages of some styles."""
        try:
            return None if self.streamed else json.loads(self.body or b"null")
        except ValueError:
            return None

    @property
    def events(self) -> list[Any]:
        """The data of each event, read as JSON where it is some."""
        found: list[Any] = []
        for block in self.body.decode().split("\n\n"):
            if block.startswith("data: "):
                text = block.removeprefix("data: ")
                found.append(text if text == "[DONE]" else json.loads(text))
        return found

    def head(self, *more: tuple[str, str]) -> bytes:
        """The status line and fields, with further fields."""
        return Head(self.status, [*self.fields, *more]).encoded()

    def wire(self) -> bytes:
        """The whole response as it would go over the wire."""
        if not self.streamed:
            return self.head(("Content-Length", str(len(self.body)))) + self.body
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.pieces if piece)
        return self.head(("Transfer-Encoding", "chunked")) + framed + b"0\r\n\r\n"


class Oracle:
    """Answers requests as a healthy endpoint of one style would, as fast as it can."""

    def __init__(self, style: str = "openai", key: str | None = None) -> None:
        simulator = Simulator(style, rate_tokens_s=0, first_token_s=0, key=key)
        self.model = simulator.model
        self._style = simulator.style
        self._site = simulator.site
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Valid:
        """The right answer to a request."""
        with self._lock:
            call = Call(request, self._site, Connection(1), request.path, created=int(time.time()))
            response = Planner(call, self._style, []).response()
        return Valid(
            response.status,
            tuple(response.headers),
            tuple(write.data for write in response.writes),
            response.is_stream,
        )
