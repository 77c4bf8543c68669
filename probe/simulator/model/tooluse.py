"""Which tools the model calls and with which arguments, and its answers from their results."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from probe.simulator.call import ToolCall
from probe.simulator.model.filling import Filler
from probe.simulator.model.prompt import read
from probe.simulator.model.words import codes, content_words, proper_names, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.model.prompt import Prompt, Tool

_ASKS_TOOL = re.compile(
    r"\b(?:use|using|call|invoke|run|with) (?:the |an? |any |both |all |each |your |available |provided |"
    r"appropriate |given )*(?:[\w-]+ )?(?:tools?|functions?)\b|\b(?:call|use|invoke) (?:it|them|both|each)\b|"
    r"\btool calls?\b|\bcall the\b",
    re.I,
)
_FORBIDS = re.compile(
    r"\b(?:without (?:using |calling )?(?:any |the |a )?(?:tools?|functions?)|(?:do not|don't|never) (?:use|"
    r"call|invoke) (?:any |the |a )?(?:[\w-]+ )?(?:tools?|functions?)|no tools?)\b",
    re.I,
)
_ASKS_ABOUT = re.compile(
    r"\b(?:what|which|list|name|describe|how many|repeat|quote|tell me)\b[^.?!]{0,80}\b(?:tools?|"
    r"functions?)\b(?![^.?!]{0,30}\bto (?:get|find|answer))|\bdescription of\b[^.?!]{0,60}\b(?:tool|function)",
    re.I,
)
_CLAUSE = re.compile(
    r"(?<=[.?!;])\s+|\n+|;\s*|,?\s+(?:and|then)\s+(?=(?:also|then|the|what|what's|which|who|how|where|when|get|tell|look|find|check|give|show|call|use|fetch|convert|send|calculate|add|book|set|create|multiply|compute)\b)|,\s+(?=what|who|how|get|look|check)",
    re.I,
)
_GENERIC = set("tool function call return value text answer user data get given provid argument".split())

_HINTS = {
    "weather": {"rain", "sunny", "temperature", "forecast", "umbrella", "cold", "warm", "hot"},
    "time": {"clock", "hour", "o'clock", "timezone"},
    "calculat": {"sum", "plus", "multiply", "times", "divide", "minus"},
    "sum": {"add", "plus"},
    "add": {"plus", "sum"},
    "price": {"cost", "much"},
    "mail": {"send", "email"},
}


def _words_of(tool: Tool) -> tuple[set[str], set[str], set[str]]:
    fields = " ".join((tool.parameters.get("properties") or {}).keys())
    described = content_words(tool.description) - _GENERIC
    return content_words(tool.name) - _GENERIC, described, content_words(fields) - _GENERIC


def fit(tool: Tool, text: str) -> float:
    """How well a tool matches a text: its name counts most, then its description, then its parameters."""
    if re.search(rf"(?<![\w-]){re.escape(tool.name)}(?![\w-])", text, re.I):
        return 10.0
    words = content_words(text)
    named, described, fields = _words_of(tool)
    score = 2.0 * len(named & words) + 1.0 * len((described - named) & words) + 0.5 * len((fields - named) & words)
    for word, related in _HINTS.items():
        if any(word in one for one in named) and related & words:
            score += 2.0
    return score


def _arguments(tool: Tool, text: str, junk: bool = False) -> dict[str, Any]:
    return Filler(text, tool.parameters, junk=junk).object(tool.parameters)


_LITERAL = re.compile(r"`[^`]{24,}`")


def _clauses(text: str, tools: Sequence[Tool]) -> list[str]:
    """The parts of a question that may each need a call: sentences, and halves that match different tools.

    A long text between backticks is not divided.
    """
    kept = _LITERAL.findall(text)
    if kept:
        rest = iter(kept)
        return [re.sub("\0", lambda _: next(rest), clause) for clause in _divided(_LITERAL.sub("\0", text), tools)]
    return _divided(text, tools)


def _divided(text: str, tools: Sequence[Tool]) -> list[str]:
    made: list[str] = []
    for clause in (part.strip() for part in _CLAUSE.split(text) if part and part.strip()):
        halves = [half for half in re.split(r",?\s+and\s+|,\s+", clause) if half.strip()]
        best = {
            max(tools, key=lambda tool: fit(tool, half)).name
            for half in halves
            if any(fit(tool, half) >= 2 for tool in tools)
        }
        if len(best) < 2:
            made.append(clause)
            continue
        for half in halves:
            if any(fit(tool, half) >= 2 for tool in tools) or not made:
                made.append(half)
            else:
                made[-1] += " and " + half
    return made


def _spread(tool: Tool, clause: str) -> list[dict[str, Any]]:
    """The argument sets for one clause: several if it names several things and the tool takes one."""
    properties = tool.parameters.get("properties") or {}
    required = tool.parameters.get("required") or list(properties)[:1]
    takes_list = any(isinstance(one, dict) and one.get("type") == "array" for one in properties.values())
    single = [
        key
        for key in required
        if isinstance(properties.get(key), dict)
        and properties[key].get("type") == "string"
        and not properties[key].get("enum")
    ]
    if not takes_list and len(single) == 1 and not _LITERAL.search(clause):
        joined = re.search(
            r"((?:[A-ZÀ-Þ][\w'’À-ÿ-]*(?: [A-ZÀ-Þ][\w'’À-ÿ-]*)*)(?:(?:\s*,\s*(?:and\s+)?|"
            r"\s+and\s+)(?:also\s+)?(?:in\s+|for\s+|of\s+|at\s+)?(?:[A-ZÀ-Þ][\w'’À-ÿ-]*(?: [A-ZÀ-Þ][\w'’À-ÿ-]*)*))+)",
            clause,
        )
        listed = joined and re.search(r"\band\b|,.*,", joined.group(1))
        things = proper_names("so " + joined.group(1)) if joined and listed else []
        if len(things) < 2:
            things = codes(clause) if len(codes(clause)) > 1 and re.search(r"\band\b|,|\bboth\b", clause) else []
        if len(things) > 1:
            made = []
            for thing in things:
                rest = clause.replace(joined.group(1), thing) if joined and listed else f"{single[0]} {thing}"
                made.append({**_arguments(tool, rest), single[0]: thing})
            return made
    return [_arguments(tool, clause)]


def planned(prompt: Prompt) -> list[ToolCall]:
    """The calls that a helpful model makes for the newest question without being forced."""
    question = prompt.question
    if not prompt.tools or _FORBIDS.search(question) or _FORBIDS.search(prompt.system):
        return []
    asked = bool(_ASKS_TOOL.search(question)) or any(fit(tool, question) >= 10 for tool in prompt.tools)
    if not asked and _ASKS_ABOUT.search(question):
        return []
    if _ASKS_ABOUT.search(question) and re.search(r"\bdescri|\bnames? of\b|\bhow many\b", question, re.I):
        return []
    made: list[ToolCall] = []
    clauses = _clauses(question, prompt.tools)
    picked: list[tuple[Tool, str]] = []
    for clause in clauses:
        scored = sorted(
            ((fit(tool, clause), -place, tool) for place, tool in enumerate(prompt.tools)),
            key=lambda one: one[:2],
            reverse=True,
        )
        if scored[0][0] >= 2.0:
            named = [tool for score, _, tool in scored if score >= 10]
            picked += [(tool, clause) for tool in (named or [scored[0][2]])]
    if not picked and (asked or max(fit(tool, question) for tool in prompt.tools) >= 1.5):
        best = max(prompt.tools, key=lambda tool: fit(tool, question))
        if asked or fit(best, question) >= 1.5:
            picked = [(best, question)]
    different = {tool.name for tool, _ in picked}
    for tool in dict.fromkeys(tool.name for tool, _ in picked):
        offered = next(one for one in prompt.tools if one.name == tool)
        parts = [clause for one, clause in picked if one.name == tool]
        text = question if len(different) == 1 else " ".join(parts)
        for arguments in _spread(offered, text):
            made.append(ToolCall(tool, json.dumps(arguments, ensure_ascii=False)))
    return list(dict.fromkeys(made))


def forced(prompt: Prompt, name: str | None, junk: bool = False) -> list[ToolCall]:
    """The call for `tool_choice` required (name None) or for a named choice."""
    if name is None:
        wanted = [] if junk else planned(prompt)
        if wanted:
            return wanted
        best = max(prompt.tools, key=lambda tool: fit(tool, prompt.question))
    else:
        best = next((tool for tool in prompt.tools if tool.name == name), prompt.tools[0])
        wanted = [] if junk else [call for call in planned(prompt) if call.name == name]
        if wanted:
            return wanted[:1]
    return [ToolCall(best.name, json.dumps(_arguments(best, prompt.question, junk), ensure_ascii=False))]


def pending(prompt: Prompt, wanted: list[ToolCall]) -> list[ToolCall]:
    """Those of the calls that have not been made since the question; other arguments count as made, once each."""
    made = [(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in prompt.made_calls]
    others = [name for name, _ in made]
    for call in wanted:
        if (call.name, call.arguments) in made:
            others.remove(call.name)
    left = []
    for call in wanted:
        if (call.name, call.arguments) in made:
            continue
        if call.name in others:
            others.remove(call.name)
        else:
            left.append(call)
    return left


def as_text(prompt: Prompt) -> str | None:
    """The calls written as text, where the system message describes tools and this way to call them, or None."""
    shown = re.findall(r"<tools>\n(\{.*\})\n</tools>", prompt.system)
    if prompt.tools or not shown or "<tool_call>" not in prompt.system:
        return None
    body = {"messages": [{"role": "user", "content": prompt.newest}], "tools": [json.loads(one) for one in shown]}
    made = [{"name": call.name, "arguments": json.loads(str(call.arguments))} for call in planned(read(body))]
    return "\n".join(f"<tool_call>\n{json.dumps(one, ensure_ascii=False)}\n</tool_call>" for one in made) or None


def about_tools(prompt: Prompt) -> str | None:
    """An answer to a question about the tools themselves (their names, their descriptions), or None."""
    question = prompt.question
    if not prompt.tools or not _ASKS_ABOUT.search(question):
        return None
    named = [tool for tool in prompt.tools if re.search(rf"(?<![\w-]){re.escape(tool.name)}(?![\w-])", question)]
    about = named or list(prompt.tools)
    everything = "\n".join(f"{tool.description} {json.dumps(tool.parameters)}" for tool in about)
    if re.search(
        r"\b(?:code|word|token|secret|nonce|marker|password|number|identifier|id|key|reference|tag)s?\b", question, re.I
    ):
        found = codes("\n".join(tool.description for tool in about)) or codes(everything)
        if found:
            return ", ".join(found)
    if re.search(r"\bhow many\b", question, re.I):
        return str(len(prompt.tools))
    if re.search(r"descri|purpose|quote|\bsays?\b|\bdoes\b|(?:tools?|functions?) do\b", question, re.I):
        return "\n".join(f"{tool.name}: {tool.description}" for tool in about)
    return ", ".join(tool.name for tool in prompt.tools)


def _flat(value: Any, prefix: str = "") -> list[str]:
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in _flat(one, f"{prefix}{key} ".replace("_", " "))]
    if isinstance(value, list):
        return [line for one in value for line in _flat(one, prefix)]
    return [f"{prefix.strip()}: {value}" if prefix else str(value)]


def from_results(prompt: Prompt) -> str:
    """An answer that reports what the tools returned."""
    reported: list[str] = []
    values: list[str] = []
    for turn in prompt.results:
        text = turn.text.strip()
        values += codes(text)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        reported.append(value if isinstance(value, str) else ", ".join(_flat(value)))
    if re.search(r"\b(?:only|just|exactly|nothing else|nothing but)\b", prompt.question, re.I) and values:
        return ", ".join(dict.fromkeys(values))
    if not any(reported):
        return "The tool returned nothing."
    lead = "Here is what I found. " if sentences(prompt.question) else ""
    return lead + " ".join(part if part.endswith((".", "!", "?")) else part + "." for part in reported if part)
