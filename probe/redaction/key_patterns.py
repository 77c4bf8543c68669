"""Recognising API keys that people put in the wrong place."""

from __future__ import annotations

import re

#: How keys of well-known issuers begin, as a word of its own: OpenAI and many others sk-, Groq gsk_, Hugging Face hf_,
#: AWS AKIA and ASIA, Google AIza and ya29., and JSON web tokens (RFC 7519: base64url of '{"').
_KEY = re.compile(
    r"(?<![A-Za-z0-9_-])(?:sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{16,}|(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|ya29\.[\w-]{10,}|AIza[\w-]{20,}|hf_[A-Za-z0-9]{20,}|eyJ[\w-]{20,}\.[\w-]{10,})"
)


def looks_like_key(text: str) -> bool:
    """Whether a text contains something that looks like an API key."""
    return bool(_KEY.search(text))


def without_keys(text: str) -> str:
    """The text without anything that looks like an API key: errors quote what was typed, and logs keep errors."""
    return _KEY.sub("[a key]", text)
