"""Running a workflow in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbflow
from nbflow.engine.around import Middlewares
from nbflow.engine.context import current_context
from nbflow.running.config import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbflow.compat.simpleflow.workflow import Workflow


class Executor:
    """Runs workflows of a class.

    Args:
        workflow_class: The class.
        middlewares: Functions around each attempt, or their dotted names: ``{"pre": [...],
            "post": [...]}``. Each is given the context, and of ``post`` the result.

    Attributes:
        nbflow_run: The handle of the latest run, with its log and its pictures.

    Example:
        >>> Executor(Basic).run({"args": [1], "kwargs": {"t": 0}})
        4
    """

    def __init__(self, workflow_class: type[Workflow], **kwargs: Any) -> None:
        self.workflow_class = workflow_class
        given = kwargs.pop("middlewares", None) or {}
        self.middlewares = {
            "before": [_before(one) for one in given.get("pre", ())],
            "after": [_after(one) for one in given.get("post", ())],
        }
        self.nbflow_run: nbflow.Run[Any] | None = None

    def run(self, input: dict[str, Any] | None = None) -> Any:  # noqa: A002 - as programs know it
        """Run it to its end, and give its result.

        Raises:
            Exception: What it failed with.
        """
        given = input or {}
        before = settings.middleware
        if any(self.middlewares.values()):
            nbflow.configure(middleware=self.middlewares)
        try:
            run = self.workflow_class.start(*given.get("args", ()), **given.get("kwargs", {}))
            self.nbflow_run = run
            return run.result()
        finally:
            settings.middleware = before


def _before(given: Any) -> Callable[..., Any]:
    def before(context: Any) -> None:  # noqa: ARG001 - programs get a dict of it
        _found(given)(_context())

    return before


def _after(given: Any) -> Callable[..., Any]:
    def after(context: Any, result: Any = None, error: BaseException | None = None) -> None:  # noqa: ARG001 - as above
        if error is None:  # there it is not called after failures
            _found(given)(_context(), result=result)

    return after


def _found(given: Any) -> Callable[..., Any]:
    """Give a function by its dotted name."""
    if callable(given):
        return given  # type: ignore[no-any-return]
    return Middlewares.of({"before": [given]}).before[0]


def _context() -> dict[str, Any]:
    found = current_context()
    return {} if found is None else dict(found)
