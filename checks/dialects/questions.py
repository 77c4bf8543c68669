"""The questions that every dialect is asked, one after the other, and their answers as they are read.

Each question goes to an endpoint whose chat completions work: a text (whole and streamed), a tool, its result, the
same tool as the dialect's agent asks for it, and what only one of the dialects has.  What would cost requests to
explain is asked only where an answer is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from checks.dialects.dialect import Dialect, Group, Reading, events_of
from checks.shared.outcome import error_alone, words_of
from checks.tools import requests
from probe.api import Auth, BudgetExceeded, Depth, Exchange, Obstacle, Throttled, completion, member

if TYPE_CHECKING:
    from probe.api import Context

#: Tokens of an answer in words, and of one that may call a tool.
TEXT, CALL = 100, 300
#: The most requests to a dialect that exists.
MOST = 10
#: Words before which the agent's own instructions would stand; long enough that their tokens are seen in the count.
INSTRUCTIONS = (
    "You are a careful assistant in a terminal. Use the tools that you are given whenever a question can be answered "
    "with them, never guess what a tool can find out, and keep every answer short. The archive code is {}."
)
#: Tokens by which a prompt grows at least when the instructions, or the tool, are in it.
GROWTH = 20


@dataclass
class Answers:
    """What came back, by question; a question that was not asked, or whose answer is about the way, is missing.

    ``refused`` are the exchanges that were answered with an error; ``broke_off`` the words with which a stream ended.
    """

    dialect: Dialect
    code: str
    number: str
    url: str = ""
    ways: dict[str, bool] = field(default_factory=dict)
    unasked: Exchange | None = None
    read: dict[str, Reading] = field(default_factory=dict)
    refused: dict[str, Exchange] = field(default_factory=dict)
    lost: str = ""
    broke_off: str = ""
    chat_calls_freely: bool = True

    def tokens(self, name: str) -> int | None:
        """The prompt tokens of a question, or None without a count."""
        return self.read[name].tokens[0] or None if name in self.read else None

    def grew(self, name: str, before: str, least: int = GROWTH) -> bool | None:
        """Whether the prompt of one question is so much longer than another's; None where this is not counted."""
        more, less = self.tokens(name), self.tokens(before)
        return None if more is None or less is None else more - less >= least


