"""Middlewares of runs on CloudFlow: they travel as names, which other processes import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbflow.core.errors import DefinitionError
from nbflow.engine.around import Middlewares
from nbflow.services.cloudflow.dynamic.settings import Options


class Surrounded:
    """A service whose attempts have functions around them.

    Attributes:
        options: How its runs are asked for.
    """

    options: Options
    _around: Middlewares = Middlewares()

    def surround(self, middlewares: Middlewares) -> None:
        """Have these around each attempt of runs that begin from now on, unless options name some.

        Args:
            middlewares: What ``nbflow.configure(middleware=...)`` was given.

        Raises:
            DefinitionError: One cannot be imported by the processes of the run.
        """
        if self.options.processes and not self.options.middleware:
            names_of(middlewares)
            self._around = middlewares

    def surrounded(self) -> Options:
        """Give the options, with the names of what is around each attempt."""
        return replace(self.options, middleware=self.options.middleware or names_of(self._around))


def names_of(middlewares: Middlewares) -> dict[str, tuple[str, ...]]:
    """Give the dotted names of middlewares, as ``middleware=`` of `Options` has them.

    Raises:
        DefinitionError: One has no name by which it could be imported.
    """
    return {key: tuple(map(_named, each)) for key, each in middlewares._asdict().items() if each}


def _named(function: Callable[..., object]) -> str:
    module = getattr(function, "__module__", None) or "__main__"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    dotted = f"{module}.{name}"
    if module != "__main__" and _found(dotted) is function:
        return dotted
    raise DefinitionError(
        f"on='cloudflow': the middleware {dotted} cannot be imported by the processes that run "
        "activities, so it would not be called; nothing was started. Define it at the top of a "
        "module, or take it away with nbflow.configure(middleware={})"
    )


def _found(dotted: str) -> Any:
    try:
        return Middlewares.of({"before": dotted}).before[0]
    except DefinitionError:
        return None
