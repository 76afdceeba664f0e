"""The function of Function Compute that runs the activities of exported workflows.

Deploy the archive that `write_package` writes with the handler ``index.handler``. An event names
an activity as ``module:name``; only activities are called, nothing else of a module.
"""

from __future__ import annotations

import importlib
import inspect
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from nbflow.__about__ import __version__
from nbflow.core.activity import Activity
from nbflow.core.errors import DefinitionError

_INDEX: Final = '''"""Runs activities of nbflow in Function Compute."""

from nbflow.services.cloudflow.fc_handler import handler

__all__ = ["handler"]
'''
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def handler(event: bytes | str, context: object = None) -> str:  # noqa: ARG001 - the service's form
    """Run an activity as an event says.

    Args:
        event: JSON: ``activity``, ``args`` and ``kwargs``, as `nbflow.to_fdl` writes them.
        context: What Function Compute says of the invocation; not used.

    Returns:
        JSON: ``{"value": ...}``.

    Raises:
        DefinitionError: There is no such activity, or its result is nothing that JSON has.
        BaseException: What the activity raises.
    """
    return json.dumps(run(json.loads(event)), allow_nan=False)


def run(body: dict[str, Any]) -> dict[str, Any]:
    """Run an activity as plain data say; see `handler`."""
    activity = _activity(str(body.get("activity", "")))
    args = [_value(argument) for argument in body.get("args", [])]
    kwargs = {name: _value(argument) for name, argument in body.get("kwargs", {}).items()}
    result = activity.fn(*args, **kwargs)
    if inspect.iscoroutine(result):
        import asyncio  # noqa: PLC0415 - for coroutines only

        result = asyncio.run(result)
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"{activity.name} gives a {type(result).__name__}, which JSON has not: {error}"
        raise DefinitionError(message) from error
    return {"value": result}


def _activity(name: str) -> Activity[..., Any]:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise DefinitionError(
            f"there is no activity {name!r:.200} here: {error}; add its module to the package"
        ) from error
    if not isinstance(found, Activity):
        raise DefinitionError(f"{name} is no activity, but a {type(found).__name__}")
    return found


def _value(argument: dict[str, Any]) -> Any:
    """Read an argument as `nbflow.to_fdl` writes it."""
    if "list" in argument:
        return [_value(item) for item in argument["list"]]
    if "tuple" in argument:
        return tuple(_value(item) for item in argument["tuple"])
    if "dict" in argument:
        return {_value(name): _value(item) for name, item in argument["dict"]}
    return argument["value"]


def write_package(path: str | Path, files: Iterable[str | Path] = ()) -> Path:
    """Write the archive to deploy: the handler, your modules, and what has to be installed.

    Args:
        path: The archive, a zip file; one that is there is replaced.
        files: Modules (files) and packages (directories) that the activities are in.

    Returns:
        The archive.

    Raises:
        FileNotFoundError: One of the files is not there; nothing is written then.

    Example:
        >>> write_package("nbflow.zip", ["revenue.py"])
    """
    entries = {"index.py": _INDEX.encode(), "requirements.txt": _requirements()}
    for file in map(Path, files):
        entries |= _entries(file)
    target = Path(path)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return target


def _requirements() -> bytes:
    return f"jupyter-nbflow=={__version__}\n".encode()


def _entries(file: Path) -> dict[str, bytes]:
    if file.is_dir():
        found = sorted(file.rglob("*.py"))
        return {str(f.relative_to(file.parent).as_posix()): f.read_bytes() for f in found}
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there; name the modules of your activities")
    return {file.name: file.read_bytes()}
