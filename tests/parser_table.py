"""Writes docs/tool-parsers.md from the recorded outcomes of the servers' own parsers.

    python -m tests.parser_table

A test holds the page against the record (tests/unit/test_parser_flags.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from checks.tools.markup import find_calls

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "data" / "parser_outcomes.json"
PAGE = ROOT / "docs" / "tool-parsers.md"
CONTEXTS = ("one", "two", "before", "after")

_HEAD = """<!-- Written by `python -m tests.parser_table` from tests/data/parser_outcomes.json; run it again. -->

# Which parser reads which tool call

A model writes a tool call as text, and the server's parser turns it into `tool_calls`. Where the parser is missing or
is another model's, the text reaches the client. This page says which values of `--tool-call-parser` really read which
text: all {vllm_count} that vLLM {vllm} registers and all {sglang_count} that SGLang {sglang} registers were run on each
of {texts} texts, as the server runs them on a whole answer with tool_choice `auto`. vLLM also needs
`--enable-auto-tool-choice`.

How to read it:

- A value is listed where it returned exactly the call that the text holds: its name and all arguments.
- Each form was tried four times: one call, two calls, words before the call, words behind it. What failed is said:
  `pythonic` (not with words around it).
- **Named first** is what `tools.parser-missing` and `tools.text-call` name first for the one call. "none" is said
  plainly in the finding, with the general way: the chat template and parser of the model's family, or llama.cpp with
  `--jinja`.
- ⚠ marks forms whose special tokens were dropped from the text. No parser reads what is left; the values are those
  that read what the model wrote. With its own parser on, a server keeps the tokens.
- vLLM's `llama3_json` reads a JSON object with a name and arguments wherever it stands. It is named where the
  format's own parser does not read the text.
- Streamed answers were not tried: a parser may read a call whole and fail on its pieces.
- Notes on single values. Beam's template was given to vLLM's `beam` and `hf` and to SGLang's `response_template`,
  which take one from the model's tokenizer. vLLM's `mistral` was tried with a tokenizer that knows `[ARGS]` and with
  one that does not. vLLM's `openai` was given the tokens of the gpt-oss vocabulary.

| Format | Form | vLLM {vllm} | SGLang {sglang} | Named first (vLLM, SGLang) |
| --- | --- | --- | --- | --- |
"""


def _reads(outcome: dict[str, Any], server: str) -> set[str]:
    return set(outcome[server]).union(*(written[server] for written in outcome.get("written", [])))


def _cell(cases: dict[str, dict[str, Any]], server: str) -> str:
    said = {"two": "two calls", "before": "words before it", "after": "words behind it"}
    values = []
    for value in sorted(_reads(cases["one"], server)):
        failed = [words for context, words in said.items() if value not in _reads(cases[context], server)]
        values.append(f"`{value}`" + (f" (not {', '.join(failed)})" if failed else ""))
    for context, words in said.items():
        extra = _reads(cases[context], server) - _reads(cases["one"], server)
        values += [f"`{value}` (only {words})" for value in sorted(extra)]
    return ", ".join(dict.fromkeys(values)) or "none"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("<", "&lt;")


def page(record: dict[str, Any]) -> str:
    """The whole page as Markdown, ending with a newline."""
    forms: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for outcome in record["outcomes"]:
        forms.setdefault((outcome["family"], outcome["variant"]), {})[outcome["context"]] = outcome
    rows = []
    for (family, variant), cases in sorted(forms.items()):
        leak = find_calls(cases["one"]["text"], record["tools"])
        named = [f"`{values[0]}`" if values else "none" for values in (leak.vllm, leak.sglang)] if leak else ["no call"]
        mark = " ⚠" if "written" in cases["one"] else ""
        cells = (_cell(cases, "vllm"), _cell(cases, "sglang"), ", ".join(named))
        rows.append(f"| {_escape(family)} | {_escape(variant)}{mark} | {' | '.join(cells)} |\n")
    registered, versions = record["registered"], record["versions"]
    head = _HEAD.format(
        vllm=versions["vllm"],
        sglang=versions["sglang"],
        vllm_count=len(registered["vllm"]),
        sglang_count=len(registered["sglang"]),
        texts=len(record["outcomes"]),
    )
    return head + "".join(rows)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
