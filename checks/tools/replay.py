"""The endpoint's own answers, sent back as they came, and which of their fields have to come back.

Rule: a message that repeats an answer repeats all of it (ids, reasoning, unknown fields); only when that works is it
tried without, to learn what a client must not drop.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.reading import Reading
from checks.tools.requests import Message, Tool
from checks.tools.state import is_usable_call
from probe.api import Exchange, completion, member, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Members that the API itself has in an assistant message and in a call.
_OF_MESSAGE = frozenset({"role", "content", "tool_calls"})
_OF_CALL = frozenset({"id", "type", "function", "index"})
_OF_FUNCTION = frozenset({"name", "arguments"})
#: Members that hold nothing in the answers of most servers, and that every server takes back.
_USUAL = frozenset({"refusal", "annotations", "audio", "function_call", "reasoning_content", "reasoning"})
#: Members of the API that hold nothing in an ordinary answer.
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Received:
    """An answer with calls that can be handed back, and the request that brought it."""

    exchange: Exchange
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    message: Message

    @property
    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.message["tool_calls"]
        return found

    def conversation(self, texts: Sequence[str], message: Message | None = None) -> list[Message]:
        """The request, the answer (as it came, or another form of it) and a result for each of its calls."""
        results = [
            requests.result_message(call["id"], texts[min(place, len(texts) - 1)])
            for place, call in enumerate(self.calls)
        ]
        return [*self.messages, message or self.message, *results]


def received_call(exchanges: Iterable[Exchange]) -> Received | None:
    """The first answer of the run whose calls can be handed back, whole ones before streamed ones."""
    found = [item for exchange in exchanges if (item := received_in(exchange)) is not None]
    found.sort(key=lambda item: completion.is_stream(item.exchange))
    return found[0] if found else None


def received_in(exchange: Exchange) -> Received | None:
    """The calls of one exchange as they came, or None where they cannot be answered."""
    asked = exchange.request.body
    if not isinstance(asked, dict) or not (completion.is_completion(exchange) or completion.is_stream(exchange)):
        return None
    if exchange.error is not None or not isinstance(asked.get("messages"), list) or not asked.get("tools"):
        return None
    message = completion.received_message(exchange)
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls or len(asked["messages"]) != 1:
        return None
    if not all(is_usable_call(call) for call in calls) or len({call["id"] for call in calls}) != len(calls):
        return None
    # The role is the client's own word: none repeats another one.
    return Received(
        exchange, tuple(asked["messages"]), tuple(asked["tools"]), {**copy.deepcopy(message), "role": "assistant"}
    )


def plain_answer(exchanges: Iterable[Exchange]) -> Exchange | None:
    """An answer to one user message without calls that holds members worth sending back, or None."""
    for exchange in exchanges:
        turns = member(exchange.request.body, "messages")  # none in a request made to be refused
        if not completion.is_completion(exchange) or not isinstance(turns, list) or len(turns) != 1:
            continue
        message = completion.message(exchange)
        fields = set(extras(message)) | (set(extras(message, empty=True)) - _USUAL)
        if completion.answer(exchange) and not message.get("tool_calls") and fields:
            return exchange
    return None


def with_answer(exchange: Exchange) -> list[Message]:
    """The messages of a plain request and its answer as it came."""
    return [*exchange.request.body["messages"], {**completion.message(exchange), "role": "assistant"}]


def plain_extras(exchanges: Iterable[Exchange]) -> Message:
    """The members that are not in the API's schema, of the first plain answer that has some; empty without one."""
    for exchange in exchanges:
        message = completion.message(exchange) if completion.is_completion(exchange) else {}
        if names := extras({name: value for name, value in message.items() if name != "tool_calls"}):
            return {name: message[name] for name in names}
    return {}


def extras(message: Mapping[str, Any], *, empty: bool = False) -> tuple[str, ...]:
    """The members that are not in the API's schema of a request, of the message and of its calls.

    Args:
        empty: those that hold nothing (null, an empty list) too.
    """
    found = [name for name, value in message.items() if name not in _OF_MESSAGE and (empty or value not in _EMPTY)]
    if empty and "tool_calls" in message and not message["tool_calls"]:
        found.append("tool_calls")
    for call in _calls_in(message):
        found += [f"tool_calls[].{name}" for name in call if name not in _OF_CALL and (empty or call[name])]
        found += [f"tool_calls[].function.{name}" for name in _function(call) if name not in _OF_FUNCTION]
    return tuple(dict.fromkeys(found))


