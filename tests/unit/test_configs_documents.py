"""Merging into files: what is added arrives, and everything else stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.clients.documents import BadFile, Item, Put, fresh, merged, parsed
from reports.clients.documents.edits import applied

LAB = {"id": "lab", "model": "m-1", "hints": {"vision": False, "tools": True}, "limits": [1, 2]}
IN_LIST = (Put(("providers", Item("id", "lab")), LAB),)
IN_MAP = (Put(("providers", "lab"), LAB),)


def lines_kept(before: str, after: str) -> bool:
    """Whether every line that says something is still there, in its order; a comma may have come to its end."""
    rest = iter(after.splitlines())
    return all(
        any(line == old or line == old + "," or _comma_before_comment(old, line) for line in rest)
        for old in before.splitlines()
    )


def _comma_before_comment(old: str, new: str) -> bool:
    return "//" in old and new.replace(",", "") == old.replace(",", "")


JSONC = """\
// my settings
{
\t"theme": "dark", // at night
\t/* the providers */
\t"providers": [
\t\t{ "id": "other", "model": "x" } // keep me
\t\t// the end of the list
\t],
\t"last": true // no comma here
}
"""


def test_json_with_comments_gets_an_element_and_keeps_every_line() -> None:
    made = merged("json", JSONC, IN_LIST, {})
    assert lines_kept(JSONC, made)
    assert parsed("json", made) == applied(parsed("json", JSONC), IN_LIST)
    assert '\t\t{\n\t\t\t"id": "lab",' in made


def test_json_gets_a_member_after_one_with_a_comment() -> None:
    made = merged("json", JSONC, (Put(("more", "lab"), {"a": 1}),), {})
    assert lines_kept(JSONC, made)
    assert '"last": true, // no comma here\n\t"more": {' in made


def test_json_trailing_commas_and_one_line_objects() -> None:
    assert merged("json", '{"a": {"x": 1}}', (Put(("a", "y"), 2),), {}) == '{"a": {"x": 1, "y": 2}}'
    text = '{\n  "a": 1,\n}\n'
    assert merged("json", text, (Put(("b",), 2),), {}) == '{\n  "a": 1,\n  "b": 2,\n}\n'
    assert merged("json", "[]\n", (Put((Item("name", "Lab"),), {"n": 1}),), []) == (
        '[\n  {\n    "name": "Lab",\n    "n": 1\n  }\n]\n'
    )
    assert merged("json", "{ /* none */ }", (Put(("b",), 2),), {}) == '{ /* none */\n  "b": 2\n}'


def test_json_windows_line_ends_and_byte_order_mark_stay() -> None:
    text = '\ufeff{\r\n  "a": 1\r\n}\r\n'
    made = merged("json", text, (Put(("b", "c"), 2),), {})
    assert made == '\ufeff{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 2\r\n  }\r\n}\r\n'


def test_an_entry_that_is_there_is_updated_in_place() -> None:
    text = json.dumps({"providers": [{"id": "lab", "model": "old", "mine": 7, "hints": {"json": True}}]}, indent=4)
    made = parsed("json", merged("json", text, IN_LIST, {}))
    assert made["providers"] == [
        {
            "id": "lab",
            "model": "m-1",
            "mine": 7,
            "hints": {"json": True, "vision": False, "tools": True},
            "limits": [1, 2],
        }
    ]
    once = merged("json", text, IN_LIST, {})
    assert merged("json", once, IN_LIST, {}) == once


YAML = """\
# LiteLLM of the lab   (do not edit on Fridays)
providers:
- id: other          # first
  model:   'x'

  params: {a: 1,   b: [1, 2]}   # odd   spacing
# the rest
general:
    deep: "yes"   # quoted
    text: |
      hello # no comment
    empty:
list: [a,
       b]
