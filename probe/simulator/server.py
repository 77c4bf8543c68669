"""The simulated endpoint: reads requests, plans a response through style, model and faults, and plays it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from probe.simulator import responses_api
from probe.simulator.call import Call, Connection, Site
from probe.simulator.completion import finished_at
from probe.simulator.http11 import MAX_HEAD, BadRequest, Request, head_bytes, read_request
from probe.simulator.model import answer, prompt_tokens
from probe.simulator.script import Player, Script, plain, send_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import Reply
    from probe.simulator.fault import Fault

IDLE_CONNECTION_S = 75.0
Stamps = list[tuple[float, int]]


class Endpoint:
    """One endpoint in a running event loop. `journal` and `stamps` grow as requests are served."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.journal: list[Request] = []
        self.stamps: list[Stamps] = []
        self.lock = threading.Lock()
        self._connections: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int, tls: ssl.SSLContext | None) -> int:
        """Listens on 127.0.0.1 (port 0: a free one) and returns the port; raises OSError when it cannot."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, ssl=tls, limit=MAX_HEAD, backlog=512)
        self._server = server
        bound: int = server.sockets[0].getsockname()[1]
        self.site.port = bound
        return bound

    async def stop(self) -> None:
        """Closes the listening socket and every connection, and waits for their tasks."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._numbers += 1
        connection = Connection(self._numbers, last_used=time.monotonic())
        player = Player(reader, writer)
        try:
            keep = True
            while keep:
                request = await self._next_request(reader, writer, connection)
                if request is None:
                    return
                keep = await self._respond(player, request, connection)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass
        except BadRequest as wrong:
            body = to_json({"error": {"message": str(wrong), "type": "invalid_request_error"}})
            head = head_bytes(
                wrong.status,
                [
                    ("Content-Type", "application/json"),
                    ("Content-Length", str(len(body))),
                    ("Connection", "close"),
                ],
            )
            with contextlib.suppress(ConnectionError):
                await player.send(head + body)
        finally:
            writer.transport.abort() if player.broken else writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _next_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection
    ) -> Request | None:
        try:
            async with asyncio.timeout(float(self.site.options.get("keepalive_s", IDLE_CONNECTION_S))):
                return await read_request(reader, writer, connection.number)
        except TimeoutError:
            return None

    async def _respond(self, player: Player, request: Request, connection: Connection) -> bool:
        """Answers one request; returns whether the connection stays open."""
        with self.lock:
            self.journal.append(request)
        for fault in self.site.faults:
            manner = fault.on_connection(connection)
            if manner == "reset":
                await player.reset()
                return False
            if manner == "hang":
                await player.hang()
        connection.requests += 1
        call = Call(request, self.site, connection, request.path, created=int(time.time()))
        try:
            script = self.plan(call)
        except Exception as wrong:  # a mistake in the simulator must be seen, and must not look like a hang
            script = send_json(500, {"error": {"message": f"simulator failure: {wrong!r}", "type": "simulator_error"}})
        self.site.served += 1
        stamps: Stamps = []
        if any(write.event is not None for write in script.writes):
            with self.lock:
                self.stamps.append(stamps)
        keep = await player.play(call, script, stamps)
        connection.last_used = time.monotonic()
        return keep

    # Planning ------------------------------------------------------------------------------------------

    def plan(self, call: Call) -> Script:
        """The whole response to one request, faults included."""
        script = self._decide(call)
        for fault in sorted(self.site.faults, key=lambda fault: fault.layer):
            script = fault.on_script(call, script)
        return script

    def _decide(self, call: Call) -> Script:
        style, faults = self.site.style, self.site.faults
        call.notes["model"] = self.site.model
        for fault in faults:
            early = fault.on_request(call)
            if early is not None:
                return early
        refusal = None
        if style.auth_before_routing:
            refusal = self._authenticate(call)
        routed = refusal or style.route(call)
        if isinstance(routed, Script):
            return self._altered(call, routed)
        call.operation = routed
        refusal = None if style.auth_before_routing else self._authenticate(call)
        if refusal is not None:
            return self._altered(call, refusal)
        return self._operate(call, faults)

    def _authenticate(self, call: Call) -> Script | None:
        refusal = self.site.style.authenticate(call)
        for fault in self.site.faults:
            refusal = fault.on_auth(call, refusal)
        return refusal

    def _operate(self, call: Call, faults: Sequence[Fault]) -> Script:
        style = self.site.style
        if call.operation == "models":
            return self._altered(call, style.models_script(call))
        if call.operation == "model":
            return self._altered(call, style.model_script(call, str(call.notes["model"])))
        try:
            call.body = json.loads(call.request.body or b"")
        except (ValueError, RecursionError) as wrong:
            return self._altered(call, style.bad_json(call, ValueError(str(wrong))))
        if call.operation == "responses":
            converted = responses_api.to_chat(call.body)
            if isinstance(converted, str):
                return self._altered(call, style.error(call, 400, converted, "invalid_request_error", "input"))
            call.notes["responses"], call.body = call.body, converted
        return self._chat(call, faults)

    def _chat(self, call: Call, faults: Sequence[Fault]) -> Script:
        style = self.site.style
        refusal = style.validate(call) or self._judge_model(call)
        for fault in faults:
            refusal = refusal or fault.on_chat(call)
        if refusal is not None:
            return self._altered(call, refusal)
        for fault in faults:
            fault.on_prompt(call)
        shown = prompt_tokens(call.body)
        if shown >= self.site.context_length:
            return self._altered(call, style.overflow(call, shown))
        replies = [self._reply(call) for _ in range(call.body.get("n") or 1)]
        call.id = style.new_id()
        if call.operation == "responses":
            return responses_api.respond(call, replies[0])
        return self._stream(call, replies) if call.stream else self._whole(call, replies)

    def _judge_model(self, call: Call) -> Script | None:
        style, name = self.site.style, call.body.get("model")
        if name in (None, ""):
            return style.missing_model(call)
        if not isinstance(name, str):
            return style.error(
                call, 400, "Invalid type for 'model': expected a string.", "invalid_request_error", "model"
            )
        refusal = None
        if name in self.site.models:
            call.notes["model"] = name
        elif style.checks_model:
            refusal = style.unknown_model(call, name)
        for fault in self.site.faults:
            refusal = fault.on_model(call, name, refusal)
        return refusal

    def _reply(self, call: Call) -> Reply:
        reply = answer(call.body, self.site.personality, self.site.context_length)
        reply = self.site.style.with_ids(call, reply)
        for fault in self.site.faults:
            reply = fault.on_reply(call, reply)
        return reply

    def _whole(self, call: Call, replies: list[Reply]) -> Script:
        payload: Any = self.site.style.whole(call, replies)
        for fault in self.site.faults:
            payload = fault.on_response(call, payload)
        return self.site.style.completed(call, payload, finished_at(self.site, replies))

    def _stream(self, call: Call, replies: list[Reply]) -> Script:
        chunks = self.site.style.chunks(call, replies)
        for fault in self.site.faults:
            chunks = fault.on_chunks(call, chunks)
        return self.site.style.streamed(call, chunks)

    def _altered(self, call: Call, script: Script) -> Script:
        """A response that was ready-made: its JSON passes the faults' `on_response` like any other."""
        if not (script.header("content-type") or "").startswith("application/json"):
            return script
        payload = before = json.loads(script.body)
        for fault in self.site.faults:
            payload = fault.on_response(call, payload)
        if payload is before:
            return script
        return plain(script.status, to_json(payload), None, script.headers)
