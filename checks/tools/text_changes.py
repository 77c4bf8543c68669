"""One change that explains every text of a call: what a filter or a parser does to all of them.  Pure.

A slip of a model is in one place.  What replaces a character does so wherever it is, and what wraps a text wraps each,
so a change counts only if it makes all given texts out of all right ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from probe.api import wording

Texts = Sequence[str]

#: The longest text that is in place of one character, in characters.
MOST_INSTEAD = 12
#: Steps of the search, which keep hostile texts short of time.
MOST_STEPS = 20_000
#: A text that was cut has at least so many characters left.
LEAST_LEFT = 8
#: The places before and after a text, which are replaced where all texts are wrapped; and what separates two texts.
_START, _END, _BETWEEN = "\x02", "\x03", "\x00"


@dataclass(frozen=True)
class Change:
    """A change of all texts.

    Attributes:
        words: what came, for a sentence ("texts with ...").
        habit: models write so too (without accents, on one line), so that more is needed to tell who did it.
        lost: characters are missing, and nothing else was done.
    """

    words: str
    habit: bool
    lost: bool = False


#: Changes that are not made character by character.
_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", lambda text: text),
    ("tags dropped", lambda text: re.sub(r"<[^<>]*>", "", text)),
    ("the space between words collapsed", lambda text: re.sub(r"[ \t]+", " ", text)),
    ("all white space collapsed", lambda text: " ".join(text.split())),
    ("lines stripped", lambda text: "\n".join(line.strip() for line in text.split("\n"))),
    ("the first line alone", lambda text: text.partition("\n")[0]),
    ("all letters in lower case", str.lower),
    ("all letters in upper case", str.upper),
)


def common_change(right: Texts, given: Texts) -> Change | None:
    """The change that makes every given text of the right one; None where they agree or no one change explains all."""
    if list(right) == list(given) or sum(map(len, given)) > MOST_INSTEAD * (sum(map(len, right)) + 1):
        return None
    if (cut := _cut(right, given)) is not None:
        return cut
    for words, form in _FORMS:
        formed = [form(text) for text in right]
        if words and formed == list(right):
            continue
        changed = substitution(formed, given)
        if changed is None or not (words or _is_repeated(changed, formed)):
            continue
        habit = all(_is_habit(*pair) for pair in changed.items())
        parts = ([words] if words else []) + _described(changed)
        return Change(wording.listing(parts[:4]), habit, lost=not words and not any(changed.values()))
    return None


def _cut(right: Texts, given: Texts) -> Change | None:
    """The longer texts were cut to one length; a mark may follow."""
    pairs = list(zip(right, given, strict=True))
    kept = {len(one.rstrip(".… ")) for text, one in pairs if one != text}
    most = max(kept, default=0)
    if most < LEAST_LEFT or most - min(kept) > 3:
        return None
    for text, one in pairs:
        left = one.rstrip(".… ")
        if one != text and not (len(left) < len(text) and text.startswith(left)):
            return None
        if one == text and len(text) > most + 3:
            return None
    return Change(f"the end cut off after {wording.amount(most, 'character')}", habit=True)


def substitution(right: Texts, given: Texts) -> Mapping[str, str] | None:
    """What is in place of each changed character; None where no such rule gives all texts.

    Letters and digits without accents stand for themselves; the places before and after a text count as characters.
    """
    source = _BETWEEN.join(f"{_START}{text}{_END}" for text in right)
    target = _BETWEEN.join(given)
    open_states: list[tuple[int, int, dict[str, str]]] = [(0, 0, {})]
    steps = 0
    while open_states and steps < MOST_STEPS:
        at, there, rule = open_states.pop()
        while at < len(source):
            steps += 1
            one = source[at]
            instead = one if one == _BETWEEN or (one.isascii() and one.isalnum()) else rule.get(one)
            if instead is None or not target.startswith(instead, there):
                break
            at, there = at + 1, there + len(instead)
        if at == len(source):
            if there == len(target):
                return {one: instead for one, instead in rule.items() if instead != _itself(one)}
            continue
        one = source[at]
        if one in rule or one == _BETWEEN or (one.isascii() and one.isalnum()):
            continue
        options = [target[there : there + size] for size in range(MOST_INSTEAD, -1, -1)]
        options = [text for text in dict.fromkeys(options) if _BETWEEN not in text]
        options.sort(key=lambda text: text == _itself(one))  # taken from the end: itself first, then nothing, then more
        open_states += [(at, there, {**rule, one: text}) for text in options]
    return None


def _itself(one: str) -> str:
    return "" if one in (_START, _END) else one


def _is_repeated(changed: Mapping[str, str], texts: Texts) -> bool:
    """Whether a changed character is in the texts more than once, so that there is a rule and no slip."""
    return any(one in (_START, _END) or sum(text.count(one) for text in texts) > 1 for one in changed)


def _is_habit(one: str, instead: str) -> bool:
    """Whether a model may write so: a character left out, or another or a word in its place.

    An escape (``%26``, ``&amp;``), a wrapper, or a character taken apart is none.
    """
    if one in (_START, _END):
        return not instead.strip()
    if one == " ":
        return not instead.strip(" \t\xa0")
    return len(instead) < 2 or instead.isalpha() or one == "\n"


def _described(changed: Mapping[str, str]) -> list[str]:
    """The rule in words."""
    said = []
    before, after = changed.get(_START, ""), changed.get(_END, "")
    if before or after:
        said.append(f"each of them within {wording.shown(before)} and {wording.shown(after)}")
    names = {"\n": "line end", " ": "space"}
    for one, instead in changed.items():
        if one not in (_START, _END):
            said.append(f"each {names.get(one, one)} {_instead(one, instead)}")
    return said


def _instead(one: str, instead: str) -> str:
    if not instead:
        return "lost"
    if unicodedata.normalize("NFC", instead) == one:
        return "taken apart (Unicode NFD)"
    return "as a space" if instead == " " else f"as {wording.shown(instead)}"
