"""Pickles what modules define by its name, also where a decorator stands in front of it.

cloudpickle takes a function by name only if that name gives the very function. That of an activity
gives the `Activity`: the function would travel by value, and with it copies of the locks, caches
and connections that its module keeps.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, Final

_ITSELF: Final = ""
_FUNCTION: Final = "fn"
_CLASS: Final = "class"
_PROTOCOL: Final = 5
_wrappers: set[type] = set()
_stamps: dict[str, int] | None = None
"""In a worker: when the file of each module that was asked for was changed last."""


def stands_before(kind: type, /) -> None:
    """Say that objects of this class have the function that they stand before as ``fn``."""
    _wrappers.add(kind)


def found(module: str, name: str, what: str, stamp: int) -> Any:
    """Give what `reference` wrote down.

    Raises:
        ImportError: There is no such module here.
        AttributeError: It has nothing of that name.
    """
    thing: Any = _module(module, stamp)
    for part in name.split("."):
        thing = getattr(thing, part)
    if what == _ITSELF or type(thing) not in _wrappers:
        return thing
    return thing.fn if what == _FUNCTION else thing.fn.__nbflow_class__


def follow_files() -> None:
    """Load a module anew if its file was changed since: for workers, which live long.

    The kernel loads such a module anew at a word of its user, `importlib.reload` or
    ``%autoreload``; nobody says that word in a worker.
    """
    global _stamps  # noqa: PLW0603 - of the process: it is a worker, or it is not
    _stamps = {}


def _module(name: str, stamp: int) -> ModuleType:
    module = importlib.import_module(name)
    if _stamps is not None:
        if _stamps.get(name, stamp) != stamp:
            module = importlib.reload(module)
        _stamps[name] = stamp
    return module


def reference(thing: Any) -> tuple[str, str, str, int] | None:
    """Give the name of a function, a class or what stands before one; None if it has none.

    Args:
        thing: Anything.

    Returns:
        The arguments for `found`. None for what cloudpickle takes by name itself, for what nobody
        can import, and for modules that the user has pickled by value
        (`cloudpickle.register_pickle_by_value`).
    """
    kind = type(thing)
    fn = thing.fn if kind in _wrappers else thing
    if not isinstance(fn, FunctionType | type):
        return None
    module = sys.modules.get(fn.__module__ or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None or module.__name__ == "__main__" or _by_value(module):
        return None
    what = _what(_lookup(module, fn.__qualname__), thing)
    return None if what is None else (module.__name__, fn.__qualname__, what, _stamp(file))


def _lookup(module: ModuleType, name: str) -> Any:
    here: Any = module
    for part in name.split("."):
        here = getattr(here, part, None)
    return here


def _what(here: Any, thing: object) -> str | None:
    if type(here) not in _wrappers:
        return None
    if here is thing:
        return _ITSELF
    if here.fn is thing:
        return _FUNCTION
    return _CLASS if getattr(here.fn, "__nbflow_class__", None) is thing else None


def _stamp(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116 - asked for each activity: a Path costs more
    except OSError:
        return 0


def _by_value(module: ModuleType) -> bool:
    import cloudpickle  # noqa: PLC0415 - whoever pickles has it

    name, registered = module.__name__, cloudpickle.list_registry_pickle_by_value()
    return any(name == each or name.startswith(f"{each}.") for each in registered)


@cache
def pickler() -> Any:
    """Give the class of picklers: cloudpickle's, with `reference`."""
    import cloudpickle  # noqa: PLC0415 - not needed before the first value that JSON cannot hold

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is FunctionType or type(obj) in _wrappers or isinstance(obj, type):
                where = reference(obj)
                if where is not None:
                    return found, where
            if isinstance(obj, BaseException):
                # Dask for one has the whole process pickle exceptions in a way that loses their
                # notes: here they are pickled as they themselves say.
                return obj.__reduce_ex__(_PROTOCOL)
            return super().reducer_override(obj)

    return Pickler
