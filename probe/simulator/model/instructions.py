"""Instructions such as: say this, repeat that, end every answer with the other."""

from __future__ import annotations

import re

from probe.simulator.model.arithmetic import times
from probe.simulator.model.words import codes, sentences, starts_quoted

_VERB = re.compile(
    r"\b(repeat|say|reply|respond|answer|output|print|write|echo|return|type|emit|send|copy|produce|give)\b(?!\s+(?:the|a|an)?\s*(?:question|story|poem))",
    re.I,
)
_FILL = re.compile(
    r"(?:\s*,?\s*\b(?:me|back|only|just|exactly|simply|verbatim|with|the|this|that|these|those|following|single|one|exact|word|words|phrase|code|codes|"
    r"codeword|token|tokens|string|text|letters?|number|sentence|message|line|marker|markers|out|to|again|after|please|now|and|nothing|but|else|two|"
    r"three|four|literal|literally|ascii|plain|by|saying|using|word-for-word|character|characters|below|then|secret|nonce|in|full)\b)*\s*",
    re.I,
)
_NOUN = re.compile(
    r"\b(?:word|phrase|code|codeword|string|text|letters?|number|sentence|message|token|marker)\s*$", re.I
)
_VAGUE = frozenset(
    "your my his her their our its from of on at in which what where who whether if how when why as is was "
    "are you i it them he she "
    "both all each every any some an a yes no true false concisely briefly shortly short long nothing "
    "anything something "
    "without unless until about for or not by json only based according them".split()
)  # fmt: skip
_TRAILER = re.compile(
    r"(?:\s*[,.;:—–-]?\s*\(?\b(?:and|with)?\s*(?:nothing else|nothing more|no (?:other|additional|extra|"
    r"further) [\w ]+|no (?:punctuation|explanation|quotes|commentary|formatting)[\w ,]*|"
    r"(?:do not|don't|never|without) (?:add|say|write|include|use|adding|output|explain|call)[^.!\n]*|"
    r"in (?:one|a single|exactly one) word|only "
    r"that[\w ]*|that's all|exactly as (?:it is|written|shown)|verbatim|please|only|exactly)\b\)?[.!]*)+\s*$",
    re.I,
)

_NO_ORDER = re.compile(r"(?:not|n't|never|without|to be|please be|would you|will|must|should|i|you|they|it|that)\s+$")
_MOST_VERBS = 24


def _object_of(rest: str, verb: str) -> str | None:
    """The literal text that an instruction asks for; None if it only refers to something."""
    filled = _FILL.match(rest[:400])
    fill = filled.group() if filled else ""
    rest = rest[len(fill) :]
    inside = starts_quoted(rest)
    if inside is not None:
        more = [inside]
        tail = rest
        while True:
            tail = tail[len(more[-1]) + 2 :]
            join = re.match(
                r"(?:\s*(?:,|and|then|followed by|by|with|the|word|phrase|code|a space|afterwards))+\s*(?=[\"'`“])",
                tail,
            )
            following = starts_quoted(tail[join.end() :]) if join else None
            if join is None or following is None:
                break
            tail = tail[join.end() :]
            more.append(following)
        return " ".join(more)
    if rest.startswith(":"):
        return _block(rest[1:])
    sentence = re.split(r"(?<=[\w)\"'])[.!?;](?=\s|$)|\n", rest[:2000], maxsplit=1)[0]
    colon = re.match(r"[^\n:]{0,60}:\s*(?=\S)", sentence)
    if colon and verb not in ("give", "write", "produce"):
        return _block(rest[colon.end() :])
    found = codes(sentence)
    first = sentence.split(" ", 1)[0].strip(",.").lower()
    if found and (sentence.startswith(found[0]) or (_NOUN.search(fill) and first not in _VAGUE)):
        near = re.match(r"[\w-]+(?:(?:,? and |, ?| then |\s)[\w-]+)*", sentence)
        listed = codes(near.group()) if near else found
        return sentence_literal(sentence, listed or found)
    if re.search(r"\b(?:the|this|that|these|those)\s*$", fill):
        return None  # "the access code" refers to another text
    text = _TRAILER.sub("", sentence).strip(" ,.!?\"'`")
    if not text or first in _VAGUE:
        return None
    many = len(text.split())
    if _NOUN.search(fill) and not re.search(r"\b(?:the|this|these)\s+(?:\w+\s+)*$", fill + "|") and many <= 12:
        return text
    return text if many <= 3 and verb not in ("give", "write", "produce", "send", "copy", "type") else None


def sentence_literal(sentence: str, found: list[str]) -> str:
    """Several codes joined as in the sentence."""
    if len(found) == 1:
        return found[0]
    return (", " if "," in sentence else " and " if len(found) == 2 and " and " in sentence else " ").join(found)


