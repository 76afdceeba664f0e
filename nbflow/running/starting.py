"""The functions by which people start runs and find them again."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from nbflow.core.errors import RunNotFound
from nbflow.core.workflow import Place, Target, Workflow, WorkflowFunction, definition, launcher
from nbflow.running import opening, remote
from nbflow.running import session as _session
from nbflow.running.config import settings
from nbflow.running.large import warn_of_large
from nbflow.running.listing import RunList, complete, standing
from nbflow.running.origin import changed
from nbflow.running.run import Run
from nbflow.running.watching import watchers
from nbflow.store.base import RunRow, Store
from nbflow.store.unbroken import Unbroken

if TYPE_CHECKING:
    from nbflow.viz.form import Form

P = ParamSpec("P")
T = TypeVar("T")


class Launcher:
    """What workflows start runs by."""

    def start(
        self,
        target: Target,
        place: Place,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        changes: dict[str, Any] | None = None,
    ) -> Run[Any]:
        """Start a run and give its handle at once; `changes` are options in place of its own."""
        run = self._begin(target, place, args, kwargs, changes)
        for watcher in watchers:
            watcher.started(run)
        return run

    def _begin(
        self,
        target: Target,
        place: Place,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        changes: dict[str, Any] | None,
    ) -> Run[Any]:
        service = settings.service(place)
        if service is not None:
            return remote.start(service, target, args, kwargs, changes)
        session = opening.start(target, place, args, kwargs, changed(target, changes))
        warn_of_large(session.frozen)
        return Run(session.run, session.store)

    def form(self, target: Target, place: Place) -> Form:
        """Make a form that starts runs of a workflow."""
        from nbflow.viz.form import Form  # noqa: PLC0415 - needs widgets

        code = target.run if isinstance(target, type) else target.fn
        try:
            hints = typing.get_type_hints(code, include_extras=True)
        except Exception:  # noqa: BLE001 - annotations are evaluated: anything may be wrong with them
            hints = {}
        return Form(
            definition(target),
            hints,
            lambda given: self.start(target, place, given.args, given.kwargs),
        )


launcher[:] = [Launcher()]


@overload
def start(target: WorkflowFunction[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...
@overload
def start(target: type[Workflow], /, *args: Any, **kwargs: Any) -> Run[Any]: ...
def start(target: Any, /, *args: Any, **kwargs: Any) -> Run[Any]:
    """Start a run of a workflow, of either shape, and give its handle at once.

    Example:
        >>> run = nbflow.start(revenue, ["eu", "us"], rate=1.1)
    """
    return Launcher().start(target, Place(), args, kwargs)


@overload
def run(target: WorkflowFunction[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
def run(target: type[Workflow], /, *args: Any, **kwargs: Any) -> Any: ...
def run(target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Start a run of a workflow, of either shape, wait for it, and give its result.

    Interrupting it cancels the run.

    Example:
        >>> nbflow.run(revenue, ["eu", "us"])
    """
    handle = start(target, *args, **kwargs)
    try:
        return handle.result()
    except KeyboardInterrupt:
        with Unbroken():  # the button may be pressed twice
            handle.cancel("interrupted")
        message = f"run {handle.id} is cancelled"
        raise KeyboardInterrupt(message) from None


def attach(run: str, store: Store | None = None, *, drive: bool = True) -> Run[Any]:
    """Give the handle of a run by its id, or by the beginning of its id if only one has it.

    Args:
        run: The id, of a run of this process or of any other that uses the store; or that of a run
            on a service, as in ``domain/workflow id/run id``.
        store: Where its log is; by default the configured store.
        drive: Whether a run on a service goes on by processes of this one, if those that drove it
            have ended with the kernel or command that had started them.

    Raises:
        RunNotFound: There is no such run; the message names the nearest ones.
    """
    place = store or settings.open_store()
    try:
        return Run(complete(run, place), place)
    except RunNotFound:
        live = _session.sessions.get(run)
        if live is not None and store is None:
            return Run(run, live.store)  # of this process, in the store that was set before
        found = remote.attach(run, drive=drive) if store is None else None
        if found is None:
            raise
        return found


def runs(limit: int | None = 20, store: Store | None = None) -> RunList:
    """List the runs of a store, the latest first, and those that were started on services.

    One that is not over, and that no process drives, is ``stopped``: it waits until somebody
    resumes it.

    Args:
        limit: How many at most; None for all.
        store: Which store; by default the configured one.
    """
    place = store or settings.open_store()
    found = [standing(row, place) for row in place.runs(limit)]
    if store is None:
        found = sorted([*found, *remote.rows(limit)], key=_created, reverse=True)[:limit]
    return RunList(found)


def _created(row: RunRow) -> float:
    return row.created
