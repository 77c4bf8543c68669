"""The hand-written readers of text take time in proportion to it too, and so do the pages' and terminals' writers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from checks.output import _in_fence
from checks.params.reading import word_within
from checks.stream.characters import encoded_twice
from checks.tools.markup.find import find_calls
from checks.vision.reading import colours_named
from probe.parsing import sse, strict_json, urls
from probe.parsing.chat_completion import without_thinking
from probe.parsing.error_bodies import error_in
from probe.redaction.key_patterns import without_keys
from probe.redaction.redactor import Redactor
from probe.wording import cut, quote, shown
from reports import markdown
from reports.clients.documents import json_document
from reports.clients.documents.edits import BadFile
from reports.curl import quoted
from reports.junit import legal
from reports.text import fit, printable, visible
from tests.hostile.corpus.computation import PIECES
from tests.hostile.patterns import seconds

_TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}]
_REDACTOR = Redactor([("API_KEY", "sk-" + "a" * 60), ("B", "%25&amp;\\\\n")])


def _refused(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def call(text: str) -> Any:
        try:
            return read(text)
        except (BadFile, ValueError) as error:
            return error

    return call


READERS: dict[str, Callable[[str], Any]] = {
    "a fence": _in_fence,
    "a word": word_within,
    "leaked calls": lambda text: find_calls(text, _TOOLS),
    "colours": colours_named,
    "encoded twice": encoded_twice,
    "thinking": without_thinking,
    "events": lambda text: sse.parse(text.encode("utf-8", "replace")),
    "strict JSON": lambda text: strict_json.parse(text.encode("utf-8", "replace")),
    "JSON string": lambda text: strict_json.parse(f'{{"a": "{text}'),
    "error text": lambda text: error_in({"error": {"message": text}}),
    "URL": _refused(urls.parse),
    "keys": without_keys,
    "redaction": _REDACTOR.text,
    "redaction of bytes": lambda text: _REDACTOR.content(text.encode("utf-8", "replace")),
    "settings file": _refused(json_document.parse),
    "settings in braces": _refused(lambda text: json_document.parse("{" + text)),
    "cell": markdown.cell,
    "code span": markdown.code,
    "inline": markdown.inline,
    "block": markdown.block,
    "printable": printable,
    "visible": visible,
    "fit": lambda text: fit(text, 2_000),
    "JUnit": legal,
    "shell": quoted,
    "cut": lambda text: cut(text, 300),
    "quote": lambda text: quote(text, 120),
    "shown": lambda text: shown({"a": text}, 200),
}
SIZE = 8_192
#: From one size to one 4 times as large the time may grow so much: 4 is linear, 16 quadratic.
_GROWTH = 8.0
#: Seconds for the larger text: less is no sign of anything, more is too much however it grows.
_QUICK_S, _MOST_S = 0.15, 2.0


def slow(read: Callable[[str], Any], piece: str) -> str | None:
    """How the time for a text of this piece grows, if faster than the text."""
    small, large = piece * (SIZE // len(piece)), piece * (4 * SIZE // len(piece))
    if seconds(read, small) > _MOST_S:
        return f"{piece!r}: more than {_MOST_S} s for {SIZE} characters"
    if seconds(read, large) < _QUICK_S:
        return None
    took, grown = seconds(read, small, 3), seconds(read, large, 3)
    return f"{piece!r}: {took:.3f} s, then {grown:.3f} s" if grown > max(_GROWTH * took, _QUICK_S) else None


@pytest.mark.parametrize("name", READERS)
def test_no_text_keeps_a_reader_busy(name: str) -> None:
    assert [found for piece in PIECES if (found := slow(READERS[name], piece))] == []


def test_an_answer_of_a_fence_and_blanks_is_read_at_once() -> None:
    for text in ("```" + " " * 60_000, "```json" + "\n" * 60_000 + "``", "```-" * 20_000):
        assert seconds(_in_fence, text) < 0.1
    assert json.loads(_in_fence('Here:\n```json\n{"a": 1}\n```\nDone.')) == {"a": 1}


def test_a_comment_that_never_ends_is_no_gap() -> None:
    assert json_document.parse("/* a */ // b\n /**/") is None
    assert json_document.parse('/* a */ {"a": /* " */ 1, // c\n}') == {"a": 1}
    with pytest.raises(BadFile):
        json_document.parse(" " * 40 + "/* ")
