"""Who is told of what people do with runs: the notebook, so that it can show them and wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nbflow.running.run import Run


class Watcher(Protocol):
    """Is told what people do with runs in this process."""

    def started(self, run: Run[Any], /) -> None:
        """Learn that a run was started or resumed."""

    def shown(self, run: Run[Any], /) -> None:
        """Learn that a run is about to be displayed."""

    def failed(self, run: Run[Any], error: BaseException, /) -> None:
        """Learn that somebody is about to get the error that a run ended with."""


watchers: list[Watcher] = []
"""They are told in this order; empty outside a notebook."""
