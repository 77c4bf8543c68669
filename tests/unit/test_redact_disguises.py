"""A key in disguise: in part, backwards, with something between its letters, or coded, is found and replaced."""

from __future__ import annotations

import base64
import json
import quopri
import time
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.redaction.disguises import READ, RUN
from probe.redaction.redactor import Redactor
from probe.wire.pieces import without_pieces

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#: Keys as issuers make them: random, of letters and digits, with a prefix.
KEYS = st.builds(
    lambda prefix, size, seed: prefix + "".join(Random(seed).choices(LETTERS, k=size)),
    st.sampled_from(["sk-", "sk-proj-", "gsk_", ""]),
    st.integers(20, 60),
    st.integers(0, 2**32),
)
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _every(text: str, size: int, between: str) -> str:
    return between.join(text[at : at + size] for at in range(0, len(text), size))


DISGUISES: dict[str, Callable[[str], str]] = {
    "all but the last": lambda key: key[:-1],
    "all but the first": lambda key: key[1:],
    "the first": lambda key: key[: 2 * RUN],
    "the last": lambda key: key[-20:],
    "backwards": lambda key: key[::-1],
    "upper case": str.upper,
    "zero-width between": "\u200b".join,
    "soft hyphens between": lambda key: _every(key, 3, "\u00ad"),
    "word joiners, escaped": lambda key: _every(key, 4, "\\u2060"),
    "NUL between": "\\u0000".join,
    "full width": lambda key: "".join(chr(ord(letter) + 0xFEE0) for letter in key),
    "wrapped": lambda key: _every(key, 8, "\n    "),
    "wrapped in JSON": lambda key: json.dumps(_every(key, 8, "\r\n")),
    "blanks between": " ".join,
    "tags between": lambda key: _every(key, 5, "<wbr>"),
    "base64 twice": lambda key: base64.b64encode(base64.b64encode(b"k=" + key.encode())).decode(),
    "base64 in lines": lambda key: base64.encodebytes(b"From: someone with a long name to" + key.encode()).decode(),
    "base64 in lines, in JSON": lambda key: json.dumps(base64.encodebytes(b"x" * 50 + key.encode()).decode()),
    "base64 of UTF-16": lambda key: base64.b64encode(key.encode("utf-16")).decode(),
    "base64 of a part": lambda key: base64.b64encode(key[2:].encode()).decode(),
    "base64 backwards": lambda key: base64.b64encode(key[::-1].encode()).decode(),
    "hexadecimal of a part": lambda key: key[3:].encode().hex(),
    "hexadecimal, colons": lambda key: key.encode().hex(":"),
    "hexadecimal, spaces": lambda key: key.encode().hex(" ").upper(),
    "hexadecimal, an array": lambda key: ", ".join(f"0x{byte:02x}" for byte in key.encode()),
    "octal escapes": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "octal numbers": lambda key: " ".join(f"{byte:03o}" for byte in key.encode()),
    "decimal numbers": lambda key: json.dumps(list(key.encode())),
    "quoted-printable": lambda key: "".join(f"={byte:02X}" for byte in key.encode()),
    "quoted-printable, wrapped": lambda key: (
        quopri.encodestring((key[:9] + "é" + "x" * 70).encode()).decode() + _every(key, 10, "=\n")
    ),
    "percent of a part": lambda key: "".join(f"%{byte:02x}" for byte in key[:-1].encode()),
    "entities of a part": lambda key: "".join(f"&#{byte};" for byte in key[1:].encode()),
}


def _runs_left(key: str, text: str) -> list[str]:
    """Runs of the key that a reader finds in a text, coded or not, forwards or backwards."""
    return [key[at : at + RUN] for at in range(len(key) - RUN + 1) if key[at : at + RUN] in text]


@pytest.mark.parametrize("name", DISGUISES)
@FEW
@given(
    KEYS,
    st.sampled_from(["", "key: ", '{"error": "', "<p>", "bad key ("]),
    st.sampled_from(["", " given", '"}', "</p>", ")."]),
)
def test_a_disguised_key_goes(name: str, key: str, before: str, after: str) -> None:
    said = DISGUISES[name](key)
    redactor = Redactor([("API_KEY", key)])
    clean = redactor.text(before + said + after)
    assert "${API_KEY}" in clean, said
    # A letter next to it may be the key's own by chance.
    assert clean.startswith(before[:-3]) and clean.endswith(after[3:])
    assert _runs_left(key, clean) == []
    found, names = redactor.content((before + said + after).encode())
    assert names == ("API_KEY",)
    assert found.decode() == clean


CODED: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, backwards": lambda text: base64.b64encode(text.encode()).decode()[::-1],
    "hexadecimal": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "entities": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "JSON": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
} | {
    name: DISGUISES[name]
    for name in (
        "base64 in lines", "hexadecimal, colons", "hexadecimal, spaces", "hexadecimal, an array", "octal escapes",
        "octal numbers", "decimal numbers", "quoted-printable", "wrapped", "tags between", "zero-width between",
    )
}  # fmt: skip
#: Not within another: what needs its blanks or the borders of its lines, wide letters, and a third code.
_ALONE = (
    "octal numbers",
    "full width",
    "wrapped in JSON",
    "quoted-printable, wrapped",
    "hexadecimal, an array",
    "base64 twice",
)


