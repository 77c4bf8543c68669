"""Judging what a model says about a picture, and what its prompt tokens say."""

from __future__ import annotations

import random

import pytest

from checks.vision.checks import diagnose_vision
from checks.vision.reading import COLOURS, Look, colours_named, quadrants, unguessable
from probe.api import Inconclusive, State
from probe.parsing.png import data_uri
from probe.simulator.model import pictures
from tests.unit.answers import chat, lost, refusal

LAYOUT = ("red", "white", "black", "blue")
OTHER = ("green", "yellow", "red", "black")
BLIND = "Red, green, blue, yellow."
SMALL, BIG = 210, 3934  # characters of the data URIs


def look(text: str | None, prompt: int | None = None, *, big: bool = False, finish: str = "stop") -> Look:
    answer = chat(text, prompt=prompt, finish=finish, number=2 if big else 1)
    return Look(answer, OTHER if big else LAYOUT, 256 if big else 64, BIG if big else SMALL)


def plain(prompt: int | None) -> object:
    return chat("I do not know.", prompt=prompt, number=9)


# The picture ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [64, 256])
def test_the_picture_is_a_png_of_four_quadrants(side: int) -> None:
    made = quadrants(LAYOUT, side)
    assert pictures.size(made) == (side, side)
    assert pictures.layout(made) == [["red", "white"], ["black", "blue"]]
    assert len(data_uri(made)) < 1500


def test_a_comment_changes_the_file_and_not_the_picture() -> None:
    made = quadrants(LAYOUT, 256, 2100)
    assert pictures.layout(made) == [["red", "white"], ["black", "blue"]]
    assert len(data_uri(made)) - len(data_uri(quadrants(LAYOUT, 64))) > 3000


def test_layouts_are_many_and_no_blind_guess_is_among_them() -> None:
    source = random.Random(7)
    made = {unguessable(source) for _ in range(4000)}
    assert len(made) == 216
    for layout in made:
        assert len(set(layout)) == 4
        assert {"black", "white"} & set(layout)
        assert len({"red", "blue", "yellow"} & set(layout)) == 2
        assert set(layout) <= set(COLOURS)


@pytest.mark.parametrize("named", [("red", "green", "blue", "yellow"), ("white",) * 4, ("black",), ("other", "blue")])
def test_what_was_said_before_is_wrong_everywhere(named: tuple[str, ...]) -> None:
    source = random.Random(7)
    for _ in range(200):
        made = unguessable(source, named)
        assert not any(mine == theirs for mine, theirs in zip(made, named, strict=False))


@pytest.mark.parametrize("wrong", [(("red",) * 3, 64), (LAYOUT, 63), (LAYOUT, 0)])
def test_an_unusable_picture_is_refused(wrong: tuple[tuple[str, ...], int]) -> None:
    with pytest.raises(ValueError, match="four colours"):
        quadrants(*wrong)


@pytest.mark.parametrize(
    "answer",
    [
        "red, white, black, blue",
        "Red White Black Blue",
        "top left: red, top right: white, bottom left: black, bottom right: blue",
        "- **Bottom right**: Blue\n- **Top left**: Red\n- **Top right**: White\n- **Bottom left**: Black",
        "The upper-left quadrant is bright red and the upper-right is white. Lower left is black; lower right, navy.",
        '{"top left": "red", "top right": "white", "bottom left": "black", "bottom right": "blue"}',
        "In the order top left, top right, bottom left, bottom right: red, white, black, blue.",
    ],
)
def test_answers_are_read_in_every_form(answer: str) -> None:
    assert colours_named(answer) == LAYOUT


@pytest.mark.parametrize("answer", ["", "A cat.", "I cannot see pictures.", "reddish brownish"])
def test_no_colours_are_read_where_none_are_named(answer: str) -> None:
    assert colours_named(answer) == ()


# The verdict ----------------------------------------------------------------------------


def test_the_right_colours_are_proof_enough() -> None:
    result = diagnose_vision([look("red, white, black, blue", 130)])
    assert result.verdicts["vision"].verdict is State.WORKS
    assert not result.findings


def test_a_bigger_picture_may_be_needed() -> None:
    result = diagnose_vision(
        [look("red, white, white, blue", 36), look("green yellow red black", 113, big=True)], plain(30)
    )
    assert result.verdicts["vision"].verdict is State.WORKS
    assert "256 px" in result.verdicts["vision"].note


def test_a_model_that_sees_poorly_still_sees() -> None:
    seen = [look("red, white, black, black", 130), look("green, yellow, red, white", 130, big=True)]
    assert diagnose_vision(seen, plain(30)).verdicts["vision"].verdict is State.WORKS


