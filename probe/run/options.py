"""The options of a run, and what a run knows of its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from probe.exchange import Exchange
from probe.model import Depth, ServerInfo
from probe.parsing.urls import Endpoint
from probe.wire.transport import Transport


@dataclass(frozen=True)
class Auth:
    """How the key is sent.

    Attributes:
        scheme: bearer, api-key-header or none.
        header: the header's name.
        source: where the key came from, as the report shows it (``env:NAME``, ``file``, ``stdin``).
    """

    scheme: str = "bearer"
    header: str = "Authorization"
    key: str | None = field(default=None, repr=False)
    source: str = "none"

    def headers(self) -> dict[str, str]:
        """The header with the key; empty without a key."""
        if not self.key or self.scheme == "none":
            return {}
        value = f"Bearer {self.key}" if self.scheme == "bearer" else self.key
        return {self.header: value}


@dataclass(frozen=True)
class Options:
    """The options of a run, times in seconds.

    Attributes:
        headers: the extra headers.
        secrets: pairs of a name and a secret, of headers, variables and the proxy; a name may come twice.
        written: the values of extra headers, to the same as they were typed with ``${VAR}``.
        adaptive: the limit of one request was not given, so that it may be extended for a slow endpoint.
        soon_s: the time after which a slow endpoint is not asked for what no client has a switch for, or None.
        also: globs of checks that run at any depth.
    """

    endpoint: Endpoint
    auth: Auth = Auth()
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    written: Mapping[str, str] = field(default_factory=dict, repr=False)
    depth: Depth = Depth.STANDARD
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    idle_s: float = 0.0
    keepalive_s: int = 30
    trials: int | None = None
    timeout_s: float = 60.0
    adaptive: bool = False
    soon_s: float | None = None
    deadline_s: float = 600.0
    max_requests: int | None = None
    max_tokens: int | None = None
    concurrency: int = 4
    transport: Transport = field(default_factory=Transport)


class ToolState(TypedDict):
    """What ``tools.call`` learned for the other checks of tools.

    ``way`` is how a call can be had (auto, required, named, simple or empty), ``outcome`` what
    became of the first request, ``call`` a call to answer.
    """

    way: str
    outcome: str
    call: dict[str, Any] | None


@dataclass
class Settled:
    """The target as far as it is known.  Only the scheduler writes here.

    Attributes:
        base_url: without a trailing slash or a query.
        chat_url: where chat requests go, query included.
        limit_param: the parameter that limits the output.
        dropped_params: left out of chat requests.
        refused_params: the refusal of each parameter that was refused.
        stream_false: ``"stream": false`` has to be sent, since the endpoint streams without it.
        client_headers: sent with every request, since the endpoint refuses this program's own.
        thinks: the model spends tokens on reasoning first, so that limits need room.
        chat_exchange: the id of the first completion.
        tool_turn_content: the content that an assistant turn with calls must have.
        tool_turn_name: the message with a tool's result must name the tool.
        added: members that every POST gets in addition, since they protect the other clients of a gateway.
    """

    base_url: str | None = None
    chat_url: str | None = None
    models_url: str | None = None
    model: str | None = None
    auth_scheme: str | None = None
    auth_header: str | None = None
    limit_param: str = "max_tokens"
    dropped_params: tuple[str, ...] = ()
    refused_params: Mapping[str, Exchange] | None = None
    stream_false: bool = False
    client_headers: Mapping[str, str] = field(default_factory=dict)
    thinks: bool = False
    chat_exchange: str | None = None
    tools: ToolState | None = None
    tool_turn_content: str | None = None
    tool_turn_name: bool = False
    server: ServerInfo | None = None
    added: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def names(cls) -> frozenset[str]:
        """What a check may settle."""
        return frozenset(cls.__dataclass_fields__)

    def settle(self, values: Mapping[str, Any]) -> None:
        """Set fields by name."""
        for name, value in values.items():
            setattr(self, name, value)
