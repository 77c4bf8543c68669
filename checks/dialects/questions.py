"""The questions that every dialect is asked, one after the other, and their answers as they are read.

Each question goes to an endpoint whose chat completions work: a text (whole and streamed), a tool, its result, two
calls and their results as the dialect's agent asks for them, a picture and a schema where chat completions take them,
and what only one of the dialects has.  What would cost requests to explain is asked only where an answer is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from checks.dialects.dialect import Dialect, Group, Reading, events_of
from checks.shared.outcome import error_alone, words_of
from checks.tools import requests
from checks.tools.results import MORE
from checks.vision.checks import QUESTION as COLOURS
from checks.vision.reading import COLOURS as NAMES
from checks.vision.reading import colours_named, quadrants, unguessable
from probe.api import Auth, BudgetExceeded, Depth, Exchange, Obstacle, State, Throttled, completion, member, parse

if TYPE_CHECKING:
    from probe.api import Context

#: Tokens of an answer in words, and of one that may call a tool.
TEXT, CALL = 100, 300
#: The most requests to a dialect that exists.
MOST = 10
#: In the place of the agent's own instructions; long enough that their tokens are seen in the count.
INSTRUCTIONS = (
    "You are a careful assistant in a terminal. Use the tools that you are given whenever a question can be answered "
    "with them, never guess what a tool can find out, and keep every answer short. The archive code is {0}. End every "
    "answer with {0}."
)
NOTE = "The vault code is {0}. Begin every answer with {0}."
#: Tokens by which a prompt grows at least when the instructions, or the tool, are in it.
GROWTH = 20


@dataclass
class Answers:
    """What came back, by question; a question that was not asked, or whose answer is about the way, is missing.

    ``refused`` are the exchanges that were answered with an error; ``broke_off`` the words with which a stream ended.
    ``number`` and ``second`` are in the results of tools, ``kept`` are the codes in the agent's instructions by where
    they stand (``left`` those that no answer names), ``colours`` those of the pictures.  ``control`` is the status of a
    path that does not exist, asked for where the operation is answered with a server error.
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
    second: str = ""
    control: int | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    colours: dict[str, tuple[str, ...]] = field(default_factory=dict)

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
        self.answers.second = requests.number_of(ctx, f"{dialect.name}-second")
        self.answers.kept = {name: ctx.nonce(f"{dialect.name}-{name}") for name in ("archive", "vault")}
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
                await self._picture_and_schema()
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
        headers = {**self.dialect.headers, **stream, **more.get("headers", {})}
        url = more.pop("url", self.answers.url)
        tokens = len(str(body)) // 3 + 400 + (1024 if self.ctx.target.thinks else 0)
        more.setdefault("auth", self.auth)
        more["headers"] = headers
        return await self.ctx.send("POST", url, body=dict(body), tokens=tokens, **more)

    async def _ask(self, name: str, body: Mapping[str, Any], **more: Any) -> Reading | None:
        """Send a question and keep its reading, or its refusal; None where there is no answer to read."""
        if self.sent >= MOST:
            return None
        exchange = await self._send(body, **more)
        if is_server_error(exchange) and self.sent < MOST:
            exchange = await self._send(body, **more)  # once is an accident
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
        if is_server_error(exchange):
            exchange = await self._send(body)
            if is_server_error(exchange):
                self.answers.control = (await self._send(body, url=_elsewhere(answers.url))).status
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
        results = dialect.results([(called.calls[0], requests.report("Paris", answers.number))])
        for name, thinking in (("result", True), ("result-without-thinking", False)):
            turns = [self.question, *dialect.assistant(called, thinking=thinking), *results]
            await self._ask(name, self._body(turns, CALL, tools=self.weather))
            if not called.thinking:
                return

    async def _agent(self) -> None:
        """Two calls streamed, and their results, with everything that the agent always sends; plainly where that fails.

        The turn is sent back as it was streamed, with its thinking and its signature or encrypted form.
        """
        answers, dialect = self.answers, self.dialect
        if "tools" in answers.refused:
            return
        two = self._chat_does("parallel_tools")
        question = dialect.user(requests.TWO_CITIES if two else requests.QUESTION, parts=True)
        reading = await self._ask_as_agent("agent", [question])
        refused = answers.refused.get("agent")
        if refused is not None and dialect.leaves_out_note(completion.error_text(refused)):
            del answers.refused["agent"]
            answers.kept = {"archive": answers.kept["archive"]}
            reading = await self._ask_as_agent("agent", [question])
        calls = answers.read.get("tools") or answers.read.get("forced")
        if "agent" in answers.refused or (reading and calls and calls.calls and not reading.calls):
            body = {**self._body([self.question], CALL, tools=self.weather), "stream": True}
            await self._ask("agent-plainly", body)
        if reading is None:
            return
        if reading.calls and len(cities_of(reading)) < 1 + two and not reading.breaks(*_ANY):
            await self._compared(requests.TWO_CITIES if two else requests.QUESTION)
        if reading.calls and all(call.id and call.arguments is not None for call in reading.calls):
            await self._results(question, reading)
        await self._instructions()

    async def _ask_as_agent(self, name: str, turns: list[Any], *without: str) -> Reading | None:
        kept = self.answers.kept
        system = "" if "archive" in without else INSTRUCTIONS.format(kept["archive"])
        note = "" if "vault" in without or "vault" not in kept else NOTE.format(kept["vault"])
        about = name.startswith("system")
        asked = self._body(turns, CALL, **({} if about else {"tools": self.weather}))
        sent = {**self.dialect.as_agent(asked, system, note), "stream": not about}
        return await self._ask(name, sent, headers=self.dialect.agent_headers)

    async def _compared(self, question: str) -> None:
        """A question whose streamed calls lack something, whole; and streamed once more where that is complete."""
        body = self._body([self.dialect.user(question)], CALL, tools=self.weather)
        whole = await self._ask("whole-calls", body)
        if whole is not None and len(cities_of(whole)) > len(cities_of(self.answers.read["agent"])):
            await self._ask("streamed-calls", {**body, "stream": True})

    async def _results(self, question: Any, reading: Reading) -> None:
        """The results of the streamed calls; where one has no effect, once more with a longer one."""
        answers, dialect = self.answers, self.dialect
        cities = [str((call.arguments or {}).get("city", "")) or "the city" for call in reading.calls]
        numbers = [answers.number, *[answers.second] * (len(cities) - 1)]
        texts = [requests.report(city, number) for city, number in zip(cities, numbers, strict=False)]
        for name in ("agent-result", "agent-longer"):
            results = dialect.results(list(zip(reading.calls, texts, strict=False)))
            read = await self._ask_as_agent(name, [question, *dialect.assistant(reading, thinking=True), *results])
            unused = [n for n, number in enumerate(numbers[: len(texts)]) if read and number not in read.text]
            if read is None or read.cut or len(texts) < 2 or not unused:
                return
            texts[unused[0]] += MORE

    async def _instructions(self) -> None:
        """The codes in the instructions, asked for where no answer shows it."""
        answers = self.answers
        said = "".join(answers.read[name].text for name in ("agent", "agent-result") if name in answers.read)
        missing = [name for name, code in answers.kept.items() if not completion.repeats(said, code)]
        if missing:
            asked = " and ".join(f"the {name} code" for name in missing)
            read = await self._ask_as_agent("system", [self.dialect.user(f"What is {asked}?", parts=True)])
            answers.left = [name for name in missing if read and not completion.repeats(read.text, answers.kept[name])]
            if answers.left:  # a weak model, or a prompt that is no longer with them than without
                turn = self.dialect.user(f"What is {asked}?", parts=True)
                await self._ask_as_agent("system-without", [turn], *answers.left)

    async def _own_questions(self) -> None:
        """A response that is continued; the tokens of a message, with the key in the other header."""
        if self.dialect.name == "responses":
            await self._continued()
        else:
            await self._counted()

    async def _continued(self) -> None:
        """The result of a call to a stored response; where that fails, a text to a stored one."""
        answers, dialect = self.answers, self.dialect
        if "store" in self.always:
            return
        called = answers.read.get("tools")
        call = called.calls[0] if called and called.calls and called.calls[0].id else None
        if called is not None and call is not None and isinstance(named := _id_of(called), str):
            results = dialect.results([(call, requests.report("Paris", answers.number))])
            body = {**self._body(results, CALL, tools=self.weather), "previous_response_id": named}
            reading = await self._ask("previous-call", body)
            if reading is not None and answers.number in reading.text:
                return
        if isinstance(named := _id_of(answers.read["text"]), str):
            body = self._body([dialect.user("Repeat exactly what you said before.")], TEXT)
            await self._ask("previous", {**body, "previous_response_id": named})

    async def _counted(self) -> None:
        """The tokens of the request with tools, or of the first one."""
        answers = self.answers
        counted = answers.read.get("tools", answers.read["text"])
        asked = counted.exchange.request.body
        body = {name: asked[name] for name in ("model", "messages", "tools") if name in asked}
        key = self.ctx.options.auth
        other = [way for way in ("x-api-key", "bearer") if key.key and answers.ways and way not in answers.ways]
        auth = _way(other[0], key) if other else self.auth
        url, query, rest = answers.url.partition("?")
        where = f"{url}/count_tokens{query}{rest}"
        exchange = await self._send(body, url=where, auth=auth)
        if other and exchange.status != 404:
            answers.ways[other[0]] = completion.ok(exchange)
        if other and exchange.status in (401, 403):
            exchange = await self._send(body, url=where)
        if completion.ok(exchange) and not completion.has_error_body(exchange):
            answers.read["count"] = replace(Reading(exchange), known=False, tokens=counted.tokens)

    async def _picture_and_schema(self) -> None:
        """A picture whose colours are to be named by a schema; alone what fails in that."""
        answers, both = self.answers, None
        sees, forms = self._chat_does("vision"), self._chat_does("json_schema")
        if sees and forms:
            both = await self._show("picture", schema=True)
            if both is None and "picture" not in answers.refused:
                return
        if forms and (both is None or not fits(answers, both)):
            await self._show("schema", schema=True)
        if not sees:
            return
        if both is None:
            answers.refused.pop("picture", None)
            await self._show("picture")
        if "picture" in answers.read and colours_right(answers) <= 1:
            await self._show("picture-again")

    async def _show(self, name: str, *, schema: bool = False) -> Reading | None:
        """Ask for a picture's colours, a record by a schema, or both."""
        answers = self.answers
        more: dict[str, Any] = self.dialect.form(record(answers, picture=name != "schema")) if schema else {}
        if name == "schema":
            turn = self.dialect.user("Give me one sample record.")
        else:
            colours = answers.colours[name] = unguessable(avoid=answers.colours.get("picture", ()))
            turn = self.dialect.user(COLOURS, picture=quadrants(colours, 64 if name == "picture" else 256))
        return await self._ask(name, {**self._body([turn], TEXT), **more})

    def _chat_does(self, capability: str) -> bool:
        verdict = self.ctx.verdicts.get(capability)
        return verdict is not None and verdict.verdict is State.WORKS

    async def _malformed(self) -> None:
        """A request without its conversation, and once more where it is answered with a server error."""
        body = {"model": self.ctx.target.model or "default"}
        for name in ("malformed", "malformed-again"):
            await self._ask(name, body)
            refused = self.answers.refused.get(name)
            if refused is None or (refused.status or 0) < 500:
                return


