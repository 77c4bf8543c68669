"""What the body of an error is."""

from __future__ import annotations

from enum import StrEnum

from probe.api import Exchange, completion, member, text_at


class Shape(StrEnum):
    """What the body of an error is."""

    OPENAI = "the OpenAI shape"
    OTHER = "another JSON shape"
    TEXT = "plain text"
    NO_MESSAGE = "JSON without a message"
    PAGE = "a web page"
    EMPTY = "an empty body"


#: Shapes from which a client cannot show a reason.
UNREADABLE = (Shape.NO_MESSAGE, Shape.PAGE, Shape.EMPTY)


def shape_of(exchange: Exchange) -> Shape:
    """The shape of an error's body."""
    response = exchange.response
    if response is None or not response.content.strip():
        return Shape.EMPTY
    if completion.is_html(exchange):
        return Shape.PAGE
    body = response.json
    if body is None:
        return Shape.TEXT
    if text_at(body, "error", "message").strip():
        return Shape.OPENAI
    if isinstance(body, str):
        return Shape.OTHER if body.strip() else Shape.NO_MESSAGE
    text = completion.error_text(exchange)
    return Shape.OTHER if text and text != response.text.strip()[:2000] else Shape.NO_MESSAGE


def members_of(exchange: Exchange) -> str:
    """The names of the body's first members, as a list for a sentence."""
    body = completion.body_of(exchange)
    body = member(body, 0) if isinstance(body, list) else body
    return ", ".join(str(key)[:40] for key in list(body)[:6]) if isinstance(body, dict) else ""
