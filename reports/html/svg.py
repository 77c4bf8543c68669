"""Small helpers for drawing SVG that is safe to put into a page: elements, never strings."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from reports.text import visible

Element = ElementTree.Element


@dataclass(frozen=True)
class Axis:
    """Time from left to right: 0 s at ``left``, ``longest_s`` at ``right``."""

    left: float
    right: float
    longest_s: float

    def at(self, seconds: float) -> float:
        """Where a time stands."""
        return self.left + min(max(seconds, 0.0), self.longest_s) * (self.right - self.left) / self.longest_s


def picture(width: float, height: float, title: str, description: str) -> Element:
    """An SVG element with an accessible name and description."""
    root = ElementTree.Element(
        "svg",
        {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "class": "picture", "preserveAspectRatio": "xMinYMin"},
    )
    ElementTree.SubElement(root, "title").text = visible(title)
    ElementTree.SubElement(root, "desc").text = visible(description)
    return root


def add(parent: Element, tag: str, kind: str, **numbers: float) -> Element:
    """Add an element of a CSS class with numeric attributes (``stroke_width`` is written with a dash)."""
    attributes = {name.replace("_", "-"): f"{value:.2f}".rstrip("0").rstrip(".") for name, value in numbers.items()}
    return ElementTree.SubElement(parent, tag, {"class": kind, **attributes})


def label(parent: Element, x: float, y: float, text: str, kind: str = "label", anchor: str = "start") -> Element:
    """Add text."""
    made = add(parent, "text", kind, x=x, y=y)
    made.set("text-anchor", anchor)
    made.text = visible(text)
    return made


def hint(element: Element, text: str) -> None:
    """A tooltip."""
    ElementTree.SubElement(element, "title").text = visible(text)


def path(parent: Element, kind: str, steps: str) -> Element:
    """Add a path."""
    return ElementTree.SubElement(parent, "path", {"class": kind, "d": steps})


def ticks(longest_s: float, most: int = 8) -> list[float]:
    """Round times from 0 to the longest, at most so many."""
    if longest_s <= 0:
        return [0.0]
    for power in range(-4, 7):
        for step in (1, 2, 5):
            width = step * 10.0**power
            if longest_s / width <= most:
                return [round(number * width, 6) for number in range(int(longest_s / width) + 1)]
    return [0.0]


def seconds(value: float) -> str:
    """A time as short as it can be read: ``0.25 s``, ``12 s``."""
    return f"{value:.3g} s"


def text_of(root: Element) -> str:
    """The markup of a drawing."""
    return ElementTree.tostring(root, encoding="unicode")
