"""Digests of values: distinct ones never share one, equal ones always do, in every process."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.keys import Stand, Unkeyable, digest_of, preview, token
from nbflow.core.reach import code_of


def key(value: object) -> str:
    return digest_of(value, code_of)


class Colour(enum.Enum):
    RED = 1
    ALSO = "1"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = 0


@dataclasses.dataclass
class Other:
    x: Any
    y: Any = 0


Named = collections.namedtuple("Named", "a b")  # noqa: PYI024


class Plain:
    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


UTC = dt.UTC
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})

DISTINCT: list[Any] = [
    *(1, "1", True, 1.0, 1 + 0j, b"1", bytearray(b"1"), Number.ONE, np.int64(1), np.int32(1)),
    *(None, "None", False, 0, 0.0, -0.0, "", b"", (), [], {}, set(), frozenset(), ..., math.nan),
    *(math.inf, -math.inf, 2**64, -(2**64), 255, -1, 256, "a", b"a", "é", "e\u0301", "\ud800"),
    *((1, 2), [1, 2], {1, 2}, frozenset({1, 2}), (2, 1), (1, (2,)), ((1,), 2), ((1, 2),), [[1, 2]]),
    *({1: 2}, {"1": 2}, {1: "2"}, {True: 2}, [(1, 2)], {(1, 2)}, {1: 2, 3: 4}, {3: 4, 1: 2}),
    *(["ab", "c"], ["a", "bc"], ["abc"], [["a"], "bc"], ["a", ["bc"]], {"a": {}}, {"a": None}),
    *(Colour.RED, Colour.ALSO, Point(1), Point(1.0), Point(1, 1), Other(1), Named(1, 2)),
    *(Plain(a=1), Plain(a="1"), Plain(b=1), Plain(), Point, Other, Plain, int, str, len, print),
    *(dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), dt.time(1)),  # noqa: DTZ001
    *(dt.datetime(2024, 1, 1, tzinfo=UTC), dt.timedelta(1), UTC),
    dt.datetime(2024, 1, 1, fold=1),  # noqa: DTZ001
    *(decimal.Decimal(1), decimal.Decimal("1.0"), fractions.Fraction(1), uuid.UUID(int=1)),
    *(
        pathlib.PurePosixPath("a"),
        pathlib.PureWindowsPath("a"),
        re.compile("a"),
        re.compile("a", 2),
    ),
    *(collections.OrderedDict(a=1), collections.Counter(a=1), collections.deque([1]), {"a": 1}),
    *(collections.deque([1], 3), collections.defaultdict(int, a=1), range(1), range(2), slice(1)),
    *(np.array([1, 2]), np.array([1, 2], "i4"), np.array([1, 2], ">i8"), np.array([[1, 2]])),
    *(
        np.array([1.0, 2.0]),
        np.array(["1", "2"]),
        np.array([1, 2], object),
        np.array([1, "2"], object),
    ),
    *(np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3), order="F"), np.array(1), np.array([])),
    *(np.array([b"a"]), np.array(["2024"], "M8[Y]"), np.array(["2024"], "M8[D]"), np.float64(1.0)),
    *(np.array([(1, 2)], [("a", int), ("b", int)]), np.array([(1, 2)], [("b", int), ("a", int)])),
    *(FRAME, FRAME.rename(columns={"a": "c"}), FRAME[["b", "a"]], FRAME.set_index("a")),
    *(FRAME.astype({"a": float}), FRAME.iloc[::-1], FRAME.assign(b=["x", "z"])),
    *(pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Series([1, 2], index=[1, 2])),
    *(pd.Series([1, 2], dtype="Int64"), pd.Series([1, None]), pd.Series([1, None], dtype="Int64")),
    *(pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype="category"), pd.Index([1, 2])),
    *(pd.Series(pd.Categorical(["a"], ["a", "b"])), pd.Series(pd.Categorical(["a"], ["b", "a"]))),
    *(pd.RangeIndex(3), pd.Index([0, 1, 2]), pd.MultiIndex.from_tuples([(1, "a")])),
    *(pd.date_range("2024", periods=2), pd.date_range("2024", periods=2, tz="UTC")),
    *(
        pd.Timestamp("2024"),
        pd.NA,
        pd.NaT,
        pd.interval_range(0, 2),
        pd.period_range("2024", periods=2),
    ),
    Stand("a"),
]
"""Values of which no two are the same to the code that gets them."""


def test_no_two_distinct_values_share_a_digest():
    """What differs in type, value, order or layout differs in its digest."""
    seen: dict[str, Any] = {}
    for value in DISTINCT:
        found = key(value)
        assert found not in seen, (value, seen[found])
        seen[found] = value


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "4d8a9851008b2a12bc7c088db601cdf6"),
        (True, "28d6b05f924146bf9345c9dac3190688"),
        (7, "b0a533320d692eea914f8048c1ba6882"),
        (-(1 << 70), "289922af19be9dfbd53aced3d2d59324"),
        (1.5, "bc25487699ae7bae25f3cd979c1f92dc"),
        (-0.0, "b157f44a9ff4213cab027e1025af8fff"),
        (1j, "444379861127376f8d9b4ce62fc62634"),
        ("\u00e9\ud800", "3418d8785eab521d5dab5c8369531194"),
        (b"x", "54d018150905418eaa7ef9fe4bffc3a6"),
        (..., "e54322ebacfa33e4574822739c9df6de"),
    ],
)
def test_digests_of_plain_values_stay_what_they_are(value, found):
    """However they are made: results that were kept under them must be found again."""
    assert digest_of(value) == found


def test_a_copy_has_the_same_digest():
    """A value that was stored and read back is the same value."""
    for made in DISTINCT:
        value = pickle.loads(pickle.dumps(made))  # numpy gives arrays its own byte order there
        copy = pickle.loads(pickle.dumps(value))
        assert key(copy) == key(value), value
        assert key([value, copy]) == key([copy, value])


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hashable = st.recursive(leaves, lambda s: st.lists(s, max_size=3).map(tuple), max_leaves=4)
    return st.recursive(
        leaves | st.frozensets(hashable, max_size=4),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(hashable, inner, max_size=3),
            st.sets(hashable, max_size=3),
            st.builds(Point, inner, inner),
        ),
        max_leaves=12,
    )


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.uuids(),
    st.sampled_from([Colour.RED, Number.ONE]),
)


def written(value: Any) -> Any:
    """Write a value so that two are written alike exactly if code that gets them sees no more."""
    kind = type(value).__name__
    if isinstance(value, list | tuple):
        return kind, tuple(written(item) for item in value)
    if isinstance(value, dict):
        return kind, tuple((written(k), written(v)) for k, v in value.items())
    if isinstance(value, set | frozenset):
        return kind, frozenset(collections.Counter(written(item) for item in value).items())
    if isinstance(value, Point):
        return kind, written(value.x), written(value.y)
    if isinstance(value, float):
        return kind, np.float64(value).tobytes()
    if isinstance(value, complex):
        return kind, np.complex128(value).tobytes()
    return kind, str(value) if isinstance(value, decimal.Decimal) else repr(value)


@given(values(LEAVES), values(LEAVES))
def test_digests_are_equal_exactly_where_values_are(one, other):
    """Of any two values: one digest if they are the same to whoever gets them, else two."""
    assert (key(one) == key(other)) == (written(one) == written(other))


@given(values(LEAVES))
def test_reading_a_value_back_keeps_its_digest(value):
    """Whatever was pickled and unpickled has the digest that it had."""
    assert key(pickle.loads(pickle.dumps(value))) == key(value)


@given(st.lists(st.integers() | st.text(), unique=True))
def test_a_set_has_no_order(items):
    """A set has one digest, whatever order its items were put into it."""
    assert key(set(items)) == key(set(sorted(items, key=repr)))  # noqa: C414 - put in so
    assert key(frozenset(items)) == key(frozenset(sorted(items, key=repr)))


SCRIPT = """
import sys, enum, dataclasses
from nbflow.core.keys import digest_of
from nbflow.core.reach import code_of
import {module} as m
print(*(digest_of(v, code_of) for v in m.DISTINCT))
words = {{w: i for i, w in enumerate("the quick brown fox".split())}}
print(digest_of(set(words)), digest_of([frozenset(words), {{"s": set(words)}}]))
"""


def test_every_process_gives_the_same_digests():
    """Another process with another PYTHONHASHSEED gives every value the digest it has here."""
    code = SCRIPT.format(module="tests.core.test_keys")
    root = str(pathlib.Path(__file__).parents[2])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


def nested(wrap: Callable[[Any], Any], depth: int = 100_000) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


def test_depth_is_no_limit():
    """A value a hundred thousand levels deep has a digest, and one level more another."""
    found = {key(nested(lambda v: [v])), key(nested(lambda v: [v], 100_001))}
    found.add(key(nested(lambda v: (v,))))
    assert len(found) == 3


def test_a_value_shared_many_times_is_looked_at_once():
    """A list of itself sixty times over, 2**60 items in all, takes no time."""
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    assert key(value) == key(value)


def test_values_that_contain_themselves():
    """A cycle ends, and cycles of different shapes differ."""
    one: list[Any] = [1]
    one.append(one)
    same: list[Any] = [1]
    same.append(same)
    other: list[Any] = [1]
    other.append([1, other])
    tree: dict[str, Any] = {"children": []}
    tree["children"] = [{"parent": tree}, {"parent": tree}]
    assert key(one) == key(same)
    assert len({key(one), key(other), key(tree), key([1, [1]])}) == 4


def test_what_is_shared_in_a_cycle_is_no_other_value():
    """One part seen twice, or two equal parts: the same to whoever looks, cycles or not."""
    shared: list[Any] = []
    part = [shared]
    shared += [part, [part]]
    apart: list[Any] = []
    apart += [[apart], [[apart]]]
    assert key(shared) == key(apart)


def test_text_cannot_pass_for_structure():
    """A text that holds what digests are made of is a text."""
    for one, other in (("a", "b"), (b"a", b"b")):
        kind = type(one).__name__
        rest = token(kind, b"b")
        for inner in (rest, f"{kind}:b".encode(), b":1:b"):
            joined: Any = one + inner.decode() if isinstance(one, str) else one + inner
            assert key([one, other]) != key([joined])


def test_attributes_have_no_order():
    """Two objects with the same attributes are the same, whichever was set first."""
    assert key(Plain(a=1, b=2)) == key(Plain(b=2, a=1))


class Broken:
    def __reduce__(self) -> Any:
        raise ValueError("no way")


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        pytest.param([1, {"k": threading.Lock()}], "[1]['k']", "a lock has no value", id="lock"),
        pytest.param(Point(1, memoryview(b"")), ".y", "a memoryview has no value", id="memoryview"),
        pytest.param(threading.Lock(), "", "a lock has no value", id="itself"),
        pytest.param((Plain(deep=[Broken()]),), "[0].deep[0]", "ValueError: no way", id="reduce"),
    ],
)
def test_what_cannot_be_compared_is_named_by_its_path(value, path, reason):
    """The error says where in the value the culprit is, and why it has no digest."""
    with pytest.raises(Unkeyable) as caught:
        key(value)
    assert caught.value.path == path
    assert reason in caught.value.reason


class Rude:
    def __repr__(self) -> str:
        raise AssertionError("nobody may call this")


@given(values(LEAVES))
def test_previews_are_short(value):
    """Of any value there is a preview, on one line and of at most 80 characters."""
    text = preview(value)
    assert 0 < len(text) <= 80
    assert "\n" not in text


@pytest.mark.case("W6")
def test_previews_run_no_code_of_the_user():
    """An object's own repr is not called, wherever it is."""
    for value in (Rude(), [Rude()], {"a": Rude()}, (1, Rude())):
        assert "nobody" not in preview(value)
    assert preview(5) == "5"
    assert preview([1, 2]) == "[1, 2]"
    assert preview(FRAME) == "DataFrame 2 x 2"
    assert preview(np.zeros((2, 3))) == "float64[2, 3]"
    assert preview("x" * 100).endswith("…")
