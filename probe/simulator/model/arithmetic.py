"""Counting, sums and the alphabet."""

from __future__ import annotations

import operator
import re
import string
from fractions import Fraction

_NUMBER = r"-?\d+(?:\.\d+)?"
_SIGNS = {
    "plus": "+", "added to": "+", "minus": "-", "times": "*", "multiplied by": "*", "x": "*", "×": "*",
    "÷": "/", "·": "*",
    "divided by": "/", "over": "/", "−": "-", "+": "+", "-": "-", "*": "*", "/": "/",
}  # fmt: skip
_SIGN = "|".join(sorted((re.escape(sign) for sign in _SIGNS), key=len, reverse=True))
_CHAIN = re.compile(rf"(?<![\w.-]){_NUMBER}(?:\s*(?:{_SIGN})\s*{_NUMBER})+(?![\w-])", re.I)
#: Most numbers that are counted in one answer.
_MOST = 200_000
_NUMBERS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty hundred".split(),
        [*range(21), 30, 40, 50, 60, 100],
        strict=True,
    )
)


def _in_digits(text: str) -> str:
    """The text in lower case with number words as digits."""
    return re.sub(r"[a-z]+", lambda match: str(_NUMBERS.get(match.group(), match.group())), text.lower())


def _separator(text: str, usual: str) -> str:
    if re.search(r"(?:per|a|each|own|new|separate) lines?|line by line|lines\b", text):
        return "\n"
    if "comma" in text:
        return ", "
    if re.search(r"space[sd]?\b", text):
        return " "
    return usual


def counting(question: str, most: int) -> str | None:
    """The numbers that the text asks to count, at most about `most`; None if it does not ask for that."""
    text = _in_digits(question).replace(",", "").replace("–", "-")
    span = re.search(
        rf"(?:count|numbers?|integers?|digits)\b[^.\n]*?\bfrom\s+({_NUMBER})\s+(?:up |down )?(?:to|through|"
        rf"until|till)\s+({_NUMBER})",
        text,
    ) or re.search(
        r"(?:numbers?|integers?|count|list|write(?: out)?|print)\b[^.\n\d]{0,30}?\b(\d+)\s*(?:to|through|"
        r"until|till|-|\.\.\.?)\s*(\d+)\b",
        text,
    )
    if span:
        first, last = int(float(span.group(1))), int(float(span.group(2)))
    else:
        single = re.search(r"\bcount(?:ing)?\b[^.\n]*?\b(?:to|until|till)\s+(\d+)", text)
        firsts = re.search(r"first (\d+) (?:natural|positive|whole)? ?(?:numbers|integers)", text)
        if single:
            first, last = 1, int(single.group(1))
        elif firsts:
            first, last = 1, int(firsts.group(1))
        elif re.search(
            r"\bcount(?:ing)?\b.*\b(?:forever|without stopping|as (?:high|far) as|until (?:you are|i) )", text
        ):
            first, last = 1, most
        else:
            return None
    step = 1 if last >= first else -1
    stop = first + step * min(abs(last - first), most, _MOST)
    return _separator(text, ", ").join(str(number) for number in range(first, stop + step, step))


def alphabet(question: str) -> str | None:
    """The alphabet as often as the text asks for it, or None."""
    text = question.lower()
    if "alphabet" not in text or not re.search(r"\b(list|write|recite|repeat|say|print|output|give|spell)\b", text):
        return None
    letters = string.ascii_uppercase if re.search(r"upper ?case|capital", text) else string.ascii_lowercase
    line = _separator(re.sub(r"times.*", "", text), " ").join(letters)
    return "\n".join([line] * times(text))


def times(text: str) -> int:
    """How often something is to be done: `5 times`, `twice`; 1 without such words."""
    found = re.search(
        r"\b(\d+|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred) times\b", text.lower()
    )
    if found is None:
        return 2 if re.search(r"\btwice\b", text.lower()) else 1
    word = found.group(1)
    return min(_NUMBERS[word] if word in _NUMBERS else int(word), 5000)


_OPERATIONS = {"*": operator.mul, "/": operator.truediv, "+": operator.add, "-": operator.sub}


def _plain(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.6g}"


def evaluate(expression: str) -> Fraction | None:
    """The value of an expression such as `3 + 4 * 2`, or None."""
    parts = re.findall(rf"({_SIGN})|({_NUMBER})", " " + expression.lower())
    values: list[Fraction] = []
    signs: list[str] = []
    wants_number = True
    for sign, number in parts:
        if number and not wants_number and number.startswith("-"):
            signs.append("-")
            values.append(Fraction(number[1:]))
        elif number and wants_number:
            values.append(Fraction(number))
            wants_number = False
        elif sign and not wants_number:
            signs.append(_SIGNS[sign])
            wants_number = True
        elif sign in ("-", "−"):
            return None
    if len(values) != len(signs) + 1:
        return None
    for group in ("*/", "+-"):
        place = 0
        while place < len(signs):
            if signs[place] not in group:
                place += 1
                continue
            sign, other = signs.pop(place), values.pop(place + 1)
            if sign == "/" and other == 0:
                return None
            values[place] = _OPERATIONS[sign](values[place], other)
    return values[0]


def sums(question: str) -> str | None:
    """The result of the calculation that the text asks for, or None."""
    text = _in_digits(question).replace(",", " ").replace("?", " ").replace("=", " ")
    chain = _CHAIN.search(text)
    if chain and re.search(
        r"what|how much|calculate|compute|evaluate|solve|work out|result|sum|answer|\?", question.lower() + "?"
    ):
        value = evaluate(chain.group())
        if value is not None and not re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", chain.group()):
            return _plain(value)
    named = re.search(
        rf"\b(sum|total|product|difference|add|multiply|subtract)\b[^\d-]*((?:{_NUMBER}[^\d]+)*{_NUMBER})", text
    )
    if named is None:
        return None
    values = [Fraction(number) for number in re.findall(_NUMBER, named.group(2))]
    if len(values) < 2:
        return None
    word, result = named.group(1), values[0]
    for value in values[1:]:
        if word in ("product", "multiply"):
            result *= value
        elif word == "difference":
            result = abs(result - value)
        elif word == "subtract":
            result = value - result
        else:
            result += value
    return _plain(result)
