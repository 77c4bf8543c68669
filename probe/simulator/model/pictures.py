"""Answers questions about pictures from their colours and layout."""

from __future__ import annotations

import re
import struct
import zlib

# Reading: PNG with 8 bits a sample, not interlaced (W3C PNG, third edition) ----------------------------

MAX_PIXELS = 4096 * 4096
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = {
    "red": [(255, 0, 0), (200, 0, 0), (220, 20, 60), (220, 40, 40)],
    "green": [(0, 255, 0), (0, 128, 0), (0, 180, 0), (40, 160, 60)],
    "blue": [(0, 0, 255), (0, 0, 160), (30, 80, 220), (65, 105, 225)],
    "yellow": [(255, 255, 0), (240, 220, 40)],
    "black": [(0, 0, 0), (30, 30, 30)],
    "white": [(255, 255, 255), (240, 240, 240)],
    "cyan": [(0, 255, 255), (0, 200, 200), (0, 188, 212)],
    "magenta": [(255, 0, 255), (220, 0, 220)],
    "orange": [(255, 165, 0), (255, 128, 0)],
    "purple": [(128, 0, 128), (110, 30, 160)],
    "pink": [(255, 192, 203), (255, 150, 180)],
    "brown": [(139, 69, 19), (120, 72, 0)],
    "gray": [(128, 128, 128), (180, 180, 180), (90, 90, 90)],
}


class NotReadable(ValueError):
    """The bytes are not a PNG that this reader supports."""


def size(data: bytes) -> tuple[int, int]:
    """(width, height) in pixels; raises NotReadable."""
    if len(data) < 33 or data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise NotReadable("no PNG signature")
    width, height = struct.unpack(">II", data[16:24])
    if not 0 < width * height <= MAX_PIXELS:
        raise NotReadable("unusable size")
    return width, height


def name(colour: tuple[int, int, int]) -> str:
    """The nearest colour word of an RGB value."""

    def distance(sample: tuple[int, int, int]) -> int:
        return sum((one - two) ** 2 for one, two in zip(colour, sample, strict=True))

    return min(_PALETTE, key=lambda word: min(map(distance, _PALETTE[word])))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    place = 8
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        found[kind] = found.get(kind, b"") + data[place + 8 : place + 8 + length]
        place += 12 + length
    return found


def _unfilter(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    """One scan line without its filter (section 9.2)."""
    if kind == 0:
        return line
    made = bytearray(line)
    for place in range(len(line)):
        left = made[place - step] if place >= step else 0
        up = above[place]
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        elif kind == 4:
            corner = above[place - step] if place >= step else 0
            estimate = left + up - corner
            guess = min((left, up, corner), key=lambda value: abs(estimate - value))
        else:
            raise NotReadable("unknown filter")
        made[place] = (made[place] + guess) & 255
    return bytes(made)


def rows(data: bytes) -> list[list[tuple[int, int, int]]]:
    """The picture as rows of RGB values, sampled to at most about 128 by 128; raises NotReadable."""
    width, height = size(data)
    depth, kind, _, _, interlace = data[24:29]
    if depth != 8 or kind not in _CHANNELS or interlace:
        raise NotReadable("only 8-bit, not interlaced")
    found = _chunks(data)
    step = _CHANNELS[kind]
    stride = width * step
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(found[b"IDAT"], (stride + 1) * height)
    except (KeyError, zlib.error) as wrong:
        raise NotReadable("damaged picture data") from wrong
    if len(raw) < (stride + 1) * height:
        raise NotReadable("picture data ends early")
    palette = found.get(b"PLTE", b"")
    above = bytes(stride)
    memory: dict[tuple[int, bytes, bytes], bytes] = {}
    made = []
    every_x, every_y = max(1, width // 128), max(1, height // 128)
    for y in range(height):
        start = y * (stride + 1)
        key = (raw[start], raw[start + 1 : start + 1 + stride], above)
        if key not in memory:  # flat pictures repeat their lines
            memory[key] = _unfilter(*key, step)
        above = memory[key]
        if y % every_y == every_y // 2:
            made.append([_pixel(above, x * step, kind, palette) for x in range(every_x // 2, width, every_x)])
    return made


def _pixel(line: bytes, place: int, kind: int, palette: bytes) -> tuple[int, int, int]:
    if kind == 3:
        entry = line[place] * 3
        return (palette[entry], palette[entry + 1], palette[entry + 2]) if entry + 2 < len(palette) else (0, 0, 0)
    if kind in (0, 4):
        return (line[place],) * 3
    return (line[place], line[place + 1], line[place + 2])


def layout(data: bytes) -> list[list[str]]:
    """Colour words as a grid: [["red"]] for one colour, two by two for quadrants; raises NotReadable.

    Strips thinner than three hundredths of the picture are ignored, as by a vision model.
    """
    cache: dict[tuple[int, int, int], str] = {}
    grid: list[tuple[list[str], int]] = []
    for row in rows(data):
        names = [cache.get(pixel) or cache.setdefault(pixel, name(pixel)) for pixel in row]
        runs = _runs(names)
        if grid and grid[-1][0] == runs:
            grid[-1] = (runs, grid[-1][1] + 1)
        else:
            grid.append((runs, 1))
    least = 0.03 * sum(times for _, times in grid)
    merged: list[list[str]] = []
    for runs, times in grid:
        if times > least and (not merged or merged[-1] != runs):
            merged.append(runs)
    return merged or [grid[0][0]]


def _runs(names: list[str]) -> list[str]:
    counted: list[tuple[str, int]] = []
    for word in names:
        if counted and counted[-1][0] == word:
            counted[-1] = (word, counted[-1][1] + 1)
        else:
            counted.append((word, 1))
    kept: list[str] = []
    for word, times in counted:
        if times > 0.03 * len(names) and (not kept or kept[-1] != word):
            kept.append(word)
    return kept or [names[0]]


# Answers -----------------------------------------------------------------------------------------------

_PLACES = [("top-left", 0, 0), ("top-right", 0, 1), ("bottom-left", 1, 0), ("bottom-right", 1, 1)]
_WORDS = {"upper": "top", "lower": "bottom", "centre": "center", "middle": "center"}


def describe(data: bytes) -> list[tuple[str, str]]:
    """(place, colour) pairs of a picture in reading order; empty for one that cannot be read."""
    try:
        grid = layout(data)
    except NotReadable:
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


def answer_about(images: tuple[bytes, ...], question: str) -> str:
    """An answer about these pictures."""
    described = [describe(image) for image in images]
    if not any(described):
        return "I can see that there is a picture, but I cannot make out what it shows."
    asked = _normal(question)
    answers = [_one(found, asked) for found in described if found]
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
