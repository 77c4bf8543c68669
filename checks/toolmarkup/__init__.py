"""The pure, offline core of the tool-calling diagnosis: nothing here sends or registers anything.

find      tool calls that leaked into a text, and the parser that would have read them
families  the table of markup families
assemble  streamed tool calls, joined as clients join them, with what is odd about the fragments
arguments `function.arguments` of one call, judged against the tool's schema
stray     pieces of markup that stay beside a structured call
prose     what kind of reply a text is
"""

from __future__ import annotations

from .anomalies import RULES, Anomaly, Rule
from .arguments import Judgement, SchemaError, judge
from .assemble import Assembly, StreamedCall, assemble
from .families import FAMILIES, family
from .find import find_calls
from .model import Family, Leak, LeakedCall
from .prose import Reply, is_prose, kind_of_reply
from .stray import Piece, stray_markup

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
