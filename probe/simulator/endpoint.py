"""The simulated endpoint as an object: start it, point a client at it, read which requests it received."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from probe.simulator.call import Site
from probe.simulator.fault import Fault
from probe.simulator.player import Stamps
from probe.simulator.registry import make_fault, make_style
from probe.simulator.request import Request
from probe.simulator.server import Server
from probe.simulator.tls import ServerTLS

PERSONALITIES = ("plain", "chatty", "reasoning", "declines", "refuses", "small", "copies", "weak")
_OF_STYLE: Any = object()


class Simulator:
    """A simulated endpoint on loopback, in a thread of its own with its own event loop.

    style          name of a server style (see `all_styles()`)
    faults         names, each optionally with `=value` (see `all_faults()`), or Fault objects
    personality    plain, chatty, reasoning, declines (calls no tool unless forced), refuses (not even then),
                   small (uses the newest question and a short system message), copies (the question alone) or weak
    key            the key that is required; None for none; without it the style's own
    models         ids that are served; without it the style's own
    rate_tokens_s  tokens a second (0: without pauses); first_token_s, latency_s  seconds before the first token
    port           0 for a free one; tls: an ssl.SSLContext for https
    options        further settings: context_length (tokens), keepalive_s (seconds)

    Raises UnknownName for a style or fault that does not exist, ValueError for an unusable value.
    """

    def __init__(
        self,
        style: str = "openai",
        faults: Iterable[str | Fault] = (),
        *,
        personality: str = "plain",
        key: str | None = _OF_STYLE,
        models: Iterable[str] | None = None,
        rate_tokens_s: float = 60.0,
        first_token_s: float = 0.05,
        latency_s: float = 0.0,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.style = make_style(style)
        self.faults = [make_fault(fault) if isinstance(fault, str) else fault for fault in faults]
        served = tuple(models) if models is not None else self.style.default_models
        if not served:
            raise ValueError("at least one model must be served")
        prefixes = self.style.prefixes
        required = self.style.default_key if key is _OF_STYLE else key
        self.tls = ServerTLS(tls) if tls else None
        for fault in self.faults:
            personality = fault.personality or personality
            prefixes = fault.mount(prefixes)
            required = fault.required_key(required)
            if tls is None:
                self.tls = fault.on_tls(self.tls)
        if personality not in PERSONALITIES:
            raise ValueError(f"unknown personality {personality!r}: choose one of {', '.join(PERSONALITIES)}")
        # The caller's own certificate may be for the address alone.
        self._host = "localhost" if self.tls and tls is None else "127.0.0.1"
        self.site = Site(
            personality=personality,
            key=required,
            models=served,
            rate_tokens_s=rate_tokens_s,
            first_token_s=first_token_s,
            latency_s=latency_s,
            options=dict(options or {}),
            prefixes=prefixes,
            scheme="https" if self.tls else "http",
            port=port,
            started=int(time.time()),
        )
        self._wanted_port = port
        self._server = Server(self.site, self.style, self.faults)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None

    # What a client is given -------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.site.scheme}://{self._host}:{self.site.port}"

    @property
    def ca_bundle(self) -> Path | None:
        """The file with the authority that a client has to trust, if a certificate was made."""
        return self.tls.ca_bundle if self.tls else None

    @property
    def base_url(self) -> str:
        """The right base URL of this endpoint."""
        prefix = next((prefix for prefix in self.site.prefixes if prefix), "")
        return self.origin + prefix

    @property
    def typed_url(self) -> str:
        """The URL that the user types: the base URL, as changed by the faults."""
        url = self.base_url
        for fault in self.faults:
            url = fault.typed_url(url)
        return url

    @property
    def key(self) -> str | None:
        """The key that the user gives (None: none)."""
        key = self.site.key
        for fault in self.faults:
            key = fault.typed_key(key)
        return key

    @property
    def model(self) -> str:
        """The model that the user names."""
        model = self.site.model
        for fault in self.faults:
            model = fault.typed_model(model)
        return model

    @property
    def journal(self) -> list[Request]:
        """All requests received so far (a copy; safe from any thread)."""
        with self._server.lock:
            return list(self._server.journal)

    @property
    def stamps(self) -> list[Stamps]:
        """For every stream the times at which its events were written. A copy."""
        with self._server.lock:
            return [list(stream) for stream in self._server.stamps]

    # Running -------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve in the running event loop until the block ends."""
        await self._server.start(self._wanted_port, self.tls.context if self.tls else None)
        try:
            yield self
        finally:
            await self._server.stop()

    def start(self) -> Self:
        """Serve in a thread; returns when the port is open. Raises OSError when the port is taken."""
        if self._thread is not None:
            raise RuntimeError("the simulator is already running")
        ready = threading.Event()
        failure: list[BaseException] = []

        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            try:
                async with self.running():
                    ready.set()
                    await self._stop.wait()
            except BaseException as wrong:
                failure.append(wrong)
                ready.set()

        self._thread = threading.Thread(target=asyncio.run, args=(main(),), name="simulator", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Stop serving, close every connection and end the thread. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()
        for file in (self.tls.ca_bundle, self.tls.client_certificate) if self.tls else ():
            if file is not None:
                file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.asynccontextmanager
async def serve_async(
    style: str = "openai", faults: Iterable[str | Fault] = (), **settings: Any
) -> AsyncIterator[Simulator]:
    """A simulator in the running event loop: `async with serve_async("vllm") as sim: …`. Arguments as Simulator's."""
    simulator = Simulator(style, faults, **settings)
    async with simulator.running():
        yield simulator
