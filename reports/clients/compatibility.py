"""Whether each client works with an endpoint, with which settings, and its configuration.

A client that is of no use without tools is judged as an agent; for any other a setting that switches
tools off is enough.  What a client needs is in its own file (``Client.needs``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from probe.catalogue import registry as catalogue
from probe.model import Report, Severity, State, usable, worst
from reports.clients import registry
from reports.clients.client import Client, Needs, crowded, does_without_tools, export
from reports.clients.documents import BadFile
from reports.clients.settings import CannotExport, Settings, query_of, settings_of
from reports.summary import no_chat


class Answer(StrEnum):
    """Whether a client works with the endpoint."""

    YES = "yes"
    WITH_SETTINGS = "yes, with these settings"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fit:
    """The answer for one client.

    Attributes:
        codes: with NO the finding codes (or capabilities) that prevent it.
        reasons: a sentence for each thing that prevents it or has a cost.
        settings: what to set in the client.
    """

    client: str
    title: str
    answer: Answer
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The answer in one line."""
        if self.answer is Answer.NO:
            return f"{self.title}: no, because {', '.join(self.codes)}: {'; '.join(self.reasons)}"
        settings = f": {'; '.join(self.settings)}" if self.settings else ""
        return f"{self.title}: {self.answer}{settings}" + (f" ({'; '.join(self.reasons)})" if self.reasons else "")

    @property
    def why(self) -> str:
        """The settings and the reasons as sentences."""
        parts = [f"Set: {'; '.join(self.settings)}."] if self.settings else []
        parts += [f"{'; '.join(self.reasons)}."] if self.reasons else []
        return " ".join(part[0].upper() + part[1:] for part in parts)


@dataclass
class _Case:
    """One client's case: what was collected for and against it so far."""

    report: Report
    needs: Needs
    title: str = ""
    codes: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    def state(self, capability: str) -> State:
        verdict = self.report.capabilities.get(capability)
        return verdict.verdict if verdict else State.UNKNOWN

    def off(self, capability: str) -> bool:
        return self.state(capability) not in (State.WORKS, State.UNKNOWN)

    def code(self, capability: str) -> str:
        """The finding behind a verdict, or the capability with its verdict where it has none."""
        verdict = self.report.capabilities.get(capability)
        return capability if verdict is None else verdict.finding or f"{capability} {verdict.verdict}"

    def found(self, code: str) -> bool:
        return any(finding.code == code for finding in self.report.findings)

    def no(self, code: str, why: str) -> None:
        if code not in self.codes:
            self.codes.append(code)
        self.against.append(why)


def works_with(report: Report, clients: Iterable[Client] | None = None) -> list[Fit]:
    """The answer for each client that sends requests.

    Args:
        clients: default all, in the order in which they are listed.
    """
    chosen = registry.clients() if clients is None else clients
    return [_fit(report, client, client.needs) for client in chosen if client.needs]


def _fit(report: Report, client: Client, needs: Needs) -> Fit:
    case = _Case(report, needs, client.title)
    _chat(case)
    if not case.codes and not case.unsure:
        _way(case)
        _context(case)
        if needs.dialect:
            _dialect(case)
        else:
            _stream(case)
            _tools(case)
            _images(case)
            _parameters(case)
            _shapes(case)
        _headers(case)
        for code, why, fatal in needs.reads(report) if needs.reads else ():
            if fatal:
                case.no(code, why)
            else:
                case.costs.append(why)
    if case.codes:
        return Fit(client.name, client.title, Answer.NO, tuple(case.codes), tuple(case.against))
    settings = tuple(dict.fromkeys(case.settings))
    if case.unsure:
        return Fit(client.name, client.title, Answer.UNKNOWN, (), tuple(case.unsure), settings)
    answer = Answer.WITH_SETTINGS if settings else Answer.YES
    return Fit(client.name, client.title, answer, (), tuple(dict.fromkeys(case.costs)), settings)


def _chat(case: _Case) -> None:
    """Without a chat completion nothing works."""
    report = case.report
    if usable(report) and report.target.base_url:
        if report.target.base_url != report.target.endpoint.partition("?")[0].rstrip("/"):
            case.settings.append(f"base URL {report.target.base_url}")
        return
    first = worst(report)
    if first and first.severity is Severity.ERROR:
        case.no(first.code, first.title)
    elif case.off("chat"):
        case.no(case.code("chat"), no_chat(report))
    else:
        case.unsure.append(no_chat(report))


