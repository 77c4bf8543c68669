"""The table of marker families: how each writes a call, and the server setting that parses it.

Parser values are those of vLLM 0.32 (vllm/tool_parsers/__init__.py) and SGLang 0.5.23
(sglang/srt/function_call/parser_names.py), both for `--tool-call-parser`; vLLM also needs
`--enable-auto-tool-choice`. llama.cpp has no such value: it derives the format from the chat
template once `--jinja` is on. Order matters: of two families that read a text, the earlier wins,
so the more specific stands first.
"""

from __future__ import annotations

from checks.tools.markup.bare_table import BARE
from checks.tools.markup.leak import Family
from checks.tools.markup.special_tokens_table import TOKENS
from checks.tools.markup.wrapped_json_table import JSON
from checks.tools.markup.xml_like_table import XML

FAMILIES: tuple[Family, ...] = XML + TOKENS + JSON + BARE


def family(family_id: str) -> Family | None:
    """The first family with this id, or None."""
    return next((f for f in FAMILIES if f.id == family_id), None)
