"""What belongs to one request inside the simulated endpoint: the settings, the connection, the call, the reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from probe.simulator.request import Request

JSON = dict[str, Any]

KEEPALIVE_S = 75.0
"""Seconds after which an idle connection is closed, unless the option `keepalive_s` or a fault says otherwise."""


@dataclass(slots=True)
class Site:
    """The endpoint's settings. Rates are tokens per second, times are seconds, lengths are tokens.

    `stored` is what a server that keeps Responses conversations has kept: the messages up to each response.
    """

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
    stored: dict[str, list[JSON]] = field(default_factory=dict)

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and answer together."""
        return int(self.options.get("context_length", "16384"))

    @property
    def model(self) -> str:
        """The model that serves a request which names none."""
        return self.models[0]

    def url(self, request: Request, path: str) -> str:
        """The absolute URL of a path on the host that the client addressed."""
        return f"{self.scheme}://{request.header('host') or f'127.0.0.1:{self.port}'}{path}"


@dataclass(slots=True)
class Connection:
    """One TCP connection.

    number       counts the connections from 1
    requests     requests received on it so far, the present one included
    last_used    time.monotonic() when it was accepted or its last response ended
    keepalive_s  seconds it may be idle between requests before the server closes it
    """

    number: int
    requests: int = 0
    last_used: float = 0.0
    keepalive_s: float = KEEPALIVE_S


@dataclass(slots=True)
class Call:
    """One request being answered.

    path       the path that is routed; a fault may change it
    operation  `chat`, `models`, `model`, `responses`, `messages`, `count_tokens`, or empty for any other path or method
    sent       the JSON value of the request body, never changed; None where the body is empty or not JSON
    body       the chat request as the model is shown it; a fault may replace it
    model      the id that the answer names
    notes      anything that faults want to remember about this request
    """

    request: Request
    site: Site
    connection: Connection
    path: str
    operation: str = ""
    sent: Any = None
    body: Any = None
    model: str = ""
    id: str = ""
    created: int = 0
    notes: JSON = field(default_factory=dict)

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return isinstance(self.body, dict) and self.body.get("stream") is True

    @property
    def include_usage(self) -> bool:
        """Whether the stream should end with token counts."""
        options = self.body.get("stream_options") if isinstance(self.body, dict) else None
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def messages(self) -> list[JSON]:
        """The messages of the body as they are now (an empty list when there are none)."""
        return self._listed("messages")

    @property
    def tools(self) -> list[JSON]:
        """The offered tools of the body as they are now."""
        return self._listed("tools")

    def _listed(self, name: str) -> list[JSON]:
        found = self.body.get(name) if isinstance(self.body, dict) else None
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Chunk:
    """One data event of a stream: a JSON object, or text such as `[DONE]`.

    `at` is seconds after the request; `event` is the name that an `event:` line gives it, empty for none.
    """

    at: float
    data: JSON | str
    event: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `arguments` is a JSON text on a healthy endpoint; faults may put other values there."""

    name: str
    arguments: Any
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers. Counts are tokens; `reasoning_field` overrides the field name of the style."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    reasoning_field: str | None = None
