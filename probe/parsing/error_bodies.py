"""Reading what an endpoint says in place of an answer: errors of every shape, throttling, quotas.

Pure functions over exchanges; whatever a stranger's server sends, they answer with a value
or None and never raise.
"""

from __future__ import annotations

import re
import time
from typing import Any

from probe.model import Exchange
from probe.parsing.strict_json import member, text_at


def body_of(exchange: Exchange) -> Any:
    """The response's JSON value, or None."""
    return exchange.response.json if exchange.response else None


def error_text(exchange: Exchange) -> str:
    """What the endpoint said was wrong, from any of the shapes seen in the field.

    Object, string, list and boolean ``error``; flat ``message``; FastAPI's ``detail``;
    problem+json's ``title``; Google's one-element array; else the text itself.
    """
    if exchange.response is None:
        return exchange.error.message if exchange.error else ""
    found = error_in(body_of(exchange))
    return found or exchange.response.text.strip()[:2000]


def error_in(body: Any, depth: int = 0) -> str:
    """The words of an error in a JSON value, or an empty text."""
    if depth > 4:
        return ""
    if isinstance(body, list):
        return "; ".join(filter(None, (error_in(item, depth + 1) for item in body[:5])))
    if isinstance(body, str):
        return body if depth else ""
    if not isinstance(body, dict):
        return ""
    for key in ("error", "errors", "fault", "detail", "message", "msg", "faultstring", "title"):
        value = body.get(key)
        if isinstance(value, str) and value.strip():
            if key == "error" and isinstance(body.get("message"), str):
                return f"{value}: {body['message']}"
            return value
        if isinstance(value, dict | list) and value:
            found = error_in(value, depth + 1)
            if found:
                where = value[0].get("loc") if isinstance(value, list) and isinstance(value[0], dict) else None
                return f"{found} ({'.'.join(map(str, where))})" if isinstance(where, list) else found
    return ""


def has_error_body(exchange: Exchange) -> bool:
    """Whether the JSON body speaks of an error, whatever the status says."""
    body = body_of(exchange)
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict) or "choices" in body:
        return False
    return bool(body.get("error") or body.get("errors")) or (
        body.get("object") == "error" or ("detail" in body and len(body) <= 2)
    )


def is_html(exchange: Exchange) -> bool:
    """Whether the response is a web page."""
    response = exchange.response
    if response is None:
        return False
    start = response.content[:300].lstrip().lower()
    return response.media_type in ("text/html", "application/xhtml+xml") or start.startswith(
        (b"<!doctype html", b"<html")
    )


def speaks_of(exchange: Exchange, *words: str) -> bool:
    """Whether the error text or its ``param`` names one of the words, case ignored."""
    text = error_text(exchange)
    parameter = text_at(body_of(exchange), "error", "param")
    haystack = f"{text} {parameter}".lower()
    return any(word.lower() in haystack for word in words)


def is_throttled(exchange: Exchange) -> bool:
    """429 or 503: the endpoint says "not now", which says nothing about a capability."""
    return exchange.status in (429, 503)


def has_no_model(exchange: Exchange) -> bool:
    """Whether a 503 says that nobody serves the model, which waiting does not mend (one-api and its kin)."""
    if exchange.status != 503:
        return False
    code = member(body_of(exchange), "error", "code")
    return code == "model_not_found" or "no available channel" in error_text(exchange).lower()


def is_quota(exchange: Exchange) -> bool:
    """Whether a refusal speaks of credit or quota used up, which waiting does not mend."""
    if exchange.status == 402:
        return True
    if exchange.status not in (429, 403, 400):
        return False
    body = body_of(exchange)
    code = f"{member(body, 'error', 'code')} {member(body, 'error', 'type')} {member(body, 'code')}".lower()
    if "insufficient_quota" in code or "billing" in code or "budget_exceeded" in code or "credit" in code:
        return True
    text = error_text(exchange).lower()
    return exchange.status == 429 and bool(
        re.search(
            r"exceeded your current quota|insufficient (quota|balance|credit|funds)|billing|out of credits",
            text,
        )
    )


def retry_after(exchange: Exchange) -> float | None:
    """The seconds that Retry-After names (RFC 9110, 10.2.3), or None."""
    value = exchange.response.header("retry-after") if exchange.response else None
    if not value:
        return None
    try:
        return min(max(0.0, float(value)), 3600.0)
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
