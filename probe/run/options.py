"""What is asked of a run, and what a run has settled so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from probe.model import Depth
from probe.parsing.urls import Endpoint
from probe.wire.transport import Transport


@dataclass(frozen=True)
class Auth:
    """How the key travels.

    Attributes:
        scheme: bearer, api-key-header or none.
        header: the header's name.
        key: the key itself, or None.
        source: where it came from, as the report shows it (``env:NAME``, ``file``, ``stdin``).
    """

    scheme: str = "bearer"
    header: str = "Authorization"
    key: str | None = field(default=None, repr=False)
    source: str = "none"

    def headers(self) -> dict[str, str]:
        """The header that carries the key; empty without one."""
        if not self.key or self.scheme == "none":
            return {}
        value = f"Bearer {self.key}" if self.scheme == "bearer" else self.key
        return {self.header: value}


@dataclass(frozen=True)
class Options:
    """Everything a run may be told.  Times in seconds.

    ``headers`` are extra headers for every request, their secrets in ``secrets`` by name.
    """

    endpoint: Endpoint
    auth: Auth = Auth()
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    depth: Depth = Depth.STANDARD
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    idle_s: float = 0.0
    keepalive_s: int = 30
    trials: int | None = None
    timeout_s: float = 60.0
    deadline_s: float = 600.0
    max_requests: int | None = None
    max_tokens: int | None = None
    concurrency: int = 4
    transport: Transport = field(default_factory=Transport)


@dataclass
class Settled:
    """The target as far as it is known.  Only the scheduler writes here.

    ``base_url`` has no trailing slash and no query; ``chat_url`` is what chat requests
    go to, query included.  ``limit_param`` is the parameter that limits the output, and
    ``thinks`` says that the model spends tokens on reasoning first, so limits need room.
    """

    base_url: str | None = None
    chat_url: str | None = None
    models_url: str | None = None
    model: str | None = None
    auth_scheme: str | None = None
    auth_header: str | None = None
    limit_param: str = "max_tokens"
    thinks: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def settle(self, name: str, value: Any) -> None:
        """Set a field by name; names that are no field are kept in ``extra``."""
        if name != "extra" and name in self.__dataclass_fields__:
            setattr(self, name, value)
        else:
            self.extra[name] = value