"""


def test_yaml_gets_an_element_where_the_list_ends() -> None:
    made = merged("yaml", YAML, IN_LIST, {})
    assert lines_kept(YAML, made)
    assert parsed("yaml", made) == applied(parsed("yaml", YAML), IN_LIST)
    assert "# odd   spacing\n- id: lab\n" in made
    assert made.index("id: lab") < made.index("# the rest")


@pytest.mark.parametrize(
    "puts",
    [
        (Put(("general", "more"), {"x": [1, {"y": "on"}]}),),
        (Put(("general", "empty"), {"x": 1}),),
        (Put(("general", "empty", "deeper"), "no"),),
        (Put(("general", "text"), "one line"),),
        (Put(("general", "deep"), {"now": ["a", "mapping"]}),),
        (Put(("list",), ["c"]),),
        (Put(("providers", Item("id", "other"), "params", "c"), True),),
        (Put(("providers", Item("id", "other"), "params", "b"), [3]),),
        (Put(("new", "entry"), None),),
    ],
    ids=lambda puts: str(puts[0].path[-1]) + " " + type(puts[0].value).__name__,
)
def test_yaml_edits_say_what_was_meant(puts: tuple[Put, ...]) -> None:
    made = merged("yaml", YAML, puts, {})
    assert parsed("yaml", made) == applied(parsed("yaml", YAML), puts)
    comments = [line.partition("#")[2] for line in YAML.splitlines() if "#" in line and "hello" not in line]
    assert all(comment in made for comment in comments)


def test_yaml_of_comments_only_and_without_a_last_line_break() -> None:
    made = merged("yaml", "# nothing yet\n", IN_LIST, {"v": 1})
    assert made.startswith("# nothing yet\nv: 1\nproviders:\n  - id: lab")
    assert merged("yaml", "a: 1", (Put(("b",), 2),), {}) == "a: 1\nb: 2"
    assert merged("yaml", "a: 1\r\nb:\r\n", (Put(("b", "c"), 2),), {}) == "a: 1\r\nb:\r\n  c: 2\r\n"
    assert merged("yaml", "", IN_MAP, {"v": 1}) == fresh("yaml", {"v": 1}, IN_MAP)


def test_an_alias_that_others_share_is_not_edited() -> None:
    text = "base: &b {x: 1}\nproviders:\n  lab: *b\n"
    with pytest.raises(BadFile, match="other parts"):
        merged("yaml", text, (Put(("providers", "lab", "y"), 2),), {})


TOML = """\
# codex
model = "gpt"   # mine

[model_providers.other]   # a provider
name = 'Other'

[profiles.x]
model_provider = "other"
"""


def test_toml_gets_a_table_and_keeps_every_line() -> None:
    puts = (Put(("model_providers", "lab"), {"name": "Lab", "n": 3}),)
    made = merged("toml", TOML, puts, {})
    assert lines_kept(TOML, made)
    assert parsed("toml", made) == applied(parsed("toml", TOML), puts)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", '{"providers": "none"}'),
        ("json", '{"providers": {}'),
        ("json", '{"providers": [}'),
        ("json", "[1,,2]"),
        ("json", "[" * 5000),
        ("json", "hello"),
        ("yaml", "providers: text"),
        ("yaml", "a: [1\n"),
        ("yaml", "a: 1\n---\nb: 2\n"),
        ("yaml", "- 1\n- 2\n"),
        ("yaml", "a: {b\n" * 50),
        ("toml", "providers = 3"),
        ("toml", "x = = 2"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_one_line(form: str, text: str) -> None:
    with pytest.raises(BadFile) as raised:
        merged(form, text, IN_LIST, {})
    assert "\n" not in str(raised.value)
    assert str(raised.value)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-1000, 1000), st.text(st.characters(codec="utf-8"), max_size=12)
)
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(lambda key: key != "<<")
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
mappings = st.dictionaries(keys, trees, min_size=1, max_size=4)


@settings(max_examples=50, deadline=None)
@given(data=mappings, value=mappings)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_any_data_written_and_merged_reads_back(form: str, data: dict[str, Any], value: Mapping[str, Any]) -> None:
    text = fresh(form, data, ())
    assert parsed(form, text) == data
    for puts in (
        (Put(("put here", "lab"), value),),
        (Put(("put there", Item("id", "lab")), {"id": "lab", **value, "id ": 1}),),
        (Put((next(iter(data)),), value),),
    ):
        try:
            wanted = applied(data, puts)
        except BadFile:
            continue
        made = merged(form, text, puts, {})
        assert parsed(form, made) == wanted
        if puts[0].path[0] not in data:
            assert lines_kept(text, made)


@settings(max_examples=50, deadline=None)
@given(data=trees)
def test_yaml_is_read_alike_by_readers_of_both_versions(data: Any) -> None:
    from ruamel.yaml import YAML as Reader

    text = fresh("yaml", {"data": data}, ())
    old = Reader(typ="safe", pure=True)
    old.version = "1.1"  # type: ignore[assignment]
    assert old.load(text) == {"data": data}


def test_merged_mappings_that_multiply_are_refused_at_once() -> None:
    doubling = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    chain = "k0: &k0 {x: 1}\n" + "".join(f"k{n}: &k{n}\n  <<: *k{n - 1}\n  x{n}: 1\n" for n in range(1, 1_500))
    for text in (doubling, chain):
        with pytest.raises(BadFile, match="its merged mappings are too many"):
            parsed("yaml", text)


def test_merged_mappings_are_read() -> None:
    text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  z: 3\nc: {<<: [*a], x: 5}\nd: '<<'\n"
    assert parsed("yaml", text) == {
        "a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2, "z": 3}, "c": {"x": 5, "y": 2}, "d": "<<"
    }  # fmt: skip
