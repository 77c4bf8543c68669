"""Pictures that a blind model is made to talk about."""

from __future__ import annotations

import random
from dataclasses import replace

from probe.simulator.call import JSON, Call
from probe.simulator.edit import has_pictures, replace_messages
from probe.simulator.fault import Fault
from probe.simulator.reply import Reply


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
