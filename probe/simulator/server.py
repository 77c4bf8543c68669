"""The listening socket of the simulated endpoint: accepts connections, reads requests, sends planned responses."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Sequence

from probe.simulator.call import KEEPALIVE_S, Call, Connection, Site
from probe.simulator.fault import Fault
from probe.simulator.planner import Planner
from probe.simulator.player import Player, Stamps
from probe.simulator.request import BadRequest, Request, RequestReader
from probe.simulator.response import Head, to_json
from probe.simulator.style import Style


class Server:
    """One endpoint in a running event loop. `journal` and `stamps` grow as requests are served."""

    def __init__(self, site: Site, style: Style, faults: Sequence[Fault]) -> None:
        self.site, self.style, self.faults = site, style, faults
        self.journal: list[Request] = []
        self.stamps: list[Stamps] = []
        self.lock = threading.Lock()
        self._connections: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen on 127.0.0.1 (port 0: a free one) and enter the port into `site`; raises OSError if it is taken."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, ssl=tls, backlog=512)
        self.site.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listening socket and every connection, and wait for their tasks."""
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
        self._accepted += 1
        keepalive_s = float(self.site.options.get("keepalive_s", KEEPALIVE_S))
        connection = Connection(self._accepted, last_used=time.monotonic(), keepalive_s=keepalive_s)
        player = Player(reader, writer)
        try:
            for fault in self.faults:
                end = fault.on_connection(connection)
                if end is not None:
                    await player.finish(end)
                    return
            requests = RequestReader(reader, writer, connection.number)
            keep = True
            while keep:
                request = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(connection.keepalive_s):
                        request = await requests.next()
                if request is None:
                    return
                keep = await self._respond(player, request, connection)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass
        except BadRequest as wrong:
            body = to_json({"error": {"message": str(wrong), "type": "invalid_request_error"}})
            fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
            with contextlib.suppress(ConnectionError):
                await player.send(Head(wrong.status, fields).encoded() + body)
        finally:
            writer.transport.abort() if player.aborted else writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _respond(self, player: Player, request: Request, connection: Connection) -> bool:
        """Answer one request; returns whether the connection stays open."""
        with self.lock:
            self.journal.append(request)
        connection.requests += 1
        call = Call(request, self.site, connection, request.path, created=int(time.time()))
        planner = Planner(call, self.style, self.faults)
        response = planner.response()
        head, keep = planner.head(response)
        stamps: Stamps = []
        if any(write.event is not None for write in response.writes):
            with self.lock:
                self.stamps.append(stamps)
        await player.play(request, response, head, planner.bytes_changed, stamps)
        connection.last_used = time.monotonic()
        return keep