def _way(case: _Case) -> None:
    """What every request needs on the way to the endpoint: headers, query, proxy, certificates."""
    needs, target = case.needs, case.report.target
    header = target.auth.header or "X-API-Key"
    # Clients of the Messages API send the key in both of its headers.
    usual = needs.dialect == "messages" and header.lower() == "x-api-key"
    if target.auth.scheme == "api-key-header" and needs.key_header is None and not usual:
        code = "auth.wrong-scheme" if case.found("auth.wrong-scheme") else "target.auth"
        case.no(code, f"it sends the key as Bearer, and the endpoint takes it in {header}")
    elif target.auth.scheme == "api-key-header" and needs.key_header:
        case.settings.append(f"the key as the header {header} under {needs.key_header}")
    if target.headers and needs.headers is None:
        case.no("target.headers", f"it cannot be given the header {', '.join(target.headers)}")
    elif needs.headers:
        case.settings += [f"the value of the header {name} under {needs.headers}" for name in target.headers]
    if needs.remote and _private(target.base_url or ""):
        case.no("target.base_url", f"{needs.remote}, and they cannot reach {urlsplit(target.base_url or '').hostname}")
    query = query_of(target)
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    written = needs.query in ("literal", *names) and "%7B" not in query and "{" not in query
    if names and needs.query != "any" and not written:
        case.no("target.chat_url", f"it cannot be given the query {', '.join(names)}")
    own = target.verification != "system" or case.found("tls.untrusted")
    if own and needs.remote:
        case.no("target.verification", f"{needs.remote}, and they do not trust its certificate")
    elif own:
        case.settings.append(needs.certificate)
    if target.proxy and needs.remote:
        case.costs.append(f"{needs.remote}, without the proxy {target.proxy}")
    elif target.proxy and needs.proxy is None:
        case.costs.append(f"whether it takes the proxy {target.proxy} from its environment is not known")
    elif target.proxy:
        case.settings.append(f"the proxy {target.proxy} ({needs.proxy})")
    if target.client_certificate and needs.client_certificate:
        case.settings.append(needs.client_certificate)
    elif target.client_certificate:
        case.no("target.client_certificate", "it cannot present a certificate of its own")


