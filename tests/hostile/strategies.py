"""Hypothesis strategies: any JSON value, any twist of a right answer."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.hostile.twists import EDITS, GONE, Edit, Edited, Framed, Put, Twist

SHARES = st.floats(0, 1, exclude_max=True)
_TEXT = st.text(st.characters(), max_size=30)  # with halves of surrogate pairs, which st.text() alone leaves out
_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**31, 2**63, -(2**64), 10**400]),
    st.floats(),
    _TEXT,
    st.sampled_from(["", "stop", "tool_calls", "[DONE]", "<tool_call>{", "<think>", "x" * 3000, "${API_KEY}"]),
)
#: Any JSON value; NaN and the infinities too, which Python writes and others refuse.
JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=4)),
    max_leaves=8,
)
PUTS: st.SearchStrategy[Twist] = st.builds(
    Put, at=SHARES, value=st.one_of(JSON, JSON, JSON, st.just(GONE)), event=SHARES, every=st.booleans()
)
_EDITS = st.builds(
    Edit,
    kind=st.sampled_from(EDITS),
    at=SHARES,
    size=st.integers(1, 200),
    data=st.one_of(
        st.binary(min_size=1, max_size=20), st.sampled_from([b"\n\n", b"\r", b"data: ", b"\0", b"}", b"[" * 99])
    ),
)
EDITED: st.SearchStrategy[Twist] = st.builds(
    Edited, edits=st.lists(_EDITS, min_size=1, max_size=5).map(tuple), body_only=st.booleans()
)
FRAMED: st.SearchStrategy[Twist] = st.builds(
    Framed, sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5).map(tuple)
)


def several(twists: st.SearchStrategy[Twist]) -> st.SearchStrategy[list[Twist]]:
    """Twists for one run: each of its answers gets one of them."""
    return st.lists(twists, min_size=1, max_size=6)
