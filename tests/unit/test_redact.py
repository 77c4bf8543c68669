"""No secret survives capture, in any encoding it may come back in."""

from __future__ import annotations

import base64
import html
import json
import time
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.redaction.redactor import Redactor, too_common

KEYS = st.text(min_size=8, max_size=60).filter(
    lambda key: len(key.strip()) >= 8 and "${" not in key and not too_common(key)
)
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


@settings(deadline=None)
@given(KEYS, AROUND, AROUND)
def test_text_in_every_encoding(key: str, before: str, after: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    for form in encodings(key):
        clean = redactor.text(before + form + after)
        assert "${API_KEY}" in clean, form
        assert key not in clean


@settings(deadline=None)
@given(KEYS)
def test_bytes_name_what_was_reflected(key: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    clean, met = redactor.content(b'{"error":"' + key.encode("utf-8", "surrogatepass") + b'"}')
    assert met == ("API_KEY",)
    assert key.encode("utf-8", "surrogatepass") not in clean


def test_headers_values_and_nested_json() -> None:
    redactor = Redactor([("API_KEY", "sk-secret-123"), ("TOKEN", "t0k3n-value")])
    assert redactor.header("Bearer sk-secret-123") == "Bearer ${API_KEY}"
    assert redactor.value({"a": ["t0k3n-value", {"sk-secret-123": 1}]}) == {"a": ["${TOKEN}", {"${API_KEY}": 1}]}


def test_short_placeholder_keys_leave_bodies_alone() -> None:
    redactor = Redactor([("API_KEY", "x")])
    assert redactor.header("Bearer x") == "Bearer ${API_KEY}"
    assert redactor.text('{"index": 1, "x": "extra"}') == '{"index": 1, "x": "extra"}'


@pytest.mark.parametrize("key", ["rumba", "ru4mb", "sunflower", "Sunflower"])
def test_short_keys_and_words_go_only_where_they_are_a_value_of_their_own(key: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    left = f"the {key} is a {key}ing; {key}: {key}, name={key}"
    assert redactor.text(left) == left
    assert redactor.text(f'{{"error": "{key}", "{key}": 1}}') == f'{{"error": "${{API_KEY}}", "{key}": 1}}'
    assert redactor.text(f"GET /v1?x=1&k={key} HTTP/1.1") == "GET /v1?x=1&k=${API_KEY} HTTP/1.1"
    assert redactor.text(f"Authorization: Bearer {key}\r\n") == "Authorization: Bearer ${API_KEY}\r\n"
    assert redactor.fields([("x-echo", key), ("x-is", f"a {key}")]) == (
        [("x-echo", "${API_KEY}"), ("x-is", f"a {key}")],
        set(),
    )
    assert redactor.content(f'["{key}"]'.encode()) == (b'["${API_KEY}"]', ())


@pytest.mark.parametrize("key", ["json", "http", "error", "stop", "chat.completion", "gpt-4o-mini-2024", "GPT-4o-mini"])
def test_words_of_the_protocol_and_the_model_are_left_in_every_body(key: str) -> None:
    redactor = Redactor([("API_KEY", key)], public=("gpt-4o-mini-2024", "http://127.0.0.1"))
    body = json.dumps({"object": key, "model": key, "choices": [{"finish_reason": key, "text": f"an {key}"}]}).encode()
    assert redactor.content(body) == (body, ())
    assert redactor.header(f"Bearer {key}") == "Bearer ${API_KEY}"


@pytest.mark.parametrize("key", ["dummy", "none", "ollama", "lm-studio", "EMPTY", "test", "token"])
def test_placeholders_are_no_secrets_outside_of_the_header(key: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    body = f'{{"owned_by": "{key}", "prompt_tokens": 1}}'.encode()
    assert redactor.content(body) == (body, ())
    assert redactor.header(f"Bearer {key}") == "Bearer ${API_KEY}"


def test_a_key_of_digits_leaves_longer_numbers_alone() -> None:
    redactor = Redactor([("API_KEY", "12345678")])
    assert redactor.text('{"created": 1123456789, "key": "12345678"}') == '{"created": 1123456789, "key": "${API_KEY}"}'


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=90), st.randoms())
def test_every_letter_in_another_spelling(key: str, chance: Random) -> None:
    """Each letter plain, as a JSON escape, percent-encoded or as an HTML entity, at random."""
    if too_common(key) or "${" in key:
        return

    def written(letter: str) -> str:
        code = ord(letter)
        forms = (letter, f"\\u{code:04X}", f"%{code:02x}", f"%25{code:02X}", f"&#{code};", f"&#x{code:X};")
        return chance.choice((*forms, html.escape(letter), json.dumps(letter)[1:-1]))

    said = "".join(map(written, key))
    assert Redactor([("API_KEY", key)]).text(f"({said})") == "(${API_KEY})"
    assert Redactor([("API_KEY", key)]).content(f"({said})".encode()) == (b"(${API_KEY})", ("API_KEY",))


@pytest.mark.parametrize("letter", ["\\", "%", "%25", "&", "&amp;", "s", "sk-00000", "sk-000000000"])
def test_a_megabyte_made_for_the_key_is_searched_in_time(letter: str) -> None:
    redactor = Redactor([("API_KEY", "sk-" + "0" * 9 + "/\\" * 40)])
    content = letter.encode() * (1024 * 1024 // len(letter))
    begin = time.process_time()
    assert redactor.content(content) == (content, ())
    assert time.process_time() - begin < 5


def test_the_longer_of_two_secrets_goes_first() -> None:
    redactor = Redactor([("A", "secret-one"), ("B", "secret-one-and-two")])
    assert redactor.text("secret-one-and-two secret-one") == "${B} ${A}"


def test_text_without_secrets_is_untouched() -> None:
    redactor = Redactor([("API_KEY", "sk-abcdefgh")])
    assert redactor.text("nothing here") == "nothing here"
    assert redactor.content(b"\xff\xfe") == (b"\xff\xfe", ())


def test_tokens_of_a_stream_may_be_any_word() -> None:
    redactor = Redactor([("API_KEY", "sunflower")])
    stream = b'data: {"choices": [{"delta": {"content": "sunflower"}}]}\n\n'
    assert redactor.content(stream) == (stream, ())
    assert redactor.content(b'{"key": "sunflower"}') == (b'{"key": "${API_KEY}"}', ())
