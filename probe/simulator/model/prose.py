"""Prose: small talk, known facts, long texts on request, and answers recalled from the conversation."""

from __future__ import annotations

import random
import re
import zlib
from itertools import islice
from typing import TYPE_CHECKING

from probe.simulator.model.words import codes, content_words, quoted, sentences, starts_quoted

if TYPE_CHECKING:
    from probe.simulator.model.prompt import Prompt

_WORDS = (
    "the river carried light along the quiet valley while people walked between old stone houses and spoke of weather "
    "work and distant friends every morning a small boat crossed to the market where bread apples and paper were sold "
    "later the wind turned and clouds gathered over hills that children knew by name nobody hurried because evening "
    "was long and warm some stories were told twice others only once and a few were kept for winter when snow made "
    "the roads soft and slow"
).split()
_NONSENSE = (
    "the of and to in is that it for was on are as with they be at one have this from or had by word but what some we "
    "can out other were all there when up use your how said an each she which do their time if will way about many "
    "then them write would like so these her long make thing see him two has look more day could go come did number "
    "sound no most people my over know water than call first who may down side been now find"
).split()
_CAPITALS = {
    "france": "Paris", "germany": "Berlin", "italy": "Rome", "spain": "Madrid", "japan": "Tokyo",
    "norway": "Oslo", "sweden": "Stockholm", "peru": "Lima",
    "portugal": "Lisbon", "england": "London", "the united kingdom": "London", "uk": "London",
    "austria": "Vienna", "poland": "Warsaw", "egypt": "Cairo",
    "canada": "Ottawa", "china": "Beijing", "russia": "Moscow", "greece": "Athens", "finland": "Helsinki",
    "denmark": "Copenhagen", "ireland": "Dublin",
    "the united states": "Washington, D.C.", "the usa": "Washington, D.C.", "australia": "Canberra",
    "india": "New Delhi", "brazil": "Brasília",
}  # fmt: skip
_KNOWN = [
    (r"colou?r.*\bsky\b|\bsky\b.*colou?r", "The sky is blue."),
    (r"days.*\bweek\b", "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    (
        r"months.*\byear\b",
        "January, February, March, April, May, June, July, August, September, October, November, December",
    ),
    (r"\bopposite of hot\b", "cold"),
    (r"\bprimary colou?rs\b", "red, yellow, blue"),
    (r"\bwho are you\b|your name\b", "I am a small stand-in assistant."),
    (r"\byes or no\b", "Yes"),
    (r"\bhow are you\b", "I am well, thank you. How can I help?"),
]


def _text(seed: str, words: list[str], many: int) -> str:
    chosen = random.Random(zlib.crc32(seed.encode()))
    made: list[str] = []
    while len(made) < many:
        sentence = [chosen.choice(words) for _ in range(chosen.randint(7, 15))]
        made += [sentence[0].capitalize(), *sentence[1:-1], sentence[-1] + "."]
    return " ".join(made[:many])


def nonsense(seed: str, many: int) -> str:
    """Words without sense, as a very small model writes them; always the same for one prompt."""
    return _text(seed, _NONSENSE, many)


def long_text(question: str, most: int) -> str | None:
    """Prose of the requested length if a story, an essay or the like is asked for, else None."""
    asked = re.search(
        r"\b(?:write|tell|compose|generate|give|produce|create|continue|describe|explain|summari[sz]e|discuss)\b[^.?!\n]{0,80}\b(?:story|stories|essay|poem|paragraphs?|article|text|"
        r"report|speech|letter|blog post|summary|history|explanation|detail|at length|novel|chapter|"
        r"description|words|sentences?|haiku|limerick|joke|song|verse|lines)\b|as long as (?:possible|you "
        r"can)|\bkeep (?:writing|going)|at length",
        question,
        re.I,
    )
    if asked is None:
        return None
    wanted = re.search(r"(\d[\d,]*)[ -]words?\b", question)
    many = 120
    if wanted:
        many = int(wanted.group(1).replace(",", ""))
    elif re.search(r"\b(?:long|detailed|as possible|thorough|essay|keep)\b", question, re.I):
        many = 900
    elif re.search(r"\b(?:one|a|short) (?:short )?(?:sentence|haiku|joke|verse)\b", question, re.I):
        many = 14
    return _text(question, _WORDS, min(many, most))


def known(question: str) -> str | None:
    """The answer to one of a few questions that every model can answer, or None."""
    text = question.lower()
    capital = re.search(r"capital (?:city )?of ([a-z ]+?)(?:\?|\.|,|$|\band\b|\n)", text)
    country = capital.group(1).strip() if capital else ""
    if country in _CAPITALS:
        return f"The capital of {country.title().replace('The ', 'the ')} is {_CAPITALS[country]}."
    return next((answer for pattern, answer in _KNOWN if re.search(pattern, text)), None)


def small_talk(question: str, found: list[str]) -> str:
    """The answer of a polite assistant to a message without a task."""
    if re.match(r"\s*(?:hi|hello|hey|good (?:morning|day|evening)|greetings)\b", question, re.I):
        return "Hello! How can I help you today?"
    if re.match(r"\s*ping\b", question, re.I):
        return "pong"
    if found:
        return f"Thank you, I have noted {', '.join(found)}."
    if question.rstrip().endswith("?"):
        return "I am not sure about that, but I am happy to help if you can tell me more."
    return "Thank you for your message. I am happy to help; please tell me a little more about what you need."


# Answers from the conversation -------------------------------------------------------------------------

