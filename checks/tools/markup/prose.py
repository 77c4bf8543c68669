"""Tells what kind of reply a text is, for wording a finding. No verdict rests on it."""

from __future__ import annotations

import json
import re
from typing import Literal

Reply = Literal["empty", "json", "code", "refusal", "question", "prose"]

# Sentences with which models say that they cannot or do not use tools (English only; a reply in
# another language is called prose, which is true as well).
_REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m\s+(?:sorry|unable|not\s+able)|i\s+am\s+(?:sorry|unable|not\s+able)"
    r"|i\s+(?:can(?:'|’)?t|cannot|can\s+not|do\s+not|don(?:'|’)?t)\s+(?:actually\s+)?(?:access|have|call|use|provide|"
    r"retrieve|check|browse|get|fetch|look|help|assist|perform|execute|do)"
    r"|as\s+an?\s+(?:ai|language\s+model|large\s+language\s+model)|unable\s+to\s+(?:access|call|use|provide))\b",
    re.IGNORECASE,
)
_THINK = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_SHOWN = 20_000


def kind_of_reply(text: str) -> Reply:
    """Say what a reply is: empty, json, code (one fence and nothing else), refusal, question, prose.

    Think tags and what is between them are left out of account, and so is everything behind the
    first 20,000 characters.
    """
    visible = _THINK.sub("", text[:_SHOWN]).strip()
    if not visible:
        return "empty"
    if visible.startswith("```") and visible.endswith("```") and visible.count("```") == 2:
        return "code"
    if visible[0] in "{[":
        try:
            json.loads(visible)
            return "json"
        except (ValueError, RecursionError):
            pass
    if _REFUSAL.search(visible[:2_000]):
        return "refusal"
    return "question" if visible.endswith(("?", "？")) else "prose"


def is_prose(text: str) -> bool:
    """Whether a text is an answer in words: neither empty nor JSON nor code alone."""
    return kind_of_reply(text) in ("refusal", "question", "prose")
