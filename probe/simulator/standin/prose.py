"""Running text: what the stand-in says when no rule fits, and long texts on request."""

from __future__ import annotations

import random
import re
import zlib

_WORDS = (
    "the river carried light along the quiet valley while people walked between old stone houses and spoke of "
    "weather work and "
    "distant friends every morning a small boat crossed to the market where bread apples and paper were sold "
    "later the wind "
    "turned and clouds gathered over hills that children knew by name nobody hurried because evening was long "
    "and warm some "
    "stories were told twice others only once and a few were kept for winter when snow made the roads soft and slow"
).split()
_NONSENSE = (
    "the of and to in is that it for was on are as with they be at one have this from or had by word but what "
    "some we can out other were "
    "all there when up use your how said an each she which do their time if will way about many then them "
    "write would like so these her "
    "long make thing see him two has look more day could go come did number sound no most people my over know "
    "water than call first who may "
    "down side been now find"
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
    """Words without sense, as a very small model writes them; the same for the same prompt."""
    return _text(seed, _NONSENSE, many)


def long_text(question: str, most: int) -> str | None:
    """Running text of the wanted length when a story, an essay or the like is asked for, else None."""
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
    many = (
        int(wanted.group(1).replace(",", ""))
        if wanted
        else 900
        if re.search(r"\b(?:long|detailed|as possible|thorough|essay|keep)\b", question, re.I)
        else 14
        if re.search(r"\b(?:one|a|short) (?:short )?(?:sentence|haiku|joke|verse)\b", question, re.I)
        else 120
    )
    return _text(question, _WORDS, min(many, most))


def known(question: str) -> str | None:
    """A few facts every model knows, or None."""
    text = question.lower()
    capital = re.search(r"capital (?:city )?of ([a-z ]+?)(?:\?|\.|,|$|\band\b|\n)", text)
    if capital and capital.group(1).strip() in _CAPITALS:
        return (
            f"The capital of {capital.group(1).strip().title().replace('The ', 'the ')} is "
            f"{_CAPITALS[capital.group(1).strip()]}."
        )
    return next((answer for pattern, answer in _KNOWN if re.search(pattern, text)), None)


def small_talk(question: str, found: list[str]) -> str:
    """What a polite assistant says when it was given nothing to do."""
    if re.match(r"\s*(?:hi|hello|hey|good (?:morning|day|evening)|greetings)\b", question, re.I):
        return "Hello! How can I help you today?"
    if re.match(r"\s*ping\b", question, re.I):
        return "pong"
    if found:
        return f"Thank you, I have noted {', '.join(found)}."
    if question.rstrip().endswith("?"):
        return "I am not sure about that, but I am happy to help if you can tell me more."
    return "Thank you for your message. I am happy to help; please tell me a little more about what you need."
