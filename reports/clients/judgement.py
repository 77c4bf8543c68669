"""Per client: will it work with this endpoint, and the configuration to give it.

What a reader of the report does next; the page and the Markdown show the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from probe.model import Report, Severity, State, usable, worst
from reports.clients import registry
from reports.clients.documents import BadFile
from reports.clients.exporter import CannotExport, export
from reports.clients.settings import Settings, settings_of
from reports.summary import no_chat

# Will it work with X: what each client sends whatever its settings, judged by what was recorded. ---
#
# A client is taken as an agent or a chat by what it is for: one that cannot go without tools
# is of no use where they do not come back; one that can is told to leave them off.  What a
# client sends always is from its own sources, as named in its exporter; Kenaz's row repeats
# how its adapter reads the recorded streams (``reports.clients.kenaz_reader``).


class Answer(StrEnum):
    """Whether a client works with the endpoint."""

    YES = "yes"
    WITH_SETTINGS = "yes, with these settings"
    NO = "no"
    UNKNOWN = "could not tell"


@dataclass(frozen=True)
class Fit:
    """The answer for one client.

    Attributes:
        codes: with NO the finding codes (or capabilities) that it fails for.
        reasons: a sentence for each thing that stands in the way or costs something.
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
        said = f"{self.title}: {self.answer}"
        if self.settings:
            said += f": {'; '.join(self.settings)}"
        return said + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


@dataclass(frozen=True)
class Always:
    """What a client needs whatever its settings, and what it can be set to do without.

    Attributes:
        streams: it always streams.
        usage: ``stream_options`` goes out with every stream: always, switch or never.
        usage_setting: how ``stream_options`` is taken away.
        tools: always (every request has them), switch, or never.
        forces: it sends ``tool_choice: required`` unless it is told otherwise.
        limit: the parameter that limits the output and goes out always, if any.
        responses: it speaks the Responses API only.
        stream_setting, tools_setting, vision_setting: what to set where one is off; None
            where it has no such switch, and an empty text where it does not need one.
    """

    title: str
    streams: bool = False
    usage: str = "never"
    usage_setting: str = ""
    tools: str = "switch"
    forces: str = ""
    limit: str = ""
    responses: bool = False
    system: bool = True
    stream_setting: str | None = None
    tools_setting: str | None = None
    vision_setting: str | None = None
    agent: bool = False


CLIENTS: dict[str, Always] = {
    "kenaz": Always(
        "Kenaz", True, "always", tools_setting="Tool Use off", vision_setting="Vision off", stream_setting=None
    ),
    "litellm": Always(
        "LiteLLM proxy",
        tools_setting="additional_drop_params: [tools, tool_choice]",
        stream_setting=None,
        vision_setting="supports_vision: false",
    ),
    "opencode": Always(
        "opencode",
        True,
        "switch",
        "options.includeUsage: false",
        tools="always",
        limit="max_tokens",
        vision_setting='modalities.input: ["text"]',
        agent=True,
    ),
    "llm": Always(
        "llm",
        False,
        "switch",
        "can_stream: false",
        stream_setting="can_stream: false",
        tools_setting="supports_tools: false",
        vision_setting="vision: false",
    ),
    "pydantic-ai": Always(
        "pydantic-ai",
        forces="supports_forced_tool_choice=False",
        stream_setting="run without streaming",
        tools_setting="supports_tools=False",
        vision_setting="supports_image_input=False",
    ),
    "zed": Always("Zed", True, tools_setting="tools: false", vision_setting="images: false"),
    "vscode": Always(
        "VS Code",
        stream_setting="streaming: false",
        tools_setting="toolCalling: false",
        vision_setting="vision: false",
    ),
    "librechat": Always("LibreChat", True, vision_setting="", tools_setting="start no agent with tools"),
    "continue": Always(
        "Continue",
        stream_setting="defaultCompletionOptions.stream: false",
        tools_setting="leave tool_use out of capabilities",
        vision_setting="leave image_input out of capabilities",
    ),
    "aider": Always(
        "aider",
        tools="never",
        stream_setting="streaming: false",
        vision_setting="supports_vision: false",
        system=False,
    ),
    "langchain": Always(
        "LangChain",
        False,
        "switch",
        "stream_usage=False",
        stream_setting="disable_streaming=True",
        tools_setting="bind no tools",
        vision_setting="image_inputs=False",
    ),
    "ai-sdk": Always(
        "Vercel AI SDK",
        False,
        "switch",
        "includeUsage: false",
        stream_setting="generateText in place of streamText",
        tools_setting="pass no tools",
        vision_setting="",
    ),
    "codex": Always("Codex CLI", True, tools="always", responses=True, agent=True),
    "crush": Always("Crush", True, tools="always", vision_setting="supports_attachments: false", agent=True),
    "goose": Always("Goose", stream_setting="supports_streaming: false", tools_setting="toolshim: true"),
    "open-webui": Always(
        "Open WebUI",
        stream_setting="stream_response: false",
        tools_setting="function_calling: legacy",
        vision_setting="capabilities.vision: false",
    ),
}

