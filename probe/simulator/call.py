"""What one request carries on its way through the simulated endpoint, and what the endpoint is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.simulator.fault import Fault
    from probe.simulator.http11 import Request
    from probe.simulator.style import Style

JSON = dict[str, Any]


@dataclass(slots=True)
class Site:
    """The endpoint's settings. Rates are tokens per second, times are seconds, lengths are tokens."""

    style: Style
    faults: Sequence[Fault]
    personality: str
    key: str | None
    models: tuple[str, ...]
    rate_tokens_s: float
    first_token_s: float
    latency_s: float
    options: Mapping[str, str]
    prefixes: tuple[str, ...] = ("/v1",)
    scheme: str = "http"
    port: int = 0
    started: int = 0
    served: int = 0

    @property
    def context_length(self) -> int:
        """Tokens the stand-in model can be shown and write in one request."""
        return int(self.options.get("context_length", "16384"))

    @property
    def model(self) -> str:
        """The model served when none is named."""
        return self.models[0]


@dataclass(slots=True)
class Connection:
    """One TCP connection: its number, how many requests it carried, when it was last used (monotonic)."""

    number: int
    requests: int = 0
    last_used: float = 0.0


@dataclass(slots=True)
class Call:
    """One request on its way: `path` and `body` are what routing and the model are shown, and may be changed."""

    request: Request
    site: Site
    connection: Connection
    path: str
    operation: str = ""
    body: Any = None
    id: str = ""
    created: int = 0
    notes: JSON = field(default_factory=dict)

    @property
    def stream(self) -> bool:
        """Whether a streamed answer is asked for."""
        return isinstance(self.body, dict) and self.body.get("stream") is True

    @property
    def include_usage(self) -> bool:
        """Whether the stream should end with token counts."""
        options = self.body.get("stream_options") if isinstance(self.body, dict) else None
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def messages(self) -> list[JSON]:
        """The messages of the body as they are now (an empty list when there are none)."""
        found = self.body.get("messages") if isinstance(self.body, dict) else None
        return found if isinstance(found, list) else []

    @property
    def tools(self) -> list[JSON]:
        """The offered tools of the body as they are now."""
        found = self.body.get("tools") if isinstance(self.body, dict) else None
        return found if isinstance(found, list) else []

    def authorization(self) -> str | None:
        """The Authorization field as sent, or None."""
        return self.request.header("authorization")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One data event of a stream: a chunk object, or text such as `[DONE]`; `at` is seconds after the request."""

    at: float
    data: JSON | str


# What the stand-in model returns. ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `arguments` is a JSON text in a healthy endpoint; faults may put other things there."""

    name: str
    arguments: Any
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer. Counts are tokens of the stand-in tokenizer."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def leaked(self, text: str) -> Reply:
        """The same reply with its calls left in the text, as a server without a parser answers."""
        return replace(self, text=text, tool_calls=(), finish_reason="stop")
