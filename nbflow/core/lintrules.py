"""What workflow code should not use, and what to write instead."""

from __future__ import annotations

import builtins
import os
import random
import secrets
import sys
from collections.abc import Mapping
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Final

_NOW: Final = "write nbflow.now()"
_RANDOM: Final = "write nbflow.random()"
_ACTIVITY: Final = "put it into an activity"
_ENVIRONMENT: Final = "pass it as an argument, or write nbflow.side_effect(os.getenv, ...)"
_CONSTRUCTORS: Final = frozenset(
    {
        *("random.Random", "numpy.random.default_rng", "numpy.random.RandomState"),
        *("numpy.random.SeedSequence", "numpy.random.PCG64", "numpy.random.MT19937"),
        *("numpy.random.Philox", "numpy.random.SFC64", "numpy.random.Generator"),
    }
)
"""Random only if they are given no seed."""
_TODAY: Final = frozenset({"time.localtime", "time.gmtime", "time.ctime", "time.asctime"})
"""The time of now only if they are given none."""


def _all(module: str, names: str, advice: str) -> dict[str, str]:
    return {f"{module}.{name}": advice for name in names.split()}


SETS: Final = frozenset({"set", "frozenset"})
_EXACT: Final[Mapping[str, str]] = {
    **_all("time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns", _NOW),
    **_all("time", "process_time process_time_ns localtime gmtime ctime asctime", _NOW),
    "time.sleep": "write nbflow.sleep()",
    **_all("datetime.datetime", "now utcnow today", _NOW),
    "datetime.date.today": "write nbflow.now().date()",
    **_all("uuid", "uuid1 uuid4", "write nbflow.uuid4()"),
    **_all("os", "urandom getrandom", _RANDOM),
    **_all("os", "getenv environb environ", _ENVIRONMENT),
    **_all("os.environ", "get items keys values copy pop setdefault", _ENVIRONMENT),
    **_all("os", "system popen open listdir scandir walk stat remove unlink rename", _ACTIVITY),
    **_all("os", "replace mkdir makedirs rmdir removedirs getcwd fork kill", _ACTIVITY),
    **_all("os.path", "exists isfile isdir getmtime getsize", _ACTIVITY),
    **_all("pathlib.Path()", "read_text read_bytes write_text write_bytes open", _ACTIVITY),
    **_all("pathlib.Path()", "exists is_file is_dir iterdir glob rglob stat touch", _ACTIVITY),
    **_all("pathlib.Path()", "mkdir rmdir unlink rename replace walk", _ACTIVITY),
    **_all("pathlib.Path", "cwd home", _ACTIVITY),
    **_all("threading", "Thread Timer", _ACTIVITY),
    **_all("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor", _ACTIVITY),
    **_all("asyncio", "to_thread run open_connection start_server", _ACTIVITY),
    **_all("asyncio", "create_subprocess_exec create_subprocess_shell", _ACTIVITY),
    "open": _ACTIVITY,
    "input": "ask before the run, and pass the answer as an argument",
}
_WHOLE: Final[Mapping[str, str]] = {
    "random": _RANDOM,
    "numpy.random": f"{_RANDOM}, or seed numpy by it",
    "secrets": _RANDOM,
    **dict.fromkeys(
        (
            *("requests", "httpx", "aiohttp", "urllib3", "urllib.request", "boto3", "botocore"),
            *("subprocess", "socket", "http.client", "smtplib", "ftplib", "sqlite3", "paramiko"),
            *("multiprocessing", "tempfile", "shutil", "glob"),
        ),
        _ACTIVITY,
    ),
}
"""Modules and packages of which any call counts."""
MODULES: Final = frozenset(
    {name.partition(".")[0] for name in (*_EXACT, *_WHOLE)} | {"io", "posix", "nt"}
)
"""The first parts of all of their names."""
ALWAYS: Final = SETS | {"open", "input"}
"""Built-in names that are worth a look."""


def advice_for(name: str, *, given: bool) -> str:
    """Say what to write instead of a call; "" if there is nothing to say.

    Args:
        name: Full name of what is called.
        given: Whether it is given arguments.

    Example:
        >>> advice_for("time.time", given=False)
        'write nbflow.now()'
    """
    if given and (name in _CONSTRUCTORS or name in _TODAY):
        return ""
    found = _EXACT.get(name)
    if found is not None or "()" in name:
        return found or ""
    while name:
        name = name.rpartition(".")[0]
        if name in _WHOLE:
            return _WHOLE[name]
    return ""


def canonical(thing: object) -> str:
    """Give the full name of a thing, as the standard library's manual has it; "" for values."""
    if isinstance(thing, ModuleType):
        return thing.__name__
    if thing is builtins.open:
        return "open"
    if thing is os.environ:
        return "os.environ"
    if isinstance(thing, PurePath):
        return "pathlib.Path()"
    if isinstance(thing, MethodType | BuiltinFunctionType) and not isinstance(
        thing.__self__, ModuleType | type(None)
    ):
        return _bound(thing)
    if isinstance(thing, type | FunctionType | BuiltinFunctionType):
        return _public(thing.__module__ or "", thing.__qualname__)
    return ""


def _bound(thing: MethodType | BuiltinFunctionType) -> str:
    """Give the name of a method that a module has as a function: ``random.randint``."""
    name = thing.__name__
    for module in (random, secrets, sys.modules.get("numpy.random")):
        if module is not None and getattr(module, name, None) == thing:
            return f"{module.__name__}.{name}"
    if isinstance(thing.__self__, type):
        return f"{canonical(thing.__self__)}.{name}"
    return ""


def _public(module: str, name: str) -> str:
    """Give the name under which people know it, wherever it is defined."""
    top = module.partition(".")[0]
    if module == "builtins":
        return name
    if top in {"posix", "nt"}:
        return f"os.{name}"
    if top == "pathlib":
        return "pathlib.Path" if name in {"PosixPath", "WindowsPath"} else f"pathlib.{name}"
    if top in {"asyncio", "nbflow"}:
        return f"{top}.{name}"
    if module.startswith("concurrent.futures"):
        return f"concurrent.futures.{name}"
    if module.startswith(("posixpath", "ntpath", "genericpath")):
        return f"os.path.{name}"
    return f"{module}.{name}"
