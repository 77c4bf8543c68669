"""What all HTML pages share: templates, assets and the Content-Security-Policy.

Every value is escaped by the template engine, and invisible characters are written out, so that
text of an endpoint can neither run nor hide.  The policy allows exactly the one style sheet and the
one script of a page, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.text import clip, visible

_HERE = Path(__file__).parent
_CELL = 1_500
#: Characters of code that fit a line of a phone.
_UNBROKEN = 28
_CODE = re.compile(r"`([^`\n]+)`")


def page(template: str, style: tuple[str, ...], script: tuple[str, ...] = (), **values: Any) -> bytes:
    """A whole page, UTF-8.

    Args:
        style, script: names of assets; a page without a script is allowed to run none.
        values: what the template shows.
    """
    css, js = ("\n".join(map(asset, names)) for names in (style, script))
    allowed = f"script-src {content_hash(js)}; " if script else ""
    policy = f"default-src 'none'; style-src {content_hash(css)}; {allowed}base-uri 'none'; form-action 'none'"
    text = _environment().get_template(template).render(policy=policy, style=Markup(css), script=Markup(js), **values)
    return text.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "content": content,
        "prose": prose,
        "pointer": pointer,
        "exact": exact,
        "short": short,
        "percent": "{:.0%}".format,
    }
    return made


def _shown(value: Any) -> Any:
    """Template output: text with invisible characters written out; markup as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def content(text: str) -> Markup:
    """Text for the content of an element, never for an attribute: quotes, which JSON is full of, stay one byte."""
    return Markup(visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def prose(text: str) -> Markup:
    """Escaped text in which the parts between backticks are code, whose options are not broken at their hyphens."""
    pieces = _CODE.split(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(Markup(" ").join(map(_unbroken, piece.split(" "))))
        if number % 2
        else escape(piece)
        for number, piece in enumerate(pieces)
    )


def _unbroken(word: str) -> Markup:
    fits = "-" in word and len(word) <= _UNBROKEN
    return Markup('<span class="word">{}</span>').format(word) if fits else escape(word)


def pointer(text: str) -> Markup:
    """A JSON pointer that may be broken over lines after its slashes."""
    return Markup("/<wbr>").join(escape(piece) for piece in visible(text).split("/"))


def exact(value: Any) -> str:
    """A value of evidence as JSON, so that ``null`` and ``"null"`` differ."""
    return short(json.dumps(value, ensure_ascii=False))


def short(text: str) -> str:
    """Text that is clipped to the length of a table cell."""
    return clip(text, _CELL)


@cache
def asset(name: str) -> str:
    """A file of the assets folder, as text without surrounding space."""
    return (_HERE / "assets" / name).read_text(encoding="utf-8").strip()


def content_hash(text: str) -> str:
    """The CSP source expression that allows exactly this inline text (CSP3, section 8.4)."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