_USELESS_STREAM = frozenset(("stream.not-sse", "stream.framing", "stream.truncated", "stream.rejected"))


@dataclass
class _Case:
    report: Report
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
        if verdict is None:
            return capability
        return verdict.finding or f"{capability} {verdict.verdict}"

    def no(self, code: str, why: str) -> None:
        if code not in self.codes:
            self.codes.append(code)
        self.against.append(why)


def works_with(report: Report, clients: Iterable[str] | None = None) -> list[Fit]:
    """The answer for each client.

    Args:
        clients: names of ``CLIENTS``; default all, in their order.
    """
    return [_fit(report, name, CLIENTS[name]) for name in (CLIENTS if clients is None else clients)]


def _fit(report: Report, name: str, always: Always) -> Fit:
    case = _Case(report)
    _chat(case)
    if not case.codes and not case.unsure:
        if always.responses:
            _responses(case)
        else:
            _stream(case, always)
            _tools(case, always)
            _pictures(case, always)
            _parameters(case, always)
            if name == "kenaz":
                from reports.clients.kenaz_reader import judge

                for code, why, fatal in judge(report):
                    if fatal:
                        case.no(code, why)
                    else:
                        case.costs.append(why)
    return _answered(case, name, always)


def _answered(case: _Case, name: str, always: Always) -> Fit:
    if case.codes:
        return Fit(name, always.title, Answer.NO, tuple(case.codes), tuple(case.against))
    settings = tuple(dict.fromkeys(case.settings))
    reasons = tuple(dict.fromkeys(case.costs))
    if case.unsure:
        return Fit(name, always.title, Answer.UNKNOWN, (), tuple(case.unsure), settings)
    return Fit(name, always.title, Answer.WITH_SETTINGS if settings else Answer.YES, (), reasons, settings)


def _chat(case: _Case) -> None:
    """Without a chat completion nothing works; some findings stop clients that this program got past."""
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


def _stream(case: _Case, always: Always) -> None:
    code = case.code("streaming")
    if case.off("streaming"):
        if not always.streams:
            if always.stream_setting:
                case.settings.append(always.stream_setting)
            else:
                case.costs.append(f"streams fail ({code}), so its own clients must not ask for them")
        elif code == "stream.held":
            case.costs.append("nothing is shown before the whole answer is there (stream.held)")
        else:
            case.no(code, "it always streams")
    elif case.state("streaming") is State.UNKNOWN and always.streams:
        case.unsure.append("it always streams, and streaming could not be judged")
    if case.off("streaming") and not always.streams:
        return
    if case.state("stream_usage") is State.REJECTED:
        if always.usage == "always":
            case.no(case.code("stream_usage"), "it always sends stream_options, which is refused")
        elif always.usage == "switch":
            case.settings.append(always.usage_setting)
    elif case.off("stream_usage") and always.usage != "never":
        case.costs.append(f"it shows no token counts ({case.code('stream_usage')})")