def test_equal_prompt_tokens_mean_dropped() -> None:
    result = diagnose_vision([look(BLIND, 30)], plain(30))
    assert [item.code for item in result.findings] == ["vision.ignored"]
    assert result.verdicts["vision"].verdict is State.IGNORED
    assert len(result.findings[0].evidence) == 2


def test_a_count_that_never_moves_does_not_show_that_a_picture_was_dropped() -> None:
    result = diagnose_vision([look("lorem ipsum", 30)], plain(30), live=False)
    assert not result.findings
    assert result.verdicts["vision"].verdict is State.UNKNOWN


def test_dropped_even_where_the_model_is_too_weak_to_say_so() -> None:
    result = diagnose_vision([look("lorem ipsum", 30)], plain(30))
    assert [item.code for item in result.findings] == ["vision.ignored"]


def test_uncounted_pictures_that_are_partly_seen_are_not_called_dropped() -> None:
    seen = [look("red, white, blue, black", 30), look("green, yellow, black, red", 30, big=True)]
    result = diagnose_vision(seen, plain(30))
    assert not result.findings
    assert result.verdicts["vision"].verdict is State.UNKNOWN


def test_a_url_pasted_as_text_is_not_a_picture() -> None:
    seen = [look(BLIND, 30 + 120), look(BLIND, 30 + 1900, big=True)]
    result = diagnose_vision(seen, plain(30))
    assert [item.code for item in result.findings] == ["vision.ignored"]
    assert "data URI" in result.findings[0].detail


def test_a_context_too_short_for_the_uri_is_the_same_evidence() -> None:
    long = Look(refusal(400, "This model's maximum context length is 1024 tokens."), OTHER, 256, BIG)
    result = diagnose_vision([look(BLIND, 30 + 120), long], plain(30))
    assert [item.code for item in result.findings] == ["vision.ignored"]


@pytest.mark.parametrize("text", ["I'm sorry, but I can't see any image.", BLIND])
def test_a_placeholder_is_not_a_picture(text: str) -> None:
    seen = [look(text, 34), look(text, 34, big=True)]
    result = diagnose_vision(seen, plain(30))
    assert [item.code for item in result.findings] == ["vision.ignored"]


@pytest.mark.parametrize(("small", "big"), [(576, 576), (6, 83), (85, 255), (64, 320), (16, 340)])
def test_wrong_colours_of_a_picture_that_was_given_are_misread(small: int, big: int) -> None:
    seen = [look("blue, black, white, red", 30 + small), look("blue, red, yellow, white", 30 + big, big=True)]
    result = diagnose_vision(seen, plain(30))
    assert [item.code for item in result.findings] == ["vision.misread"]
    assert result.verdicts["vision"].verdict is State.BROKEN
    assert str(result.findings[0].owner) == "model"


def test_nonsense_about_a_given_picture_has_no_finding() -> None:
    result = diagnose_vision([look("the of and", 606), look("the of and", 606, big=True)], plain(30))
    assert not result.findings
    assert result.verdicts["vision"].verdict is State.UNKNOWN


def test_without_counts_a_wrong_answer_is_unknown() -> None:
    result = diagnose_vision([look(BLIND), look(BLIND, big=True)], plain(None))
    assert not result.findings
    assert result.verdicts["vision"].verdict is State.UNKNOWN


def test_without_counts_a_model_that_says_twice_it_is_blind_is_believed() -> None:
    said = "I'm unable to view images. Please describe the picture."
    result = diagnose_vision([look(said), look(said, big=True)], plain(None))
    assert [(item.code, item.confidence) for item in result.findings] == [("vision.ignored", 0.7)]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "tiny is not a multimodal model"),
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (404, "Only 'text' content type is supported."),
        (400, "messages[0]: unknown variant `image_url`, expected `text`"),
    ],
)
def test_an_honest_refusal_is_only_information(status: int, text: str) -> None:
    result = diagnose_vision([Look(refusal(status, text), LAYOUT, 64, SMALL)])
    assert [(item.code, str(item.severity)) for item in result.findings] == [("vision.rejected", "info")]
    assert text in result.findings[0].detail
    assert result.verdicts["vision"].verdict is State.REJECTED


def test_a_crash_counts_when_it_comes_twice() -> None:
    crash = Look(refusal(500, "can only concatenate str (not list) to str"), LAYOUT, 64, SMALL)
    with pytest.raises(Inconclusive):
        diagnose_vision([crash])
    assert diagnose_vision([crash, crash]).verdicts["vision"].verdict is State.REJECTED


def test_a_lost_request_is_inconclusive() -> None:
    with pytest.raises(Inconclusive):
        diagnose_vision([Look(lost(), LAYOUT, 64, SMALL)])