class Conversation:
    """Sends the questions of one dialect and keeps the answers."""

    def __init__(self, ctx: Context, dialect: Dialect) -> None:
        self.ctx, self.dialect = ctx, dialect
        self.answers = Answers(dialect, ctx.nonce(dialect.name), requests.number_of(ctx, f"{dialect.name}-result"))
        self.auth: Auth | None = None
        self.always: dict[str, Any] = {}
        self.sent = 0
        settled = ctx.target.tools
        self.answers.chat_calls_freely = settled is None or settled["way"] in ("", "auto")
        self.question = dialect.user(requests.QUESTION)
        self.weather = [requests.weather()]

    async def hold(self) -> Answers:
        """Ask everything; what was answered before the budget ended, or the endpoint throttled, is kept."""
        try:
            if await self._first():
                await self._text_streamed()
                await self._tools()
                await self._agent()
                await self._own_questions()
                # Through a gateway it may take a backend out of service, so it is not asked in passing.
                if self.ctx.options.depth is Depth.DEEP:
                    await self._malformed()
        except (BudgetExceeded, Throttled) as stopped:
            if "text" not in self.answers.read:
                raise
            self.answers.lost = str(stopped)
        return self.answers

    # Sending ------------------------------------------------------------------------------------------

    def _body(self, turns: list[Any], limit: int, **more: Any) -> dict[str, Any]:
        ctx = self.ctx
        room = limit + (1024 if ctx.target.thinks else 0)
        body = self.dialect.request(ctx.target.model or "default", turns, room, **more)
        if "temperature" not in ctx.target.dropped_params:
            body["temperature"] = 0
        return {**body, **self.always}

    async def _send(self, body: Mapping[str, Any], **more: Any) -> Exchange:
        self.sent += 1
        stream = {"Accept": "text/event-stream"} if body.get("stream") is True else {}
        headers = {**self.dialect.headers, **stream, **more.pop("headers", {})}
        url = more.pop("url", self.answers.url)
        tokens = len(str(body)) // 3 + 400 + (1024 if self.ctx.target.thinks else 0)
        more.setdefault("auth", self.auth)
        return await self.ctx.send("POST", url, body=dict(body), headers=headers, tokens=tokens, **more)

    async def _ask(self, name: str, body: Mapping[str, Any], **more: Any) -> Reading | None:
        """Send a question and keep its reading, or its refusal; None where there is no answer to read."""
        if self.sent >= MOST:
            return None
        exchange = await self._send(body, **more)
        if is_way(exchange):
            if completion.ok(exchange) and _broke_off_on_the_way(exchange):
                self.answers.broke_off = words_of(exchange)
            return None
        if not completion.ok(exchange) or completion.has_error_body(exchange):
            self.answers.refused[name] = exchange
            return None
        reading = self.answers.read[name] = self.dialect.read(exchange)
        if reading.thinking:
            self.ctx.target.thinks = True
        return reading

    # Questions ----------------------------------------------------------------------------------------

    async def _first(self) -> bool:
        """Find the operation, with the header that it takes the key in; whether it answers as this dialect."""
        answers, dialect = self.answers, self.dialect
        body = self._body([dialect.user(f"Repeat exactly: {answers.code}")], TEXT)
        exchange = None
        for url in dialect.urls(self.ctx.target.chat_url or ""):
            exchange = await self._with_key(url, body)
            answers.url = url
            if not is_absent(exchange):
                break
        if exchange is None:
            return False
        if dialect.name == "responses" and exchange.status in (400, 422) and speaks_of_store(exchange):
            again = await self._send({**body, "store": False})  # as its agent asks
            if completion.ok(again):
                exchange, self.always["store"] = again, False
                body = {**body, "store": False}
        if completion.ok(exchange) and completion.is_stream(exchange) and dialect.read(exchange).known:
            answers.unasked, self.always["stream"] = exchange, False
            exchange = await self._send({**body, "stream": False})
        reading = dialect.read(exchange)
        if reading.known and reading.cut and not reading.text and not self.ctx.target.thinks:
            self.ctx.target.thinks = True
            body = self._body([dialect.user(f"Repeat exactly: {answers.code}")], TEXT)
            reading = dialect.read(await self._send(body))
        if is_way(exchange) or not completion.ok(exchange) or completion.has_error_body(exchange):
            answers.refused["text"] = exchange
            return False
        answers.read["text"] = reading
        return reading.known

    async def _with_key(self, url: str, body: Mapping[str, Any]) -> Exchange:
        """The first request, and once more with the key in the other header where the usual one is refused."""
        given = self.ctx.options.auth
        exchange = await self._send(body, url=url)
        scheme = self.ctx.target.auth_scheme or given.scheme
        if given.key is None or scheme == "none":
            return exchange
        header = (self.ctx.target.auth_header or given.header).lower()
        usual, other = ("bearer", "x-api-key") if scheme == "bearer" else (header, "bearer")
        self.answers.ways[usual] = completion.ok(exchange)
        if exchange.status not in (401, 403) or self.dialect.name != "messages":
            return exchange
        way = _way(other, given)
        second = await self._send(body, url=url, auth=way)
        self.answers.ways[other] = completion.ok(second)
        if completion.ok(second):
            self.auth = way
            return second
        return exchange

    async def _text_streamed(self) -> None:
        body = self._body([self.dialect.user(f"Repeat exactly: {self.answers.code}")], TEXT)
        await self._ask("stream", {**body, "stream": True})

    async def _tools(self) -> None:
        """A call of the model's own choice, or a forced one; then its result."""
        answers, dialect = self.answers, self.dialect
        called = await self._ask("tools", self._body([self.question], CALL, tools=self.weather))
        if "tools" in answers.refused:
            return
        if called is not None and not called.calls and not called.breaks(*_ANY):
            called = await self._ask("forced", self._body([self.question], CALL, tools=self.weather, forced=True))
        if called is None or not called.calls or not called.calls[0].id:
            return
        text = requests.report("Paris", answers.number)
        for name, thinking in (("result", True), ("result-without-thinking", False)):
            turn = dialect.assistant(called, thinking=thinking)
            turns = [self.question, *turn, *(dialect.result(call, text) for call in called.calls[:1])]
            await self._ask(name, self._body(turns, CALL, tools=self.weather))
            if name not in answers.refused or not called.thinking:
                return

    async def _agent(self) -> None:
        """The tool streamed, with everything that the dialect's agent always sends; without it where that fails."""
        answers, dialect = self.answers, self.dialect
        if "tools" in answers.refused:
            return
        body = {**self._body([self.question], CALL, tools=self.weather), "stream": True}
        always = dialect.always(INSTRUCTIONS.format(self.ctx.nonce(f"{dialect.name}-system")))
        asked = self._body([dialect.user(requests.QUESTION, parts=True)], CALL, tools=self.weather)
        sent = {**{name: value for name, value in asked.items() if name != "temperature"}, **always, "stream": True}
        reading = await self._ask("agent", sent, headers=dialect.agent_headers)
        calls = answers.read.get("tools") or answers.read.get("forced")
        if "agent" in answers.refused or (reading and calls and calls.calls and not reading.calls):
            await self._ask("agent-plainly", body)
        if reading is not None and answers.grew("agent", "tools", GROWTH) is False:
            system = str(always.get("instructions") or always.get("system"))
            text = "What is the archive code?"
            await self._ask("system", self._body([dialect.user(text)], TEXT, system=system))

    async def _own_questions(self) -> None:
        """A response that is continued; the tokens of a message, with the key in the other header."""
        answers, dialect = self.answers, self.dialect
        first = answers.read["text"].exchange
        if dialect.name == "responses":
            named = member(completion.body_of(first), "id")
            if isinstance(named, str) and "store" not in self.always:
                body = self._body([dialect.user("Repeat exactly what you said before.")], TEXT)
                await self._ask("previous", {**body, "previous_response_id": named})
            return
        body = {name: first.request.body[name] for name in ("model", "messages")}
        key = self.ctx.options.auth
        other = [way for way in ("x-api-key", "bearer") if key.key and answers.ways and way not in answers.ways]
        auth = _way(other[0], key) if other else self.auth
        url, query, rest = answers.url.partition("?")
        where = f"{url}/count_tokens{query}{rest}"
        counted = await self._send(body, url=where, auth=auth)
        if other and counted.status != 404:
            answers.ways[other[0]] = completion.ok(counted)
        if other and counted.status in (401, 403):
            counted = await self._send(body, url=where)
        if completion.ok(counted) and not completion.has_error_body(counted):
            answers.read["count"] = replace(Reading(counted), known=False)

    async def _malformed(self) -> None:
        """A request without its conversation, and once more where it is answered with a server error."""
        body = {"model": self.ctx.target.model or "default"}
        for name in ("malformed", "malformed-again"):
            await self._ask(name, body)
            refused = self.answers.refused.get(name)
            if refused is None or (refused.status or 0) < 500:
                return


