"""Pieces of call markup that stay in the text, with or without a call around them.

A parser that misses an end leaves `</tool_call>` behind a structured call (as vLLM's streaming
qwen3_coder parser did), and some hosts append one token (`]<]minimax[>[</tool_call>`). Such a
piece is no call, but a client shows it to the user and hands it back to the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.tools.markup.offered_tools import Tools
from checks.tools.markup.text_scan import Scan

_PIECE = re.compile(
    r"\]<\]minimax\[>\["
    r"|</?(?:[\w\-]{1,16}:)?(?:tool_calls?|function_calls?|longcat_tool_call|dots_function_call|invoke|"
    r"arg_key|arg_value|tool_sep|TOOLCALL|start_function_call|end_function_call)(?:[ =:][^<>\n]{0,128})?>"
    r"|</(?:function|parameter)>|<(?:function|parameter)=[^<>\n]{1,128}>"
    r"|</?[｜|](?:DSML|GCML)[｜|][^<>\n]{0,128}>"
    r"|<[｜|](?=[^<>\n]{0,40}(?:tool|call|channel|constrain|python_|plugin|action|recipient))[^<>\n]{1,60}[｜|]?>"
    r"|<tool_call\|>|<\|(?:message|open|close|sep)\|>"
    r"|\[TOOL_CALLS\]|\[ARGS\]|\[CALL_ID\]|\[(?:END_)?TOOL_REQUEST\]|✿(?:FUNCTION|ARGS|RESULT|RETURN)✿",
)
MAX_PIECES = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of markup: its text and offsets."""

    text: str
    start: int
    end: int


def stray_markup(text: str) -> tuple[Piece, ...]:
    """Find pieces of call markup in a text, leaving out those in code fences and inline code.

    A text about tool calling holds such pieces too, so this tells of a fault only beside a
    structured call, or in the answer to a question about something else. Never raises.
    """
    scan = Scan(text[:1_000_000], Tools({}))
    found: list[Piece] = []
    for match in _PIECE.finditer(scan.text):
        if scan.fence_at(match.start()) is None and not scan.in_inline_code(match.start()):
            found.append(Piece(match.group(), match.start(), match.end()))
            if len(found) >= MAX_PIECES:
                break
    return tuple(found)
