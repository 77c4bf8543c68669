"""Answers whose text keeps a careless pattern or reader busy: long runs of the marks at which reading begins."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.scripts import KEEP, Act, Scene, hostile, reply, streamed

#: What the texts repeat: the marks at which the readers begin, what they skip, and what they never find.
PIECES = (
    *" \n\\`|\"'{[<(*_#&%0.-/,:;=\x1b\x9d\x9b\u202e\u0301é",
    *("a ", " Ab", "```", "```\n", "~~~\n", "<think>", "</think>", "<tool_call>", '<tool_call>{"name":', '{"', '{"a":'),
    *(
        '[{"name": "f", "arguments": {',
        '"\\',
        "\\u",
        "\\ud800",
        "//",
        "/*",
        "*/",
        "/* ",
        "//\n",
        "\t\n",
        "data: ",
        "data:\n",
    ),
    *(
        "data: {}\n\n",
        ": \n",
        "\r",
        "1.",
        "1e1",
        "<function=f>",
        "<parameter=a>",
        "[TOOL_CALLS]",
        "<|",
        "<|python_tag|>",
    ),
    *(
        "functools[",
        "to=f",
        "call:f",
        "f(a=",
        "[f(",
        "Action: f\n",
        "Action Input: ",
        "<invoke name='f'>",
        "sk-",
        "<f>",
    ),
    *(
        "\n<|tool_call_begin|>functions.f:0",
        "f ",
        "f\n",
        "&amp;",
        "%25",
        "://",
        "www.",
        "@",
        "\x9d\x9c",
        "\x1b]",
        "\ufffd",
    ),
    *(
        "print(",
        "default_api.f(",
        'tool_name"f"',
        "```json\n",
        "red ",
        "top left ",
        "Ã©",
        "{'a': ",
        "<!--",
        "<![CDATA[",
    ),
)
_LENGTH = 120_000
#: How many pieces an entry goes through, one an answer.
_STEP = 8


def _text(scene: Scene, pieces: tuple[str, ...]) -> str:
    """A run of one piece, after a mark that may begin something."""
    piece = scene.random.choice(pieces)
    return scene.random.choice(("", "```", "{", "<tool_call>", "OK ")) + piece * (_LENGTH // len(piece))


for _at in range(0, len(PIECES), _STEP):

    @hostile(f"computation-{_at // _STEP:02d}")
    def computation(scene: Scene, pieces: tuple[str, ...] = PIECES[_at : _at + _STEP]) -> Iterator[Act]:
        text = _text(scene, pieces)
        whole = scene.valid.json
        if scene.valid.streamed:
            parts = [text[start : start + 9_000] for start in range(0, len(text), 9_000)]
            events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
            last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            yield from streamed(*events, last, b"[DONE]")
        elif isinstance(whole, dict) and "choices" in whole and scene.random.random() < 0.8:
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            yield reply({**whole, "id": text[:20_000], "system_fingerprint": text[:20_000], "choices": [choice]})
            yield KEEP
        else:
            error = {"message": text, "type": text[:2_000], "code": text[:2_000]}
            shown = "".join(letter for letter in text[:6_000] if " " <= letter <= "~")
            fields = (("WWW-Authenticate", f"Bearer {shown}"), ("Server", shown), ("Retry-After", "0"))
            yield reply({"error": error}, scene.random.choice([400, 401, 404, 500]), fields=fields)
            yield KEEP
