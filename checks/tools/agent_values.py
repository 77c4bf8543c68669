"""Tools as agents offer them, the one question about them, and what was done to the calls on the way.  Pure.

The question names every value, so a value that comes back in another form was changed: by the parser of the server or,
now and then, by the model.  Only what one change makes of the right values is a sign; others are the model's own.
"""

from __future__ import annotations

import ast
import copy
import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from checks.tools.reading import Call, Reading
from checks.tools.requests import Tool, function
from checks.tools.structured_calls import is_altered
from checks.tools.text_changes import common_change
from probe.api import wording

#: The longest name that the API allows (OpenAI API reference: a-z, A-Z, 0-9, underscores and dashes, at most 64).
LONG_NAME = "save_note_to_project_notebook_shared_with_all_members_of_the_tea"
#: A name with hyphens, of a tool without parameters.
BARE_NAME = "list-open-tabs"
#: The names for a server that refuses the others.
PLAIN_NAMES = {LONG_NAME: "save_note", BARE_NAME: "list_open_tabs"}
#: Characters that are escaped in HTML, XML, URLs and JSON, one that is not ASCII, line ends, and more than one space.
TEXT = 'a && b <c>  "d" é\n  e + 50%\nf'
#: A longer text, to be compared character by character.
BODY = (
    'Monday: Zoë and Émile check the pump (valve 7B), 3 > 2 & 5 < 9. Tuesday: order 40 m of "soft" copper pipe, 15 mm; '
    "ask for a 10 % discount. Wednesday: meet at the café on Ångström Street, bring the keys, the plan and 2 ladders. "
    "Thursday: paint the north wall; it's the one with the cracks. Friday: <b>rest</b>."
)
#: More digits than a double holds (IEEE 754: 53 bits), so that a JSON parser without integers shows.
SERIAL = 9047213865310729
VALUES: dict[str, Any] = {
    "title": "Plan",
    "text": TEXT,
    "body": BODY,
    "priority": 3,
    "budget": 1287.3641,
    "serial": SERIAL,
    "pinned": True,
    "color": "blue",
    "place": {"city": "Paris"},
    "tags": ["alpha", "beta"],
}
#: A shorter name that an offered one was cut to has at least so many characters.
LEAST_CUT = 16
#: Longer arguments are not looked into.
MOST_CHARS = 20_000
KEYWORDS = ("$ref", "anyOf", "additionalProperties", "$schema", "strict")
_WORDS = {
    "$ref": ("$ref", "$defs", "definitions", "reference"),
    "anyOf": ("anyof",),
    "additionalProperties": ("additionalproperties", "additional_properties"),
    "$schema": ("$schema",),
    "strict": ("strict",),
}


@dataclass(frozen=True)
class Sign:
    """Something that was done to a call.

    Attributes:
        code: of the finding that it leads to.
        kind: signs of one kind in two answers confirm each other.
        detail: the rest of a sentence that begins with the call.
        sure: a model that copies the text badly would not do it.
        names: the arguments that are compared with what the model writes as text, where that can tell who did it.
        habit: models do so too; then the model has to write the same call right, not only the same values.
        lost: characters of a text are missing, and nothing else was done to it.
    """

    code: str
    kind: str
    detail: str
    pointer: str
    expected: Any
    actual: Any
    sure: bool = True
    names: tuple[str, ...] = ()
    habit: bool = False
    lost: bool = False


# The request ---------------------------------------------------------------------------------------


