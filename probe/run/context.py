"""The context of a check: a way to send requests, and what is known so far.

A check sees the target through this object only.  Requests are counted in the run's budget before
they are sent, "not now" (429, 503 and the like) is waited out, and an exchange that several checks
need is sent once and shared.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import anyio

from probe.model import Event, Exchange, Verdict
from probe.parsing import certificates, chat_completion
from probe.parsing.strict_json import member
from probe.parsing.urls import is_loopback, same_origin
from probe.run.budget import Budget
from probe.run.options import Auth, Options, Settled
from probe.run.outcomes import BudgetExceeded, KeyWithheld, Skip, Throttled
from probe.run.run_state import Log
from probe.run.watchdog import Activity
from probe.wire import looks
from probe.wire.client import Client
from probe.wire.looks import Address, Handshake
from probe.wire.proxies import ProxyInUse
from probe.wire.transport import Wire
from probe.wording import cut, seconds

#: Seconds to wait for a busy endpoint that names no pause, and the longest wait of a request; after one that waited in
#: vain the others wait less, so that what the endpoint always refuses in this way costs a run less than a minute.
_BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
_PATIENCE_S = 45.0
_PATIENCE_AFTER_S = 5.0
_WORTH_A_LINE_S = 5.0
#: Seconds of requests after which a check sends a slow endpoint no further ones than its second.
_TIME_OF_A_CHECK_S = 25.0
#: Seconds in which running checks may end by themselves after the deadline.
DEADLINE_GRACE_S = 2.0
_PORTS = {"http": 80, "https": 443}
#: A gateway that could not reach its backend is asked this often, since one member of a pool may be down.  A failure
#: that took longer than this (seconds) was a timer and is not repeated.
_GATEWAY_TRIES = 3
_AT_ONCE_S = 1.0
#: A stream that broke off after so many seconds is not repeated alone.
_LONG_S = 20.0
#: Tokens for thinking, in addition to those of the visible answer.
THINKING_ROOM = 1024
#: Answers with thinking between tags until limits are raised: a stray tag in one answer is not thinking.
TAGGED = 2


@dataclass(frozen=True)
class _Outgoing:
    """A request as it is given to the client, the members that were added to it, and the tokens reserved for it."""

    method: str
    url: str
    body: Any
    content: bytes | None
    headers: Mapping[str, str]
    timeout_s: float
    wire: Wire | None
    tokens: int
    added: frozenset[str]


def _with_tool_names(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages with the name of the called tool in every result."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    names = {member(call, "id"): member(call, "function", "name") for call in calls}
    return [
        {"name": names.get(one.get("tool_call_id")), **one} if one.get("role") == "tool" else one for one in messages
    ]


class Context:
    """The object that a check works with.

    Attributes:
        check: the id of the check this context belongs to.
        options: what the user asked for.
        target: what is settled about the endpoint (base_url, chat_url, model …).
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
        self.queued_s = 0.0
        self.spent_s = 0.0
        self.scope = anyio.CancelScope()
        self.activity = Activity()
        self.client = client
        self.log = log

    # What is known ----------------------------------------------------------------------------------

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """Every exchange of the run so far, for checks that send nothing."""
        return tuple(self.log.exchanges)

    @property
    def throttled(self) -> Sequence[Exchange]:
        """The exchanges that were answered "not now", in order."""
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
        """A code no model can guess, such as ``ZEBRA-48213``: the same for the same label.

        Codes of different labels differ in the word and in the number.
        """
        return self.log.nonce(label)

    @property
    def slow(self) -> bool:
        """Whether the endpoint writes so few tokens per second that questions should have short answers."""
        return self.log.speed.slow

    def note(self, text: str) -> None:
        """Report what is being tried, for the live progress."""
        self.log.emit(Event("note", self.check, text))

    def waiting(self, what: str, wait_s: float) -> None:
        """Report a wait of some seconds, and the time of day when it ends; short waits are not worth a line."""
        if wait_s >= _WORTH_A_LINE_S:
            until = time.strftime("%H:%M:%S", time.localtime(time.time() + wait_s))
            self.log.emit(Event("waiting", self.check, f"{what}: about {seconds(round(wait_s))}, until {until}"))

    async def pause(self, what: str, pause_s: float) -> None:
        """Wait for some seconds; the progress says what for."""
        self.waiting(what, pause_s)
        with self.activity.waiting():
            await anyio.sleep(pause_s)

    # Looking at the port ----------------------------------------------------------------------------

    @property
    def proxy(self) -> ProxyInUse | None:
        """The proxy that requests to the endpoint go through, or None."""
        return self.client.proxy(self.options.endpoint.origin)

    async def handshake(self) -> Handshake | None:
        """What the endpoint's port does when a TLS handshake begins; None where a proxy is in between.

        Sends no HTTP and no key, and does not verify the certificate.
        """
        if self.proxy is not None:
            return None
        parts = urlsplit(self.options.endpoint.origin)
        with self.activity.waiting():
            return await looks.handshake(parts.hostname or "", parts.port or _PORTS[parts.scheme])

    def missing_issuer(self, seen: Handshake) -> str | None:
        """The intermediate certificate that the server ought to have presented, or None."""
        return certificates.missing_issuer(seen.chain, self.client.roots())

    async def addresses(self) -> Sequence[Address]:
        """Each address of the endpoint's host, connected to once; empty where a proxy is in between."""
        if self.proxy is not None:
            return ()
        parts = urlsplit(self.options.endpoint.origin)
        with self.activity.waiting():
            return await looks.addresses(parts.hostname or "", parts.port or _PORTS[parts.scheme])

    # Sending ----------------------------------------------------------------------------------------

    def may_carry_key(self, url: str) -> str | None:
        """The reason why the key must not be sent to this URL, or None.

        It is sent only to the typed origin, and in clear text only to this machine or if the user
        typed ``http://``.
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
        """Send one request; a failure of the network is in the exchange and not raised.

        Args:
            body: a JSON value; or ``content``: raw bytes.
            auth: another way to send the key, ``Auth("none")`` for none.
            timeout_s: of this exchange; default: the run's.
            tokens: the most it may cost, reserved in the budget.
            share: a name under which the exchange is sent once in the run.
            patient: wait out "not now"; otherwise it is returned at once.

        Raises:
            BudgetExceeded: it does not fit the budget.
            KeyWithheld: the key may not be sent there.
            Throttled: the endpoint kept answering "not now" (only if patient).
        """
        carried = self._auth(auth).headers()
        extra = dict(self.options.headers)
        if refused := self.may_carry_key(url):
            if carried:
                raise KeyWithheld(f"the key is not sent to {url}: {refused}")
            extra = {}
        sent = {**extra, **self.target.client_headers, **carried, **(headers or {})}
        added = self.target.added if method == "POST" and isinstance(body, dict) else {}
        body = {**body, **added} if added else body
        patience_s = timeout_s or self._limit_s(body)
        request = _Outgoing(method, url, body, content, sent, patience_s, wire, tokens, frozenset(added))

        async def once() -> Exchange:
            self._spare_a_slow_endpoint()
            with self.activity.waiting():
                return await self._send(request, patient)

        return await self.shared(share, once) if share else await once()

    def _limit_s(self, body: Any) -> float:
        """The time limit of a request, in seconds: more than the default for an answer that a slow endpoint writes."""
        limit, speed = self.options.timeout_s, self.log.speed
        if not self.options.adaptive or not isinstance(body, Mapping) or "messages" not in body:
            return limit
        if speed.rate is None:
            return 2 * limit
        return max(limit, 30 + 3 * speed.expected_s(self._limit_of(body), len(str(body)) // 3))

    def _limit_of(self, body: Any) -> int:
        """The most tokens of the answer to a request; 0 if it has no limit."""
        tokens = body.get(self.target.limit_param) if isinstance(body, Mapping) else None
        return tokens if isinstance(tokens, int) else 0

    @contextmanager
    def two_at_once(self) -> Iterator[None]:
        """Two requests may be on the wire in this block, even if the endpoint is otherwise sent one at a time."""
        lane = self.log.lane
        before, lane.total_tokens = lane.total_tokens, max(2, lane.total_tokens)
        try:
            yield
        finally:
            lane.total_tokens = before

    async def shared(self, name: str, make: Callable[[], Awaitable[Exchange]]) -> Exchange:
        """The exchange of this name, made by the first check that needs it; the others wait for it."""
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

    async def _send(self, request: _Outgoing, patient: bool) -> Exchange:
        started = time.monotonic()
        tries = 0
        before: Exchange | None = None
        while True:
            exchange, crowded = await self._in_lane(request)
            tries += 1
            kind = exchange.error.kind if exchange.response is None and exchange.error is not None else ""
            # A server with one slot lets requests wait for each other; alone it may be fast enough.  A connection
            # that was probed is dead.
            slow = crowded and kind == "timeout" and exchange.timeline.autopsy is None
            # The server had closed the idle connection; a client connects again as well.
            stale = exchange.timeline.reused and kind in ("reset", "closed")
            if (slow or stale) and tries < 3:
                continue
            if request.added and exchange.status in (400, 422) and chat_completion.speaks_of(exchange, *request.added):
                body = {name: value for name, value in request.body.items() if name not in request.added}
                request = replace(request, body=body, added=frozenset())
                self.target.added = {}
                continue
            if patient and crowded and tries < 2 and _broke_off(exchange):
                self.log.lane.total_tokens = 1  # the server may end the running answer for the next request
                continue
            if patient and tries < _GATEWAY_TRIES and _failed_at_once(exchange):
                await anyio.sleep(0.1)
                continue
            if not chat_completion.is_throttled(exchange) or (before and _same_time(before, exchange)):
                return exchange
            before = exchange
            self.log.throttled.append(exchange)
            if not patient:
                return exchange
            wait = chat_completion.retry_after(exchange)
            backoff = _BACKOFF_S[min(tries - 1, len(_BACKOFF_S) - 1)]
            # Retry-After may be 0, past or no number; and not all that wait may come back at once.
            pause = (backoff if wait is None else max(wait, backoff / 2)) * random.uniform(1.0, 1.1)
            spent = time.monotonic() - started
            hopeless = not chat_completion.waiting_helps(exchange) or tries > 6
            patience_s = _PATIENCE_AFTER_S if self.log.waited_in_vain else _PATIENCE_S
            if hopeless or spent + pause > patience_s or pause > self.budget.left_s - 1:
                self.log.waited_in_vain |= tries > 1
                text = cut(chat_completion.error_text(exchange), 160)
                raise Throttled(f"the endpoint answered {exchange.status} for {seconds(spent)}: {text}")
            self.log.emit(Event("waiting", self.check, f"{exchange.status}: waiting {seconds(pause)}"))
            await anyio.sleep(pause)

    async def _in_lane(self, request: _Outgoing) -> tuple[Exchange, bool]:
        """Send within the limit of concurrent requests, which is reduced if they slow each other down.

        Returns the exchange, and whether another request was on the wire at the same time.
        """
        lane, begin = self.log.lane, time.monotonic()
        async with lane, self.log.turn(request.url, self) as finished:
            await self.log.pace.turn()
            waited = time.monotonic() - begin
            self._queued(waited)
            crowded = lane.borrowed_tokens > 1
            exchange = await self._one(request)
            crowded = crowded or lane.borrowed_tokens > 1
            finished(exchange)
        self.spent_s += exchange.timeline.end_s
        speed = self.log.speed
        speed.observe(exchange)
        planned_s = 1.5 * speed.expected_s(self._limit_of(request.body))
        if speed.slow or (crowded and exchange.timeline.end_s > max(self.options.timeout_s / 3, planned_s)):
            lane.total_tokens = 1
        elif crowded and lane.total_tokens > 1 and speed.queued(exchange):
            lane.total_tokens //= 2
        return exchange, crowded

    def _spare_a_slow_endpoint(self) -> None:
        """Leave out what a check repeats or compares, so that a slow endpoint is asked for everything once.

        Raises:
            BudgetExceeded: the check had its time.
        """
        speed, soon_s = self.log.speed, self.options.soon_s
        if soon_s is None or not speed.slow or not self.requests:
            return
        late = time.monotonic() - self.budget.started > soon_s
        if late or (self.requests > 1 and self.spent_s > _TIME_OF_A_CHECK_S):
            raise BudgetExceeded(
                f"the endpoint writes {speed.rate:.1f} tokens/s, and more requests would take too long"
            )

    def _queued(self, waited_s: float) -> None:
        """The time for which a request waited for its turn is not the check's, and the check gets it in addition."""
        self.queued_s += waited_s
        latest = anyio.current_time() + self.budget.left_s + DEADLINE_GRACE_S
        self.scope.deadline = max(self.scope.deadline, min(self.scope.deadline + waited_s, latest))

    async def _one(self, request: _Outgoing) -> Exchange:
        self.budget.reserve(request.tokens)
        self.requests += 1
        self.log.counter += 1
        prompt = completed = uncounted = 0
        try:
            exchange = await self.client.send(
                exchange_id=f"x{self.log.counter:03d}",
                check=self.check,
                method=request.method,
                url=request.url,
                headers=request.headers,
                body=request.body,
                content=request.content,
                timeout_s=min(request.timeout_s, max(0.1, self.budget.left_s)),
                wire=request.wire,
            )
            counted = chat_completion.usage(exchange)
            prompt, completed = counted[0] or 0, counted[1] or 0
            uncounted = _uncounted(exchange, prompt, completed)
        finally:
            self.budget.settle(request.tokens, prompt, completed, uncounted)
        if not self.target.thinks and chat_completion.is_completion(exchange) and self._is_thinking(exchange):
            self.target.thinks = True
        self.prompt_tokens += prompt
        self.completion_tokens += completed
        self.log.exchanges.append(exchange)
        self.log.emit(
            Event(
                "request",
                self.check,
                f"{request.method} {exchange.request.url}",
                data={"exchange": exchange.id, "status": exchange.status, "seconds": exchange.timeline.end_s},
            )
        )
        return exchange

    # Chat -------------------------------------------------------------------------------------------

    def chat_body(
        self, messages: Sequence[Mapping[str, Any]] | str, *, limit: int = 200, **parameters: Any
    ) -> dict[str, Any]:
        """The body of a chat request for the target.

        Args:
            messages: the messages, or one user message as text.
            limit: the most visible tokens; thinking gets more in addition.
            parameters: further members; those that are None are left out.
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if self.target.tool_turn_name:
            messages = _with_tool_names(messages)
        body: dict[str, Any] = {"model": self.target.model or "default", "messages": list(messages)}
        room = self.log.speed.answer(limit) + self._thinking_room
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

        If the answer used up its limit without any visible text, as a reasoning model may do, the request
        is sent once more with a higher limit.

        Raises:
            Skip: no chat URL is known.
            BudgetExceeded, KeyWithheld, Throttled: as ``send``.
        """
        where = url or self.target.chat_url
        if where is None:
            raise Skip("no URL for chat completions is known")

        async def ask(room: int) -> Exchange:
            body = self.chat_body(messages, limit=limit + room, **parameters)
            accept = {"Accept": "text/event-stream"} if body.get("stream") is True else {}
            return await self.send(
                "POST",
                where,
                body=body,
                auth=auth,
                headers={**accept, **(headers or {})},
                timeout_s=timeout_s,
                wire=wire,
                tokens=self._cost(body, limit + room),
                patient=patient,
            )

        async def once() -> Exchange:
            thinks = self.target.thinks  # which the answer may show
            exchange = await ask(0)
            if chat_completion.ok(exchange) and not thinks and _needs_room(exchange):
                self.target.thinks = True
                exchange = await ask(self._thinking_room)
            return exchange

        return await self.shared(share, once) if share else await once()

    def _cost(self, body: Mapping[str, Any], limit: int) -> int:
        """An upper estimate of what a request can cost: its size over 3, and its limit."""
        return len(str(body)) // 3 + limit + self._thinking_room

    @property
    def _thinking_room(self) -> int:
        return self.log.speed.thinking(THINKING_ROOM) if self.target.thinks else 0

    def _is_thinking(self, exchange: Exchange) -> bool:
        where, text = chat_completion.reasoning_of(exchange)
        if where == "think_tags" and text:
            self.log.tagged += 1
            return self.log.tagged >= TAGGED
        return bool(text)