def _calls_in(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a message that are objects."""
    found = message.get("tool_calls")
    return [call for call in found if isinstance(call, dict)] if isinstance(found, list) else []


def _function(call: Mapping[str, Any]) -> dict[str, Any]:
    found = call.get("function")
    return found if isinstance(found, dict) else {}


def without_extras(message: Mapping[str, Any]) -> Message:
    """The message with the members of the API alone, as clients with typed messages send it."""
    made: Message = {name: value for name, value in message.items() if name in _OF_MESSAGE}
    made.pop("tool_calls", None)
    if calls := _calls_in(message):
        made["tool_calls"] = [
            {name: value for name, value in call.items() if name in _OF_CALL}
            | {"function": {name: value for name, value in _function(call).items() if name in _OF_FUNCTION}}
            for call in calls
        ]
    return made


def meant(said: str, message: Mapping[str, Any], fields: Sequence[str]) -> tuple[str, ...]:
    """The fields that a refusal names, by their own name or that of a member inside them; all where it names none."""
    low = said.lower()
    named = []
    for field in fields:
        name = field.rpartition(".")[2]
        holders = _holders(field, message)
        inside = {key for holder in holders for key in _keys(holder.get(name))}
        if any(key.lower() in low for key in (name, *inside) if len(key) > 3):
            named.append(field)
    return tuple(named) or tuple(fields)


def _holders(field: str, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The objects that have the field as a member: the message, its calls, or their functions."""
    if "." not in field:
        return (message,)
    calls = _calls_in(message)
    return [_function(call) for call in calls] if ".function." in field else calls


def _keys(value: Any, depth: int = 4) -> set[str]:
    """The names of all members inside a value."""
    if depth == 0 or not isinstance(value, dict | list):
        return set()
    if isinstance(value, list):
        return {key for item in value[:16] for key in _keys(item, depth - 1)}
    return set(value) | {key for item in value.values() for key in _keys(item, depth - 1)}


def shown_path(field: str, message: Mapping[str, Any]) -> str:
    """A field with the members inside it where each holds one alone: ``extra_content.google.thought_signature``."""
    name = field.rpartition(".")[2]
    holder = next(iter(_holders(field, message)), {})
    path, value = [name], member(holder, name)
    while isinstance(value, dict) and len(value) == 1 and len(path) < 5:
        inner = next(iter(value))
        path.append(inner)
        value = value[inner]
    return ".".join(path)


async def send(
    ctx: Context,
    received: Received,
    texts: Sequence[str],
    message: Message | None = None,
    *,
    before: Sequence[Message] = (),
    stream: bool = False,
) -> Exchange:
    """Hand results back, with the answer as it came or in another form.

    Args:
        before: messages at the beginning of the conversation.
    """
    messages = [*before, *received.conversation(texts, message)]
    more: dict[str, Any] = {"stream": True} if stream else {}
    return await ctx.chat(messages, limit=requests.LONG_LIMIT, tools=list(received.tools), **more)


def city_of(call: Mapping[str, Any], otherwise: str) -> str:
    """The city in a call's arguments, so that the result fits the call."""
    try:
        value = json.loads(call["function"]["arguments"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return otherwise
    city = value.get("city") if isinstance(value, dict) else None
    return city if isinstance(city, str) and 0 < len(city) <= 40 else otherwise


def answers_question(reading: Reading) -> bool:
    """Whether a call of the weather tool asks for the city of the question; True where that is unclear.

    A mock fills the schema with words of its own ("test_city", ""); another script or language is the model's choice.
    """
    texts = [str(call.arguments) for call in reading.calls]
    if not all(map(_has_city, texts)):
        return True
    return any("paris" in text.lower() or not text.isascii() for text in texts)


def _has_city(text: str) -> bool:
    """Whether arguments are an object whose city is a string, or that lacks one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("city", ""), str)


def other_city(reading: Reading) -> str:
    """Why a call of other values proves nothing, in a few words."""
    city = city_of({"function": {"arguments": reading.calls[0].arguments}}, "")
    return f"the call is well formed and asks for {wording.quote(city, 40, 'no city')} where Paris was asked for"