def agent_tools(
    keywords: Iterable[str] = KEYWORDS, *, odd_names: bool = True, long_name: bool = True, bare: bool = True
) -> list[Tool]:
    """The tools.

    Args:
        keywords: the schema keywords to use, of ``KEYWORDS``.
        odd_names: names with hyphens; and with ``long_name`` one of 64 characters.
        bare: the tool without parameters too.
    """
    used = set(keywords)
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    due: dict[str, Any] = {"type": "string"}
    properties = {
        "title": {"type": "string"},
        "text": {"type": "string"},
        "body": {"type": "string"},
        "priority": {"type": "integer"},
        "budget": {"type": "number"},
        "serial": {"type": "integer"},
        "pinned": {"type": "boolean"},
        "color": {"type": "string", "enum": ["red", "green", "blue"]},
        "place": {"$ref": "#/$defs/place"} if "$ref" in used else place,
        "tags": {"type": "array", "items": {"type": "string"}},
        "due": {"anyOf": [due, {"type": "null"}]} if "anyOf" in used else due,
    }
    save = function(LONG_NAME, "Save a note.", properties, list(VALUES))
    parameters = save["function"]["parameters"]
    if "$schema" in used:
        parameters["$schema"] = "http://json-schema.org/draft-07/schema#"
    if "$ref" in used:
        parameters["$defs"] = {"place": place}
    if "additionalProperties" in used:
        parameters["additionalProperties"] = False
    if "strict" in used:
        save["function"]["strict"] = False  # as agents send it by default (earendil-works/pi issue 1172)
    tabs: Tool = {
        "type": "function",
        "function": {
            "name": BARE_NAME,
            "description": "List the open browser tabs.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
    save["function"]["name"] = LONG_NAME if odd_names and long_name else PLAIN_NAMES[LONG_NAME]
    tabs["function"]["name"] = BARE_NAME if odd_names else PLAIN_NAMES[BARE_NAME]
    return copy.deepcopy([save, tabs] if bare else [save])


def agent_question(tools: Iterable[Tool]) -> str:
    """The question that leaves no choice about the calls and their values."""
    names = [tool["function"]["name"] for tool in tools]
    if names == [PLAIN_NAMES[BARE_NAME]]:
        return f"Call {names[0]}."
    order = (
        f"Call {names[0]} with title `Plan`, text `{TEXT}`, body `{BODY}`, priority 3, budget 1287.3641, "
        f"serial {SERIAL}, pinned true, color blue, place with city `Paris`, tags `alpha` and `beta`."
    )
    return f"Call two tools in one answer. Call {names[1]}. {order}" if len(names) > 1 else order


def likely_first(said: str) -> list[str]:
    """The schema keywords, those that an error text names first."""
    low = said.lower()
    return sorted(KEYWORDS, key=lambda keyword: not any(word in low for word in _WORDS[keyword]))


# The answer ----------------------------------------------------------------------------------------


def signs(reading: Reading) -> list[Sign]:
    """What was done to the calls of an answer, the first of each kind."""
    found: dict[str, Sign] = {}
    for call in reading.calls:
        meant = meant_tool(call.name)
        if meant is None:
            continue
        for sign in (*_name_signs(call, meant), *(_bare_signs(call) if meant == BARE_NAME else _value_signs(call))):
            found.setdefault(sign.kind, sign)
    return list(found.values())


def meant_tool(name: Any) -> str | None:
    """The offered tool that a name is, or was before it was changed; None for a name of the model's own."""
    if not isinstance(name, str):
        return None
    for offered in (LONG_NAME, BARE_NAME):
        if name == offered or is_altered(name[:300], offered) or is_cut(name, offered):
            return offered
    return None


def is_cut(name: str, offered: str) -> bool:
    """Whether a name is the beginning of a long one."""
    return LEAST_CUT <= len(name) < len(offered) and offered.startswith(name)


def _name_signs(call: Call, meant: str) -> list[Sign]:
    if call.name == meant:
        return []
    how = f"cut to {len(call.name)} characters" if is_cut(call.name, meant) else "changed"
    detail = f"names the tool {wording.shown(call.name)}: the offered name {meant} was {how}"
    kind = f"name {'cut' if is_cut(call.name, meant) else meant}"
    return [Sign("tools.name-altered", kind, detail, call.pointer, meant, wording.shown(call.name))]


def _bare_signs(call: Call) -> list[Sign]:
    """The arguments of the tool without parameters, which must be the text of an object."""
    given = call.arguments
    if isinstance(given, dict) or (isinstance(given, str) and len(given) > MOST_CHARS):
        return []
    if isinstance(given, str) and given.strip():
        value, parsed = _parsed(given)
        if parsed and (isinstance(value, dict) or _is_object_text(value)):
            return []  # an object within a string is another fault
    shown = wording.shown(given)
    detail = f"of {BARE_NAME}, a tool without parameters, has the arguments {shown}, which are not a JSON object"
    return [Sign("tools.no-arguments", "no arguments", detail, call.pointer, "{}", shown)]


def _value_signs(call: Call) -> list[Sign]:
    """The values of the other tool, where they are the right ones in another form."""
    if not isinstance(call.arguments, str) or len(call.arguments) > MOST_CHARS:
        return []
    value, parsed = _parsed(call.arguments)
    if not parsed:
        return []
    if _is_object_text(value):
        shown = wording.shown(call.arguments)
        detail = "has arguments that are JSON within a JSON string: encoded twice"
        return [Sign("tools.values-altered", "encoded twice", detail, call.pointer, "a JSON object", shown)]
    if not isinstance(value, dict):
        return []
    made = [
        _as_strings(call, value, f"numbers {AS_STRINGS}", ("priority", "budget")),
        _as_strings(call, value, f"large integers {AS_STRINGS}", ("serial",)),
        _as_strings(call, value, f"booleans {AS_STRINGS}", ("pinned",)),
        _as_strings(call, value, f"arrays {AS_STRINGS}", ("tags",)),
        _as_strings(call, value, f"objects {AS_STRINGS}", ("place",)),
        _number_sign(call, value),
        _missing_sign(call, value),
        _text_sign(call, value.get("text"))
        or _change_sign(call, value)
        or long_text_sign(call, value.get("body"), BODY),
    ]
    return [sign for sign in made if sign is not None]


def _as_strings(call: Call, given: dict[str, Any], kind: str, names: tuple[str, ...]) -> Sign | None:
    """The sign that all values of a type came as strings.

    A parser without the types of the schema does it to each; a slip of the model is in one of them.
    """
    if not all(is_as_string(given.get(name), VALUES[name]) for name in names):
        return None
    shown = {name: given[name] for name in names}
    detail = f"has {kind}: {wording.shown(shown)}"
    expected = {name: VALUES[name] for name in names}
    return Sign("tools.values-altered", kind, detail, call.pointer, expected, shown)


def is_as_string(given: Any, right: Any) -> bool:
    """Whether a value is the right one, written as a string (of JSON, or as Python writes it)."""
    if not isinstance(given, str) or len(given) > 400:
        return False
    value, parsed = _parsed(given)
    if not parsed:
        try:
            value = ast.literal_eval(given.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return False
    return type(value) is type(right) and bool(value == right)


def _number_sign(call: Call, given: dict[str, Any]) -> Sign | None:
    """The sign that numbers came with fewer digits."""
    shown = {
        name: given[name] for name in ("priority", "budget", "serial") if _is_rounded(given.get(name), VALUES[name])
    }
    if not shown:
        return None
    expected = {name: VALUES[name] for name in shown}
    detail = f"has numbers in another precision: {wording.shown(shown)} in place of {wording.shown(expected)}"
    kind = f"numbers in another precision ({wording.listing(list(shown))})"
    return Sign(
        *("tools.values-altered", kind, detail, call.pointer, expected, shown),
        sure=False,
        names=tuple(shown),
        habit=True,
    )


def _is_rounded(given: Any, right: float) -> bool:
    """Whether a number is the right one with fewer digits, or an integer as a floating point number."""
    if isinstance(given, bool) or not isinstance(given, int | float) or json.dumps(given) == json.dumps(right):
        return False
    if isinstance(right, int):
        return abs(given - right) < 1e-9 * right
    return abs(given - right) < 1e-6 * right or any(
        given in (round(right, size), float(f"{right:.{size + 1}g}"), int(right)) for size in range(7)
    )


def other_values(reading: Reading) -> list[str]:
    """The arguments of an answer's calls that are not as asked for."""
    made = [arguments_of(call) for call in reading.calls if meant_tool(call.name) == LONG_NAME]
    return [name for name in VALUES if any(not are_right(one, (name,)) for one in made)]


def _missing_sign(call: Call, given: dict[str, Any]) -> Sign | None:
    """The sign that some of the required arguments are missing or null, and all others are right."""
    names = tuple(name for name in VALUES if given.get(name) is None)
    if (
        not names
        or 2 * len(names) > len(VALUES)
        or any(given[name] != VALUES[name] for name in VALUES if name not in names)
    ):
        return None
    detail = f"lacks the required {wording.listing(names)}"
    return Sign(
        *("tools.arguments-off-schema", detail, detail, call.pointer, {name: VALUES[name] for name in names}),
        *(wording.shown(given), False, names, True),
    )


def _change_sign(call: Call, given: dict[str, Any]) -> Sign | None:
    """The sign that one change explains all texts, or those on the first level, or the two that have much to change."""
    pairs = list(_text_pairs(VALUES, given))
    first = [
        (name, right, given[name])
        for name, right in VALUES.items()
        if isinstance(right, str) and isinstance(given.get(name), str)
    ]
    for some in (pairs, first, [pair for pair in first if pair[0] in ("text", "body")]):
        if len(some) < 2:
            continue
        names, right, came = zip(*some, strict=True)
        bare = [[text.strip() for text in texts] for texts in (right, came)]
        change = common_change(right, came) or common_change(*bare)
        if change is None:
            continue
        # The shortest changed text shows it best, unless it is but a word.
        at = min(
            (n for n in range(len(some)) if right[n] != came[n]), key=lambda n: (names[n] != "text", len(right[n]))
        )
        detail = f"has texts with {change.words}: {wording.shown(came[at])}"
        changed = tuple(dict.fromkeys(name for name, one, other in some if one != other))
        return Sign(
            *("tools.values-altered", change.words, detail, call.pointer, right[at], wording.shown(came[at])),
            *(False, changed, change.habit, change.lost),
        )
    return None


def _text_pairs(right: Any, given: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """Each right text with the given one in its place, and the argument that holds it."""
    if isinstance(right, str) and isinstance(given, str):
        yield name, right, given
    elif isinstance(right, dict) and isinstance(given, dict):
        for key, one in right.items():
            yield from _text_pairs(one, given.get(key), name or key)
    elif isinstance(right, list) and isinstance(given, list):
        for one, other in zip(right, given, strict=False):
            yield from _text_pairs(one, other, name)


def are_right(given: Any, names: Iterable[str]) -> bool:
    """Whether these arguments have the right values, but for the space around a text."""
    if not isinstance(given, dict):
        return False
    return all(_bare(given.get(name)) == _bare(VALUES[name]) for name in names)


def _bare(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _text_sign(call: Call, given: Any) -> Sign | None:
    how = text_change(given)
    if not how:
        return None
    shown = wording.shown(given)
    return Sign("tools.values-altered", how, f"has a text with {how}: {shown}", call.pointer, TEXT, shown)


def text_change(given: Any) -> str:
    """How the text was changed; empty where it is right, or a text of the model's own."""
    if not isinstance(given, str) or len(given) > 400 or given.strip() == TEXT:
        return ""
    if "\ufffd" in given:
        return REPLACED if damage(given, TEXT) == REPLACED else ""
    unescaped = html.unescape(html.unescape(given)).strip()
    if unescaped == TEXT:
        return "HTML entities"
    value, parsed = _parsed(f'"{given}"')
    if parsed and isinstance(value, str) and value.strip() == TEXT:
        return "doubled escapes"
    if given.count("\\") and given.replace('\\"', '"').replace("\\u00e9", "é").replace("\\\\", "").strip() == TEXT:
        return "doubled escapes"
    for wrong in ("latin-1", "cp1252"):
        try:
            if given.encode(wrong).decode("utf-8").strip() == TEXT:
                return "UTF-8 read in another encoding"
        except UnicodeError:
            continue
    return ""


#: The kind of signs about a long text, and what the kinds about values in strings end with.
LONG_TEXT = "long text"
AS_STRINGS = "as strings"


def long_text_sign(call: Call, given: Any, right: str) -> Sign | None:
    """The sign that pieces of a long text are lost, repeated, or were replaced by a replacement character."""
    how = damage(given, right) if isinstance(given, str) else ""
    if not how:
        return None
    at = next((n for n, pair in enumerate(zip(given, right, strict=False)) if pair[0] != pair[1]), len(given))
    before, after = (wording.shown(text[max(0, at - 20) : at + 40]) for text in (right, given))
    sure = how == REPLACED or (0 < at < len(right) and right[at - 1 : at + 1].isalnum())
    detail = f"has a text of {len(right)} characters with {how}, first at character {at}"
    return Sign(
        "tools.values-altered", how if how == REPLACED else LONG_TEXT, detail, call.pointer, before, after, sure
    )


#: A replacement character, or a cut inside a word, is not a model's own.
REPLACED = "replacement characters"


def damage(given: str, right: str) -> str:
    """What happened to a text on the way; empty where it is right, or a text of the model's own."""
    given, right = given.strip(), right.strip()
    if given == right or 2 * abs(len(given) - len(right)) > len(right):
        return ""
    if "\ufffd" in given and len(given) - given.count("\ufffd") <= len(right):
        rest = given.replace("\ufffd", "")
        return REPLACED if _holds(right, rest) else ""
    if len(given) < len(right):
        return "lost characters" if _holds(right, given) else ""
    return "repeated pieces" if _holds(given, right) else ""


def _holds(text: str, part: str) -> bool:
    """Whether the characters of a part are in a text, in their order."""
    left = iter(text)
    return all(one in left for one in part)


def argument_of(call: Call, name: str) -> Any:
    """One argument of a call; None where the arguments cannot be read."""
    value = arguments_of(call)
    return value.get(name) if isinstance(value, dict) else None


def arguments_of(call: Call) -> Any:
    """The value of a call's arguments; None where they cannot be read."""
    return _parsed(call.arguments)[0] if isinstance(call.arguments, str) else None


def _parsed(text: str) -> tuple[Any, bool]:
    """The JSON value of a text, and whether it has one."""
    try:
        return json.loads(text), True
    except (ValueError, RecursionError):
        return None, False


def _is_object_text(value: Any) -> bool:
    """Whether a string holds a JSON object."""
    if not isinstance(value, str):
        return False
    inner, parsed = _parsed(value)
    return parsed and isinstance(inner, dict)
