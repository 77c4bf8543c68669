"""A loopback endpoint that answers every chat alike and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Recorder:
    """What came in: `requests` holds (path, headers with lower-case names, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the chat requests."""
        return [body for path, _, body in self.requests if path.endswith("/chat/completions")]


@contextlib.contextmanager
def recorder() -> Iterator[Recorder]:
    """Serve a recorder for the length of the `with` block."""
    kept = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.loads(content)
            kept.requests.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            stream = body.get("stream") is True
            answer = _stream(body) if stream else _whole(body)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *words: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def _base(body: Any, kind: str) -> dict[str, Any]:
    return {"id": "c-1", "object": kind, "created": 1, "model": body.get("model", "m")}


def _whole(body: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return json.dumps({**_base(body, "chat.completion"), "choices": [choice], "usage": usage}).encode()


def _stream(body: Any) -> bytes:
    text = ""
    for delta, finish in (({"role": "assistant", "content": "Hello."}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        text += f"data: {json.dumps({**_base(body, 'chat.completion.chunk'), 'choices': [choice]})}\n\n"
    return (text + "data: [DONE]\n\n").encode()