def _uncounted(exchange: Exchange, prompt: int, completed: int) -> int:
    """An estimate of the tokens that the endpoint did not count: text over 3, as in the reservation.

    What was refused cost nothing; a request that got no answer may have cost its prompt.
    """
    if exchange.request.method != "POST" or (exchange.response is not None and exchange.status != 200):
        return 0
    sent = 0 if prompt else len(str(exchange.request.body or "")) // 3
    if completed or exchange.response is None:
        return sent
    said = chat_completion.answer(exchange) + chat_completion.reasoning_of(exchange)[1]
    return sent + len(said or exchange.response.content) // 3


def _needs_room(exchange: Exchange) -> bool:
    """Whether the limit was used up without any visible text or tool call."""
    if not chat_completion.starved(exchange):
        return False
    if chat_completion.is_stream(exchange):
        return not chat_completion.read_stream(exchange).calls
    return not chat_completion.tool_calls(exchange)


def _broke_off(exchange: Exchange) -> bool:
    """Whether a stream of chunks ended in the middle, other than by a limit of ours or after a long time."""
    if not chat_completion.is_stream(exchange) or (exchange.error is not None and exchange.error.kind == "timeout"):
        return False
    if exchange.timeline.end_s > _LONG_S or (exchange.response is not None and exchange.response.cut):
        return False
    reading = chat_completion.read_stream(exchange)
    ended = reading.done or reading.finish_reason or reading.errors
    return any(chunk.delta for chunk in reading.chunks) and not ended


def _same_time(one: Exchange, other: Exchange) -> bool:
    """Whether two answers "not now" are those of a timer: both came late, after the same time, and name no pause."""
    took, again = one.timeline.end_s, other.timeline.end_s
    named = chat_completion.retry_after(one) is not None or (other.status or 0) < 500
    return not named and min(took, again) > _AT_ONCE_S and abs(took - again) < 0.2 + 0.03 * took


def _failed_at_once(exchange: Exchange) -> bool:
    """Whether a gateway reported, without waiting, that the server behind it failed."""
    at_once = exchange.timeline.end_s < _AT_ONCE_S
    return at_once and chat_completion.obstacle(exchange) is chat_completion.Obstacle.UPSTREAM