_ANY = tuple(Group)
#: What a schema asks for besides the codes, where a picture is shown.
_PLACES = ("bottom_left", "bottom_right", "top_left", "top_right")


def record(answers: Answers, *, picture: bool) -> dict[str, Any]:
    """A strict schema whose code cannot be guessed, with the colours of a picture or without."""
    properties: dict[str, Any] = {"code": {"type": "string", "enum": [f"{answers.code}-A", f"{answers.code}-B"]}}
    if picture:
        properties |= {place: {"type": "string", "enum": list(NAMES)} for place in _PLACES}
    names = sorted(properties)
    made = {name: properties[name] for name in names}
    return {"type": "object", "properties": made, "required": names, "additionalProperties": False}


def fits(answers: Answers, reading: Reading) -> bool:
    """Whether an answer is a record of the schema that was asked for."""
    found = parse(completion.without_thinking(reading.text))
    names = {"code", *_PLACES} if reading is answers.read.get("picture") else {"code"}
    return isinstance(found, dict) and set(found) == names and str(found["code"])[:-2] == answers.code


def colours_right(answers: Answers, name: str = "picture") -> int:
    """How many colours of a picture were named."""
    reading = answers.read.get(name)
    named = colours_named(reading.text) if reading else ()
    return sum(mine == theirs for mine, theirs in zip(answers.colours.get(name, ()), named, strict=False))


def cities_of(reading: Reading) -> set[str]:
    """The cities for which the tool is called."""
    named = [(call.arguments or {}).get("city") for call in reading.calls]
    return {city.strip().lower() for city in named if isinstance(city, str) and city.strip()}


def _id_of(reading: Reading) -> Any:
    return member(completion.body_of(reading.exchange), "id")


def _elsewhere(url: str) -> str:
    """A path next to the operation that no server has."""
    path, query, rest = url.partition("?")
    return f"{path}-{path.rpartition('/')[2]}{query}{rest}"


def is_server_error(exchange: Exchange) -> bool:
    """Whether the server failed, for no reason of the way and without saying that there is no such operation."""
    status = exchange.status or 0
    return exchange.error is None and status >= 500 and status != 501 and not is_way(exchange)


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
