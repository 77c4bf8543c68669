"""Answers questions about pictures from their colours and layout."""

from __future__ import annotations

import re

from probe.simulator.standin import png

_PLACES = [("top-left", 0, 0), ("top-right", 0, 1), ("bottom-left", 1, 0), ("bottom-right", 1, 1)]
_WORDS = {"upper": "top", "lower": "bottom", "centre": "center", "middle": "center"}


def describe(data: bytes) -> list[tuple[str, str]]:
    """(place, colour) pairs of a picture, in reading order; empty when it cannot be read."""
    try:
        grid = png.layout(data)
    except png.NotReadable:
        return []
    widths = {len(row) for row in grid}
    if len(grid) == 1 and len(grid[0]) == 1:
        return [("whole", grid[0][0])]
    if len(widths) == 1 and len(grid) == 2 and widths == {2}:
        return [(place, grid[y][x]) for place, y, x in _PLACES]
    if len(grid) == 1:
        names = ["left", "right"] if len(grid[0]) == 2 else ["left", "center", "right"]
        if len(grid[0]) > 3:
            names = [f"column {place}" for place in range(1, len(grid[0]) + 1)]
        return list(zip(names, grid[0], strict=True))
    if widths == {1}:
        names = ["top", "bottom"] if len(grid) == 2 else ["top", "center", "bottom"]
        if len(grid) > 3:
            names = [f"row {place}" for place in range(1, len(grid) + 1)]
        return list(zip(names, (row[0] for row in grid), strict=True))
    if len(grid) <= 2 and max(widths) <= 2:  # two halves, one of them divided
        made = []
        for y, row in enumerate(grid):
            for x in range(2):
                made.append((_PLACES[2 * y + x][0], row[min(x, len(row) - 1)]))
        return made
    if len(widths) == 1:
        return [(f"row {y} column {x}", colour) for y, row in enumerate(grid, 1) for x, colour in enumerate(row, 1)]
    colours = dict.fromkeys(colour for row in grid for colour in row)
    return [(f"colour {place}", colour) for place, colour in enumerate(colours, 1)]


def _normal(text: str) -> str:
    text = text.lower().replace("grey", "gray")
    for word, plain in _WORDS.items():
        text = re.sub(rf"\b{word}\b", plain, text)
    return re.sub(r"\b(top|bottom)[\s_-]*(left|right)\b", r"\1-\2", text)


def look(images: tuple[bytes, ...], question: str) -> str | None:
    """An answer about the pictures, or None when the question is about something else."""
    seen = [describe(image) for image in images]
    if not any(seen):
        return "I can see that there is a picture, but I cannot make out what it shows."
    asked = _normal(question)
    answers = [_one(found, asked) for found in seen if found]
    if len(answers) == 1:
        return answers[0]
    return "\n".join(f"Image {place}: {text}" for place, text in enumerate(answers, 1))


def _one(found: list[tuple[str, str]], asked: str) -> str:
    if found[0][0] == "whole":
        return found[0][1]
    places = [(place, colour) for place, colour in found if re.search(rf"(?<![\w-]){place}(?![\w-])", asked)]
    several = re.search(r"colou?rs\b|quadrants|corners|clockwise|\beach\b|\ball\b", asked)
    if len(places) == 1 and not several:
        return places[0][1]
    which = re.search(r"\b(?:which|where)\b.*\b(?:quadrant|corner|part|side|half|square|area|position)?\b", asked)
    if which and not places:
        hits = [place for place, colour in found if re.search(rf"\b{colour}\b", asked)]
        if len(hits) == 1:
            return hits[0]
    order = [place for place, _ in found]
    if "clockwise" in asked and len(found) == 4 and order[0] == "top-left":
        found = [found[0], found[1], found[3], found[2]]
    elif len(places) > 1:
        found = sorted(places, key=lambda pair: asked.find(pair[0]))
    if re.search(
        r"comma|only the colou?rs?|just the colou?rs?|in (?:that|this|reading|the following)? ?order|"
        r"clockwise|nothing else",
        asked,
    ):
        return ", ".join(colour for _, colour in found)
    return ", ".join(f"{place}: {colour}" for place, colour in found)
