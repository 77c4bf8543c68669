"""The answer of the simulated model: a pure function from a chat request to a reply.

It follows ordinary prompts by rules, as an instruction-tuned model would: it repeats what it is asked to, remembers
the conversation, counts, adds, calls the matching tool, answers from tool results, fills schemas and names colours. No
rule is made for the prompts of a particular client. A `personality` makes it talkative, reasoning, reluctant to call
tools, small, or very weak.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.simulator.call import Reply, ToolCall
from probe.simulator.model import arithmetic, pictures, prose, tooluse
from probe.simulator.model.filling import Filler
from probe.simulator.model.instructions import Persona, literals
from probe.simulator.model.prompt import Prompt, clip, content_text, count, count_tools, data_uris, read
from probe.simulator.model.prose import recall
from probe.simulator.model.words import codes

JSON = dict[str, Any]

#: Personalities that cannot use tools and schemas.
_SMALL = ("small", "copies", "weak")


def prompt_tokens(body: JSON) -> int:
    """The tokens of everything that the model is shown: messages, tool calls, pictures and tools."""
    total = 3
    for message in body.get("messages") or []:
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        total += 4 + count(content_text(content))
        for picture in data_uris(content):
            try:
                width, height = pictures.size(picture)
            except pictures.NotReadable:
                width = height = 64
            total += 85 + 170 * (-(-width // 512)) * (-(-height // 512))
        for call in message.get("tool_calls") or []:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                total += 6 + count(f"{function.get('name')} {function.get('arguments')}")
    if body.get("tools") and body.get("tool_choice") != "none":
        total += count_tools(body["tools"])
    return total


def answer(body: JSON, personality: str = "plain", context_length: int = 16384) -> Reply:
    """The reply to a chat request; `context_length` (tokens) bounds prompt and answer together."""
    prompt = read(body)
    shown = prompt_tokens(body)
    room = max(context_length - shown, 1)
    asked = body.get("max_completion_tokens") or body.get("max_tokens")
    limit = min(asked, room) if isinstance(asked, int) and asked > 0 else room
    thinking = _thinking(prompt) if personality == "reasoning" else ""
    calls = _calls(body, prompt, personality)
    text = "" if calls else _text(body, prompt, personality, limit)
    if calls and personality == "chatty":
        text = "Let me look that up for you."
    return _limited(Reply(text, thinking, tuple(calls), prompt_tokens=shown), body, limit)


def _thinking(prompt: Prompt) -> str:
    """The reasoning of a reasoning model."""
    topic = " ".join(prompt.question.split()[:24])
    return (
        f"Let me think about this carefully. The user writes: {topic}. I should work out what is wanted, check whether "
        "anything said earlier matters for it, and then answer in the form that was asked for. There is nothing "
        "unusual here, so I can go on. I will keep the answer as short as the question allows and stick to the "
        "instructions."
    )


def _limited(reply: Reply, body: JSON, limit: int) -> Reply:
    """The reply cut at the stop sequences and at the token limit, with its counts."""
    text = reply.text
    stops = body.get("stop")
    for stop in [stops] if isinstance(stops, str) else stops or []:
        if isinstance(stop, str) and stop and stop in text:
            text = text[: text.index(stop)]
    thought, written = count(reply.reasoning), count(text)
    calls, finish = reply.tool_calls, "tool_calls" if reply.tool_calls else "stop"
    for call in calls:
        written += 8 + count(call.name) + count(str(call.arguments))
    if thought + written > limit or thought >= limit:
        # A call that is cut before its end is none: no parser finds it.
        finish, calls, thought = "length", (), min(thought, limit)
        text, written = clip(text, limit - thought), limit - thought
    return replace(
        reply,
        text=text,
        reasoning=clip(reply.reasoning, thought) if finish == "length" else reply.reasoning,
        tool_calls=calls,
        finish_reason=finish,
        completion_tokens=thought + (written if thought >= limit else max(written, 1)),
        reasoning_tokens=thought,
    )


# Tool calls --------------------------------------------------------------------------------------------


def _calls(body: JSON, prompt: Prompt, personality: str) -> list[ToolCall]:
    choice = body.get("tool_choice", "auto")
    if not prompt.tools or choice == "none" or personality == "refuses":
        return []
    junk = personality in _SMALL
    if isinstance(choice, dict):
        calls = tooluse.forced(prompt, (choice.get("function") or {}).get("name"), junk)
    elif choice == "required":
        calls = tooluse.forced(prompt, None, junk)
        calls = tooluse.pending(prompt, calls) or calls
    elif personality == "declines" or junk:
        return []
    else:
        calls = tooluse.pending(prompt, tooluse.planned(prompt))
    return calls[:1] if body.get("parallel_tool_calls") is False else calls


# Text --------------------------------------------------------------------------------------------------


def _text(body: JSON, prompt: Prompt, personality: str, limit: int) -> str:
    form = body.get("response_format") or {}
    kind = form.get("type") if isinstance(form, dict) else None
    schema = (form.get("json_schema") or {}).get("schema") if kind == "json_schema" else None
    if personality in _SMALL and schema is not None:
        return json.dumps(Filler("", schema, junk=True).object(schema))
    if personality in ("small", "copies"):
        if prompt.images:
            return prose.small_talk(prompt.question, [])
        prompt = prompt.narrowed(system=personality == "small")
    if personality == "weak":
        if kind == "json_object":
            return json.dumps({"the": prose.nonsense(prompt.question, 6)})
        return prose.nonsense(prompt.question, min(limit, 400) * 2)
    if schema is not None:
        return json.dumps(_fill(prompt, schema), ensure_ascii=False)
    if (written := tooluse.as_text(prompt)) is not None:
        return written
    persona = Persona(prompt.system, prompt.question)
    if kind == "json_object":
        return json.dumps(_free_json(prompt, persona), ensure_ascii=False)
    text = persona.dress(_plain_text(prompt, limit) if persona.fixed is None else persona.fixed)
    if personality == "chatty":
        closing = "Let me know if there is anything else I can do for you."
        return f"Sure, happy to help! Here is your answer:\n\n**{text}**\n\n{closing}"
    return text


def _plain_text(prompt: Prompt, limit: int) -> str:
    """The answer without a persona: that of the first rule that applies."""
    question = prompt.question
    if prompt.results:
        return tooluse.from_results(prompt)
    if prompt.images:
        return pictures.answer_about(prompt.images, question)
    if re.search(r"\b(?:this|the|attached|above) (?:image|picture|photo|screenshot|figure)\b", question, re.I):
        return "I do not see any picture in our conversation. Could you attach it, please?"
    about = tooluse.about_tools(prompt)
    if about is not None:
        return about
    if _wants_json(question):
        return json.dumps(_free_json(prompt, None), ensure_ascii=False)
    rules: tuple[Callable[[], str | None], ...] = (
        lambda: _listing(prompt),
        lambda: arithmetic.counting(question, limit),
        lambda: arithmetic.alphabet(question),
        lambda: literals(prompt.newest),
        lambda: arithmetic.sums(question),
        lambda: recall(prompt),
        lambda: prose.known(question),
        lambda: prose.long_text(question, limit * 2),
    )
    found = (rule() for rule in rules)
    return next((text for text in found if text is not None), prose.small_talk(question, codes(question)))


def _listing(prompt: Prompt) -> str | None:
    """All codes of the conversation, for `list every code you can see` and the like."""
    question = prompt.question
    if not re.search(
        r"\b(?:list|repeat|name|give|tell|report|output|reply|write|what|quote|print|return|show|find|"
        r"answer)\b[^.?!\n]{0,60}\b(?:all|every|each|any|both|codes|the two|the three)\b",
        question,
        re.I,
    ):
        return None
    if not re.search(
        r"\b(?:codes?|codewords?|tokens?|nonces?|markers?|secrets?|passwords?|identifiers?|ids?|strings?|words?|values?|keys?|numbers?|references?)\b",
        question,
        re.I,
    ):
        return None
    if re.search(r"\b(?:system|developer)\b", question, re.I) and codes(prompt.system):
        return ", ".join(codes(prompt.system))
    found = [code for turn in prompt.turns for code in codes(turn.text)]
    if re.search(
        r"\btools?\b|\bfunctions?\b|\beverywhere\b|\banywhere\b|\bcan see\b|\bin (?:your )?context\b", question, re.I
    ):
        for tool in prompt.tools:
            found += codes(tool.description)
    return ", ".join(dict.fromkeys(found)) or None


# JSON --------------------------------------------------------------------------------------------------


def _source_text(prompt: Prompt) -> str:
    """The text that schemas are filled from: the question, then pictures, tool results and the earlier turns."""
    parts = [prompt.question]
    for image in prompt.images:
        parts += [f"{place.replace('-', ' ')}: {colour}" for place, colour in pictures.describe(image)]
    parts += [turn.text for turn in prompt.results]
    parts += [turn.text for turn in reversed(prompt.before) if turn.role not in ("tool", "function")]
    return "\n".join(part for part in parts if part)


def _fill(prompt: Prompt, schema: JSON) -> Any:
    filler = Filler(_source_text(prompt), schema)
    return filler.value("answer", schema) if schema.get("type", "object") != "object" else filler.object(schema)


def _wants_json(question: str) -> bool:
    return bool(
        re.search(
            r"\b(?:as|in|valid|a|only|with|return|output|raw) (?:a |an |valid |raw |single |one )*json\b|"
            r"\bjson (?:object|array|format|document)\b",
            question,
            re.I,
        )
    ) and not re.search(r"\bwhat is json\b|\bexplain\b", question, re.I)


def _free_json(prompt: Prompt, persona: Persona | None) -> Any:
    """An object for a request for JSON without a schema: the example in it, its named keys, or an answer."""
    question = prompt.question
    start = question.find("{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(question[start:])
        except ValueError:
            start = question.find("{", start + 1)
            continue
        if isinstance(value, dict) and value and "properties" not in value:
            return value
        if isinstance(value, dict) and "properties" in value:
            return _fill(prompt, value)
        break
    listed = re.search(
        r"\b(?:keys?|fields?|propert(?:y|ies)|attributes?)\b(?: named| called|:)?\s+([^.\n]+)", question, re.I
    )
    if listed:
        clause = listed.group(1)
        marked = re.finditer(
            r"(?P<lead>\b(?:to|value|of|is|equals|be)\s*|[=:]\s*)?[\"'`“](?P<name>[\w-]+)[\"'`”]", clause
        )
        names = [match.group("name") for match in marked if match.group("lead") is None] or [
            word
            for word in re.findall(
                r"[A-Za-z_]\w*",
                re.split(r"\b(?:set|with|whose|equal|that|where|for|about|and (?:the|its) value)\b|=", clause)[0],
            )
            if word not in ("and", "or", "a", "an", "the", "named", "called")
        ]
        properties = {name: {"type": _type_of(name)} for name in names[:12]}
        if properties:
            return Filler(question, {}).object({"properties": properties, "required": list(properties)})
    found = (persona.fixed if persona else None) or (
        literals(re.sub(r"\bjson\b[^.:]*", "", question, flags=re.I)) or recall(prompt) or prose.known(question)
    )
    return {"answer": found or prose.small_talk(question, codes(question))}


def _type_of(name: str) -> str:
    """The JSON type that the name of a key suggests."""
    numeric = r"(?:age|count|number|total|year|population|quantity|size|length|amount|sum)"
    return "integer" if re.fullmatch(numeric, name, re.I) else "string"
