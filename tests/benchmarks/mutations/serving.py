"""The answer server: one loopback address for every mutation, `http://127.0.0.1:PORT/<number>/v1`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.benchmarks.mutations.healthy import CLOSING, DONE, SITUATIONS, answer, chunks, event
from tests.benchmarks.mutations.table import Mutation, payload

_LARGEST_REQUEST = 1 << 20


def _closing(streamed: bool) -> bytes:
    """The healthy answer to tool results."""
    if not streamed:
        return json.dumps(answer(SITUATIONS["text"], CLOSING)).encode()
    return "".join([*(event(data) for data in chunks(SITUATIONS["text-stream"], (CLOSING,))), DONE]).encode()


@contextmanager
def serve(mutations: Sequence[Mutation]) -> Iterator[str]:
    """Serve the mutations until the block ends; gives `http://127.0.0.1:PORT`."""
    bodies = [payload(mutation) for mutation in mutations]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = min(int(self.headers.get("content-length") or 0), _LARGEST_REQUEST)
            request = json.loads(self.rfile.read(length))
            number = int(self.path.split("/")[1])
            streamed = bool(request.get("stream"))
            again = any(message.get("role") == "tool" for message in request["messages"])
            body = _closing(streamed) if again else bodies[number]
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if streamed else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
