"""What a fault may touch: a small set of hooks, each doing nothing unless overridden.

A fault is one class in `probe/simulator/faults/`. The endpoint keeps one instance of each fault it was started
with and calls its hooks in the order given here; later stages see what earlier ones left. Faults given together
compose: every hook receives what the previous fault's hook returned.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.script import Script, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probe.simulator.call import JSON, Call, Chunk, Connection, Reply
    from probe.simulator.script import Script


def _is_number(text: str | None) -> bool:
    try:
        return 0 <= float(text or "") < float("inf")
    except ValueError:
        return False


class Fault:
    """A way in which an endpoint can be wrong (or harmlessly odd, when `yields` is empty).

    name     kebab-case, as written after `--fault`
    summary  one line for `simulate --list`
    yields   the finding codes a right diagnosis gives with this fault alone on the healthy openai style
    value    what may follow the name after `=`; None means the fault takes no value
    choices  the words that may follow; a fault whose `value` is a number takes any number
    layer    order in which `on_script` hooks run: 0 the server itself, 1 a buffering hop, 2 a hop with a timer
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    yields: ClassVar[tuple[str, ...]] = ()
    value: ClassVar[str | None] = None
    choices: ClassVar[tuple[str, ...]] = ()
    layer: ClassVar[int] = 0
    personality: ClassVar[str | None] = None
    certificate: ClassVar[str | None] = None

    def __init__(self, given: str | None = None) -> None:
        """`given` is the text after `=`; raises ValueError when the fault cannot use it."""
        if given is not None and self.value is None:
            raise ValueError(f"fault {self.name} takes no value")
        self.given = given if given is not None else self.value
        if given is None or given in self.choices:
            return
        if _is_number(self.value) and not self.strict and _is_number(given):
            return
        if self.choices or _is_number(self.value):
            wanted = ", ".join(self.choices) or "a number of zero or more"
            raise ValueError(f"fault {self.name} takes {wanted}, not {given!r}")

    @property
    def number(self) -> float:
        """The value as a number."""
        return float(self.given or 0)

    @property
    def strict(self) -> bool:
        """Whether only the listed choices are taken, although they are numbers."""
        return all(_is_number(choice) for choice in self.choices) and bool(self.choices)

    # What the user types -------------------------------------------------------------------------------

    def typed_url(self, url: str) -> str:
        """The URL a user of such an endpoint would type, from the correct base URL."""
        return url

    def typed_key(self, key: str | None) -> str | None:
        """The key the user gives, from the key the endpoint takes."""
        return key

    def asked_key(self, key: str | None) -> str | None:
        """The key the endpoint asks for, from the one its style would ask for."""
        return key

    def typed_model(self, model: str) -> str:
        """The model the user names, from the one that is served."""
        return model

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        """The path prefixes under which the API answers; the first one is the correct base."""
        return prefixes

    # What happens to a request, in this order ----------------------------------------------------------

    def on_connection(self, connection: Connection) -> str | None:
        """Before a request is answered: `reset` or `hang` ends the connection so, None goes on."""
        return None

    def on_request(self, call: Call) -> Script | None:
        """Before authentication and routing: a response to give instead, or None."""
        return None

    def on_auth(self, call: Call, refusal: Script | None) -> Script | None:
        """After the style judged the key: what it would refuse with (None: let through); returns the same."""
        return refusal

    def on_model(self, call: Call, name: str, refusal: Script | None) -> Script | None:
        """After the style judged the model id: what it would refuse with (None: serve it); returns the same."""
        return refusal

    def on_chat(self, call: Call) -> Script | None:
        """A chat request that is valid to the style: a refusal to give instead, or None."""
        return None

    def on_prompt(self, call: Call) -> None:
        """May change `call.body`: what is left of it is what the model is shown and counted for."""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        """The model's reply, before the style gives it its shape."""
        return reply

    def on_response(self, call: Call, payload: JSON) -> Any:
        """The object of a JSON response (chat, models, error)."""
        return payload

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        """The data events of a stream, before they are framed."""
        return chunks

    def on_script(self, call: Call, script: Script) -> Script:
        """The planned response, whatever it is, just before it is sent."""
        return script


# Helpers for faults: changing what a request shows the model, planned bytes, and messages of errors.


def replace_messages(call: Call, change: Callable[[JSON], JSON | None]) -> None:
    """Puts `change(message)` in place of every message; None drops it. The request itself is left as it came."""
    made = [change(dict(message)) for message in call.messages]
    call.body = {**call.body, "messages": [message for message in made if message is not None]}


def without(call: Call, *names: str) -> None:
    """Takes fields out of the body that the model is shown."""
    call.body = {key: value for key, value in call.body.items() if key not in names}


def has_pictures(call: Call) -> bool:
    """Whether a message carries a picture."""
    for message in call.messages:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") == "image_url" for part in content):
            return True
    return False


def joined(script: Script, times: Iterable[tuple[float, bytes]]) -> Script:
    """The script with other writes; the numbers of the events are lost, as they are behind a buffer."""
    writes = [Write(at, data, place) for place, (at, data) in enumerate(times) if data]
    last = max([script.end_at, *(write.at for write in writes)])
    return replace(script, writes=writes, end_at=last)


def each_frame(script: Script, change: Callable[[bytes], bytes]) -> Script:
    """The script with every write's bytes changed."""
    return replace(script, writes=[replace(write, data=change(write.data)) for write in script.writes])


def is_events(script: Script) -> bool:
    """Whether the response is a stream of events (planned so by the style)."""
    return script.status == 200 and script.framing != "length" and len(script.writes) > 0


def deltas(chunk: Chunk) -> list[JSON]:
    """The deltas of a chunk (an empty list for `[DONE]` and for chunks without choices)."""
    if not isinstance(chunk.data, dict):
        return []
    return [choice["delta"] for choice in chunk.data.get("choices") or [] if isinstance(choice.get("delta"), dict)]


def named_calls(reply: Reply) -> list[tuple[str, JSON]]:
    """(name, arguments) of the reply's calls."""
    made = []
    for call in reply.tool_calls:
        given = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
        made.append((call.name, given if isinstance(given, dict) else {}))
    return made


def finish_reasons(chunk: Chunk) -> list[Any]:
    """The finish reasons in a chunk that are not null."""
    if not isinstance(chunk.data, dict):
        return []
    reasons = [choice.get("finish_reason") for choice in chunk.data.get("choices") or []]
    return [reason for reason in reasons if reason is not None]
