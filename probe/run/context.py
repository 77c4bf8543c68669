"""What a check is given: a way to send, and what is known so far.

A check sees the target through here and nothing else.  Requests count against the
run's budget before they go out, a "not now" (429, 503) is waited out, and an exchange
that several checks want is sent once and shared.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio

from probe.model import Event, Exchange, Verdict
from probe.parsing import chat_completion
from probe.parsing.urls import is_loopback, same_origin
from probe.run.budget import Budget
from probe.run.options import Auth, Options, Settled
from probe.run.outcomes import KeyWithheld, Skip, Throttled
from probe.run.run_state import Log
from probe.run.watchdog import Activity
from probe.wire.client import Client
from probe.wire.transport import Wire
from probe.wording import cut

#: Waiting for a busy endpoint: pauses when it names none, and the longest wait in all.
_BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
_PATIENCE_S = 45.0
#: Room for thinking, beside what the visible answer needs.
THINKING_ROOM = 1024


class Context:
    """The one object a check works with.

    Attributes:
        check: the id of the check this context belongs to.
        options: what the user asked for.
        target: what is settled about the endpoint (base_url, chat_url, model …).
        exchanges: every exchange of the run so far, for checks that only look.
        log, client: for the engine; checks use the methods.
    """

    def __init__(self, check: str, options: Options, target: Settled, client: Client, budget: Budget, log: Log) -> None:
        self.check = check
        self.options = options
        self.target = target
        self.budget = budget
        self.requests = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.scope = anyio.CancelScope()
        self.activity = Activity()
        self.client = client
        self.log = log

    # What is known -----------------------------------------------------------------------

    @property
    def exchanges(self) -> Sequence[Exchange]:
        return tuple(self.log.exchanges)

    @property
    def throttled(self) -> Sequence[Exchange]:
        """The exchanges that ended in "not now", in order."""
        return tuple(self.log.throttled)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.log.facts

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdicts given so far, by capability."""
        return self.log.verdicts

    @property
    def codes(self) -> frozenset[str]:
        """The finding codes given so far."""
        return frozenset(self.log.codes)

    def nonce(self, label: str) -> str:
        """A code no model can guess, such as ``ZEBRA-48213``; the same for the same label.

        Different labels get different words as well as different numbers.
        """
        return self.log.nonce(label)

    def note(self, text: str) -> None:
        """Say what is being tried, for the live progress."""
        self.log.emit(Event("note", self.check, text))

    # Sending -----------------------------------------------------------------------------

    def may_carry_key(self, url: str) -> str | None:
        """Why the key must not go to this URL, or None when it may.

        It goes only to the typed origin, and in clear text only to this machine or where
        the user typed ``http://``.
        """
        typed = self.options.endpoint
        if not same_origin(url, typed.origin):
            return "another origin than the one typed"
        if typed.scheme == "http" and not typed.scheme_given and not is_loopback(typed.host):
            return "clear text to another machine, and http:// was not typed"
        return None

    def _auth(self, auth: Auth | None) -> Auth:
        if auth is not None:
            return auth
        given = self.options.auth
        if self.target.auth_header:
            return Auth(self.target.auth_scheme or given.scheme, self.target.auth_header, given.key, given.source)
        return given

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        timeout_s: float | None = None,
        wire: Wire | None = None,
        tokens: int = 0,
        share: str | None = None,
        patient: bool = True,
    ) -> Exchange:
        """Send one request; network trouble is in the exchange, not an exception.

        Args:
            body: a JSON value; or ``content``: raw bytes.
            auth: another way to send the key, ``Auth("none")`` for none.
            timeout_s: for this exchange; default the run's.
            tokens: the most it may cost, reserved in the budget.
            share: a name under which the exchange is sent once for the whole run.
            patient: wait out 429 and 503; otherwise they are returned at once.

        Raises:
            BudgetExceeded: it does not fit the budget.
            KeyWithheld: the key may not go there.
            Throttled: the endpoint kept answering 429 or 503 (only when patient).
        """

        async def once() -> Exchange:
            with self.activity.waiting():
                return await self._send(
                    method, url, body, content, headers, self._auth(auth), timeout_s, wire, tokens, patient
                )

        return await self.shared(share, once) if share else await once()

    async def shared(self, name: str, make: Callable[[], Awaitable[Exchange]]) -> Exchange:
        """The exchange of this name, made by whoever asks first; the others wait for it."""
        log = self.log
        while name not in log.results:
            if name in log.shared:
                with self.activity.waiting():
                    await log.shared[name].wait()
                continue
            log.shared[name] = anyio.Event()
            try:
                log.results[name] = await make()
            except Exception as error:
                log.results[name] = error
            finally:
                log.shared.pop(name).set()
        found = log.results[name]
        if isinstance(found, Exception):
            raise found
        return found

    async def _send(
        self,
        method: str,
        url: str,
        body: Any,
        content: bytes | None,
        headers: Mapping[str, str] | None,
        auth: Auth,
        timeout_s: float | None,
        wire: Wire | None,
        tokens: int,
        patient: bool,
    ) -> Exchange:
        carried = auth.headers()
        extra = {**self.options.headers}
        refused = self.may_carry_key(url)
        if refused:
            if carried:
                raise KeyWithheld(f"the key is not sent to {url}: {refused}")
            extra = {}
        sent = {**extra, **carried, **(headers or {})}
        started = time.monotonic()
        tries = 0
        while True:
            exchange, crowded = await self._in_lane(method, url, body, content, sent, timeout_s, wire, tokens)
            tries += 1
            unanswered = exchange.response is None and exchange.error is not None and exchange.error.kind == "timeout"
            unanswered = unanswered and exchange.timeline.autopsy is None  # what was dissected is dead
            if crowded and unanswered and tries < 3:
                # A server with one slot lets requests wait for each other; alone it may be fast enough.
                continue
            lost = exchange.response is None and exchange.error is not None
            if lost and exchange.timeline.reused and exchange.error and exchange.error.kind in ("reset", "closed"):
                # The server had closed the idle connection; a client reconnects as well.
                if tries < 3:
                    continue
                return exchange
            if not chat_completion.is_throttled(exchange):
                return exchange
            self.log.throttled.append(exchange)
            if not patient:
                return exchange
            wait = chat_completion.retry_after(exchange)
            pause = wait if wait is not None else _BACKOFF_S[min(tries - 1, len(_BACKOFF_S) - 1)]
            spent = time.monotonic() - started
            hopeless = not chat_completion.waiting_helps(exchange) or tries > 6
            if hopeless or spent + pause > _PATIENCE_S or pause > self.budget.left_s - 1:
                said = cut(chat_completion.error_text(exchange), 160)
                raise Throttled(f"the endpoint answered {exchange.status} for {spent:.0f} s: {said}")
            self.log.emit(Event("waiting", self.check, f"{exchange.status}: waiting {pause:.1f} s"))
            await anyio.sleep(pause)

    async def _in_lane(self, *request: Any) -> tuple[Exchange, bool]:
        """Send in one of the run's lanes; narrow them when requests keep each other waiting.

        Returns the exchange, and whether another request was under way beside it.
        """
        lane = self.log.lane
        async with lane, self.log.turn(request[1], self) as told:
            crowded = lane.borrowed_tokens > 1
            exchange = await self._one(*request)
            crowded = crowded or lane.borrowed_tokens > 1
            told(exchange)
        if crowded and exchange.timeline.end_s > self.options.timeout_s / 3:
            lane.total_tokens = 1
        return exchange, crowded

    async def _one(
        self,
        method: str,
        url: str,
        body: Any,
        content: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float | None,
        wire: Wire | None,
        tokens: int,
    ) -> Exchange:
        self.budget.reserve(tokens)
        self.requests += 1
        self.log.counter += 1
        number = f"x{self.log.counter:03d}"
        limit = min(timeout_s or self.options.timeout_s, max(0.1, self.budget.left_s))
        prompt = completed = 0
        try:
            exchange = await self.client.send(
                exchange_id=number,
                check=self.check,
                method=method,
                url=url,
                headers=headers,
                body=body,
                content=content,
                timeout_s=limit,
                wire=wire,
            )
            counted = chat_completion.usage(exchange)
            prompt, completed = counted[0] or 0, counted[1] or 0
        finally:
            self.budget.settle(tokens, prompt, completed)
        if (
            not self.target.thinks
            and chat_completion.is_completion(exchange)
            and chat_completion.reasoning_of(exchange)[1]
        ):
            self.target.thinks = True
        self.prompt_tokens += prompt
        self.completion_tokens += completed
        self.log.exchanges.append(exchange)
        self.log.emit(
            Event(
                "request",
                self.check,
                f"{method} {exchange.request.url}",
                data={"exchange": exchange.id, "status": exchange.status, "seconds": exchange.timeline.end_s},
            )
        )
        return exchange

    # Chat --------------------------------------------------------------------------------

    def chat_body(
        self, messages: Sequence[Mapping[str, Any]] | str, *, limit: int = 200, **parameters: Any
    ) -> dict[str, Any]:
        """The body of a chat request for the settled target.

        Args:
            messages: the messages, or one user message as text.
            limit: the most visible tokens wanted; thinking gets room beside it.
            parameters: further members; one that is None is left out.
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        body: dict[str, Any] = {"model": self.target.model or "default", "messages": list(messages)}
        room = limit + (THINKING_ROOM if self.target.thinks else 0)
        if self.target.limit_param:
            body[self.target.limit_param] = room
        body["temperature"] = 0
        if self.target.stream_false:
            body["stream"] = False
        for name in self.target.dropped_params:
            body.pop(name, None)
        body.update(parameters)
        return {name: value for name, value in body.items() if value is not None}

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]] | str,
        *,
        limit: int = 200,
        share: str | None = None,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        wire: Wire | None = None,
        patient: bool = True,
        url: str | None = None,
        **parameters: Any,
    ) -> Exchange:
        """Ask the endpoint for a chat completion (``stream=True`` for a streamed one).

        An answer that used up its limit without a visible word is asked for once more
        with room, since that is what a reasoning model does under a small limit.

        Raises:
            Skip: no chat URL is known.
            BudgetExceeded, KeyWithheld, Throttled: as ``send``.
        """
        where = url or self.target.chat_url
        if where is None:
            raise Skip("no URL for chat completions is known")

        async def once() -> Exchange:
            body = self.chat_body(messages, limit=limit, **parameters)
            exchange = await self.send(
                "POST",
                where,
                body=body,
                auth=auth,
                headers=self._stream_headers(body, headers),
                timeout_s=timeout_s,
                wire=wire,
                tokens=self._cost(body, limit),
                patient=patient,
            )
            if chat_completion.ok(exchange) and self._wants_room(exchange, body):
                self.target.thinks = True
                body = self.chat_body(messages, limit=limit + THINKING_ROOM, **parameters)
                exchange = await self.send(
                    "POST",
                    where,
                    body=body,
                    auth=auth,
                    headers=self._stream_headers(body, headers),
                    timeout_s=timeout_s,
                    wire=wire,
                    tokens=self._cost(body, limit + THINKING_ROOM),
                    patient=patient,
                )
            return exchange

        return await self.shared(share, once) if share else await once()

    def _wants_room(self, exchange: Exchange, body: Mapping[str, Any]) -> bool:
        if self.target.thinks or not chat_completion.starved(exchange):
            return False
        if chat_completion.is_stream(exchange):
            return not chat_completion.read_stream(exchange).calls
        return not chat_completion.tool_calls(exchange)

    def _stream_headers(self, body: Mapping[str, Any], headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if body.get("stream") is True:
            return {"Accept": "text/event-stream", **(headers or {})}
        return headers

    def _cost(self, body: Mapping[str, Any], limit: int) -> int:
        """An upper estimate of what a request can cost: its size over 3, and its limit."""
        return len(str(body)) // 3 + limit + (THINKING_ROOM if self.target.thinks else 0)
