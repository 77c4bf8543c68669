"""The file of saved providers: whole, private, and left alone where it cannot be read."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.files import overwrite, write_whole
from probe.model import CAPABILITIES, State, Verdict
from probe.provider.saved_provider import (
    BadEntry,
    Found,
    KeyReference,
    Provider,
    Toggle,
    from_data,
    to_data,
    with_verdicts,
)
from probe.provider.store import NoSuchProvider, Store, StoreError
from tests.unit.configs_cases import BASE, MODEL, case

LAB = Provider("lab", BASE, key=KeyReference("env", "LAB_API_KEY"))


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "providers.json")


def test_what_is_saved_reads_back_equal(kept: Store) -> None:
    whole = Provider(
        "lab",
        BASE,
        MODEL,
        KeyReference("file", "/run/lab"),
        "api-key-header",
        "X-Lab",
        ("X-Team: ${TEAM}",),
        "/ca.pem",
        True,
        "http://proxy.example:3128",
        toggles={"tools": Toggle(True, "hand", "broken"), "vision": Toggle(None, "probe", "unknown")},
        found=Found("2026-01-01T00:00:00", BASE, MODEL, "bearer", "Authorization", {"context_length": 4096}),
    )
    kept.add(whole)
    kept.add(Provider("other", BASE))
    assert kept.all() == [whole, Provider("other", BASE)]
    assert kept.get("lab") == whole
    assert whole.by_hand() == {"tools": True}


def test_it_is_for_its_owner_only(kept: Store) -> None:
    kept.add(LAB)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    kept.path.chmod(0o644)
    kept.update("lab", lambda provider: provider)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    assert sorted(item.name for item in kept.path.parent.iterdir()) == [".providers.json.lock", "providers.json"]


def test_a_name_is_taken_once(kept: Store) -> None:
    kept.add(LAB)
    with pytest.raises(StoreError, match="--replace"):
        kept.add(LAB)
    kept.add(Provider("lab", "http://127.0.0.1:1/v1"), replace=True)
    assert [item.endpoint for item in kept.all()] == ["http://127.0.0.1:1/v1"]


def test_what_is_not_there_is_named(kept: Store) -> None:
    for act in (lambda: kept.get("lab"), lambda: kept.remove("lab"), lambda: kept.update("lab", lambda item: item)):
        with pytest.raises(NoSuchProvider, match="there is none yet"):
            act()
    kept.add(LAB)
    with pytest.raises(NoSuchProvider, match="there are lab"):
        kept.get("other")
    assert kept.remove("lab") == LAB
    assert kept.all() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "broken: not JSON"),
        (b"\xff\xfe", "broken: not JSON"),
        (b"[" * 100_000, "broken: not JSON"),
        (b"[]", "no schema_version"),
        (b'{"providers": []}', "no schema_version"),
        (b'{"schema_version": "2.0", "providers": []}', "version 2.0"),
        (b'{"schema_version": "1.0"}', "providers is not a list"),
        (b'{"schema_version": "1.0", "providers": [3]}', "it is not an object"),
        (b'{"schema_version": "1.0", "providers": [{"name": "a"}]}', "a: endpoint is missing"),
        (b'{"schema_version": "1.0", "providers": [{"name": "../a", "endpoint": "x"}]}', "name cannot be used"),
        (
            b'{"schema_version": "1.0", "providers": [{"name": "a", "endpoint": "x"}, {"name": "a", "endpoint": "x"}]}',
            "a is there twice",
        ),
        (
            b'{"schema_version": "1.0", "providers": [{"name": "a", "endpoint": "x", "toggles": {"stop": {"on": 3}}}]}',
            "the toggle stop",
        ),
        (b'{"schema_version": "1.0", "providers": [{"name": "a", "endpoint": "x", "key": {"kind": "plain"}}]}', "kind"),
    ],
)
def test_a_broken_or_newer_file_is_told_in_one_line_and_left(kept: Store, content: bytes, said: str) -> None:
    kept.path.parent.mkdir()
    kept.path.write_bytes(content)
    for act in (kept.all, lambda: kept.add(LAB), lambda: kept.remove("lab"), lambda: kept.get("lab")):
        with pytest.raises(StoreError) as raised:
            act()
        assert said in str(raised.value)
        assert "left unchanged" in str(raised.value)
        assert "\n" not in str(raised.value)
    assert kept.path.read_bytes() == content


def test_fields_of_a_later_minor_version_are_kept(kept: Store) -> None:
    kept.add(LAB)
    data = json.loads(kept.path.read_text())
    data["schema_version"] = "1.7"
    data["later"] = {"x": 1}
    data["providers"][0]["later"] = [1]
    kept.path.write_text(json.dumps(data))
    kept.update("lab", lambda provider: provider.with_toggle("tools", Toggle(True)))
    after = json.loads(kept.path.read_text())
    assert after["later"] == {"x": 1} and after["schema_version"] == "1.7"
    assert after["providers"][0]["later"] == [1]
    assert kept.get("lab").toggles["tools"].on is True


def test_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "providers.json"
    real.parent.mkdir()
    real.write_text('{"schema_version": "1.0", "providers": []}')
    link = tmp_path / "providers.json"
    link.symlink_to(real)
    Store(link).add(LAB)
    assert link.is_symlink()
    assert Store(real).get("lab") == LAB


def test_a_failed_write_leaves_the_old_file(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.add(LAB)
    before = kept.path.read_bytes()

    def fail(*_words: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="No space left"):
        kept.add(Provider("other", BASE))
    assert kept.path.read_bytes() == before
    assert sorted(item.name for item in kept.path.parent.iterdir()) == [".providers.json.lock", "providers.json"]


def test_changes_at_the_same_time_are_all_kept(kept: Store) -> None:
    def add(number: int) -> None:
        Store(kept.path).add(Provider(f"p{number}", BASE))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item.name for item in kept.all()) == sorted(f"p{number}" for number in range(12))


def test_files_of_others_keep_their_permissions(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("x")
    path.chmod(0o640)
    overwrite(path, b"y", None)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"y", 0o640)
    overwrite(path, b"z", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_whole(tmp_path / "new" / "file", b"", 0o600)
    assert stat.S_IMODE((tmp_path / "new" / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [None, 3, {}, {"name": "a"}, {"name": "a", "endpoint": 3}])
def test_an_entry_without_name_and_endpoint_is_none(data: Any) -> None:
    with pytest.raises(BadEntry):
        from_data(data)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    data=st.fixed_dictionaries(
        {"name": st.just("a"), "endpoint": st.just("x")},
        optional=dict.fromkeys(("model", "key", "auth", "headers", "transport", "toggles", "found"), json_values),
    )
)
def test_any_entry_is_read_or_refused_in_one_line(data: dict[str, Any]) -> None:
    try:
        provider = from_data(data)
    except BadEntry as error:
        assert "\n" not in str(error)
    else:
        assert from_data(to_data(provider)) == provider


# Toggles -----------------------------------------------------------------------------------------


def test_a_test_sets_toggles_and_leaves_a_persons_alone() -> None:
    before = Provider(
        "lab",
        BASE,
        toggles={"vision": Toggle(False, "hand"), "tools": Toggle(True), "json_schema": Toggle(True, "probe", "works")},
    )
    made = case({"tools": (State.BROKEN, "tools.parser-missing")}, unknown=frozenset({"json_schema", "stop"}))
    after, changes = with_verdicts(before, made)
    assert after.toggles["tools"] == Toggle(False, "probe", "broken")
    assert after.toggles["vision"] == Toggle(False, "hand", "works")
    assert after.toggles["json_schema"] == Toggle(True, "probe", "works")  # the run did not look at it
    assert "stop" not in after.toggles
    by_name = {change.capability: change for change in changes}
    assert by_name["vision"].kept and not by_name["tools"].kept
    assert (by_name["tools"].before, by_name["tools"].after) == (True, False)
    assert after.found is not None and after.found.base_url == BASE and after.found.model == MODEL


def test_could_not_tell_is_the_clients_default() -> None:
    made = case()
    looked = {**made.capabilities, "vision": Verdict(State.UNKNOWN, 0.0, checks=("vision.picture",))}
    changed = type(made)(
        **{**{name: getattr(made, name) for name in made.__dataclass_fields__}, "capabilities": looked}
    )
    after, _ = with_verdicts(Provider("lab", BASE, toggles={"vision": Toggle(True, "probe", "works")}), changed)
    assert after.toggles["vision"] == Toggle(None, "probe", "unknown")
    assert set(after.toggles) <= set(CAPABILITIES)