def _private(url: str) -> bool:
    """Whether a URL names this machine or a host of the own network."""
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def _context(case: _Case) -> None:
    """Whether a client's instructions and tools, with room to work, fit into the context."""
    needs, length = case.needs, case.report.facts.get("context_length")
    sent, switch = needs.prompt_tokens, does_without_tools(needs)
    if not sent or (switch and _failing_tools(case)):
        return
    # As servers' flags are given: the next multiple of 4,096 that holds half as much again as is sent first.
    least = -(-3 * sent // 8192) * 4096
    wanted = f"{'with tools: ' if switch else ''}a context of at least {least:,}"
    sends = f"it sends about {sent:,} tokens before the first word"
    if not isinstance(length, int) or isinstance(length, bool) or length <= 0:
        if needs.tools != "never":
            case.settings.append(wanted)
            case.costs.append(sends)
        return
    holds = f"{sends}, and the context holds {length:,}"
    if switch and crowded(needs, length):
        case.settings.append(needs.tools_setting or "")
        case.costs.append(f"with tools {holds}: at least {least:,} are needed{_context_advice(case.report)}")
    elif crowded(needs, length):
        code = "limits.context-small" if case.found("limits.context-small") else "context_length"
        case.no(code, f"{holds}: at least {least:,} are needed{_context_advice(case.report)}")
    elif length < least:
        case.settings.append(wanted)
        case.costs.append(holds + _context_advice(case.report))


def _context_advice(report: Report) -> str:
    """The setting of the recognised server, in brackets."""
    advice = catalogue.advice("limits.context-small", report.server.software)
    first = advice.do.partition(";")[0].rstrip(".") if advice else ""
    return f" ({first})" if re.search(r"(?i)larger|raise|set `", first) else ""


def _stream(case: _Case) -> None:
    needs, code = case.needs, case.code("streaming")
    streams = True
    if case.off("streaming"):
        late = code in ("stream.held", "stream.replayed")
        if not needs.always_streams and needs.stream_setting is not None:
            case.settings += [needs.stream_setting] if needs.stream_setting else []
            streams = False
        elif late:
            case.costs.append(f"nothing is shown before the whole answer has arrived ({code})")
        elif needs.always_streams:
            case.no(code, "it always streams")
        else:
            case.settings.append(f"whole answers: streams are passed on as they come, and fail ({code})")
    elif case.state("streaming") is State.UNKNOWN and needs.always_streams:
        case.unsure.append("it always streams, and streaming could not be judged")
    if "stream_options" not in needs.sends or not streams:
        return
    if case.state("stream_usage") is State.REJECTED:
        _refused(case, "stream_options", case.code("stream_usage"))
    elif case.off("stream_usage"):
        case.costs.append(f"it shows no token counts ({case.code('stream_usage')})")


def _refused(case: _Case, name: str, code: str) -> None:
    """A parameter that is refused: the setting that leaves it out, or the reason why the client does not work."""
    setting = case.needs.sends.get(name)
    if setting:
        case.settings.append(setting)
    elif setting is not None:
        case.no(code, f"it always sends {name}, which is refused")


def _tools(case: _Case) -> None:
    needs = case.needs
    if needs.tools == "never":
        return
    failing = _failing_tools(case)
    if failing is None:
        _returned(case)
        if needs.agent and case.state("tools") is State.UNKNOWN:
            case.unsure.append("it needs tools, and they could not be judged")
        if needs.forced_choice_setting and case.off("tool_choice_required"):
            case.settings.append(needs.forced_choice_setting)
    elif needs.tools == "always":
        refused = case.state("tools") is State.REJECTED
        case.no(case.code(failing), "every request has tools" + ("" if refused else ", and its work depends on them"))
    elif failing == "streaming_tools" and not needs.always_streams and needs.stream_setting:
        case.settings.append(f"with tools: {needs.stream_setting}")
    elif needs.tools_setting:
        case.settings.append(needs.tools_setting)


def _failing_tools(case: _Case) -> str | None:
    """The capability that makes tools useless for the client."""
    for name in ("tools", "tool_results"):
        if case.off(name):
            return name
    if case.off("streaming_tools") and (case.needs.always_streams or not case.off("streaming")):
        return "streaming_tools"
    return None


def _returned(case: _Case) -> None:
    """Fields of an answer that have to come back in the history."""
    fields = case.report.facts.get("echo_fields")
    if not isinstance(fields, list | tuple) or case.needs.tools == "never":
        return
    code, names = "tools.echo-required", ", ".join(f"`{name}`" for name in fields)
    if case.needs.echo_setting:
        case.settings.append(case.needs.echo_setting)
    elif case.needs.returns is None:
        case.costs.append(f"with tools it must send {names} back ({code}); whether it does is not known")
    elif not set(fields) <= case.needs.returns:
        why = f"it does not send {names} back, without which requests after a tool call are refused"
        if case.needs.tools == "always" or not case.needs.tools_setting:
            case.no(code, why)
        else:
            case.settings.append(case.needs.tools_setting)


#: The calls of a library with and without streaming, as checks/shape/clients.toml names them.
_STREAMED = ("loop", "streamText")
_WHOLE = ("create", "generateText")


def _shapes(case: _Case) -> None:
    """Answers that the client's library cannot read."""
    failing = case.report.facts.get("failing_clients")
    if not case.needs.library or not isinstance(failing, dict):
        return
    off = {case.needs.stream_setting, case.needs.sends.get("stream_options")} & set(case.settings)
    streamed = case.needs.always_streams or (case.needs.streams_first and not off)
    for name, why in failing.items():
        call = name.removeprefix(case.needs.library).removesuffix(" with tools").strip()
        if not name.startswith(case.needs.library) or call not in _STREAMED + _WHOLE:
            continue
        if case.needs.tolerates and why.startswith(case.needs.tolerates):
            continue
        code = "shape.chunk" if call in _STREAMED else "shape.answer"
        if call in _WHOLE and streamed:
            continue
        case.no(code, f"its library {case.needs.library} fails on {why}")


def _headers(case: _Case) -> None:
    """Rules of gateways on the headers that name a program; those of openai-python were tried, and no other's."""
    refused, passing = (case.report.facts.get(name) for name in ("refused_client_headers", "passing_user_agent"))
    named = " ".join(map(str, refused)) if isinstance(refused, list | tuple) else ""
    library = case.needs.library
    if library == "openai-python" and not (isinstance(passing, str) and passing.startswith("OpenAI/")):
        fails = bool(named or passing)
    else:
        fails = library.startswith("openai-") and "Stainless" in named
    if fails:
        case.no("auth.denied", f"its library {library} sends headers that are refused")
    elif library != "openai-python" and ("User-Agent" in named or passing):
        case.unsure.append("a rule refuses programs by their headers, and its own were not tried (auth.denied)")


def _images(case: _Case) -> None:
    roles = case.report.facts.get("block_content_roles")
    blocks = not case.off("block_content") or (isinstance(roles, list | tuple) and "user" in roles)
    if case.needs.blocks and not blocks:
        case.no(case.code("block_content"), "it sends every text as a list of content blocks")
        return
    if blocks and not case.off("vision"):
        return
    code = case.code("vision" if case.off("vision") else "block_content")
    if case.needs.vision_setting:
        case.settings.append(case.needs.vision_setting)
    elif case.needs.vision_setting is None:
        case.costs.append(f"do not send images ({code})")


#: The findings of parameters that have one of their own.
_CODES = {
    "max_tokens": "params.max-tokens-rejected",
    "max_completion_tokens": "params.max-completion-tokens-rejected",
    "temperature": "params.sampling-rejected",
    "top_p": "params.sampling-rejected",
}


def _parameters(case: _Case) -> None:
    fact = case.report.facts.get("rejected_params")
    rejected = set(fact) if isinstance(fact, list | tuple) else set()
    if {"temperature", "top_p"} <= set(case.needs.sends):
        rejected |= {"top_p"} if any("temperature" in name and "top_p" in name for name in rejected) else set()
    for name in case.needs.sends:
        code = _CODES.get(name, "rejected_params")
        own = name in ("max_tokens", "max_completion_tokens") and case.found(code)
        if name != "stream_options" and (name in rejected or own):
            _refused(case, name, code)
    if not case.off("system_role"):
        return
    if case.needs.system_setting is not None:
        case.settings += [case.needs.system_setting] if case.needs.system_setting else []
    elif case.state("system_role") is State.REJECTED:
        case.no(case.code("system_role"), "its instructions are sent as a system message")
    else:
        case.costs.append(f"its system prompt has no effect ({case.code('system_role')})")


#: The APIs that clients use in place of chat completions.
_APIS = {"responses": "Responses API", "messages": "Messages API"}


def _dialect(case: _Case) -> None:
    """A client of another API than chat completions, which streams and sends tools with every request."""
    needs, report = case.needs, case.report
    api, tools = f"{needs.dialect}_api", f"{needs.dialect}_tools"
    name = _APIS[needs.dialect]
    failing = _failing_dialect(case)
    if failing is not None:
        case.no(*failing)
    elif case.state(api) is State.REJECTED:
        case.no(case.code(api), f"it uses only the {name}; put LiteLLM in between")
    elif case.state(api) is State.UNKNOWN:
        case.unsure.append(f"it uses only the {name}, which could not be judged")
    elif case.off(tools) and case.code(tools).partition(".")[0] != needs.dialect:
        # The cause is the same as on chat completions, so that no finding names the client.
        case.no(case.code(tools), "every request has tools, and its work depends on them")
    elif case.state(tools) is State.UNKNOWN:
        case.unsure.append(f"it needs tools, which could not be judged on the {name}")
    access = report.facts.get(f"{needs.dialect}_access")
    ways = access.get("auth") if isinstance(access, dict) else None
    if needs.dialect == "messages" and ways and not {"bearer", "x-api-key"} & set(ways):
        case.no("target.auth", f"it sends the key as Bearer and X-Api-Key, and the endpoint takes it in {ways[0]}")
    if case.code("streaming") == "stream.held":
        case.costs.append("nothing is shown before the whole answer has arrived (stream.held)")
    again = _failing_dialect(case, "'s streaming")
    if again is not None:
        case.costs.append(f"it sends each request twice, the second without streaming ({again[0]}: {again[1]})")
    silence = next((item for item in report.findings if item.code == f"{needs.dialect}.silence"), None)
    if silence is not None or case.off("long_silence"):
        code = silence.code if silence else case.code("long_silence")
        case.costs.append(f"long silences end its requests ({code})")


def _failing_dialect(case: _Case, part: str = "") -> tuple[str, str] | None:
    """The code and the reason why this client, or a part of it, fails with the API it uses."""
    found = case.report.facts.get("failing_dialect_clients")
    entry = found.get(f"{case.title}{part}") if isinstance(found, dict) else None
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        return None
    return str(entry[0]), str(entry[1])


# The rows of a report ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClientRow:
    """One client in a report.

    ``file`` is where the configuration belongs, ``text`` the configuration; where that is None,
    ``problem`` is the reason.
    """

    fit: Fit
    file: str = ""
    text: str | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def rows(report: Report) -> list[ClientRow]:
    """Every client that can be judged, those that work first; empty where there was no chat completion."""
    if not report.target.base_url:
        return []
    settings: Settings | None = None
    problem = ""
    try:
        settings = settings_of(report)
    except CannotExport as error:
        problem = str(error)
    order = list(Answer)
    fits = sorted(works_with(report), key=lambda fit: order.index(fit.answer))
    return [_row(fit, settings, problem) for fit in fits]


def _row(fit: Fit, settings: Settings | None, problem: str) -> ClientRow:
    client = registry.client(fit.client)
    if fit.answer is Answer.NO:
        problem = "the client does not work with this endpoint"
    elif settings is not None:
        try:
            made = export(client, settings)
            return ClientRow(fit, client.file, made.text, made.notes)
        except (CannotExport, BadFile) as error:
            problem = str(error)
        except Exception as error:  # the crash of one exporter must not cost the whole report
            problem = f"internal error of endpoint-probe ({type(error).__name__})"
    return ClientRow(fit, client.file, problem=problem)
