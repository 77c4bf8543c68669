"""No secret survives capture, in any encoding it may come back in."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from probe.redact import Redactor

KEYS = st.text(min_size=8, max_size=60).filter(lambda key: len(key.strip()) >= 8 and "${" not in key)
AROUND = st.text(alphabet="xyz <>:,", max_size=12)


def encodings(key: str) -> list[str]:
    raw = key.encode("utf-8", "surrogatepass")
    return [
        key,
        json.dumps(key),
        json.dumps(key, ensure_ascii=False),
        quote(key, safe="", errors="surrogatepass"),
        quote(key, errors="surrogatepass"),
        quote_plus(key, errors="surrogatepass"),
        html.escape(key),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(b"u:" + raw).decode(),
        base64.b64encode(b"user:" + raw + b"!").decode(),
        raw.hex(),
    ]


@given(KEYS, AROUND, AROUND)
def test_text_in_every_encoding(key: str, before: str, after: str) -> None:
    redactor = Redactor({"API_KEY": key})
    for form in encodings(key):
        clean = redactor.text(before + form + after)
        assert "${API_KEY}" in clean, form
        assert key not in clean


@given(KEYS)
def test_bytes_name_what_was_reflected(key: str) -> None:
    redactor = Redactor({"API_KEY": key})
    clean, met = redactor.content(b'{"error":"' + key.encode("utf-8", "surrogatepass") + b'"}')
    assert met == ("API_KEY",)
    assert key.encode("utf-8", "surrogatepass") not in clean


def test_headers_values_and_nested_json() -> None:
    redactor = Redactor({"API_KEY": "sk-secret-123", "TOKEN": "t0k3n-value"})
    assert redactor.header("Bearer sk-secret-123") == "Bearer ${API_KEY}"
    assert redactor.value({"a": ["t0k3n-value", {"sk-secret-123": 1}]}) == {"a": ["${TOKEN}", {"${API_KEY}": 1}]}


def test_short_placeholder_keys_leave_bodies_alone() -> None:
    redactor = Redactor({"API_KEY": "x"})
    assert redactor.header("Bearer x") == "Bearer ${API_KEY}"
    assert redactor.text('{"index": 1, "x": "extra"}') == '{"index": 1, "x": "extra"}'


def test_medium_keys_go_only_as_whole_words() -> None:
    redactor = Redactor({"API_KEY": "dummy"})
    assert redactor.text("key dummy, dummyness") == "key ${API_KEY}, dummyness"


def test_the_longer_of_two_secrets_goes_first() -> None:
    redactor = Redactor({"A": "secret-one", "B": "secret-one-and-two"})
    assert redactor.text("secret-one-and-two secret-one") == "${B} ${A}"


def test_text_without_secrets_is_untouched() -> None:
    redactor = Redactor({"API_KEY": "sk-abcdefgh"})
    assert redactor.text("nothing here") == "nothing here"
    assert redactor.content(b"\xff\xfe") == (b"\xff\xfe", ())
