"""Services that own the log of a run: each in a package of its own, which knows no other.

The table holds where a service is rather than the service, so that none is imported, and none of
the libraries that it needs, before somebody asks for it.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import DefinitionError

if TYPE_CHECKING:
    from nbflow.services.base import Service

TABLE: Final = {
    "swf": "nbflow.services.swf.service:SwfService",
    "cloudflow": "nbflow.services.cloudflow.dynamic.service:CloudFlowService",
}
"""The services that have a name."""
_EXTRAS: Final = {
    "boto3": "swf",
    "botocore": "swf",
    "alibabacloud_tea_openapi": "cloudflow",
    "re2": "cloudflow",
    "yaml": "cloudflow",
}


def reached(name: str, home: Path) -> list[dict[str, Any]]:
    """Give the options by which runs were started on a service from here, each of them once.

    Args:
        name: Of `TABLE`.
        home: The directory of this machine's own runs.
    """
    if not (home / name).is_dir():
        return []  # so its libraries need not be loaded
    return _kind(name).reached(home)  # type: ignore[no-any-return]


def make(name: str, home: Path, **options: Any) -> Service:
    """Make a service. Nothing is connected or started yet.

    Args:
        name: Of `TABLE`.
        home: The directory of this machine's own runs, in which it may have one of its own.
        options: What it takes, such as ``domain``.

    Raises:
        DefinitionError: There is no such service, it takes no such option, or a library that it
            needs is not installed.

    Example:
        >>> make("swf", Path(".nbflow"), domain="analytics", region="eu-west-1")
    """
    kind = _kind(name)
    unknown = [option for option in options if option not in kind.OPTIONS]
    if unknown:
        close = difflib.get_close_matches(unknown[0], kind.OPTIONS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        message = f"{name} has no option {unknown[0]!r:.60}: use {', '.join(kind.OPTIONS)}.{hint}"
        raise DefinitionError(message)
    return kind(home, **options)  # type: ignore[no-any-return]


def _kind(name: str) -> Any:
    where, _, cls = TABLE[name].partition(":")
    try:
        return getattr(import_module(where), cls)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(str(error.name).partition(".")[0])
        if extra is None:
            raise
        message = f"{name} needs {error.name}: pip install 'jupyter-nbflow[{extra}]'"
        raise DefinitionError(message) from error
