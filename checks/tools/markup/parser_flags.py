"""The values of `--tool-call-parser` that parse a given text, chosen from the candidates of its family.

The rules are measured: every parser that vLLM 0.33 and SGLang 0.5.23 register was run on every text of
tests/data/parser_outcomes.json (docs/tool-parsers.md shows the outcome), and a test holds each rule against it.
A parser without a rule here reads every form of its family.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from checks.tools.markup.leak import LeakedCall
from checks.tools.markup.text_scan import Scan

#: The releases whose parsers were run.
VLLM_TRIED, SGLANG_TRIED = "0.33", "0.5.23"
#: The longest call that is read as strict JSON, in characters.
MAX_CALL = 200_000


@dataclass(frozen=True, slots=True)
class Flags:
    """Values of `--tool-call-parser` for each server, the most likely first.

    ``tokens_lost``: they parse the model's output with its special tokens, which are missing in the text.
    """

    vllm: tuple[str, ...]
    sglang: tuple[str, ...]
    tokens_lost: bool = False


class Seen:
    """The input of the parsers: the text after the reasoning, and the JSON objects of its calls."""

    def __init__(self, scan: Scan, calls: Sequence[LeakedCall]) -> None:
        start, end = scan.visible
        self.whole = scan.text.lstrip()
        self.text = scan.text[start:end]
        self.calls = calls
        self._scan = scan

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The calls as strict JSON objects; empty where one of them is not one."""
        found = []
        for call in self.calls:
            try:
                value = json.loads(self._scan.text[call.start : min(call.end, call.start + MAX_CALL)])
            except (ValueError, RecursionError):
                return []
            if not isinstance(value, dict) or not isinstance(value.get("name"), str):
                return []
            found.append(value)
        return found

    def holds(self, *kinds: type, key: str = "arguments") -> bool:
        """Whether every call is an object with a name and, under this key, a value of one of these types."""
        return bool(self.objects) and all(isinstance(o.get(key), kinds) for o in self.objects)

    @cached_property
    def listed(self) -> bool:
        """Whether the first call is an item of a JSON list."""
        before = self._scan.text[max(0, self.calls[0].start - 40) : self.calls[0].start].rstrip()
        return before.endswith("[")

    @cached_property
    def nested(self) -> bool:
        """Whether the first call is a value in another JSON object, as in `{"tool_calls": [..]}`."""
        before = self._scan.text[max(0, self.calls[0].start - 40) : self.calls[0].start].rstrip("[ \t\r\n")
        return before.endswith('":')

    @cached_property
    def rest(self) -> str:
        """The text after the last call."""
        return self._scan.text[self.calls[-1].end : self._scan.visible[1]].strip()

    def has(self, *literals: str) -> bool:
        """Whether any of these occurs in the text."""
        return any(literal in self.text for literal in literals)

    def closed(self, tag: str) -> bool:
        """Whether each call, or the list of all, is closed by this tag."""
        return self.text.count(tag) >= (1 if self.listed else len(self.calls))

    def only(self, opening: str, closing: str) -> bool:
        """Whether the text begins and ends with these."""
        return self.text.startswith(opening) and self.text.endswith(closing)

    @cached_property
    def fenced_list(self) -> bool:
        """Whether the call is in a json fence with a list."""
        fence = self._scan.fence_at(self.calls[0].start)
        return fence is not None and self._scan.text[fence.body : fence.body_end].lstrip().startswith("[")


_GLM_NEWLINE = re.compile(r"<tool_call>[^<>\n]{1,128}\n")
_GLM_GLUED = re.compile(r"<tool_call>[^<>\n]{1,128}<")
_QWEN_NEWLINES = re.compile(r"<parameter=[^<>\n]{1,128}>\n")
_PYTHON_LIST = re.compile(r"\[\s{0,8}[^\W\d][\w.\-]{0,127}\(")
_MISTRAL_NAME = re.compile(r"\[TOOL_CALLS\][^\[\]{}\s]{1,128}\{")


def _hermes(seen: Seen) -> bool:
    last = len(seen.calls) == 1 and not seen.rest
    return seen.holds(dict) and not seen.listed and (seen.closed("</tool_call>") or last)


def _xlam(seen: Seen) -> bool:
    if not (seen.listed and seen.holds(dict, str)):
        return False
    marked = seen.has("[TOOL_CALLS]") or (seen.has("<tool_call>") and seen.closed("</tool_call>"))
    return (marked and seen.holds(dict)) or seen.only("[", "]") or (seen.fenced_list and seen.holds(dict))


