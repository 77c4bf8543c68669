"""The hooks by which a fault changes the simulated endpoint; each does nothing unless overridden.

A fault is declared in a module of `probe/simulator/faults/`, and nothing else is edited for it: as one function, which
has its name, under the decorator of its hook (`@on_reply("summary", "code")`); as a class where it needs several hooks;
or as a `variant` of another fault. The endpoint keeps one instance of each of its faults, which is the place for state
that outlives a request (a counter, a cache); `call.notes` is the place for state within one. Faults combine: a hook
receives what the previous fault returned.

| Layer        | Hook                   | What it receives, and may change                                         |
| ------------ | ---------------------- | ------------------------------------------------------------------------ |
| the user     | typed_url, typed_key,  | what the user of such an endpoint gives the client                       |
|              | typed_model            |                                                                          |
| set-up       | mount, required_key    | the paths of the API; the key that is required                           |
| TLS          | certificate, on_tls    | certificate and context of the listening socket                          |
| connection   | on_connection          | an accepted connection before its first byte: its idle time, its end     |
| request      | additional             | further faults for this request alone (a pool, a router)                 |
|              | on_request             | any request to any path: another answer, or another path, site, body     |
|              | on_auth, on_model      | the verdict on the key, on the model id                                  |
|              | on_chat                | a valid generating request: a refusal                                    |
| model        | personality            | how the model behaves                                                    |
|              | on_prompt              | the request as the model is shown it                                     |
|              | on_reply               | the model's reply before it is given a form                              |
| body         | on_json                | the JSON value of any response that is not streamed, errors included     |
| chunk, event | on_chunks              | the events of a streamed chat completion                                 |
|              | on_events              | the events of any stream                                                 |
| response     | on_stream              | a planned stream: its bytes and their times                              |
|              | on_response            | any planned response: status, fields, bytes, times, end                  |
| head         | on_head                | the status line and all fields, as they are about to be sent             |
| wire         | on_bytes               | every piece of bytes, head and chunk framing included                    |

A response can also be no HTTP at all (`response.send_raw`), no answer (`response.no_response`), or one without an end
(`Response.more`). How a response ends is its `end`; when, its times: a delay is `response.delayed`, a timer
`response.cut`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar

from probe.simulator.call import JSON, Call, Chunk, Connection, Reply, ToolCall
from probe.simulator.response import End, Head, Response
from probe.simulator.style import DEFAULT_KEY, Style
from probe.simulator.tls import ServerTLS, make

Overrides = TypeVar("Overrides", bound=Callable[..., Any])


class Fault:
    """A way in which an endpoint can be wrong (or only unusual, when `yields` is empty).

    name         as written after `--fault`, words joined by hyphens
    summary      one line for `simulate --list`
    yields       the finding codes that a right diagnosis gives for this fault alone on the style `home`
    value        the default of what may follow the name after `=`; None: the fault takes no value
    choices      the words that may follow; a fault whose `value` is a number takes any number as well
    deep         only depth deep asks for what it changes
    layer        order of the response hooks: 0 the server itself, 1 a buffering hop, 2 a hop with a timer
    personality  the model's behaviour, see `probe.simulator.endpoint`
    keyed        the endpoint requires a key, whatever its style
    certificate  the kind of server certificate, see `probe.simulator.tls`
    home         the style on which it yields these codes, one that serves what the fault changes
    stream       True, False: only calls that are streamed, or only those that are not; None: both (see `concerns`)
    operation    only calls of this operation, see `probe.simulator.call.Call`; empty: all
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    yields: ClassVar[tuple[str, ...]] = ()
    value: ClassVar[str | None] = None
    choices: ClassVar[tuple[str, ...]] = ()
    deep: ClassVar[bool] = False
    layer: ClassVar[int] = 0
    personality: ClassVar[str | None] = None
    keyed: ClassVar[bool] = False
    certificate: ClassVar[str | None] = None
    home: ClassVar[str] = "openai"
    stream: ClassVar[bool | None] = None
    operation: ClassVar[str] = ""

    style: Style
    """The style of the endpoint; set before any hook of a request is called."""
    count: int = 0
    """For faults that count requests."""

    def __init_subclass__(cls) -> None:
        """Raises TypeError for a hook that does not exist, which would never be called."""
        unknown = [name for name in vars(cls) if name.startswith("on_") and not hasattr(Fault, name)]
        if unknown:
            raise TypeError(f"{cls.__name__} overrides {', '.join(unknown)}, which is not a hook of Fault")

    def __init__(self, given: str | None = None) -> None:
        """`given` is the text after `=`; raises ValueError when the fault cannot use it."""
        if given is not None and self.value is None:
            raise ValueError(f"fault {self.name} takes no value")
        self.given: str = given if given is not None else self.value or ""
        if given is None or given in self.choices:
            return
        takes_numbers = _is_number(self.value) and not (self.choices and all(map(_is_number, self.choices)))
        if takes_numbers and _is_number(given):
            return
        if self.choices or takes_numbers:
            wanted = ", ".join(self.choices) or "a number of zero or more"
            raise ValueError(f"fault {self.name} takes {wanted}, not {given!r}")

    @classmethod
    def variant(cls, name: str, summary: str, **members: Any) -> type[Self]:
        """This fault under another name, with other values of its members or other hooks.

        Raises TypeError for a member that it does not have.
        """
        known = {member for base in cls.__mro__ for member in (*vars(base), *vars(base).get("__annotations__", ()))}
        if unknown := members.keys() - known:
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")
        return type(name, (cls,), {"name": name, "summary": summary, **members})

    def concerns(self, call: Call) -> bool:
        """Whether the hooks from `on_chat` to `on_response` are asked about this call."""
        return self.stream in (None, call.stream) and self.operation in ("", call.operation)

    @property
    def number(self) -> float:
        """The value as a number."""
        return float(self.given or 0)

    def error(
        self, status: int, message: str, kind: str = "invalid_request_error", param: str | None = None, code: Any = None
    ) -> Response:
        """An error in the shape of the endpoint's style."""
        return self.style.error(status, message, kind, param, code)

    # What the user gives the client --------------------------------------------------------------------

    def typed_url(self, url: str) -> str:
        """The URL that the user types, from the right base URL."""
        return url

    def typed_key(self, key: str | None) -> str | None:
        """The key that the user gives, from the one that is required."""
        return key

    def typed_model(self, model: str) -> str:
        """The model that the user names, from the one that is served."""
        return model

    # Set-up of the endpoint ----------------------------------------------------------------------------

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        """The paths under which the API answers; the first one is the right base."""
        return prefixes

    def required_key(self, key: str | None) -> str | None:
        """The key that the endpoint requires, from the style's (None: none)."""
        return key or DEFAULT_KEY if self.keyed else key

    def on_tls(self, tls: ServerTLS | None) -> ServerTLS | None:
        """Certificate and context of the listening socket; None is plain HTTP. Called once, at the start."""
        return make(self.certificate) if self.certificate else tls

    # A connection and a request, in this order ---------------------------------------------------------

    def on_connection(self, connection: Connection) -> End | None:
        """A connection was accepted (after its TLS handshake). Returns how it ends at once; None goes on."""
        return None

    def additional(self, call: Call) -> Sequence[Fault]:
        """Further faults that apply to this request alone."""
        return ()

    def on_request(self, call: Call) -> Response | None:
        """Any request, before authentication and routing: the response to give instead, or None."""
        return None

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        """The refusal of the key, None where it is accepted; returns the same."""
        return refusal

    def on_model(self, call: Call, name: str, refusal: Response | None) -> Response | None:
        """The refusal of the model id, None where it is served; returns the same."""
        return refusal

    def on_chat(self, call: Call) -> Response | None:
        """A request for a completion (chat or Responses) that the style accepts: a refusal to give instead, or None."""
        return None

    def on_prompt(self, call: Call) -> None:
        """May replace `call.body`, from which the model answers and the prompt tokens are counted."""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        """The model's reply, before the style gives it a form."""
        return reply

    # A response, in this order -------------------------------------------------------------------------

    def on_json(self, call: Call, payload: Any) -> Any:
        """The JSON value of a response that is not streamed: an answer, the model list, an error."""
        return payload

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        """The events of a streamed chat completion, before they are framed."""
        return chunks

    def on_events(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        """The events of any stream, before they are framed."""
        return self.on_chunks(call, chunks) if call.operation == "chat" else chunks

    def on_stream(self, call: Call, response: Response) -> Response:
        """A planned response that is a stream of events."""
        return response

    def on_response(self, call: Call, response: Response) -> Response:
        """Any planned response, with the fields of the style."""
        return self.on_stream(call, response) if response.is_stream else response

    def on_head(self, call: Call, head: Head) -> Head:
        """The status line and all fields, those of the framing included."""
        return head

    def on_bytes(self, call: Call, data: bytes) -> bytes:
        """Bytes that are about to be written."""
        return data


def _is_number(text: str | None) -> bool:
    try:
        return 0 <= float(text or "") < float("inf")
    except ValueError:
        return False


# Faults of one hook ------------------------------------------------------------------------------------


class _Hook(Generic[Overrides]):
    """A decorator that makes a fault of the function which is its only hook."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, summary: str, *yields: str, **members: Any) -> Callable[[Overrides], type[Fault]]:
        """The fault has the function's name and these members; its instance is the function's first argument.

        Without `value` the first of the `choices` is the default.
        """
        if "choices" in members:
            members = {"value": members["choices"][0], **members}

        def made(function: Overrides) -> type[Fault]:
            name = function.__name__.replace("_", "-")
            return Fault.variant(name, summary, yields=yields, **members, **{self.name: function})

        return made


typed_key = _Hook[Callable[[Any, str | None], str | None]]("typed_key")
on_tls = _Hook[Callable[[Any, ServerTLS | None], ServerTLS | None]]("on_tls")
on_request = _Hook[Callable[[Any, Call], Response | None]]("on_request")
on_auth = _Hook[Callable[[Any, Call, Response | None], Response | None]]("on_auth")
on_chat = _Hook[Callable[[Any, Call], Response | None]]("on_chat")
on_prompt = _Hook[Callable[[Any, Call], None]]("on_prompt")
on_reply = _Hook[Callable[[Any, Call, Reply], Reply]]("on_reply")
on_json = _Hook[Callable[[Any, Call, Any], Any]]("on_json")
on_chunks = _Hook[Callable[[Any, Call, list[Chunk]], list[Chunk]]]("on_chunks")
on_stream = _Hook[Callable[[Any, Call, Response], Response]]("on_stream")
on_response = _Hook[Callable[[Any, Call, Response], Response]]("on_response")


# Changes to the request that the model is shown --------------------------------------------------------


def replace_messages(call: Call, change: Callable[[JSON], JSON | None]) -> None:
    """Put `change(message)` in place of every message; None drops it."""
    changed = [change(dict(message)) for message in call.messages]
    call.body = {**call.body, "messages": [message for message in changed if message is not None]}


def drop_fields(call: Call, *names: str) -> None:
    """Remove fields from the body that the model is shown."""
    call.body = {key: value for key, value in call.body.items() if key not in names}


def first_turn(call: Call, role: str) -> int | None:
    """The index of the first message of that role, or None."""
    return next((place for place, turn in enumerate(call.messages) if turn.get("role") == role), None)


def has_pictures(call: Call) -> bool:
    """Whether a message contains a picture."""
    contents = [message.get("content") for message in call.messages]
    return any(part.get("type") == "image_url" for content in contents if isinstance(content, list) for part in content)


def format_type(call: Call) -> str | None:
    """The type in `response_format`, or None."""
    found = (call.body.get("response_format") or {}).get("type")
    return found if isinstance(found, str) else None


# Reading and changing replies and chunks ---------------------------------------------------------------


def named_calls(reply: Reply) -> list[tuple[str, JSON]]:
    """(name, arguments) of the reply's tool calls."""
    read = [
        json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments for call in reply.tool_calls
    ]
    return [
        (call.name, given if isinstance(given, dict) else {})
        for call, given in zip(reply.tool_calls, read, strict=True)
    ]


def each_call(reply: Reply, change: Callable[[ToolCall], ToolCall]) -> Reply:
    """The reply with `change(call)` in place of every tool call."""
    return replace(reply, tool_calls=tuple(map(change, reply.tool_calls)))


def with_arguments(reply: Reply, change: Callable[[JSON], Any]) -> Reply:
    """The reply with `change(arguments as an object)` in place of the arguments of every tool call."""
    given = [arguments for _, arguments in named_calls(reply)]
    calls = (replace(call, arguments=change(one)) for call, one in zip(reply.tool_calls, given, strict=True))
    return replace(reply, tool_calls=tuple(calls))


def as_text(reply: Reply, text: str) -> Reply:
    """The reply with this text in place of its tool calls."""
    return replace(reply, text=text, tool_calls=(), finish_reason="stop")


def each_object(chunks: list[Chunk], change: Callable[[JSON], JSON | None]) -> list[Chunk]:
    """The chunks with `change(copy of the object)` in place of every JSON object; None drops the chunk."""
    changed: list[Chunk] = []
    for chunk in chunks:
        if isinstance(chunk.data, str):
            changed.append(chunk)
        elif (data := change(copy.deepcopy(chunk.data))) is not None:
            changed.append(replace(chunk, data=data))
    return changed


def choices(data: Any) -> list[JSON]:
    """The choices of a chunk or an answer; empty where it has none."""
    return list(data.get("choices") or []) if isinstance(data, dict) else []


def deltas(data: Any) -> list[JSON]:
    """The deltas of a chunk."""
    return [choice["delta"] for choice in choices(data) if isinstance(choice.get("delta"), dict)]


def is_finished(data: Any) -> bool:
    """Whether a chunk has a finish reason."""
    return any(choice.get("finish_reason") is not None for choice in choices(data))


def each_part(chunks: list[Chunk], change: Callable[[JSON], JSON | None]) -> list[Chunk]:
    """The chunks with `change(part)` in place of every entry of `tool_calls`; None drops the entry."""

    def changed(data: JSON) -> JSON:
        for delta in deltas(data):
            if delta.get("tool_calls"):
                delta["tool_calls"] = [part for part in map(change, delta["tool_calls"]) if part]
        return data

    return each_object(chunks, changed)


def each_whole_call(payload: Any, change: Callable[[JSON], JSON]) -> Any:
    """A whole answer with `change(call)` in place of every tool call; any other payload as it is."""
    for choice in choices(payload):
        message = choice.get("message") or {}
        if message.get("tool_calls"):
            message["tool_calls"] = [change(made) for made in message["tool_calls"]]
    return payload
