"""Middlewares of runs on CloudFlow: they travel with the code, wherever attempts run."""

from __future__ import annotations

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
        """
        self._around = middlewares

    def surrounded(self) -> Middlewares:
        """Give what is around each attempt of a run that begins now."""
        return Middlewares.of(self.options.middleware) if self.options.middleware else self._around