def _llama3(seen: Seen) -> bool:
    given = [o.get("arguments", o.get("parameters")) for o in seen.objects]
    return bool(given) and not seen.nested and all(isinstance(value, dict) for value in given)


def _granite(seen: Seen) -> bool:
    return seen.listed and seen.holds(dict)


def _mistral_vllm(seen: Seen) -> bool:
    return not seen.has("[CALL_ID]") and (not seen.objects or seen.holds(dict))


def _mistral_sglang(seen: Seen) -> bool:
    if seen.has("[CALL_ID]") or _MISTRAL_NAME.search(seen.text):
        return False
    return seen.has("[ARGS]") or (seen.has("[TOOL_CALLS] [") and seen.holds(dict))


def _hermes_sglang(seen: Seen) -> bool:
    last = (seen.listed or len(seen.calls) == 1) and not seen.rest.replace("]", "")
    return _llama3(seen) and (seen.closed("</tool_call>") or last)


def _qwen_sglang(seen: Seen) -> bool:
    return _llama3(seen) and seen.has("<tool_call>\n") and seen.closed("\n</tool_call>")


def _alone_python(seen: Seen) -> bool:
    return seen.only("[", "]")


def _alone_llama4(seen: Seen) -> bool:
    return seen.only("[", "]") or seen.only("<|python_start|>", "<|python_end|>")


def _one_call_last(seen: Seen) -> bool:
    return len(seen.calls) == 1 and not seen.rest and _llama3(seen)


def _openai(seen: Seen) -> bool:
    opened = seen.whole.count("<|start|>assistant<|channel|>")
    if seen.whole.startswith("<|channel|>"):
        return opened + 1 >= len(seen.calls)
    return "<|channel|>analysis" in seen.whole and opened >= len(seen.calls)


def _all_text(seen: Seen) -> bool:
    return all(
        isinstance(call.arguments, dict) and all(isinstance(value, str) for value in call.arguments.values())
        for call in seen.calls
    )


Rule = Callable[[Seen], bool]
VLLM: dict[str, Rule] = {
    "hermes": _hermes,
    "qwen3_json": _hermes,
    "ernie45": lambda seen: _hermes(seen) and seen.closed("</tool_call>"),
    "granite4": lambda seen: seen.holds(dict, str) and not seen.listed and seen.closed("</tool_call>"),
    "xlam": _xlam,
    "llama3_json": _llama3,
    "llama4_json": _llama3,
    "granite": _granite,
    "granite-20b-fc": lambda seen: seen.holds(dict),
    "jamba": lambda seen: seen.holds(dict) and seen.listed and seen.has("</tool_calls>"),
    "hunyuan_a13b": lambda seen: seen.holds(dict) and seen.listed and seen.has("</tool_calls>"),
    "phi4_mini_json": lambda seen: seen.holds(dict) and seen.listed,
    "longcat": lambda seen: seen.holds(dict),
    "mistral": _mistral_vllm,
    "internlm": lambda seen: len(seen.calls) == 1 and seen.has("<|action_start|><|plugin|>") and _llama3(seen),
    "gigachat3": lambda seen: _one_call_last(seen) and seen.holds(dict),
    "k2_horizon": lambda seen: seen.has("<ifm|arg_key>"),
    "lfm2": lambda seen: not seen.objects,
    "functiongemma": _all_text,
    "openai": _openai,
    "pythonic": _alone_python,
    "llama4_pythonic": _alone_llama4,
    "olmo3": lambda seen: seen.has("<function_calls>") or not seen.has("["),
    "minimax_m2": lambda seen: not seen.has("antml:"),
    "mimo": lambda seen: _QWEN_NEWLINES.search(seen.text) is None,
    "kimi_k2": lambda seen: seen.has("<|tool_calls_section_begin|>"),
    "hy_v4": lambda seen: seen.has("<tool_calls>"),
}
"""When a parser of vLLM reads the calls of a text."""

