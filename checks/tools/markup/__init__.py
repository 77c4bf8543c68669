"""Reading of tool calls: left in a text, in streamed deltas, and their arguments.  Pure.

``find``            calls in a text, and the parser that would have read them
``delta_assembly``  streamed calls, joined as clients join them
``arguments``       the arguments of one call, judged against the tool's schema

The table of formats is ``FAMILIES`` in ``find``; each kind of format has a module: ``xml_like``, ``special_tokens``,
``wrapped_json``, ``agent_formats`` and ``bare_json``.  ``parser_flags`` chooses the parsers for one text.
"""

from __future__ import annotations

from checks.tools.markup.arguments import Judgement, SchemaError, judge
from checks.tools.markup.delta_assembly import ANOMALIES, Anomaly, Assembly, StreamedCall, assemble
from checks.tools.markup.find import FAMILIES, family, find_calls
from checks.tools.markup.leak import Family, Leak, LeakedCall

__all__ = [
    "ANOMALIES",
    "FAMILIES",
    "Anomaly",
    "Assembly",
    "Family",
    "Judgement",
    "Leak",
    "LeakedCall",
    "SchemaError",
    "StreamedCall",
    "assemble",
    "family",
    "find_calls",
    "judge",
]
