"""Whether each client works with an endpoint, with which settings, and its configuration.

A client that is of no use without tools is judged as an agent; for any other a setting that switches
tools off is enough.  What a client needs is in its own file (``Client.needs``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from probe.model import Report, Severity, State, usable, worst
from reports.clients import registry
from reports.clients.client import Client, Needs, export
from reports.clients.documents import BadFile
from reports.clients.settings import CannotExport, Settings, settings_of
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
    case = _Case(report, needs)
    _chat(case)
    if not case.codes and not case.unsure:
        if needs.responses_only:
            _responses(case)
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
    """Without a chat completion nothing works; a few findings concern clients although chat works here."""
    report = case.report
    if usable(report) and report.target.base_url:
        if any(finding.code == "tls.untrusted" for finding in report.findings):
            case.settings.append("trust the certificate's authority on the client's machine")
        if report.target.base_url != report.target.endpoint.rstrip("/"):
            case.settings.append(f"base URL {report.target.base_url}")
        return
    first = worst(report)
    if first and first.severity is Severity.ERROR:
        case.no(first.code, first.title)
    elif case.off("chat"):
        case.no(case.code("chat"), no_chat(report))
    else:
        case.unsure.append(no_chat(report))


def _stream(case: _Case) -> None:
    needs, code = case.needs, case.code("streaming")
    if case.off("streaming"):
        if not needs.always_streams:
            if needs.stream_setting:
                case.settings.append(needs.stream_setting)
            else:
                case.costs.append(f"streams fail ({code}), so its own clients must not request them")
            return
        if code == "stream.held":
            case.costs.append("nothing is shown before the whole answer has arrived (stream.held)")
        else:
            case.no(code, "it always streams")
    elif case.state("streaming") is State.UNKNOWN and needs.always_streams:
        case.unsure.append("it always streams, and streaming could not be judged")
    if case.state("stream_usage") is State.REJECTED:
        if needs.usage == "always":
            case.no(case.code("stream_usage"), "it always sends stream_options, which is refused")
        elif needs.usage == "switch":
            case.settings.append(needs.usage_setting)
    elif case.off("stream_usage") and needs.usage != "never":
        case.costs.append(f"it shows no token counts ({case.code('stream_usage')})")


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
    else:
        case.costs.append(f"tools do not work ({case.code(failing)}), and it has no switch for them")


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
    if case.needs.returns is None:
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
    for name, why in failing.items():
        call = name.removeprefix(case.needs.library).removesuffix(" with tools").strip()
        if not name.startswith(case.needs.library) or call not in _STREAMED + _WHOLE:
            continue
        code = "shape.chunk" if call in _STREAMED else "shape.answer"
        if call in _WHOLE and case.needs.always_streams:
            continue
        case.no(code, f"its library {case.needs.library} fails on {why}")


def _headers(case: _Case) -> None:
    """Headers of the OpenAI SDKs that a gateway refuses; those of openai-python were sent."""
    refused = case.report.facts.get("refused_client_headers")
    if not isinstance(refused, list | tuple) or not case.needs.library.startswith("openai-"):
        return
    if case.needs.library == "openai-python" or any("Stainless" in str(name) for name in refused):
        case.no("auth.denied", f"its library {case.needs.library} sends headers that are refused")
    else:
        case.costs.append("whether its library's User-Agent is refused as well is not known (auth.denied)")


def _images(case: _Case) -> None:
    if not case.off("vision"):
        roles = case.report.facts.get("block_content_roles")
        if not case.off("block_content") or (isinstance(roles, list | tuple) and "user" in roles):
            return
    code = case.code("vision" if case.off("vision") else "block_content")
    if case.needs.vision_setting:
        case.settings.append(case.needs.vision_setting)
    elif case.needs.vision_setting is None and case.needs.tools != "never":
        case.costs.append(f"do not send images ({code})")


def _parameters(case: _Case) -> None:
    refused = "params.max-tokens-rejected"
    if case.needs.limit == "max_tokens" and any(finding.code == refused for finding in case.report.findings):
        case.no(refused, "it always sends max_tokens")
    if not case.off("system_role"):
        return
    if not case.needs.system:
        case.settings.append("use_system_prompt: false")
    elif case.state("system_role") is State.REJECTED:
        case.no(case.code("system_role"), "its instructions are sent as a system message")
    else:
        case.costs.append(f"its system prompt has no effect ({case.code('system_role')})")


def _responses(case: _Case) -> None:
    if case.off("responses_api"):
        case.no(case.code("responses_api"), "it uses only the Responses API; put LiteLLM in between")
    elif case.state("responses_api") is State.UNKNOWN:
        case.unsure.append("it uses only the Responses API, which could not be judged")


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
        problem = "none, because the client does not work with this endpoint"
    elif settings is not None:
        try:
            made = export(client, settings)
            return ClientRow(fit, client.file, made.text, made.notes)
        except (CannotExport, BadFile) as error:
            problem = str(error)
        except Exception as error:  # the crash of one exporter must not cost the whole report
            problem = f"internal error of endpoint-probe ({type(error).__name__})"
    return ClientRow(fit, client.file, problem=problem)
