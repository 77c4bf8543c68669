"""Diagnosis of content as blocks and of null content, from exchanges made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.content.checks import diagnose_blocks, diagnose_null, diagnose_tool_blocks
from checks.content.reading import Fate, Seen, compare, compare_role, settle
from checks.shared import conversation as talk
from checks.shared.evidence import counts_live, repeats
from checks.tools.requests import conversation, with_blocks, with_content
from probe.api import Exchange, Inconclusive, Severity, State
from tests.unit.answers import chat, exchange, lost, refusal

CODES = ("ZEBRA-48213", "KOALA-10475")
BOTH = "The two codes are ZEBRA-48213 and KOALA-10475."
ROLES = ("system", "user", "assistant")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("KX: ZEBRA-48213.", True),
        ("Zebra-48213", True),
        ("the number 48213", True),
        ("48,213", True),
        ("48 213", True),
        ("ZEBRA", False),
        ("148214", False),
        ("", False),
    ],
)
def test_a_code_is_known_by_its_digits(text: str, found: bool) -> None:
    assert repeats(chat(text), "ZEBRA-48213") is found


def test_a_code_in_the_thinking_counts() -> None:
    assert repeats(chat("I cannot tell.", reasoning_content="It is ZEBRA-48213."), "ZEBRA-48213")


def test_counts_live_only_where_they_move() -> None:
    def asked(tokens: int | None, **body: object) -> Exchange:
        made = chat("x", prompt=tokens)
        return replace(made, request=replace(made.request, body={"messages": [], **body}))

    assert counts_live([asked(40), asked(70)])
    assert not counts_live([asked(10), asked(10), asked(12)])
    assert not counts_live([asked(None), asked(None)])
    assert not counts_live([])
    # The counts of streams may come from elsewhere, or be real where those of answers are not.
    assert not counts_live([asked(10), asked(10), *(asked(number, stream=True) for number in (10, 40, 70))])


@pytest.mark.parametrize(
    ("blocks", "live", "fate"),
    [
        (chat(BOTH, prompt=70), True, Fate.READ),
        (chat("nonsense", prompt=70), True, Fate.SUSPECT),
        (chat(BOTH, prompt=67), True, Fate.READ),  # joined by nothing
        (chat("Hello!", prompt=40), True, Fate.LOST),
        (chat(BOTH), False, Fate.READ),
        (chat("ZEBRA-48213 only"), False, Fate.LOST),
        (refusal(400, "content must be a string"), True, Fate.REFUSED),
        (refusal(500, 'can only concatenate str (not "list") to str'), True, Fate.REFUSED),
        (exchange(200, {"error": "content must be a string"}), True, Fate.REFUSED),
        (refusal(503, "busy"), True, Fate.UNCLEAR),
        (refusal(502, "bad gateway"), True, Fate.UNCLEAR),
        (lost(), True, Fate.UNCLEAR),
    ],
)
def test_blocks_against_strings(blocks: Exchange, live: bool, fate: Fate) -> None:
    assert compare(chat(BOTH, prompt=70), blocks, CODES, live).fate is fate


def test_a_weak_model_is_judged_by_counts_alone() -> None:
    strings = chat("I like turtles", prompt=70)
    assert compare(strings, chat("No idea", prompt=70), CODES, True).fate is Fate.READ
    assert compare(strings, chat("No idea", prompt=58), CODES, True).fate is Fate.LOST
    assert compare(strings, chat("No idea"), CODES, False).fate is Fate.UNCLEAR


def test_the_conversation_has_the_same_text_in_both_forms() -> None:
    strings = talk.two_codes(CODES)
    blocks = talk.two_codes(CODES, ROLES)
    for plain, listed in zip(strings, blocks, strict=True):
        content = listed["content"]
        text = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
        assert text == plain["content"]
    assert len(blocks[-1]["content"]) == 2
    assert isinstance(talk.two_codes(CODES, ("system",))[-1]["content"], str)


def test_one_conversation_settles_all_roles_where_counts_agree() -> None:
    strings = chat(BOTH, prompt=70)
    seen = settle(compare(strings, chat(BOTH, prompt=70), CODES, True), strings, CODES, ROLES)
    assert seen is not None
    assert {role: one.fate for role, one in seen.items()} == dict.fromkeys(ROLES, Fate.READ)


def test_without_counts_the_assistant_is_still_open() -> None:
    strings = chat(BOTH)
    seen = settle(compare(strings, chat(BOTH), CODES, False), strings, CODES, ROLES)
    assert seen is not None
    assert seen["user"].fate is Fate.READ
    assert seen["assistant"].fate is Fate.SUSPECT


def test_a_difference_is_examined_role_by_role() -> None:
    strings = chat(BOTH, prompt=70)
    assert settle(compare(strings, chat("Hi", prompt=40), CODES, True), strings, CODES, ROLES) is None
    assert settle(compare(strings, refusal(400, "no"), CODES, True), strings, CODES, ROLES) is None


def test_a_refused_plain_conversation_is_inconclusive() -> None:
    strings = refusal(400, "roles must alternate")
    with pytest.raises(Inconclusive):
        settle(compare(strings, refusal(400, "no"), CODES, True), strings, CODES, ROLES)
    with pytest.raises(Inconclusive):
        settle(compare(chat(BOTH), lost(), CODES, True), chat(BOTH), CODES, ROLES)


def test_a_count_without_cached_tokens_gives_no_finding() -> None:
    strings = chat(BOTH, prompt=70)
    told = dict.fromkeys(ROLES, chat(BOTH, prompt=12))
    seen = compare_role(strings, chat(BOTH, prompt=12), told, CODES, True)
    assert seen["system"].fate is Fate.READ
    assert seen["user"].fate is Fate.READ
    assert seen["assistant"].fate is Fate.SUSPECT


def test_one_5xx_is_a_refusal_only_where_it_repeats() -> None:
    strings = chat(BOTH, prompt=70)
    told = {"system": chat(BOTH, prompt=70), "user": refusal(500, "oops"), "assistant": chat(BOTH, prompt=70)}
    assert compare_role(strings, refusal(500, "oops"), told, CODES, True)["user"].fate is Fate.REFUSED
    assert compare_role(strings, chat("Hi", prompt=40), told, CODES, True)["user"].fate is Fate.UNCLEAR


def _seen(**fates: Fate) -> dict[str, Seen]:
    said = refusal(400, "must be a string")
    return {role: Seen(fates.get(role, Fate.READ), said, missing=CODES[:1]) for role in ROLES}


def test_blocks_work_where_only_another_role_is_refused() -> None:
    result = diagnose_blocks(chat(BOTH), _seen(system=Fate.REFUSED), None, CODES[0])
    assert [finding.code for finding in result.findings] == ["content.blocks-rejected"]
    assert result.findings[0].severity is Severity.WARNING
    assert "system" in result.findings[0].detail
    assert result.verdicts["block_content"].verdict is State.WORKS
    assert result.facts["block_content_roles"] == ["user", "assistant"]


def test_one_block_that_is_read_means_that_several_are_cut() -> None:
    single = chat("KOALA-10475", prompt=20), chat("KOALA-10475", prompt=20)
    result = diagnose_blocks(chat(BOTH), _seen(user=Fate.LOST), single, CODES[1])
    assert [finding.code for finding in result.findings] == ["content.blocks-truncated"]
    assert result.verdicts["block_content"].verdict is State.BROKEN


def test_one_block_that_is_lost_means_that_all_are() -> None:
    single = chat("What should I repeat?", prompt=9), chat("KOALA-10475", prompt=20)
    result = diagnose_blocks(chat(BOTH), _seen(user=Fate.LOST, system=Fate.LOST), single, CODES[1])
    assert [finding.code for finding in result.findings] == ["content.blocks-ignored"]
    assert result.verdicts["block_content"].verdict is State.IGNORED


def test_loss_in_another_role_breaks_the_feature() -> None:
    result = diagnose_blocks(chat(BOTH), _seen(system=Fate.LOST), None, CODES[0])
    assert [finding.code for finding in result.findings] == ["content.blocks-ignored"]
    assert result.verdicts["block_content"].verdict is State.BROKEN


def test_an_open_user_turn_gives_no_verdict() -> None:
    with pytest.raises(Inconclusive):
        diagnose_blocks(chat(BOTH), _seen(user=Fate.UNCLEAR), None, CODES[0])


def test_a_code_of_one_of_the_blocks_shows_that_they_are_cut_and_not_dropped() -> None:
    result = diagnose_blocks(chat(BOTH), _seen(user=Fate.LOST), None, CODES[1], partial=True)
    (finding,) = result.findings
    assert finding.code == "content.blocks-truncated"
    assert result.verdicts["block_content"].verdict is State.BROKEN


def test_findings_of_other_roles_are_kept_where_the_users_is_unknown() -> None:
    result = diagnose_blocks(chat(BOTH), _seen(user=Fate.UNCLEAR, system=Fate.REFUSED), None, CODES[0])
    assert [item.code for item in result.findings] == ["content.blocks-rejected"]
    assert result.verdicts["block_content"].verdict is State.UNKNOWN


def test_null_is_accused_only_where_an_empty_string_passes() -> None:
    said = refusal(400, "content: expected a string")
    assert diagnose_null([said], [chat("21 degrees")]).findings[0].code == "content.null-rejected"
    assert not diagnose_null([chat("21 degrees")], []).findings
    with pytest.raises(Inconclusive):
        diagnose_null([said], [refusal(400, "tool_call_id is unknown")])
    with pytest.raises(Inconclusive):  # once, and without saying why
        diagnose_null([refusal(500, "Internal Server Error")], [chat("21 degrees")])
    twice = [refusal(500, "Internal Server Error")] * 2
    assert diagnose_null(twice, [chat("21 degrees")]).findings
    with pytest.raises(Inconclusive):
        diagnose_null([lost()], [chat("21 degrees")])


def test_the_tool_role() -> None:
    first = chat("The weather in Paris is 48213 degrees.", prompt=60)
    good = diagnose_tool_blocks(first, [first], "48213", True, ["user"])
    assert good.facts["block_content_roles"] == ["user", "tool"]
    said = diagnose_tool_blocks(first, [refusal(422, "string_type")], "48213", True, ["user"])
    assert said.findings[0].code == "content.blocks-rejected"
    gone = diagnose_tool_blocks(first, [chat("I do not know", prompt=48)], "48213", True, ["user"])
    assert gone.findings[0].code == "content.blocks-ignored"
    with pytest.raises(Inconclusive):
        diagnose_tool_blocks(first, [chat("I do not know", prompt=60)], "48213", True, ["user"])


def test_the_history_keeps_its_text_in_every_form() -> None:
    messages = conversation("48213")
    assert messages[1]["content"] is None
    assert with_content(messages, "")[1]["content"] == ""
    block = with_blocks(messages)[2]["content"]
    assert block == [{"type": "text", "text": messages[2]["content"]}]
    assert "48213" in messages[2]["content"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
