"""Values in the arguments of calls that are changed on the way: types, escapes, texts, and arguments that are lost."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote_plus

from probe.simulator.call import Call, Reply
from probe.simulator.fault import Fault, with_arguments


def in_text(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    """The reply with `change(arguments)` in calls that the model writes as text: what it does itself is there too."""

    def changed(match: re.Match[str]) -> str:
        made = json.loads(match[0])
        return json.dumps({**made, "arguments": change(made["arguments"])}, ensure_ascii=False)

    return replace(reply, text=re.sub(r"(?<=<tool_call>\n).*(?=\n</tool_call>)", changed, reply.text))


class _Values(Fault):
    """Values in the arguments of calls are changed."""

    yields: ClassVar[tuple[str, ...]] = ("tools.values-altered",)
    own_choice: ClassVar[bool] = False
    """Whether only calls of the model's own choice are affected."""

    def changed(self, value: Any) -> Any:
        """What becomes of a value that is neither an object nor an array."""
        raise NotImplementedError

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if self.own_choice and call.body.get("tool_choice", "auto") != "auto":
            return reply
        return with_arguments(reply, lambda given: json.dumps(self.each(given), ensure_ascii=False))

    def each(self, value: Any) -> Any:
        """The value with every value inside it changed."""
        if isinstance(value, dict):
            return {name: self.each(one) for name, one in value.items()}
        return [self.each(one) for one in value] if isinstance(value, list) else self.changed(value)


