"""Pictures that are refused, dropped, replaced by text or misread."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from probe.simulator.call import JSON, Call, Reply
from probe.simulator.fault import Fault, has_pictures, on_chat, on_prompt, on_reply, replace_messages
from probe.simulator.response import Response

_REFUSALS = {
    "vllm": (400, "{model} is not a multimodal model"),
    "llamacpp": (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
    "sglang": (400, "Model only supports text input; received unsupported content type 'image_url'."),
    "openrouter": (404, "No endpoints found that support image input"),
}


@on_chat(
    "pictures are refused (=vllm, llamacpp, sglang or openrouter: whose words)",
    "vision.rejected",
    choices=tuple(_REFUSALS),
)
def vision_rejected(fault: Fault, call: Call) -> Response | None:
    """A text model behind a server that says so."""
    if not has_pictures(call):
        return None
    status, text = _REFUSALS[fault.given]
    return fault.error(status, text.format(model=call.site.model))


# Pictures that do not reach the model ------------------------------------------------------------------


def _replace_pictures(call: Call, text: str | None) -> None:
    """Put a text part in place of every picture (`{url}` in it is the picture's URL), or nothing for None."""

    def without_pictures(turn: JSON) -> JSON:
        content = turn.get("content")
        if not isinstance(content, list):
            return turn
        parts = []
        for part in content:
            if part.get("type") != "image_url":
                parts.append(part)
            elif text is not None:
                parts.append({"type": "text", "text": text.format(url=(part.get("image_url") or {}).get("url"))})
        return {**turn, "content": parts}

    replace_messages(call, without_pictures)


@on_prompt("pictures are accepted and never reach the model", "vision.ignored")
def vision_ignored(fault: Fault, call: Call) -> None:
    """The server drops the picture (transformers serve with a text model)."""
    _replace_pictures(call, None)


@on_prompt("the model is shown a picture's URL as text instead of the picture", "vision.ignored")
def vision_url_as_text(fault: Fault, call: Call) -> None:
    """TGI shows a text model the picture's URL as Markdown."""
    _replace_pictures(call, "![]({url})")


@on_prompt("the model is shown '[image]' instead of a picture", "vision.ignored")
def vision_placeholder(fault: Fault, call: Call) -> None:
    """A gateway that puts a note in place of the picture."""
    _replace_pictures(call, "[image]")


class Guessed(Fault):
    """The picture is dropped, and the model invents four colours."""

    name = "vision-guessed"
    summary = "pictures are dropped, and the model guesses colours (=common: always the same four; =random)"
    yields = ("vision.ignored",)
    value = "common"
    choices = ("common", "random")

    def on_prompt(self, call: Call) -> None:
        if has_pictures(call):
            call.notes["guess"] = True
            _replace_pictures(call, "")

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        if not call.notes.get("guess"):
            return reply
        common = ["red", "green", "blue", "yellow"]
        colours = common if self.given == "common" else random.sample([*common, "black", "white"], 4)
        return replace(reply, text=", ".join(colours))


# Pictures that are misread -----------------------------------------------------------------------------

_MISTAKEN = {
    "red": "green", "green": "blue", "blue": "yellow", "yellow": "red", "black": "white", "white": "black",
    "cyan": "orange", "orange": "purple", "purple": "cyan", "magenta": "brown", "brown": "pink", "pink": "gray",
    "gray": "magenta",
    "top-left": "top-right", "top-right": "bottom-left", "bottom-left": "bottom-right", "bottom-right": "top-left",
}  # fmt: skip


@on_reply("pictures reach the model, and it answers wrongly about them", "vision.misread")
def vision_misread(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The picture reaches the model, which mistakes colours and places."""
    if not has_pictures(call):
        return reply
    places = "|".join(word for word in _MISTAKEN if "-" in word)
    colours = "|".join(word for word in _MISTAKEN if "-" not in word)
    pattern = colours if re.search(rf"\b(?:{colours})\b", reply.text) else places
    text = re.sub(rf"(?<![\w-])(?:{pattern})(?![\w-])", lambda match: _MISTAKEN[match.group()], reply.text)
    return replace(reply, text=text)
