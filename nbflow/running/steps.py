"""Where runs note which steps are done, and what people can do about these notes."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from nbflow.core import stepnotes
from nbflow.core.errors import RunError
from nbflow.core.stepnotes import Mark
from nbflow.running.config import settings
from nbflow.running.session import sessions
from nbflow.store.base import Store

if TYPE_CHECKING:
    from nbflow.store.marks import Marks

FORCE_STEPS: Final = "NBFLOW_FORCE_STEPS"
SKIP_STEPS: Final = "NBFLOW_SKIP_STEPS"
"""Environment variables: names of steps, with commas between."""


class StoreSite:
    """The notes of a store, and the wishes of this process's environment."""

    def __init__(self, store: Store) -> None:
        self._marks = marks_of(store)

    def done(self, scope: str) -> dict[str, Mark]:
        """See `Marks.done`."""
        return self._marks.done(scope)

    def mark(self, scope: str, step: str, mark: Mark) -> None:
        """See `Marks.mark`."""
        self._marks.mark(scope, step, mark)

    def wishes(self) -> tuple[list[str], list[str]]:
        """Read the two environment variables."""
        return _names(FORCE_STEPS), _names(SKIP_STEPS)


def marks_of(store: Store) -> Marks:
    """Give the notes of a store.

    Raises:
        RunError: It keeps none.
    """
    marks: Marks | None = getattr(store, "marks", None)
    if marks is None:
        message = f"the store {store.path} notes no steps: its class has no `marks`"
        raise RunError(message)
    return marks


def done_steps(scope: str | None = None, store: Store | None = None) -> dict[str, Mark]:
    """Give the steps of a scope that are done, by name, with the run that did each and when.

    Args:
        scope: As it was given to `nbflow.Steps`; None for all, with the scope before the name.
        store: Where; by default the configured store.

    Example:
        >>> nbflow.done_steps("nightly/2026-07-01")
        {'load': Mark(run='nightly-3f2a', at=1782864000.0)}
    """
    marks = marks_of(store or settings.open_store())
    if scope is not None:
        return marks.done(scope)
    scopes = marks.scopes()
    return {f"{s}: {name}": mark for s in scopes for name, mark in marks.done(s).items()}


def forget_steps(scope: str, *steps: str, store: Store | None = None) -> list[str]:
    """Have steps be done no more, so that the next run of the scope does them again.

    Args:
        scope: As it was given to `nbflow.Steps`.
        steps: Names, which stand for all below them as well, or patterns; all of the scope by
            default.
        store: Where; by default the configured store.

    Returns:
        The steps that were done until now.

    Example:
        >>> nbflow.forget_steps("nightly/2026-07-01", "load")
        ['load', 'load.eu']
    """
    marks = marks_of(store or settings.open_store())
    found = [name for name in marks.done(scope) if not steps or _named(name, steps)]
    for name in found:
        marks.forget(scope, name)
    return found


def _named(name: str, wanted: tuple[str, ...]) -> bool:
    return any(name == w or name.startswith(f"{w}.") or fnmatchcase(name, w) for w in wanted)


def _names(variable: str) -> list[str]:
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


def _site(run: str) -> StoreSite:
    session = sessions.get(run)
    return StoreSite(settings.open_store() if session is None else session.store)


stepnotes.provide(_site)