class NumbersAsStrings(_Values):
    """A parser of a format without types ignores the schema (the tool-call parsers of XML-like formats)."""

    name = "agent-numbers-as-strings"
    summary = "numbers in calls of the model's own choice come as strings"
    own_choice = True

    def changed(self, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


NumbersAsStringsStreamed = NumbersAsStrings.variant(
    "agent-numbers-as-strings-streamed",
    "numbers in streamed calls of the model's own choice come as strings",
    stream=True,
)
# A weak model writes numbers as strings, forced or not; the parser passes them on (harmless).
ModelWritesStrings = NumbersAsStrings.variant(
    "model-numbers-as-strings",
    "the model itself writes numbers in calls as strings, forced or not (harmless)",
    yields=(),
    own_choice=False,
)


class ModelWritesStringsFree(NumbersAsStrings):
    """The same, and forced calls are written under a grammar: only the model's own text shows it (harmless)."""

    name = "model-numbers-as-strings-unforced"
    summary = "the model itself writes numbers in calls as strings unless a grammar forces it (harmless)"
    yields = ()

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return super().on_reply(call, in_text(reply, self.each))


class BooleansAsStrings(_Values):
    """The same with booleans, in Python's or in JSON's notation."""

    name = "agent-booleans-as-strings"
    summary = "booleans in calls of the model's own choice come as strings (=python or json: how they are written)"
    value = "python"
    choices = ("python", "json")
    own_choice = True

    def changed(self, value: Any) -> Any:
        if not isinstance(value, bool):
            return value
        return str(value) if self.given == "python" else json.dumps(value)


BooleansAsJsonStrings = BooleansAsStrings.variant(
    "agent-booleans-as-json-strings",
    'booleans in calls of the model\'s own choice come as "true" and "false"',
    value="json",
)


class ObjectsAsStrings(_Values):
    """Nested objects and arrays are forwarded as the text that the model wrote."""

    name = "agent-objects-as-strings"
    summary = "objects and arrays in calls of the model's own choice come as strings"
    own_choice = True

    def each(self, value: Any) -> Any:
        nested = (dict, list)
        return {
            key: json.dumps(one, ensure_ascii=False) if isinstance(one, nested) else one for key, one in value.items()
        }


def _texts(summary: str) -> Callable[[Callable[[str], str]], type[_Values]]:
    """Makes a fault of the function that changes every text; it has the function's name."""

    def made(change: Callable[[str], str]) -> type[_Values]:
        def changed(fault: Fault, value: Any) -> Any:
            return change(value) if isinstance(value, str) else value

        return _Values.variant(change.__name__.replace("_", "-"), summary, changed=changed)

    return made


@_texts("&, < and > in arguments come back as HTML entities")
def agent_html_entities(text: str) -> str:
    """Arguments pass through an XML or HTML writer (langchain-ai/deepagents issue 2954)."""
    return html.escape(text, quote=False)


@_texts("&, <, > and quotation marks in arguments come back as HTML entities")
def agent_html_entities_quotes(text: str) -> str:
    """The same with quotation marks, by number."""
    return html.escape(text).replace("&quot;", "&#34;")


HtmlEntitiesStreamed = agent_html_entities.variant(
    "agent-html-entities-streamed",
    "&, < and > in the arguments of streamed calls come back as HTML entities",
    stream=True,
)
HtmlEntitiesWhole = agent_html_entities.variant(
    "agent-html-entities-whole",
    "&, < and > in the arguments of calls that are not streamed come back as HTML entities",
    deep=True,
    stream=False,
)


@_texts("quotation marks and characters outside ASCII in arguments come back with a backslash")
def agent_doubled_escapes(text: str) -> str:
    """A gateway escapes strings a second time."""
    return json.dumps(text)[1:-1]


@_texts("quotation marks in arguments come back with a backslash")
def agent_doubled_quotes(text: str) -> str:
    """The same with quotation marks alone."""
    return text.replace('"', '\\"')


# Texts, whole and streamed alike ----------------------------------------------------------------------


def _without_accents(text: str) -> str:
    return unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()


#: What filters, parsers and gateways make of a text.
TEXTS: dict[str, Callable[[str], str]] = {
    "percent": lambda text: text.replace("&", "%26"),
    "form": quote_plus,
    "nfd": lambda text: unicodedata.normalize("NFD", text),
    "quoted": lambda text: f'"{text}"',
    "cdata": lambda text: f"<![CDATA[{text}]]>",
    "tags": lambda text: re.sub(r"<[^<>]*>", "", text),
    "cut": lambda text: text[:120],
    "one-line": lambda text: " ".join(text.split()),
    "line-ends": lambda text: text.replace("\n", ""),
    "accents": _without_accents,
}
#: Those that models do too.
HABITS = ("tags", "cut", "one-line", "line-ends", "accents")


class TextsAltered(_Values):
    """A filter between the parser and the client: an escape, a normal form, a sanitiser, a column of limited width."""

    name = "agent-texts-altered"
    summary = "texts in arguments are changed everywhere alike (=percent, form, tags, cut …: how)"
    value = "percent"
    choices = tuple(TEXTS)

    def changed(self, value: Any) -> Any:
        return TEXTS[self.given](value) if isinstance(value, str) else value


TextsWithoutTags = TextsAltered.variant(
    "agent-texts-without-tags", "whatever is between < and > in arguments is lost, everywhere alike", value="tags"
)
TextsAlteredStreamed = TextsAltered.variant(
    "agent-texts-altered-streamed",
    "white space in the arguments of streamed calls is collapsed",
    value="one-line",
    stream=True,
)


class NumbersRounded(_Values):
    """A gateway reads integers as floating point numbers (RFC 8259, section 6), or a parser rounds."""

    name = "agent-numbers-rounded"
    summary = "numbers in arguments lose digits (=double, or whole: rounded to integers)"
    value = "double"
    choices = ("double", "whole")

    def changed(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return round(value) if self.given == "whole" else int(float(value)) if isinstance(value, int) else value


class ArgumentsLost(_Values):
    """A parser loses arguments of some types, or all of them."""

    name = "agent-arguments-lost"
    summary = "required arguments are lost (=booleans, objects, first, or all)"
    yields: ClassVar[tuple[str, ...]] = ("tools.arguments-off-schema",)
    value = "booleans"
    choices = ("booleans", "objects", "first", "all")

    def each(self, value: Any) -> Any:
        types = {"booleans": bool, "objects": dict}
        if self.given in types:
            return {name: one for name, one in value.items() if not isinstance(one, types[self.given])}
        return dict(list(value.items())[1:]) if self.given == "first" else {}


class ModelAltersTexts(TextsAltered):
    """A weak model writes so itself, in calls that are text too; what is not a habit also in other JSON (harmless)."""

    name = "model-texts-altered"
    summary = "the model itself changes texts in calls (=how, as agent-texts-altered; harmless)"
    yields = ()
    value = "accents"

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        reply = in_text(super().on_reply(call, reply), self.each)
        if self.given in HABITS or not reply.text.startswith("{"):
            return reply
        return replace(reply, text=json.dumps(self.each(json.loads(reply.text)), ensure_ascii=False))


class ModelLosesArguments(ArgumentsLost):
    """A weak model leaves arguments out, in every call, in text too."""

    name = "model-arguments-lost"
    summary = (
        "the model itself leaves required arguments out of every call (=booleans, objects, first, or all; harmless)"
    )
    yields = ()

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        return in_text(super().on_reply(call, reply), self.each)
