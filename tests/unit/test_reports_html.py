"""The page: self-contained, inert whatever an endpoint sends, small with many exchanges."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from probe.model import Report
from probe.report import document
from reports.html import layout
from reports.html.page import Room, exchange_view, readable, render
from tests.reports_fixtures import ATTACKS, crowded, faulty, healthy, hostile, stream

_VOID = {"meta", "br", "wbr", "input", "line", "rect", "path", "circle"}


class Page(HTMLParser):
    """The page's elements with their attributes, its text, and whether tags nest."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.crossed.append(f"{tag} closes {self.open[-1:]}")
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(params=[healthy, faulty, hostile], ids=["healthy", "faulty", "hostile"])
def report(request: pytest.FixtureRequest) -> Report:
    made: Report = request.param()
    return made


def test_it_is_well_formed_and_ids_are_unique(report: Report) -> None:
    page = Page(render(report))
    assert page.crossed == []
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_it_asks_nothing_of_the_network(report: Report) -> None:
    page = Page(render(report))
    loading = {"src", "srcset", "data", "action", "formaction", "poster", "background", "xlink:href"}
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img", "use", "image"), tag
        assert not loading & set(attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
    style = layout.asset("page.css")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_exactly_its_own_style_and_script(report: Report) -> None:
    content = render(report).decode()
    page = Page(content.encode())
    (policy,) = [m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", content, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    assert f"style-src {layout.content_hash(style)};" in policy
    assert f"script-src {layout.content_hash(script)};" in policy


def test_attacks_stand_there_as_text_only() -> None:
    content = render(hostile()).decode()
    assert content.count("<script") == 1
    assert "<img" not in content
    for character in "\x00\x07\x1b\x9b\u202e\u2066\u200b\ufeff":
        assert character not in content
    page = Page(content.encode())
    assert "<script>alert(1)</script>" in page.shown
    assert "\\u202enimda" in page.shown
    assert len(ATTACKS) == 8


def test_internal_links_lead_somewhere(report: Report) -> None:
    page = Page(render(report))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for link in page.all("a"):
        assert (link["href"] or "").removeprefix("#") in ids
    for button in page.all("button"):
        if "data-copy" in button:
            assert button["data-copy"] in ids


def test_the_top_says_what_to_use_and_what_to_mend() -> None:
    shown = Page(render(faulty())).shown
    top = shown[: shown.index("Evidence")]
    for text in ("Usable with limits", "https://api.example.com/v1", "sim-small", "vllm 0.16.0", "stream.replayed",
                 "proxy_buffering off;", "gateway", "did not finish"):  # fmt: skip
        assert text in top, text


def test_verdicts_and_severities_are_words_and_not_only_colours() -> None:
    shown = Page(render(faulty())).shown
    for word in ("Error", "Warning", "Note", "broken", "rejected", "works", "inconclusive", "skip"):
        assert word in shown or word == "inconclusive", word


def test_pictures_have_names_and_marks() -> None:
    content = render(healthy()).decode()
    drawings = re.findall(r'<svg [^>]*class="chart".*?</svg>', content, re.DOTALL)
    assert len(drawings) >= 2
    assert all("<title>" in drawing and "<desc>" in drawing and 'role="img"' in drawing for drawing in drawings)
    stream = drawings[0]
    events = re.findall(r'<path class="event" d="([^"]*)"', stream)
    assert events[0].count("M") == 21  # 20 numbers and the end mark, each at its own time
    assert stream.count('class="comment"') == 1
    assert stream.count('class="done"') == 1


def test_a_burst_is_a_column_and_a_silence_a_band() -> None:
    content = render(faulty()).decode()
    stream = re.findall(r'<svg [^>]*class="chart".*?</svg>', content, re.DOTALL)[0]
    assert "13 at once" in stream
    assert "2.3 s silent" in stream
    assert re.findall(r'<path class="event" d="([^"]*)"', stream)[0].count("M") == 2


def test_exclusive_phases_are_marked_in_the_waterfall() -> None:
    content = render(healthy()).decode()
    assert '<rect class="alone"' in content
    assert "stream.delivery ran alone" in content


def test_five_hundred_exchanges_stay_under_five_megabytes() -> None:
    content = render(crowded(500))
    assert len(content) < 5_000_000
    assert content.count(b'<details class="exchange"') == 500


def test_five_hundred_hostile_exchanges_stay_under_five_megabytes() -> None:
    pair = hostile().exchanges
    many = tuple(replace(pair[number % 2], id=f"x{number:03d}") for number in range(500))
    assert len(render(replace(hostile(), exchanges=many))) < 5_000_000


def test_a_request_that_was_sent_again_is_shown_once_and_linked() -> None:
    first = healthy().exchanges[0]
    other = replace(first, id="x3", request=replace(first.request, url=f"{first.request.url}?other"))
    page = render(replace(healthy(), exchanges=(first, replace(first, id="x2"), other))).decode()
    assert page.count("The same as in ") == 1
    assert f'<p>The same as in <a href="#exchange-1">{first.id}</a>.</p>' in page
    assert page.count("<figcaption>Send the request again") == 2


def test_a_report_without_anything_still_renders() -> None:
    empty = replace(healthy(), exchanges=(), checks=(), findings=(), facts={}, capabilities={})
    assert "No request was sent." in Page(render(empty)).shown


def chunk(number: int, **more: object) -> tuple[float, str]:
    written = json.dumps({"id": "one-id", "choices": [{"delta": {"content": f"<{number}>"}}], **more})
    return number * 0.1, f"data: {written}\n\n"


def events_of(events: list[tuple[float, str]], room: int = 10_000, *, cited: bool) -> dict[str, Any]:
    (item,) = document(replace(healthy(), exchanges=(stream(1, events),))).exchanges
    return exchange_view(item, "exchange-1", Room(room, 80), cited=cited)


def test_what_all_events_of_a_stream_have_alike_is_said_once() -> None:
    view = events_of([chunk(number, same=1, differs=number == 3 or 1) for number in range(1, 6)], cited=True)
    assert view["common"] == '{"id":"one-id","same":1}'
    assert [row["data"] for row in view["events"]][2] == '{"choices":[{"delta":{"content":"<3>"}}],"differs":true}'


@pytest.mark.parametrize(("cited", "shown"), [(True, 80), (False, 12)])
def test_a_long_stream_has_its_first_events_and_its_last(cited: bool, shown: int) -> None:
    rows = events_of([chunk(number) for number in range(1, 121)], cited=cited)["events"]
    assert len(rows) == shown + 1
    assert rows[-5]["data"] == f"{120 - shown} more events in report.json"
    assert "<120>" in rows[-1]["data"]
    assert [row["gap"] for row in rows if row["at"]] == ["0.100"] * shown


def test_a_body_is_compact_and_its_padding_is_counted() -> None:
    assert readable({"a": {"b": [1, 2], "c": "{\n}"}}) == '{\n "a": {\n  "b": [ 1, 2 ],\n  "c": "{\\n}"\n }\n}'
    (item,) = healthy().exchanges[:1]
    padded = replace(item, request=replace(item.request, body=b'{"a": 1' + b" " * 9000 + b"}"))
    assert "{\"a\": 1[9000 times ' ']}" in Page(render(replace(healthy(), exchanges=(padded,)))).shown