_ANY = tuple(Group)


def _way(name: str, given: Auth) -> Auth:
    """The key in this header."""
    if name == "bearer":
        return Auth("bearer", "Authorization", given.key, given.source)
    return Auth("api-key-header", "x-api-key", given.key, given.source)


def is_way(exchange: Exchange) -> bool:
    """Whether the request was lost, or its answer is about access, limits or transport, or too long to be read."""
    if exchange.error is not None or exchange.response is None:
        return True
    if exchange.response.cut and not completion.is_stream(exchange):
        return True
    return bool(completion.obstacle(exchange)) or _broke_off_on_the_way(exchange)


def _broke_off_on_the_way(exchange: Exchange) -> bool:
    """Whether a stream ends in an error event about access, limits or transport, such as ``overloaded_error``."""
    if exchange.response is None or not completion.is_stream(exchange):
        return False
    for _, _, body in events_of(exchange):
        error = member(body, "error") or member(body, "response", "error")
        if isinstance(error, dict):
            return bool(completion.obstacle(error_alone(exchange, error)))
    return False


def speaks_of_store(exchange: Exchange) -> bool:
    """Whether a refusal names the field ``store``."""
    return re.search(r"\bstore\b", completion.error_text(exchange)[:1000]) is not None


def is_absent(exchange: Exchange) -> bool:
    """Whether there is no such operation at this URL."""
    if exchange.status in (404, 405, 410, 501):
        return True
    return completion.ok(exchange) and (completion.is_html(exchange) or completion.has_error_body(exchange))


def is_denied(exchange: Exchange) -> bool:
    """Whether the answer is about access or payment."""
    return completion.obstacle(exchange) in (Obstacle.ACCESS, Obstacle.PAYMENT)
