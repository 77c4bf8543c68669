"""Pictures that are refused, dropped or misread."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import Fault, has_pictures, replace_messages
from probe.simulator.script import Script

_TEXTS = {
    "vllm": (400, "{model} is not a multimodal model"),
    "llamacpp": (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
    "sglang": (400, "Model only supports text input; received unsupported content type 'image_url'."),
    "openrouter": (404, "No endpoints found that support image input"),
}


class Rejected(Fault):
    """A text model behind a server that says so."""

    name = "vision-rejected"
    summary = "pictures are refused (=vllm, llamacpp, sglang or openrouter: whose words)"
    yields = ("vision.rejected",)
    value = "vllm"
    choices = tuple(_TEXTS)

    def on_chat(self, call: Call) -> Script | None:
        if not has_pictures(call):
            return None
        status, text = _TEXTS[self.given or "vllm"]
        return call.site.style.error(call, status, text.format(model=call.site.model), "invalid_request_error")


class Ignored(Fault):
    """The picture is dropped on the way (transformers serve on a text model)."""

    name = "vision-ignored"
    summary = "pictures are accepted and never reach the model"
    yields = ("vision.ignored",)

    def on_prompt(self, call: Call) -> None:
        def blind(turn: JSON) -> JSON:
            content = turn.get("content")
            if not isinstance(content, list):
                return turn
            return {**turn, "content": [part for part in content if part.get("type") == "text"]}

        replace_messages(call, blind)


_TURN = {
    "red": "green", "green": "blue", "blue": "yellow", "yellow": "red", "black": "white", "white": "black",
    "cyan": "orange", "orange": "purple",
    "purple": "cyan", "magenta": "brown", "brown": "pink", "pink": "gray", "gray": "magenta",
    "top-left": "top-right", "top-right": "bottom-left", "bottom-left": "bottom-right", "bottom-right": "top-left",
}  # fmt: skip


class Misread(Fault):
    """The picture reaches the model, and the model sees it wrongly."""

    name = "vision-misread"
    summary = "pictures reach the model, and it answers wrongly about them"
    yields = ("vision.misread",)

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not has_pictures(call):
            return reply
        places = "|".join(word for word in _TURN if "-" in word)
        colours = "|".join(word for word in _TURN if "-" not in word)
        pattern = colours if re.search(rf"\b(?:{colours})\b", reply.text) else places
        text = re.sub(rf"(?<![\w-])(?:{pattern})(?![\w-])", lambda match: _TURN[match.group()], reply.text)
        return replace(reply, text=text)


# Pictures that a blind model is made to talk about. ------------------------------------------------


def _each_part(call: Call, change: dict[str, str]) -> None:
    """Puts a text part in place of every picture; `{url}` in it is the picture's URL."""

    def blind(turn: JSON) -> JSON:
        content = turn.get("content")
        if not isinstance(content, list):
            return turn
        made = []
        for part in content:
            if part.get("type") == "image_url":
                part = {"type": "text", "text": change["text"].format(url=(part.get("image_url") or {}).get("url"))}
            made.append(part)
        return {**turn, "content": made}

    replace_messages(call, blind)


class UrlAsText(Fault):
    """TGI gives a text model the picture's URL as Markdown."""

    name = "vision-url-as-text"
    summary = "the model is shown a picture's URL as text in place of the picture"
    yields = ("vision.ignored",)

    def on_prompt(self, call: Call) -> None:
        _each_part(call, {"text": "![]({url})"})


class Placeholder(Fault):
    """A gateway that leaves a note where the picture was."""

    name = "vision-placeholder"
    summary = "the model is shown '[image]' in place of a picture"
    yields = ("vision.ignored",)

    def on_prompt(self, call: Call) -> None:
        _each_part(call, {"text": "[image]"})


class Guessed(Fault):
    """The picture is dropped, and the model makes up four colours."""

    name = "vision-guessed"
    summary = "pictures are dropped, and the model guesses colours (always the same four; =random: any four)"
    yields = ("vision.ignored",)
    value = "common"

    def __init__(self, given: str | None = None) -> None:
        super().__init__(given)
        if self.given not in ("random", "common"):
            raise ValueError("fault vision-guessed takes random or common")

    def on_prompt(self, call: Call) -> None:
        if has_pictures(call):
            call.notes["guess"] = True
            _each_part(call, {"text": ""})

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not call.notes.get("guess"):
            return reply
        common = ["red", "green", "blue", "yellow"]
        colours = common if self.given == "common" else random.sample([*common, "black", "white"], 4)
        return replace(reply, text=", ".join(colours))
