"""What arrays and tables are made of. Neither numpy nor pandas is imported here.

A value of theirs can only be there if somebody has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

Taken = tuple[str, Iterable[tuple[object, object]], bool, bytes]
"""Kind, parts, whether their order counts, and what else counts; see `keys.Parts`."""


def parts_of(value: Any) -> Taken | None:
    """Take an array or a table apart; None if it is neither."""
    numpy, pandas = _loaded("numpy", "generic"), _loaded("pandas", "MultiIndex")
    kind = type(value)
    if numpy is not None and kind is numpy.ndarray:
        return _array(value)
    if numpy is not None and isinstance(value, numpy.generic):
        return _scalar(value)
    if pandas is None:
        return None
    if kind is pandas.DataFrame:
        return "DataFrame", _frame(value), True, b""
    if kind is pandas.Series:
        return "Series", _series(value), True, b""
    if isinstance(value, pandas.Index) and kind.__module__.startswith("pandas."):
        return kind.__name__, _index(value, pandas), True, b""
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        return kind.__name__, _column(value), True, b""
    return None


def preview(value: Any) -> str:
    """Write what an array or a table is in a few characters; "" if it is neither."""
    numpy, pandas = _loaded("numpy", "generic"), _loaded("pandas", "MultiIndex")
    kind = type(value)
    if numpy is not None and kind is numpy.ndarray:
        return f"{value.dtype}{list(value.shape)}"
    if numpy is not None and isinstance(value, numpy.number):
        return f"{kind.__name__}({value.item()!r})"
    if pandas is None:
        return ""
    if kind is pandas.DataFrame:
        return f"DataFrame {value.shape[0]} x {value.shape[1]}"
    return f"Series of {len(value)}" if kind is pandas.Series else ""


def _loaded(name: str, wanted: str) -> Any:
    """Give a module that has been imported; one that another thread is at may lack most names."""
    module = sys.modules.get(name)
    return module if hasattr(module, wanted) else None


def _dtype(dtype: Any) -> bytes:
    """Write an array's type: fields, byte order and unit included."""
    described = dtype.descr if dtype.names else dtype.str
    text = f"{described!r} {dtype!r} {dtype.itemsize} {dtype.metadata or ''}"
    return text.encode()


def _array(value: Any) -> Taken:
    """Element by element where they are objects, else the bytes as they lie."""
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    head = b"%s|%s|%s" % (_dtype(value.dtype), repr(value.shape).encode(), order.encode())
    if value.dtype.hasobject:
        return "ndarray", enumerate(value.ravel().tolist()), True, head
    return "ndarray", [("", value.tobytes(order))], True, head


def _scalar(value: Any) -> Taken:
    content: object = value.item() if value.dtype.hasobject else value.tobytes()
    return "scalar", [("", content)], True, _dtype(value.dtype)


def _frame(value: Any) -> Iterator[tuple[object, object]]:
    yield ".columns", value.columns
    yield ".index", value.index
    for place in range(value.shape[1]):
        yield f".iloc[:, {place}]", value.iloc[:, place].array
    yield ".attrs", dict(value.attrs)


def _series(value: Any) -> Iterator[tuple[object, object]]:
    yield ".name", value.name
    yield ".index", value.index
    yield "", value.array
    yield ".attrs", dict(value.attrs)


def _index(value: Any, pandas: Any) -> Iterator[tuple[object, object]]:
    yield ".names", list(value.names)
    if isinstance(value, pandas.MultiIndex):
        for level in range(value.nlevels):
            yield f".levels[{level}]", value.get_level_values(level)
    elif isinstance(value, pandas.RangeIndex):
        yield "", (value.start, value.stop, value.step)
    else:
        yield ".freq", str(getattr(value, "freqstr", None))
        yield "", value.array


def _column(value: Any) -> Iterator[tuple[object, object]]:
    """Give what an array of pandas' own holds, however it is laid out in memory."""
    yield ".dtype", repr(value.dtype)
    if hasattr(value, "categories"):
        yield ".categories", value.categories
        yield ".ordered", bool(value.ordered)
        yield ".codes", value.codes
    elif hasattr(value, "asi8"):  # points in time, as whole numbers of their unit
        yield "", value.asi8
    elif type(value).__name__ == "NumpyExtensionArray":
        yield "", value.to_numpy()
    else:
        yield "", value.astype(object)