def _block(text: str) -> str | None:
    """The text after a colon, without instructions that may follow it."""
    text = text.strip()
    inside = starts_quoted(text)
    if inside is not None:
        return inside
    fenced = re.match(r"```[\w-]*\n(.*?)\n?```", text, re.S)
    if fenced:
        return fenced.group(1)
    text = (text[:-300] + _TRAILER.sub("", text[-300:])).strip()
    if re.fullmatch(r"[\w-]+\.", text[:200]):
        text = text[:-1]
    return text or None


def literals(text: str) -> str | None:
    """The texts that the instructions ask for word for word, or None.

    In a long text only the beginning and the end are searched for instructions; the texts themselves may be long.
    """
    found_texts: list[str] = []
    place = 0
    for _ in range(_MOST_VERBS):
        match = _VERB.search(text, place, place + 4000)
        if match is None and place < len(text) - 4000:
            place = len(text) - 4000
            match = _VERB.search(text, place)
        if match is None:
            break
        before = text[max(0, match.start() - 24) : match.start()].lower()
        place = match.end()
        if _NO_ORDER.search(before):
            continue
        found = _object_of(text[match.end() :], match.group(1).lower())
        if found is not None:
            near = text[match.end() : match.end() + len(found) + 120]
            many = times(near) if len(found) < 400 else 1
            if many > 1:
                found = re.sub(r"\s*(?:\d+|\w+) times.*$|\s*twice.*$", "", found)
                joint = "\n" if re.search(r"\blines?\b", near) else ", " if "comma" in near else " "
                found = joint.join([found] * many)
            found_texts.append(found)
            place = max(place, text.find(found, match.end()) + len(found)) if found in text else place
    return "\n".join(dict.fromkeys(found_texts)) if found_texts else None


_ALWAYS = re.compile(
    r"(?:(?:you (?:must|should|will)|always|please)\s+)*(?:only (?:ever )?|always |just )*(?:reply|respond|"
    r"answer|say)\b"
    r"(?: to (?:every|any|each|all|the)\b[^.\n\"'`]*?(?= with\b| using\b))?(?P<what>[^\n]*)",
    re.I,
)
_UNCONDITIONAL = re.compile(r"\b(?:only|always|every|whatever|regardless|just|no matter|exactly|must|any|all)\b", re.I)
_END = re.compile(
    r"\b(?P<how>end|finish|close|conclude|begin|start|open|prefix|suffix|append|prepend|include|mention|add|sign)\b(?P<mid>[^.\n\"'`:]*?)"
    r"\b(?:with|by saying|the (?:word|phrase|code|token|string|marker|tag|signature)|as)\b\s*:?\s*(?P<what>[^\n]*)",
    re.I,
)
_WHEN = re.compile(
    r"\b(?:if|when|whenever)\b\s+(?:the user |someone |a user |anyone |you are |i )?(?:asks?(?:ed)?(?: you)?|"
    r"says?|sends?|writes?|mentions?|wants?)?\s*(?:for |about |to "
    r")?(?P<cue>[^,\n]{2,120}?),?\s+(?:then\s+)?(?:you (?:must|should)\s+)?"
    r"(?P<verb>reply|respond|answer|say|output|return)\b(?P<what>[^\n]*)",
    re.I,
)


def _given(text: str) -> str | None:
    found = _object_of(text, "reply")
    return found.strip() if found else None


class Persona:
    """What system and developer turns require of every answer: a fixed text, a prefix, a suffix, capitals."""

    def __init__(self, system: str, question: str) -> None:
        self.fixed: str | None = None
        self.prefix, self.suffix = "", ""
        self.upper = bool(re.search(r"\b(?:upper ?case|all caps|capital letters)\b", system, re.I))
        for sentence in sentences(system):
            when = _WHEN.search(sentence)
            if when:
                cue = re.findall(r"\w+", re.sub(r"['\"`]|\b(?:the|a|an|your|my)\b", " ", when.group("cue").lower()))
                if cue and all(word in question.lower() for word in cue):
                    self.fixed = _given(when.group("what")) or self.fixed
                continue
            if self._shape(sentence):
                continue
            always = _ALWAYS.search(sentence)
            if always and (_UNCONDITIONAL.search(sentence) or not question.strip()):
                self.fixed = _given(always.group("what")) or self.fixed

    def _shape(self, sentence: str) -> bool:
        match = _END.search(sentence)
        if match is None:
            return False
        text = _given(" " + match.group("what"))
        if text is None:
            return False
        how = match.group("how").lower()
        if how in ("begin", "start", "open", "prefix", "prepend"):
            self.prefix = text + " "
        else:
            self.suffix = " " + text
        return True

    def dress(self, text: str) -> str:
        """The answer with the additions of the persona."""
        text = self.prefix + text + self.suffix
        return text.upper() if self.upper else text