SGLANG: dict[str, Rule] = {
    "hermes": _hermes_sglang,
    "qwen": _qwen_sglang,
    "qwen25": _qwen_sglang,
    "llama3": lambda seen: _llama3(seen) and (seen.text.startswith("{") or seen.has("<|python_tag|>")),
    "mistral": _mistral_sglang,
    "glm45": lambda seen: _GLM_NEWLINE.search(seen.text) is not None,
    "glm47": lambda seen: _GLM_GLUED.search(seen.text) is not None,
    "hunyuan": lambda seen: seen.has("<tool_calls"),
    "qwen3_coder": lambda seen: seen.has("<tool_call>"),
    "step3p5": lambda seen: seen.has("<tool_call>"),
    "nanbeige": lambda seen: seen.has("<tool_call>"),
    "mimo": lambda seen: seen.has("<tool_call>") and _QWEN_NEWLINES.search(seen.text) is None,
    "pythonic": lambda seen: _PYTHON_LIST.search(seen.text) is not None,
    "interns1": lambda seen: seen.has("<|action_start|> <|plugin|>") and _llama3(seen),
    "gigachat3": lambda seen: _one_call_last(seen) and seen.holds(dict),
    "gpt-oss": lambda seen: "<|start|>assistant<|channel|>commentary" in seen.whole,
    "muse": lambda seen: seen.has("<|message|>") and seen.text.startswith("to="),
    "kimi_k2": lambda seen: seen.has("<|tool_calls_section_begin|>"),
}
"""When a parser of SGLang reads the calls of a text."""

#: A literal of each format; without it the special tokens were dropped.
_TOKENS = {
    "kimi_k2": "<|tool_call",
    "kimi_k3": "<|open|>",
    "plamo3": "<|plamo:",
    "deepseek_v3": "sep",
    "gemma4": "<|tool_call>",
    "beam": "<|channel|>",
    "harmony": "<|",
    "minimax_m3": "]<]minimax[>[",
    "name_json": "[TOOL_CALLS]",
    "cohere_command": "<|START_ACTION|>",
}
#: The models of a parser, where its name does not identify them.
MODELS = {
    "hermes": "Hermes, Qwen2.5 and Qwen3",
    "qwen3_json": "Qwen3",
    "qwen": "Qwen2.5 and Qwen3",
    "granite4": "Granite 4",
    "ernie45": "ERNIE 4.5",
    "xlam": "xLAM",
    "glm45": "GLM-4.5 and 4.6",
    "glm47": "GLM-4.7 and later",
    "hy_v4": "Hunyuan V4",
    "hunyuan": "Hunyuan",
    "poolside_v1": "Laguna",
    "ling3": "Ling",
    "mimo": "MiMo",
    "step3p5": "Step-3.5",
    "jamba": "Jamba",
    "hunyuan_a13b": "Hunyuan-A13B",
    "cohere_command3": "Command R7B and Command A",
    "cohere_command4": "later Command models",
    "pythonic": "Llama 3.2 and ToolACE",
    "llama4_pythonic": "Llama 4",
    "llama3_json": "Llama 3",
    "llama4_json": "Llama 4",
}
#: Parsers that read any JSON object with a name and arguments, whatever surrounds it.
_READS_ANY_JSON = ("llama3_json",)


def flags_for(
    family: str | None, vllm: tuple[str, ...], sglang: tuple[str, ...], scan: Scan, calls: Sequence[LeakedCall]
) -> Flags:
    """The candidates of a family that parse this text.

    Args:
        family: id of the family, None for bare JSON.
        vllm, sglang: the candidates, the model's own parser first.
        calls: the calls that were read, not empty.

    A call that was cut off counts as complete, and so do calls without their special tokens: with its parser enabled a
    server keeps the tokens.
    """
    seen = Seen(scan, calls)
    if family == "name_json" and not _glued(scan, calls[0]):
        return Flags((), ())
    if family in _TOKENS and _TOKENS[family] not in seen.text:
        return Flags(vllm, sglang, tokens_lost=bool(vllm or sglang))
    if not all(call.complete for call in calls):
        return Flags(vllm, sglang)
    for_vllm = tuple(value for value in vllm if VLLM.get(value, _always)(seen))
    for_sglang = tuple(value for value in sglang if SGLANG.get(value, _always)(seen))
    if not for_vllm:
        for_vllm = tuple(value for value in _READS_ANY_JSON if VLLM[value](seen))
    return Flags(for_vllm, for_sglang)


def _glued(scan: Scan, call: LeakedCall) -> bool:
    """Whether `NAME{` may be the rest of dropped tokens: adjacent, and without another marker before it."""
    before = scan.text[max(0, call.start - 40) : call.start].rstrip()
    brace = scan.text.find("{", call.start, call.end)
    return not before.endswith((">", "]")) and brace > 0 and scan.text[brace - 1 : brace].strip() != ""


def _always(_: Seen) -> bool:
    return True