def _tools(case: _Case, always: Always) -> None:
    if always.tools == "never":
        return
    failing = _failing_tools(case, streamed=always.streams)
    if failing is None:
        if always.agent and case.state("tools") is State.UNKNOWN:
            case.unsure.append("it needs tools, and they could not be judged")
        if always.forces and case.off("tool_choice_required"):
            case.settings.append(always.forces)
        return
    if always.tools == "always":
        refused = case.state("tools") is State.REJECTED
        case.no(case.code(failing), "every request has tools" + ("" if refused else ", and its work depends on them"))
    elif failing == "streaming_tools" and not always.streams and always.stream_setting:
        case.settings.append(f"with tools: {always.stream_setting}")
    elif always.tools_setting:
        case.settings.append(always.tools_setting)
    else:
        case.costs.append(f"tools do not work ({case.code(failing)}), and it has no switch for them")


def _failing_tools(case: _Case, *, streamed: bool) -> str | None:
    """The capability for which tools are of no use."""
    for name in ("tools", "tool_results"):
        if case.off(name):
            return name
    if case.off("streaming_tools") and (streamed or not case.off("streaming")):
        return "streaming_tools"
    return None


def _pictures(case: _Case, always: Always) -> None:
    if not case.off("vision") and not case.off("block_content"):
        return
    roles = case.report.facts.get("block_content_roles")
    if not case.off("vision") and isinstance(roles, list | tuple) and "user" in roles:
        return
    code = case.code("vision" if case.off("vision") else "block_content")
    if always.vision_setting:
        case.settings.append(always.vision_setting)
    elif always.vision_setting is None and always.tools != "never":
        case.costs.append(f"send it no pictures ({code})")


def _parameters(case: _Case, always: Always) -> None:
    codes = {finding.code for finding in case.report.findings}
    refused = {"max_tokens": "params.max-tokens-rejected"}.get(always.limit)
    if refused and refused in codes:
        case.no(refused, f"it always sends {always.limit}")
    if case.state("system_role") is State.REJECTED and always.system:
        case.no(case.code("system_role"), "its instructions go out as a system message")
    elif case.state("system_role") in (State.IGNORED, State.BROKEN) and always.system:
        case.costs.append(f"its system prompt has no effect ({case.code('system_role')})")
    elif case.off("system_role"):
        case.settings.append("use_system_prompt: false")


def _responses(case: _Case) -> None:
    """A client of the Responses API."""
    if case.state("responses_api") is State.WORKS:
        return
    if case.off("responses_api"):
        case.no(case.code("responses_api"), "it speaks the Responses API only; put LiteLLM in between")
    else:
        case.unsure.append("it speaks the Responses API only, which could not be judged")


# Per client: will it work with this endpoint, and the configuration to give it. --------------------


@dataclass(frozen=True)
class ClientRow:
    """One client.

    ``file`` is where the configuration belongs, ``text`` the configuration, None where
    there is none to give; then ``problem`` says why.
    """

    fit: Fit
    file: str = ""
    text: str | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def rows(report: Report) -> list[ClientRow]:
    """Every client that can be judged, those that work first, in the order in which they are listed.

    Empty where no chat completion was asked for or had: then nothing is to be said of clients.
    """
    if not report.target.base_url:
        return []
    try:
        settings: Settings | None = settings_of(report)
        problem = ""
    except CannotExport as error:
        settings, problem = None, str(error)
    order = list(Answer)
    fits = sorted(works_with(report), key=lambda fit: order.index(fit.answer))
    return [_row(fit, settings, problem) for fit in fits]


def _row(fit: Fit, settings: Settings | None, problem: str) -> ClientRow:
    client = registry.client(fit.client)
    if fit.answer is Answer.NO:
        return ClientRow(fit, client.file, problem="none is given for a client that does not work")
    if settings is None:
        return ClientRow(fit, client.file, problem=problem)
    try:
        made = export(client, settings)
    except (CannotExport, BadFile) as error:
        return ClientRow(fit, client.file, problem=str(error))
    except Exception as error:  # one exporter's own fault must not cost the whole report
        return ClientRow(fit, client.file, problem=f"it could not be made ({type(error).__name__})")
    return ClientRow(fit, client.file, made.text, made.notes)


def why(fit: Fit) -> str:
    """What stands in the way, what to set and what it costs, in one text."""
    parts = []
    if fit.settings:
        parts.append(f"Set: {'; '.join(fit.settings)}.")
    if fit.reasons:
        parts.append(f"{'; '.join(fit.reasons)}.")
    return " ".join(part[0].upper() + part[1:] for part in parts)
