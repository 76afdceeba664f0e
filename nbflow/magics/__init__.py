"""The notebook's own words: ``%%activity``, ``%%workflow`` and ``%nbflow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbflow.magics.extension import Extension

_loaded: dict[int, Extension] = {}


def load(shell: Any) -> None:
    """Add the magics to an IPython shell; once, however often it is asked."""
    from nbflow.magics.extension import Extension  # noqa: PLC0415 - needs IPython

    if id(shell) not in _loaded:
        _loaded[id(shell)] = Extension(shell)
        _loaded[id(shell)].load()


def unload(shell: Any) -> None:
    """Take them away again."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()