_IS = re.compile(
    r"\s*(?:\b(?:is|are|was|were|will be|reads|says|equals)\b(?:\s+(?:now|exactly|called|set to|as "
    r"follows))?\s*:?|:|=|->|→)\s*",
    re.I,
)
_ASKS = re.compile(
    r"\b(?:what(?:'s| is| are| was| were| does| did| do)?|which|who(?:'s| is| was)?|where(?: is)?|tell me|"
    r"repeat|give me|name|list|"
    r"recall|(?:reply|respond|answer)(?: only| just| exactly)?(?: with)?(?: only| just| exactly)?|quote|state|"
    r"report|print|output|return|say|write)\b"
    r"(?P<what>[^?!\n]{1,240})",
    re.I,
)
_THING = re.compile(
    r"\b(code|codes|codeword|codewords|word|words|token|tokens|secret|secrets|password|passwords|passphrase|nonce|nonces|marker|markers|number|"
    r"numbers|value|values|string|strings|id|ids|key|keys|phrase|phrases|identifier|identifiers|tag|tags|label|labels|reference|references|"
    r"result|results|pin|serial|sentinel|magic|canary|fact|facts|name|names)\b",
    re.I,
)
_PLURAL = re.compile(
    r"\b(both|all|every|each|codes|codewords|words|tokens|secrets|passwords|nonces|markers|numbers|values|strings|ids|keys|phrases|identifiers|"
    r"tags|labels|references|results|facts|two|three|four|five|names)\b",
    re.I,
)


def asked_for(question: str) -> str | None:
    """The part of a question that names what is asked for, or None."""
    found = [match.group("what") for match in _ASKS.finditer(question)]
    return " ".join(found) if found else None


def _value(text: str) -> str:
    """The value in a statement: the quoted text, a code, or the words up to the end of the clause."""
    text = text.strip()
    inside = starts_quoted(text)
    if inside is not None:
        return inside
    clause = re.split(
        r"(?<=[\w)])[.!?;](?=\s|$)|\n|, (?:and|but|so|which|please|remember)\b| and (?:the|my|your|its)\b",
        text,
        maxsplit=1,
    )[0].strip(" .!?;,*")
    found = codes(clause)
    if len(found) == 1 and len(clause.split()) <= 6:
        return found[0]
    return clause


def statements(text: str) -> list[tuple[set[str], str, str]]:
    """(words of the subject, value, subject) for everything of the form `the X is Y`, `X: Y` or `X = Y`."""
    made = []
    for sentence in sentences(text[:100_000]):
        if sentence.endswith("?"):
            continue
        for match in islice(_IS.finditer(sentence), 40):
            before = re.split(r"[.!?:=;,]", sentence[max(0, match.start() - 90) : match.start()])[-1]
            subject = re.split(r"\b(?:that|and|but|note|remember)\b", before)[-1]
            after = sentence[match.end() : match.end() + 400]
            if subject.strip() and after:
                made.append((content_words(subject), _value(after), subject))
    return made


def _sources(prompt: Prompt, asked: str) -> list[str]:
    """The texts to search, the most likely first; only one of them if the question says which."""
    if re.search(r"\b(system|developer) (?:message|prompt|instruction)", asked, re.I):
        return [prompt.system]
    tools = "\n".join(f"{tool.name}: {tool.description}\n{tool.parameters}" for tool in prompt.tools)
    if prompt.tools and re.search(
        r"\b(?:tool|function)s?\b.{0,40}\b(?:descri|defin|document|called|named|name)|descri.{0,40}\b(?:tool|function)",
        asked,
        re.I,
    ):
        return [tools]
    past = [turn.text for turn in prompt.before if turn.text]
    return [*reversed(past), prompt.question, tools]


def recall(prompt: Prompt) -> str | None:
    """The answer that the conversation contains, or None."""
    question = prompt.question
    wanted = asked_for(question)
    if wanted is None:
        return None
    words = content_words(wanted)
    sources = _sources(prompt, question)
    best: list[tuple[int, str]] = []
    for text in sources:
        for subject, value, phrase in statements(text):
            shared = len(words & subject)
            if shared and value and not value.lower().startswith(("what", "which")) and "?" not in phrase:
                best.append((shared, value))
    if best:
        top = max(score for score, _ in best)
        values = list(dict.fromkeys(value for score, value in best if score == top))
        # The search begins with the newest statement; a list is given in the order of the conversation.
        if _PLURAL.search(wanted):
            everything = [code for text in reversed(sources) for code in codes(text)] if _THING.search(wanted) else []
            return ", ".join(dict.fromkeys([*everything, *reversed(values)]))
        return values[0]
    pointed = re.search(
        r"\b(?:repeat|reply|respond|answer|return|echo|say|send)\b[^.?!]*\b(it|that|them|those|these)\b", question, re.I
    )
    if pointed:
        wanted += " codes" if pointed.group(1).lower() in ("them", "those", "these") else " code"
    if _THING.search(wanted) is None:
        return None
    return _codes_for(prompt, sources, wanted)


def _codes_for(prompt: Prompt, sources: list[str], wanted: str) -> str | None:
    listed = [(text, codes(text)) for text in sources]
    if _PLURAL.search(wanted):
        found = dict.fromkeys(code for text, inside in reversed(listed) for code in inside)
        extra = dict.fromkeys(part for text in reversed(sources[:-2]) for part in quoted(text)) if not found else {}
        return ", ".join([*found, *extra]) or None
    noun = _THING.search(wanted)
    for text, inside in listed:
        if not inside:
            continue
        if len(inside) == 1 or noun is None:
            return inside[0] if len(inside) == 1 else ", ".join(inside)
        place = text.lower().find(noun.group(1).lower())
        after = [code for code in inside if text.find(code) > place >= 0]
        return after[0] if after else inside[0]
    return None
