"""The endpoint as an object: start it, point a client at it, read what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from probe.simulator.call import Site
from probe.simulator.registry import make_fault, make_style
from probe.simulator.server import Endpoint, Stamps

if TYPE_CHECKING:
    import ssl

    from probe.simulator.fault import Fault
    from probe.simulator.http11 import Request

PERSONALITIES = ("plain", "chatty", "reasoning", "declines", "refuses", "small", "copies", "weak")
_AS_STYLE: Any = object()


class Simulator:
    """A simulated endpoint on loopback, in a thread of its own with its own event loop.

    style          name of a server style (see `all_styles()`)
    faults         names, each optionally with `=value` (see `all_faults()`)
    personality    plain, chatty, reasoning, declines (calls no tool unless forced), refuses (not even then),
                   small (uses the newest question and a short system message), copies (the question alone) or weak
    key            key the endpoint asks for; None for none; left out: what the style does
    models         ids that are served; left out: the style's own
    rate_tokens_s  tokens a second (0: no pacing); first_token_s, latency_s  seconds before the first token
    port           0 for a free one; tls: an ssl.SSLContext for https
    options        further settings: context_length (tokens)

    Raises UnknownName for a style, fault or personality that does not exist, ValueError for an unusable value.
    """

    def __init__(
        self,
        style: str = "openai",
        faults: Iterable[str] = (),
        *,
        personality: str = "plain",
        key: str | None = _AS_STYLE,
        models: Iterable[str] | None = None,
        rate_tokens_s: float = 60.0,
        first_token_s: float = 0.05,
        latency_s: float = 0.0,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        made_style = make_style(style)
        self.faults: list[Fault] = [make_fault(text) for text in faults]
        for fault in self.faults:
            personality = fault.personality or personality
        if personality not in PERSONALITIES:
            raise ValueError(f"unknown personality {personality!r}: choose one of {', '.join(PERSONALITIES)}")
        served = tuple(models) if models is not None else made_style.default_models
        if not served:
            raise ValueError("at least one model must be served")
        prefixes = made_style.prefixes
        asked = made_style.default_key if key is _AS_STYLE else key
        for fault in self.faults:
            prefixes = fault.mount(prefixes)
            asked = fault.asked_key(asked)
        self.ca_bundle: Path | None = None
        self._tls, self._host = tls, "127.0.0.1"
        self._use_certificate()
        self.site = Site(
            style=made_style,
            faults=self.faults,
            personality=personality,
            key=asked,
            models=served,
            rate_tokens_s=rate_tokens_s,
            first_token_s=first_token_s,
            latency_s=latency_s,
            options=dict(options or {}),
            prefixes=prefixes,
            scheme="https" if self._tls else "http",
            port=port,
            started=int(time.time()),
        )
        self._wanted_port = port
        self._endpoint: Endpoint | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None

    def _use_certificate(self) -> None:
        wanted = next((fault.certificate for fault in self.faults if fault.certificate), None)
        if wanted is None or self._tls is not None:
            return
        from probe.simulator import tls

        made = tls.make(wanted)
        self._tls, self._host, self.ca_bundle = made.context, "localhost", made.ca_bundle

    # What a client needs -------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.site.scheme}://{self._host}:{self.site.port}"

    @property
    def base_url(self) -> str:
        """The base URL that is right for a client of this endpoint."""
        prefix = next((prefix for prefix in self.site.prefixes if prefix), "")
        return self.origin + prefix

    @property
    def typed_url(self) -> str:
        """The URL a user would type: the base URL, or what the faults make of it."""
        url = self.base_url
        for fault in self.faults:
            url = fault.typed_url(url)
        return url

    @property
    def key(self) -> str | None:
        """The key the user gives (None: none)."""
        key = self.site.key
        for fault in self.faults:
            key = fault.typed_key(key)
        return key

    @property
    def model(self) -> str:
        """The model the user names."""
        model = self.site.model
        for fault in self.faults:
            model = fault.typed_model(model)
        return model

    @property
    def journal(self) -> list[Request]:
        """All requests received so far (a copy; safe from any thread)."""
        if self._endpoint is None:
            return []
        with self._endpoint.lock:
            return list(self._endpoint.journal)

    @property
    def stamps(self) -> list[Stamps]:
        """For every stream: (time.monotonic() when it was written, number of the event). A copy."""
        if self._endpoint is None:
            return []
        with self._endpoint.lock:
            return [list(stream) for stream in self._endpoint.stamps]

    # Running -------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serves in the event loop that is running, until the block ends."""
        endpoint = Endpoint(self.site)
        self._endpoint = endpoint
        await endpoint.start(self._wanted_port, self._tls)
        try:
            yield self
        finally:
            await endpoint.stop()

    def start(self) -> Self:
        """Starts serving in a thread; returns when the port is open. Raises OSError when it cannot be had."""
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
        """Stops serving, closes every connection and ends the thread. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()
        if self.ca_bundle is not None:
            self.ca_bundle.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.asynccontextmanager
async def serve_async(style: str = "openai", faults: Iterable[str] = (), **settings: Any) -> AsyncIterator[Simulator]:
    """A simulator in the running event loop: `async with serve_async("vllm") as sim: …`. Arguments as Simulator's."""
    simulator = Simulator(style, faults, **settings)
    async with simulator.running():
        yield simulator
