"""The pure, offline core of the tool-calling diagnosis: nothing here sends or registers anything.

find      tool calls that leaked into a text, and the parser that would have read them
families  the table of markup families
assemble  streamed tool calls, joined as clients join them, with what is odd about the fragments
arguments `function.arguments` of one call, judged against the tool's schema
stray     pieces of markup that stay beside a structured call
prose     what kind of reply a text is
"""

from __future__ import annotations

from checks.tools.markup.arguments import Judgement, SchemaError, judge
from checks.tools.markup.delta_assembly import RULES, Anomaly, Assembly, Rule, StreamedCall, assemble
from checks.tools.markup.find import FAMILIES, Piece, family, find_calls, stray_markup
from checks.tools.markup.leak import Family, Leak, LeakedCall
from checks.tools.markup.prose import Reply, is_prose, kind_of_reply

__all__ = [
    "FAMILIES",
    "RULES",
    "Anomaly",
    "Assembly",
    "Family",
    "Judgement",
    "Leak",
    "LeakedCall",
    "Piece",
    "Reply",
    "Rule",
    "SchemaError",
    "StreamedCall",
    "assemble",
    "family",
    "find_calls",
    "is_prose",
    "judge",
    "kind_of_reply",
    "stray_markup",
]
