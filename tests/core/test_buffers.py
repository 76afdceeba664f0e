"""Pickles whose large buffers can be used where they lie."""

from __future__ import annotations

import contextlib
import mmap
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core import payload
from nbflow.core.buffers import ALIGNED, Writer, loaded
from nbflow.core.errors import Unserialisable
from nbflow.core.payload import Packed, Ref

LARGE = 70_000
KINDS = ["i1", "u2", "f4", "f8", "c16", "?"]


def arrays() -> st.SearchStrategy[Any]:
    """Give arrays around the size from which on buffers are large, in either order, or frozen."""

    def made(kind: str, size: int, order: str, frozen: bool) -> Any:
        array = np.arange(size, dtype="i8").astype(kind)
        if size % 10 == 0:
            array = array.reshape((10, -1), order=order)  # type: ignore[call-overload]
        array.flags.writeable = not frozen
        return array

    sizes = st.sampled_from([0, 7, 3000, LARGE, LARGE + 1, LARGE + 10])
    return st.builds(
        made, st.sampled_from(KINDS), sizes, st.sampled_from(["C", "F"]), st.booleans()
    )


def others() -> st.SearchStrategy[Any]:
    """Give what looks alike in a pickle but is none, and what comes between."""
    looks = [b"a" * LARGE, bytearray(b"b" * LARGE), "c" * LARGE, None, 1, [1, 2], {"a": 1.5}]
    return st.sampled_from(looks)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        flags = one.flags.writeable == other.flags.writeable
        return flags and one.dtype == other.dtype and np.array_equal(one, other)
    if type(one) in {list, tuple}:
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def read(data: bytes) -> Any:
    return loaded(memoryview(bytearray(data)), pickle.loads)


@settings(max_examples=60, deadline=None)
@given(st.lists(arrays() | others(), max_size=6))
def test_a_value_is_the_same_by_either_way_of_reading(value):
    """Read as a plain pickle or in place: same types, same contents, same rights."""
    data = payload.dumps(value, "a value")
    assert same(pickle.loads(data), value)
    assert same(read(data), value)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.sampled_from(KINDS))
def test_large_buffers_begin_where_any_processor_can_use_them(before, kind):
    """Whatever stands before a large array, it is aligned in the memory that it is read from."""
    value = ["x" * before, np.arange(LARGE).astype(kind), "y" * before, np.ones(LARGE)]
    data = payload.dumps(value, "a value")
    with mmap.mmap(-1, len(data)) as memory:
        memory[:] = data
        found = loaded(memoryview(memory), pickle.loads)
        assert same(found, value)
        assert [found[n].ctypes.data % ALIGNED for n in (1, 3)] == [0, 0]
        del found


def test_arrays_live_in_the_memory_that_they_are_read_from():
    """What is written to the array is written there, and nothing is copied."""
    memory = bytearray(payload.dumps(np.zeros(LARGE), "a value"))
    array = loaded(memoryview(memory), pickle.loads)
    array[:] = 1.5
    assert pickle.loads(bytes(memory)).sum() == 1.5 * LARGE


def test_bytes_are_copied():
    """Of stored bytes each reader gets a value of its own, which may be written to."""
    stored = Packed("pickle", payload.dumps(np.zeros(LARGE), "a value"))
    one, other = (payload.unpack(stored, lambda call: call, lambda digest: b"") for _ in range(2))
    one[:] = 1
    assert other.sum() == 0


def test_references_are_replaced_beside_large_buffers():
    """A value that refers to the result of a call is read in place, too."""
    data = payload.pack([Ref("a-1"), np.ones(LARGE)], "x", lambda v: getattr(v, "call", None))
    assert isinstance(data, Packed)
    assert isinstance(data.data, bytes)
    here = Packed("pickle", memoryview(bytearray(data.data)))
    first, array = payload.unpack(here, lambda call: f"result of {call}", lambda digest: b"")
    assert first == "result of a-1"
    assert not array.flags.owndata
    assert array.sum() == LARGE


@pytest.mark.parametrize("cut", [1, 5, 17, 40, 200])
def test_what_is_damaged_is_an_error_and_no_crash(cut):
    """Bytes that were cut or changed give an error of nbflow's, or another value, never a crash."""
    whole = payload.dumps([np.ones(LARGE), "end"], "a value")
    damaged = (whole[:-cut], whole[:-cut] + b"\xff" * cut, whole[cut:], whole[-cut:])
    for data in damaged:
        here = Packed("pickle", memoryview(bytearray(data)))
        with contextlib.suppress(Unserialisable):
            payload.unpack(here, lambda call: call, lambda digest: b"")
    with pytest.raises(Unserialisable, match="cannot be read back"):
        payload.unpack(here, lambda call: call, lambda digest: b"")


def test_small_values_are_plain_pickles():
    """Nothing is added to what has no large buffer."""
    writer = Writer()
    pickle.Pickler(writer, 5).dump([1, np.ones(5)])
    assert b"".join(writer.finished()) == pickle.dumps([1, np.ones(5)], 5)
