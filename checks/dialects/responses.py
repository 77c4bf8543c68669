"""The Responses API: its requests, its answers and the grammar of its streams.  Pure.

Sources: openai/openai-openapi (CreateResponse, Response, ResponseStreamEvent), the types of openai-python, and the
request of Codex CLI 0.169 as it was received by a simulated endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from checks.dialects import catalogue
from checks.dialects.dialect import (
    AI_SDK,
    Called,
    Dialect,
    Field,
    Group,
    Reading,
    StreamReader,
    arguments_of,
    check_fields,
    check_ids,
    events_of,
    number_of,
    said_in,
)
from probe.api import count_at, member, png, text_at

PYTHON, NODE, CODEX = "openai-python", "openai-node", "Codex CLI"
PYTHON_HELPER, NODE_HELPER = "openai-python's stream()", "openai-node's stream()"
_ALL = (PYTHON, NODE, AI_SDK)
_HELPERS = (PYTHON_HELPER, NODE_HELPER)
_PARTS = frozenset({"output_text", "refusal", "reasoning_text", "summary_text"})

_TABLE = (
    Field("output", "list", fails=_ALL),
    Field("output[].type", "string", fails=_ALL),
    Field("output[message].content", "list", fails=_ALL),
    Field("output[message].content[].type", "string", fails=_ALL, words=_PARTS),
    Field("output[message].content[output_text].text", "string", fails=_ALL),
    Field("output[function_call].call_id", "string", Group.TOOLS, (*_ALL, CODEX)),
    Field("output[function_call].name", "string", Group.TOOLS, (*_ALL, CODEX)),
    Field("output[function_call].arguments", "string", Group.TOOLS, (*_ALL, CODEX)),
    Field("usage", "object"),
    Field("usage.input_tokens", "number", fails=(CODEX,)),
    Field("usage.output_tokens", "number", fails=(CODEX,)),
)
_COMPLETED = (Field("id", "string", fails=(CODEX, *_HELPERS)), *_TABLE[-3:])
_ITEM = tuple(
    Field(row.path.replace("output[function_call].", ""), row.kind, row.group, row.fails)
    for row in _TABLE
    if row.group is Group.TOOLS
)
#: What Codex CLI offers besides functions, and the ids that it gives to items of its own.
_AGENT_TOOLS = (
    {"type": "namespace", "name": "agents", "description": "Tools of other agents.", "tools": [
        {"type": "function", "name": "wait_agent", "description": "Wait for another agent.", "strict": False,
         "parameters": {"type": "object", "properties": {"agent": {"type": "string"}}, "required": ["agent"]}},
    ]},
    {"type": "web_search", "external_web_access": False},
)  # fmt: skip
_OWN_IDS = {"message": "msg_0123456789abcdef{}", "function_call_output": "fco_0123456789abcdef{}"}
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class Responses(Dialect):
    name = "responses"
    title = "the Responses API"
    operation = "/responses"
    agent = CODEX
    libraries = (PYTHON, NODE)
    codes = catalogue.RESPONSES
    headers: Mapping[str, str] = {}
    agent_headers: Mapping[str, str] = {}
    places: Mapping[str, tuple[str, ...]] = {
        "archive": ("`instructions`",),  # which this agent does not send
        "vault": ("messages of the role developer", CODEX),
    }

    def urls(self, chat_url: str) -> list[str]:
        parts = urlsplit(chat_url)
        base, found, _ = parts.path.rpartition("/chat/completions")
        return [urlunsplit(parts._replace(path=f"{base}/responses"))] if found else []

    def request(self, model: str, turns: Sequence[Any], limit: int, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "input": list(turns), "max_output_tokens": limit}
        if system := more.get("system"):
            body["instructions"] = system
        if tools := more.get("tools"):
            body["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
            if more.get("forced"):
                body["tool_choice"] = "required"
        return body

    def as_agent(self, body: Mapping[str, Any], system: str, note: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": note}]
        tools = [{**tool, "strict": False} for tool in body.get("tools", ())]
        ahead = [{"type": "message", "role": "developer", "content": content}] if note else []
        turns = [*ahead, *body["input"]]
        named = [
            {"id": _OWN_IDS[turn["type"]].format(place), **turn} if turn.get("type") in _OWN_IDS else turn
            for place, turn in enumerate(turns)
        ]
        return {
            **{name: value for name, value in body.items() if name != "temperature"},
            "input": named,
            **({"instructions": system} if system else {}),
            **({"tools": [*tools, *_AGENT_TOOLS], "tool_choice": "auto", "parallel_tool_calls": True} if tools else {}),
            "reasoning": {"summary": "auto"},
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "endpoint-probe",
            "client_metadata": {"client": "endpoint-probe"},
        }

    def user(self, text: str, *, parts: bool = False, picture: bytes = b"") -> Any:
        content: Any = [{"type": "input_text", "text": text}] if parts or picture else text
        if picture:
            content.append({"type": "input_image", "image_url": png.data_uri(picture)})
        return {"type": "message", "role": "user", "content": content}

    def results(self, given: Sequence[tuple[Called, str]]) -> list[Any]:
        return [{"type": "function_call_output", "call_id": call.id, "output": text} for call, text in given]

    def form(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {"text": {"format": {"type": "json_schema", "name": "record", "schema": schema, "strict": True}}}

    def assistant(self, reading: Reading, *, thinking: bool) -> list[Any]:
        return [item for item in reading.turn if thinking or member(item, "type") != "reasoning"]

    def read_whole(self, reading: Reading, body: Any) -> None:
        _whole(reading, body)

    def read_stream(self, reading: Reading) -> None:
        _Stream(reading).read()


def _whole(reading: Reading, body: Any) -> None:
    reading.known = isinstance(body, dict) and ("output" in body or member(body, "object") == "response")
    if not reading.known:
        return
    check_fields(reading, body, _TABLE, "/response/body")
    output = member(body, "output")
    _take(reading, output if isinstance(output, list) else [])
    reading.tokens = _tokens(body)
    reading.cut = member(body, "status") == "incomplete"


def _take(reading: Reading, items: Sequence[Any]) -> None:
    """The text, the thinking and the calls of output items."""
    reading.turn = [item for item in items if isinstance(item, dict)]
    texts: list[str] = []
    thoughts: list[str] = []
    for item in reading.turn:
        parts = [*_listed(item, "content"), *_listed(item, "summary")]
        if item.get("type") == "message":
            texts += [text_at(part, "text") for part in parts if member(part, "type") == "output_text"]
        elif item.get("type") == "reasoning":
            thoughts += [text_at(part, "text") for part in parts]
        elif item.get("type") == "function_call":
            arguments = item.get("arguments")
            read = arguments if isinstance(arguments, dict) else arguments_of(arguments)
            if read is None and isinstance(arguments, str):
                text = "the arguments of a call are not a JSON object"
                reading.deviates(Group.TOOLS, text, "/response/body/output", arguments[:80], *_ALL, CODEX)
            reading.calls.append(Called(text_at(item, "call_id") or None, text_at(item, "name"), read))
    reading.text, reading.thinking = "".join(texts), "".join(thoughts)
    check_ids(reading, "/response/body/output")


def _listed(item: Any, name: str) -> list[Any]:
    found = member(item, name)
    return found if isinstance(found, list) else []


def _tokens(body: Any) -> tuple[int | None, int | None]:
    return count_at(body, "usage", "input_tokens"), count_at(body, "usage", "output_tokens")


class _Stream(StreamReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.items: dict[Any, dict[str, Any]] = {}
        self.done: list[Any] = []
        self.arguments: dict[Any, list[str]] = {}
        self.last = -1
        self.first_id: Any = None

    def read(self) -> None:
        reading = self.reading
        events = [(place, body) for place, _, body in events_of(reading.exchange) if text_at(body, "type")]
        kinds = [text_at(body, "type") for _, body in events]
        reading.known = any(kind.startswith("response.") for kind in kinds)
        if not reading.known:
            return
        if kinds[0] != "response.created":
            text = f"the stream begins with {kinds[0][:40]} and not with response.created"
            self.wrong(text, events[0][0], kinds[0][:40], *_HELPERS)
        self.first_id = member(events[0][1], "response", "id")
        for place, body in events:
            self._sequence(place, body)
            self._event(text_at(body, "type"), place, body)
        ends = [(place, body) for place, body in events if text_at(body, "type") in (*_ENDS, "error")]
        if not ends:
            last = events[-1]
            text = "the stream ends without response.completed"
            self.wrong(text, last[0], text_at(last[1], "type")[:40], CODEX, *_HELPERS)
        if not any(text_at(body, "type") in ("response.failed", "error") for _, body in ends):
            _take(reading, self.done)
            self._agreement(ends[-1] if ends else events[-1])

    def _sequence(self, place: str, body: Any) -> None:
        number = count_at(body, "sequence_number")
        if number is not None:
            if number <= self.last:
                self.wrong(f"sequence_number {number} follows {self.last}", place, number)
            self.last = number

    def _event(self, kind: str, place: str, body: dict[str, Any]) -> None:
        if kind == "response.output_item.added":
            self._added(place, body)
        elif kind == "response.output_item.done":
            item = body.get("item")
            if isinstance(item, dict):
                self.done.append(item)
                if item.get("type") == "function_call":
                    check_fields(self.reading, item, _ITEM, f"{place}/item")
            self._belongs(kind, place, body, member(item, "id"))
        elif kind.endswith(".delta") and "output_index" not in body and "item_id" in body:
            self._no_index(kind, place)
            self._delta(kind, place, body)
        elif kind.endswith(".delta") and "item_id" in body:
            self._belongs(kind, place, body, body.get("item_id"))
            self._delta(kind, place, body)
        elif kind in ("response.failed", "error"):
            said = said_in(member(body, "response")) if kind == "response.failed" else said_in(body)
            text = f"the stream breaks off with {kind}: {said[:120]}"
            self.wrong(text, place, kind, PYTHON, NODE, AI_SDK, CODEX, *_HELPERS)
        elif kind in _ENDS:
            self._end(kind, place, body)

    def _added(self, place: str, body: dict[str, Any]) -> None:
        item, index = body.get("item"), number_of(body.get("output_index"))
        if index is None:
            self._no_index("response.output_item.added", place)
            index = len(self.items)
        if index in self.items:
            self.wrong(f"two items have the output_index {str(index)[:20]}", place, index, *_HELPERS)
        self.items[index] = item if isinstance(item, dict) else {}

    def _no_index(self, kind: str, place: str) -> None:
        self.wrong("events have no output_index", place, kind, NODE_HELPER, AI_SDK)

    def _belongs(self, kind: str, place: str, body: dict[str, Any], item_id: Any) -> None:
        """Whether an event follows its item, with the item's id."""
        index = number_of(body.get("output_index"))
        if index is None:
            return
        item = self.items.get(index)
        if item is None:
            text = f"{kind} names the output_index {str(index)[:20]}, whose item was not announced"
            known = any(one.get("id") == item_id for one in self.items.values())
            self.wrong(text, place, index, *_HELPERS, *(() if known else (AI_SDK,)))
        elif item.get("id") is not None and item_id != item["id"]:
            text = "the item_id of an event is not the id of its item"
            self.wrong(text, place, str(item_id)[:60], AI_SDK)

    def _delta(self, kind: str, place: str, body: dict[str, Any]) -> None:
        piece = body.get("delta")
        if not isinstance(piece, str):
            self.wrong(f"`delta` of {kind} is not a string", place, str(piece)[:40], PYTHON, NODE, AI_SDK, CODEX)
        elif kind == "response.output_text.delta":
            self.pieces.append(piece)
        elif kind == "response.function_call_arguments.delta":
            index = number_of(body.get("output_index", body.get("item_id")))
            self.arguments.setdefault(index, []).append(piece)

    def _end(self, kind: str, place: str, body: dict[str, Any]) -> None:
        response = body.get("response")
        check_fields(self.reading, response, _COMPLETED, f"{place}/response")
        self.reading.tokens = _tokens(response)
        self.reading.cut = kind == "response.incomplete"
        named = member(response, "id")
        if named is not None and self.first_id is not None and named != self.first_id:
            self.wrong("the id of the response changes in the stream", place, str(named)[:60], *_HELPERS)
        if kind == "response.completed" and self.items and not _listed(response, "output"):
            text = "response.completed has no output, although items were streamed"
            self.wrong(text, f"{place}/response/output", "empty", *_HELPERS)

    def _agreement(self, last: tuple[str, Any]) -> None:
        """Deltas and finished items say the same."""
        reading = self.reading
        place = last[0]
        if self.items and not self.done:
            text = "no item ends with response.output_item.done"
            self.wrong(text, place, text_at(last[1], "type")[:40], CODEX, AI_SDK)
            for index, item in self.items.items():
                if item.get("type") == "function_call":
                    read = arguments_of("".join(self.arguments.get(index, ())))
                    reading.calls = [Called(text_at(item, "call_id") or None, text_at(item, "name"), read)]
            reading.text = self.text
        elif self.done and (made := self.text) != reading.text:
            text = f"the deltas make `{made[:60]}`, the finished item `{reading.text[:60]}`"
            self.wrong(text, place, made[:80], PYTHON, NODE, AI_SDK)
        whole = [item for item in self.done if item.get("type") == "function_call" and item.get("arguments")]
        if whole and not self.arguments:
            text = "the arguments of a call come only when they are done, without deltas"
            self.wrong(text, place, text_at(whole[0], "arguments")[:80], "LiteLLM's bridge to chat completions")
        elif whole:
            joined = ["".join(pieces) for pieces in self.arguments.values()]
            if sorted(joined) != sorted(str(item["arguments"]) for item in whole):
                text = "the deltas of the arguments are not the finished arguments"
                self.wrong(text, place, joined[0][:80], *_HELPERS)