@pytest.mark.parametrize("outer", CODED)
def test_a_disguise_within_another_goes(outer: str) -> None:
    left = []
    for name, disguise in DISGUISES.items():
        key = "sk-" + "".join(Random(name).choices(LETTERS, k=40))
        said = CODED[outer](disguise(key)) if name not in _ALONE else ""
        if said and "${API_KEY}" not in Redactor([("API_KEY", key)]).text(f'{{"error": "{said}"}}'):
            left.append(name)
    assert left == []


@FEW
@given(KEYS, st.integers(1, 14), st.sampled_from(["stream", "blocks", "arguments", "lines"]))
def test_a_key_in_the_pieces_of_a_body_goes(key: str, size: int, kind: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    parts = ["The key ", *(key[at : at + size] for at in range(0, len(key), size)), " is bad."]
    if kind == "blocks":
        body = json.dumps({"choices": [{"message": {"content": [{"type": "text", "text": part} for part in parts]}}]})
    elif kind == "arguments":
        body = _stream([{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in parts])
    elif kind == "lines":
        body = "".join(json.dumps({"response": part}) + "\r\n" for part in parts)
    else:
        body = _stream([{"content": part} for part in parts])
    clean, names = without_pieces(body.encode(), redactor)
    joined = "".join(_texts(clean.decode()))
    assert joined == "The key ${API_KEY} is bad."
    assert names == ("API_KEY",) or size >= len(key)
    assert clean.count(b"\n") == body.count("\n")


@FEW
@given(KEYS, st.sampled_from(["index", "output_index", "item_id"]))
def test_a_key_in_pieces_that_come_by_turns_goes(key: str, member: str) -> None:
    redactor = Redactor([("API_KEY", key)])
    pieces = [key[at : at + 3] for at in range(0, len(key), 3)]
    turns = [
        {"choices": [{member: 0, "delta": {"content": one}}, {member: 1, "delta": {"content": "x y"}}]}
        for one in pieces
    ]
    body = "".join(f"data: {json.dumps(turn)}\n\n" for turn in turns)
    clean, names = without_pieces(body.encode(), redactor)
    assert names == ("API_KEY",)
    assert "".join(part for part in _texts(clean.decode()) if part != "x y") == "${API_KEY}"


def test_a_body_with_very_many_texts_is_searched_in_time() -> None:
    body = json.dumps([{f"k{number}": ["ab", "cd"]} for number in range(10_000)]).encode()
    begin = time.process_time()
    assert without_pieces(body, Redactor([("API_KEY", "sk-" + LETTERS)])) == (body, ())
    assert time.process_time() - begin < 3


def _stream(deltas: list[dict[str, object]]) -> str:
    return (
        "".join(f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n" for delta in deltas)
        + "data: [DONE]\n\n"
    )


def _texts(body: str) -> list[str]:
    found: list[str] = []
    for line in body.splitlines():
        if "{" in line:
            json.loads(
                line.removeprefix("data: "),
                object_hook=lambda item: found.extend(
                    value
                    for name, value in item.items()
                    if name in ("content", "arguments", "response", "text") and isinstance(value, str)
                ),
            )
    return found


@FEW
@given(KEYS, st.integers(0, 400), st.sampled_from([40, 80, 160, 300]))
def test_a_cut_leaves_no_part_of_a_key(key: str, before: int, limit: int) -> None:
    redactor = Redactor([("API_KEY", key)])
    told = redactor.cut("x" * before + key + "y" * 400, limit)
    assert len(told) <= limit
    assert not any(key[at : at + 4] in told for at in range(len(key) - 3) if key[at : at + 4] not in "${API_KEY}xxxx")


@FEW
@given(KEYS, KEYS, st.booleans())
def test_two_secrets_of_one_name_both_go(one: str, other: str, spelled: bool) -> None:
    redactor = Redactor([("API_KEY", one), ("API_KEY", other)])
    said = f"{one} and {other.encode().hex() if spelled else other}"
    assert redactor.text(said) == "${API_KEY} and ${API_KEY}"


def test_a_composite_header_is_shown_as_it_was_typed() -> None:
    redactor = Redactor([("GW", "ab"), ("API_KEY", "ab3")], {"Token:ab;x": "Token:${GW};x"})
    assert redactor.header("Token:ab;x") == "Token:${GW};x"


@pytest.mark.parametrize(
    "text",
    [
        "The sunflower endpoint-probe-test answered 200 in 12 ms; chat-completions are not-enabled for team-a.",
        json.dumps({"id": "chatcmpl-0123456789abcdefABCDEF", "created": 1700000000, "model": "Meta-Llama-3-70B"}),
        base64.b64encode(bytes(range(256))).decode(),
        "".join(f"{byte:02x}" for byte in range(256)),
        " ".join(map(str, range(10, 99))),
        "sk-proj-********************************wXyZ",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    secrets = [("API_KEY", "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ" + "wXyZ"), ("URL_SECRET", "endpoint-probe-key")]
    secrets.append(("GW", "sk-0123456789abcdef"))
    assert Redactor(secrets).text(text) == text


@pytest.mark.parametrize(
    "letters",
    [
        "\\",
        "%25",
        "&amp;",
        "<",
        "a",
        "=",
        "41",
        "101 ",
        "\\u0073",
        " \n",
        "s k",
        "\ud800",
        "\u00e9",
        "QUJD",
        "\x00\xff%a",
    ],
)
def test_a_text_made_to_be_slow_is_read_in_time(letters: str) -> None:
    redactor = Redactor([("API_KEY", "sk-" + LETTERS)])
    text = letters * (READ // len(letters))
    begin = time.process_time()
    assert redactor.text(text) == text
    assert time.process_time() - begin < 3
