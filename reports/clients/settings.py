"""The common starting point of every client's configuration: a report, and what a person set by hand.

A toggle is on where the verdict is ``works``, off where it is ``broken``, ``ignored`` or
``rejected``, and None where it is ``unknown``: then it is left out of the file, and the client's
own default applies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from probe.model import Report, State, TargetInfo, usable
from probe.redaction.key_patterns import looks_like_key
from reports.summary import no_chat

#: Written where a format requires a size that is not known.
ASSUMED_CONTEXT = 32_768
ASSUMED_OUTPUT = 4_096
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
#: Syntax that clients replace by the value of a variable, a file's content or a command's output. An
#: endpoint that lists such a model id would receive that value as the model.
_REFERENCE = re.compile(r"\$\{|\$\(|\{env:|\{file:|os\.environ/|`")
#: How a report shows a secret.
_SECRET = re.compile(r"\$\{(\w+)\}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_MODELS_MOST = 100


class CannotExport(ValueError):
    """Nothing can be written for this client; the message is one line and gives the reason."""


@dataclass(frozen=True)
class Key:
    """Where a client finds the key; never the key itself.

    ``variable`` is the environment variable for formats that read one; ``kind`` is env, file,
    keyring or none, and ``locator`` the path of the file.
    """

    variable: str
    kind: str = "env"
    locator: str = ""

    @property
    def needed(self) -> bool:
        return self.kind != "none"


@dataclass(frozen=True)
class Settings:
    """An endpoint in terms that every client has."""

    id: str
    base_url: str
    model: str
    key: Key
    report: Report
    auth_scheme: str = "bearer"
    auth_header: str | None = None
    hand: Mapping[str, bool] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)

    def on(self, capability: str) -> bool | None:
        """On, off, or None where the verdict is unknown."""
        if capability in self.hand:
            return self.hand[capability]
        verdict = self.report.capabilities.get(capability)
        if verdict is None or verdict.verdict is State.UNKNOWN:
            return None
        return verdict.verdict is State.WORKS

    def speaks(self, api: str, agent: str) -> bool:
        """Whether an agent can use an API (``responses``, ``messages``) directly, though others may fail there."""
        hand = self.on(f"{api}_api")
        verdict = self.report.capabilities.get(f"{api}_api")
        if hand or verdict is None or f"{api}_api" in self.hand or verdict.verdict not in (State.BROKEN, State.IGNORED):
            return hand is True
        failing = self.report.facts.get("failing_dialect_clients")
        return f"{api}_access" in self.report.facts and isinstance(failing, dict) and agent not in failing

    def why(self, capability: str) -> str:
        """The reason for an off toggle: ``rejected (tools.rejected)``."""
        if capability in self.hand:
            return "set by hand"
        verdict = self.report.capabilities.get(capability)
        if verdict is None:
            return "not tried"
        return f"{verdict.verdict}" + (f" ({verdict.finding})" if verdict.finding else "")

    @property
    def streaming(self) -> bool | None:
        return self.on("streaming")

    @property
    def tools_whole(self) -> bool | None:
        """Tools for a client that does not stream: calls come back and results are accepted."""
        if self.on("tools") is False or (self.on("tool_results") is False and "tools" not in self.hand):
            return False
        return self.on("tools")

    @property
    def tools_streamed(self) -> bool | None:
        """Tools for a client that always streams."""
        if self.on("streaming_tools") is False and "tools" not in self.hand:
            return False
        return self.tools_whole

    @property
    def tools(self) -> bool | None:
        """Tools for a client in which streaming can be switched off."""
        return self.tools_whole if self.streaming is False else self.tools_streamed

    @property
    def vision(self) -> bool | None:
        """Image input; it needs content blocks in the user's messages."""
        seen = self.on("vision")
        if seen is None and self.on("block_content") is False and "user" not in self.listed("block_content_roles"):
            return False
        return seen

    def refused(self, capability: str) -> bool:
        """Whether the request is refused, not only without effect."""
        verdict = self.report.capabilities.get(capability)
        return verdict is not None and verdict.verdict is State.REJECTED and capability not in self.hand

    def found(self, code: str) -> bool:
        """Whether the report has a finding of this code."""
        return any(finding.code == code for finding in self.report.findings)

    def listed(self, fact: str) -> tuple[str, ...]:
        """A fact that is a list of names."""
        value = self.report.facts.get(fact)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple):
            return ()
        return tuple(dict.fromkeys(item for item in value if isinstance(item, str) and _plain_name(item)))

    def _size(self, extra: str, fact: str | None) -> int | None:
        if extra in self.extras:
            return int(self.extras[extra])
        value = self.report.facts.get(fact) if fact else None
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else None

    @property
    def context(self) -> int | None:
        """The context length in tokens, prompt and answer together, or None."""
        return self._size("context", "context_length")

    @property
    def output(self) -> int:
        """The longest answer in tokens: as given, or a share of the context."""
        given = self._size("max_output", None)
        if given:
            return min(given, max(1, self.context_or_assumed - 1))
        return min(ASSUMED_OUTPUT, max(1, (self.context or ASSUMED_CONTEXT) // 4))

    @property
    def known_sizes(self) -> tuple[int | None, int | None]:
        """The prompt and the answer in tokens, or None where the context length is not known."""
        return (self.input, self.output) if self.context else (None, None)

    @property
    def context_or_assumed(self) -> int:
        return self.context or ASSUMED_CONTEXT

    @property
    def input(self) -> int:
        """The part of the context for the prompt, in tokens."""
        return max(1, self.context_or_assumed - self.output)

    @property
    def rejected(self) -> tuple[str, ...]:
        """The request parameters that are refused."""
        found = [name for name in self.listed("rejected_params") if _PARAMETER.fullmatch(name)]
        if self.refused("stream_usage"):
            found.append("stream_options")
        return tuple(dict.fromkeys(found))

    @property
    def limit_param(self) -> str | None:
        """The parameter for the length of the output, where one is known to be accepted, else None."""
        if self.found("params.max-tokens-rejected"):
            return "max_completion_tokens"
        if self.found("params.max-completion-tokens-rejected"):
            return "max_tokens"
        accepted = self.listed("max_tokens_param")
        return accepted[0] if len(accepted) == 1 else None

    @property
    def parallel(self) -> bool | None:
        """Whether ``parallel_tool_calls`` may be sent as true; False: send false, if at all."""
        return self.on("parallel_tools")

    @property
    def parallel_off(self) -> dict[str, bool]:
        """``parallel_tool_calls: false`` where parallel calls fail and the parameter is accepted, else empty."""
        off = self.parallel is False and "parallel_tool_calls" not in self.rejected
        return {"parallel_tool_calls": False} if off else {}

    @property
    def key_header(self) -> str | None:
        """The header that carries the key in place of ``Authorization: Bearer``, or None."""
        named = self.key.needed and self.auth_scheme == "api-key-header"
        return (self.auth_header or "X-API-Key") if named else None

    @property
    def bearer(self) -> bool:
        """Whether the key is sent as ``Authorization: Bearer``."""
        return self.key.needed and self.key_header is None

    @property
    def reasoning_field(self) -> str | None:
        """reasoning_content or reasoning, where reasoning arrives in a field of its own."""
        name = self.report.facts.get("reasoning_field")
        return name if name in ("reasoning_content", "reasoning") else None

    @property
    def models(self) -> tuple[str, ...]:
        """The model, then the others that the endpoint lists."""
        listed = tuple(
            item
            for item in self.listed("models")
            if item.strip() and not looks_like_key(item) and not _REFERENCE.search(item)
        )
        return tuple(dict.fromkeys((self.model, *listed)))[:_MODELS_MOST]

    @property
    def title(self) -> str:
        """The name for people."""
        return self.id.replace("-", " ").replace("_", " ").title() if self.id.islower() else self.id

    @property
    def query(self) -> str:
        """The query that every request to the endpoint needs, or an empty string."""
        return query_of(self.report.target)

    def query_as(
        self, reference: Callable[[str], str], literal: Callable[[str], str] = lambda text: text
    ) -> dict[str, str] | None:
        """The query's parameters, or None where there are none.

        Args:
            reference: writes the value of an environment variable, for a value that is a secret.
            literal: writes any other value.
        """
        given = dict(parse_qsl(self.query, keep_blank_values=True))
        return {name: reference(self._named(name)) if _SECRET.search(value) else literal(value)
                for name, value in given.items()} or None  # fmt: skip

    @property
    def literal_query(self) -> dict[str, str]:
        """The parameters of the query whose values are not secrets."""
        given = parse_qsl(self.query, keep_blank_values=True)
        return {name: value for name, value in given if not _SECRET.search(value)}

    def headers_as(self, reference: Callable[[str], str]) -> dict[str, str] | None:
        """The headers in addition to ``Authorization: Bearer``, that of the key first, or None where there are none.

        Args:
            reference: writes the value of an environment variable; the values themselves are never written.
        """
        made = {self.key_header: reference(self.key.variable)} if self.key_header else {}
        return made | {name: reference(variable) for name, variable in self.header_variables.items()} or None

    @property
    def header_variables(self) -> dict[str, str]:
        """The further headers of the run, each with the environment variable that holds its value."""
        found = {}
        for name, value in self.report.target.headers.items():
            known = _SECRET.fullmatch(value)
            found[name] = known[1] if known and _VARIABLE.fullmatch(known[1]) else self._named(name)
        return found

    def _named(self, name: str) -> str:
        return variable_for(f"{self.id}-{name}").removesuffix("_API_KEY")

    def variable_notes(self, needs: Any) -> list[str]:
        """The environment variables that hold headers and secrets of the query, where the client can be given them."""
        named = self.header_variables if needs and needs.headers == "" else {}
        secret = [name for name, value in parse_qsl(self.query) if _SECRET.search(value)]
        lines = [f"export {variable} with the value of the header {name}" for name, variable in named.items()]
        if needs and needs.query == "any":
            lines += [f"export {self._named(name)} with the value of {name} in the query" for name in secret]
        return lines

    # Notes for the person ----------------------------------------------------------------------

    def key_notes(self) -> list[str]:
        """How to provide the key in its environment variable."""
        return [f"export {self.key.variable} with the key"] if self.key.needed else []

    def sizes_note(self) -> list[str]:
        """A note where the context length had to be assumed."""
        if self.context:
            return []
        return [
            f"the context length is not known: {self.context_or_assumed} is written; "
            "give the real one with export --set context=N"
        ]

    def tools_note(self) -> list[str]:
        """For clients with one switch for tools: that they work only without streaming."""
        if not self.tools_whole or self.tools_streamed is not False or self.streaming is False:
            return []
        return [
            f"tools work only without streaming ({self.why('streaming_tools')}): they are off here; "
            "to use them, switch streaming off and tools on"
        ]


def _plain_name(text: str) -> bool:
    return bool(text) and len(text) <= 300 and text.isprintable()


def settings_of(
    report: Report,
    *,
    id: str | None = None,
    key: Key | None = None,
    variable: str | None = None,
    hand: Mapping[str, bool] | None = None,
    extras: Mapping[str, str] | None = None,
) -> Settings:
    """The settings that a report gives.

    Args:
        id: the name of the endpoint in clients; default: made from its host.
        key: where the key is, if the caller knows more than the report.
        variable: the environment variable of the key; default: the one it came from.
        hand: toggles set by a person, which override the verdicts.
        extras: further values that were given, as text.

    Raises:
        CannotExport: no base URL works, no model is known, or a name cannot be used.
    """
    target = report.target
    if not target.base_url or not usable(report):
        raise CannotExport(f"there is nothing to export: {no_chat(report)}")
    if not target.model or not _plain_name(target.model) or not target.model.strip():
        raise CannotExport("the report names no usable model; run again with --model ID")
    if id is not None and not _ID.fullmatch(id):
        raise CannotExport(
            f"the name '{id[:40]}' is not usable; write lower-case letters, digits and -, as in corp-vllm"
        )
    name = id or id_for(target.base_url)
    if variable is not None and (not _VARIABLE.fullmatch(variable) or looks_like_key(variable)):
        raise CannotExport("--key-env takes the name of an environment variable, as in --key-env MY_API_KEY")
    query = parse_qsl(query_of(target), keep_blank_values=True)
    texts = (
        target.model,
        target.base_url,
        *target.headers,
        *(_SECRET.sub("", text) for pair in query for text in pair),
    )
    for text in texts:
        if _REFERENCE.search(text):
            raise CannotExport(
                "the model's name or the URL of this report holds syntax that clients replace by a variable or "
                "a file; it is not written"
            )
        if looks_like_key(text):
            raise CannotExport("the model's name or the URL of this report looks like a key; it is not written")
    if urlsplit(target.base_url).username is not None:
        raise CannotExport("the URL of this report holds a user name; it is not written")
    return Settings(
        id=name,
        base_url=target.base_url,
        model=target.model,
        key=key or _key_of(report, name, variable),
        report=report,
        auth_scheme=target.auth.scheme,
        auth_header=target.auth.header,
        hand=dict(hand or {}),
        extras=dict(extras or {}),
    )


def query_of(target: TargetInfo) -> str:
    """The query of the URL of chat requests; the base URL has none."""
    return urlsplit(target.chat_url or "").query


def id_for(base_url: str) -> str:
    """A name made from a URL's host: ``example-com``, or ``local-8000`` for this machine."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    if host in ("localhost", "127.0.0.1", "::1"):
        return f"local-{parts.port}" if parts.port else "local"
    host = re.sub(r"^(?:api|www|llm)\.", "", host)
    return re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:60].strip("-") or "endpoint"


def variable_for(name: str) -> str:
    """The name of an environment variable for the key of a provider: ``CORP_VLLM_API_KEY``."""
    made = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"{made}_API_KEY" if made[:1].isalpha() else f"ENDPOINT_{made}_API_KEY"


def _key_of(report: Report, name: str, variable: str | None) -> Key:
    source = report.target.auth.source
    if report.target.auth.scheme == "none" and variable is None:
        return Key(variable_for(name), "none")
    known = source.partition(":")[2] if source.startswith("env:") else ""
    if not _VARIABLE.fullmatch(known) or looks_like_key(known):
        known = variable_for(name)
    return Key(variable or known)


def pruned(data: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without the values that are None, in nested mappings too."""
    return {
        key: pruned(value) if isinstance(value, Mapping) else value for key, value in data.items() if value is not None
    }
