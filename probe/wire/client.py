"""The recording HTTP client: every request becomes an Exchange, redacted at capture.

While a body arrives the read path only notes the time and appends; decoding, parsing and
redaction follow after the last byte, so that a time is that of the arrival.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import anyio
import httpx

from probe.exchange import Exchange, Failure, Request, Response, Timeline
from probe.redaction.redactor import Redactor
from probe.version import VERSION
from probe.wire import failures
from probe.wire.loop_lag import LagMonitor
from probe.wire.pieces import without_pieces
from probe.wire.proxies import ByProxy, ProxyInUse, proxy_for
from probe.wire.recorder import RUN_LIMIT, Recorder, Room, decode
from probe.wire.tcp import keepalive_options, tls_facts
from probe.wire.transport import Transport, Wire

#: Characters of a failure's message that are recorded.
_MESSAGE = 300
_WIRE_MODULES = ("h2", "h11", "hpack", "hyperframe", "anyio", "httpcore")

USER_AGENT = f"endpoint-probe/{VERSION}"


@lru_cache(maxsize=64)
def ssl_context(transport: Transport) -> ssl.SSLContext:
    """The trust stores of the system and of certifi, the given bundle, and the certificate of the client.

    Made once a process for each transport: reading the stores takes longer than a request.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or has no certificate.
    """
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if transport.ca_bundle:
        context.load_verify_locations(transport.ca_bundle)
    if transport.client_cert:
        context.load_cert_chain(transport.client_cert, transport.client_key, password=lambda: "")
    if transport.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """Sends requests and records them.  Use as an async context manager.

    Args:
        transport: how requests are sent.
        redactor: removes the secrets from what is recorded.
        lag: the loop-lag monitor whose samples are recorded with each exchange, or None.
        epoch: the monotonic time that ``Timeline.started_s`` counts from; default: now.
        room: the bytes that all bodies may take; default: those of a single run.
    """

    def __init__(
        self,
        transport: Transport,
        redactor: Redactor,
        *,
        lag: LagMonitor | None = None,
        epoch: float | None = None,
        room: int = RUN_LIMIT,
    ) -> None:
        self.transport = transport
        self.redactor = redactor
        self.epoch = time.monotonic() if epoch is None else epoch
        self._lag = lag
        self._pools: dict[Wire, httpx.AsyncClient] = {}
        self.room = Room(room)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(2, shield=True):
            for pool in self._pools.values():
                await pool.aclose()
        self._pools.clear()

    def _pool(self, wire: Wire) -> httpx.AsyncClient:
        context = ssl_context(self.transport)
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=wire.pool_idle_s)

        def carrier(proxy: str | None) -> httpx.AsyncHTTPTransport:
            return httpx.AsyncHTTPTransport(
                verify=context,
                http1=wire.http != "2",
                http2=wire.http != "1",
                limits=limits,
                proxy=proxy,
                socket_options=keepalive_options(wire.keepalive_s) or None,
                trust_env=False,
            )

        return httpx.AsyncClient(
            transport=ByProxy(self.transport.proxy, carrier),
            follow_redirects=False,
            trust_env=False,
            timeout=None,
            # A cookie of one answer must not change the next request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def proxy(self, url: str) -> ProxyInUse | None:
        """The proxy that a request to this URL goes through, or None."""
        return proxy_for(url, self.transport.proxy)

    def roots(self) -> list[bytes]:
        """The authorities that are trusted, in DER (those that OpenSSL loads only when needed are not listed)."""
        return ssl_context(self.transport).get_ca_certs(binary_form=True)

    async def send(
        self,
        *,
        exchange_id: str,
        check: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any = None,
        content: bytes | None = None,
        timeout_s: float,
        wire: Wire | None = None,
    ) -> Exchange:
        """Send one request and record what comes back; a failure of the network is recorded, not raised.

        Args:
            headers: with the secrets, which are redacted in the record.
            body: a JSON value to send, or None.
            content: raw bytes to send instead of ``body``.
            timeout_s: for the whole exchange.
        """
        wire = wire or self.transport.wire
        recorder = Recorder()
        payload = content
        if payload is None and body is not None:
            payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": wire.accept_encoding,
            "User-Agent": USER_AGENT,
            **headers,
        }
        if body is not None and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
        response: Response | None = None
        failure: Failure | None = None
        owned = wire.fresh or wire.silence_s is not None
        pool = self._pool(wire) if owned else self._pools.get(wire)
        if pool is None:
            pool = self._pools[wire] = self._pool(wire)
        held: list[httpx.Response] = []
        try:
            with anyio.fail_after(timeout_s):
                exchange = self._exchange(pool, recorder, held, method, url, sent, payload, wire.most_reads)
                await _watched(exchange, recorder, wire.silence_s)
        except TimeoutError:
            failure = Failure(
                failures.TIMEOUT, recorder.phase, f"no end after {timeout_s:g} s", None, ("TimeoutError",)
            )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            failure = failures.name(error, recorder.phase)
        except Exception as error:  # some exceptions of h2 and h11 are not wrapped
            if type(error).__module__.partition(".")[0] not in _WIRE_MODULES:
                raise
            failure = failures.name(error, recorder.phase)
        finally:
            recorder.mark("end")
            with anyio.CancelScope(shield=True), anyio.move_on_after(1, shield=True):
                if recorder.phase == "tls":  # httpcore does not close a connection whose handshake is cancelled
                    await recorder.close()
                for item in held:
                    await item.aclose()
                if owned:
                    await pool.aclose()
        reads: tuple[tuple[float, int], ...] = ()
        if held:
            response, reads, trouble = self._response(held[0], recorder)
            failure = failure or trouble
        elif failure is None:
            failure = Failure(failures.PROTOCOL, recorder.phase, "no response")
        if failure is not None:
            failure = replace(failure, message=self.redactor.cut(failure.message, _MESSAGE))
        return Exchange(
            exchange_id,
            check,
            self._request(method, url, sent, body, content),
            response,
            self._timeline(recorder, reads, failure.kind if failure else None),
            failure,
        )

    async def _exchange(
        self,
        pool: httpx.AsyncClient,
        recorder: Recorder,
        held: list[httpx.Response],
        method: str,
        url: str,
        headers: Mapping[str, str],
        payload: bytes | None,
        most_reads: int,
    ) -> None:
        request = pool.build_request(
            method, url, headers=dict(headers), content=payload, extensions={"trace": recorder.trace}
        )
        response = await pool.send(request, stream=True)
        recorder.mark("headers")
        recorder.phase = "body"
        held.append(response)
        await recorder.read(response, self.room, most_reads)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: Any, content: bytes | None) -> Request:
        redact = self.redactor
        shown = body if content is None else content.decode("utf-8", "replace")
        return Request(
            method,
            redact.text(url),
            {name: redact.header(value) for name, value in headers.items()},
            redact.value(shown),
        )

    def _response(
        self, raw: httpx.Response, recorder: Recorder
    ) -> tuple[Response, tuple[tuple[float, int], ...], Failure | None]:
        encoding = raw.headers.get("content-encoding", "").lower().strip()
        limit = self.room.limit(recorder.size)
        chunks, cut, problem = decode([chunk for _, chunk in recorder.reads], encoding, limit)
        self.room.left -= max(0, sum(map(len, chunks)) - recorder.size)
        reads = tuple((at, len(chunk)) for (at, _), chunk in zip(recorder.reads, chunks, strict=False))
        content, in_pieces = without_pieces(b"".join(chunks), self.redactor)
        content, reflected = self.redactor.content(content)
        headers, in_headers = self.redactor.fields(raw.headers.multi_items())
        trouble = Failure(failures.ENCODING, "body", problem) if problem else None
        stream = raw.extensions.get("network_stream")
        return (
            Response(
                raw.status_code,
                self.redactor.text(raw.reason_phrase),
                raw.http_version,
                tuple(headers),
                content,
                cut or recorder.cut,
                tuple(sorted({*reflected, *in_pieces, *in_headers})),
                self.redactor.value(tls_facts(stream)),
            ),
            reads,
            trouble,
        )

    def _timeline(self, recorder: Recorder, reads: tuple[tuple[float, int], ...], failed: str | None) -> Timeline:
        marks = recorder.marks
        window = (recorder.begin, recorder.begin + marks.get("end", 0.0))
        return Timeline(
            started_s=recorder.begin - self.epoch,
            connect_s=marks.get("connect"),
            tls_s=marks.get("tls"),
            sent_s=marks.get("sent"),
            headers_s=marks.get("headers"),
            end_s=marks.get("end", 0.0),
            reused="connect" not in marks and "send" in marks,
            reads=reads,
            wire_bytes=recorder.size,
            loop_lag_s=self._lag.worst(*window) if self._lag else None,
            loop_stalled_s=self._lag.stalled(*window) if self._lag else None,
            open_after_done="open_after_done" in marks,
            autopsy=recorder.autopsies.conclude(failed),
        )


async def _watched(exchange: Coroutine[Any, Any, None], recorder: Recorder, silence_s: float | None) -> None:
    """Await the exchange; with ``silence_s`` the TCP peer is probed in each longer silence."""
    if silence_s is None:
        await exchange
        return
    trouble: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(recorder.watch, silence_s)
        try:
            await exchange
        except Exception as error:  # raised below, outside the group, which would wrap it
            trouble = error
        group.cancel_scope.cancel()
    if trouble is not None:
        raise trouble
