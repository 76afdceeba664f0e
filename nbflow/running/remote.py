"""Runs on services: the same handle, of a log that somebody else writes."""

from __future__ import annotations

import atexit
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nbflow import services
from nbflow.core.capture import capture
from nbflow.core.errors import NbflowError, RunError, RunNotFound
from nbflow.core.workflow import Place, Target
from nbflow.running.acting import RunActions
from nbflow.running.config import settings
from nbflow.running.origin import changed, changed_options
from nbflow.running.reviving import Revivable
from nbflow.services.base import Reviving, Service, ServiceStore, Surrounding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbflow.store.base import RunRow

T = TypeVar("T")

_PARTS: Final = 3


class ServiceRun(Revivable[T]):
    """One execution of a workflow on a service, started from here or from anywhere else.

    Attributes:
        id: The run's id, as the service's own names: ``domain/workflow id/run id`` on SWF.
        service: Where it is.
    """

    def __init__(self, id: str, service: Service) -> None:  # noqa: A002 - the field's natural name
        store: Any = ServiceStore(service, id)
        super().__init__(id, store)
        self.service = service

    def cancel(self, reason: str = "") -> None:
        """Ask it to end: its code is stopped where it next waits, and may clean up.

        Nothing happens to a run that is over.

        Args:
            reason: To be noted, where the service takes one.

        Raises:
            NbflowError: The service cannot be had.
        """
        onward = self.onward
        if onward is not None:
            onward.cancel(reason)
        else:
            self.service.cancel(self.id, reason)

    def terminate(self, reason: str = "") -> None:
        """End it at once, without asking its code. Nothing happens to a run that is over.

        Args:
            reason: To be noted in the history.

        Raises:
            NbflowError: The service cannot be had.
        """
        self.service.terminate(self.id, reason)

    def signal(
        self,
        name: str,
        value: object = None,
        *,
        id: str = "",  # noqa: A002 - the field's natural name
        propagate: bool = False,
    ) -> None:
        """Tell the run something; see `Run.signal`.

        Raises:
            RunError: The run is over, or `propagate` is asked for.
            Unserialisable: The value cannot be stored.
            NbflowError: The service cannot be had.
        """
        given: Any = name
        if not isinstance(given, str) or not given.strip():
            raise RunError(f"a signal has a name, as in run.signal('approved'), not {name!r:.60}")
        if propagate:
            raise RunError(
                f"a run on {self.service.name} does not pass signals on: signal its child runs "
                "themselves"
            )
        self.service.signal(self.id, name, value, id=id)

    def _other(self, run: str) -> ServiceRun[T]:  # noqa: ARG002 - the service has its own
        return ServiceRun(self.service.onward(self.id), self.service)

    def _actions(self) -> RunActions:
        return _Actions(self, self._store)


class _Actions(RunActions):
    """The actions of the panel of a run on a service."""

    def possible(self, status: str) -> Sequence[str]:
        """Name what can be done: it can be cancelled, and goes on by itself until it is over."""
        run: Any = self._run
        reviving = isinstance(run.service, Reviving)
        if status in {"running", "stopped"}:
            return ("cancel", "cancel_call") if reviving else ("cancel",)
        again = {"failed": ("retry",), "cancelled": ("resume",)}
        return again.get(status, ()) if reviving else ()

    def retry(self) -> str:
        """Run the calls that failed again, in a new run; say which."""
        super().retry()
        return self._onward()

    def resume(self) -> str:
        """Go on with the run, in a new one; say which."""
        super().resume()
        return self._onward()

    def _onward(self) -> str:
        return f"It goes on as run {self._run.id}: nbflow.attach({self._run.id!r}) shows it."

    def halted(self) -> str:
        """Say why the run does not go on, as far as this process knows."""
        run: Any = self._run
        return str(run.service.trouble(run.id))


def start(
    service: Service,
    target: Target,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    changes: dict[str, Any] | None = None,
) -> ServiceRun[Any]:
    """Start a run on a service; see `nbflow.services.base.Service.start`."""
    origin = changed(target, changes)
    frozen = changed_options(capture(target), origin.changes)
    known = frozen.definition
    known.check(args, kwargs)
    task_list = (changes or {}).get("task_list") or known.task_list_of(args, kwargs)
    frozen = replace(frozen, definition=replace(known, task_list=task_list))
    tags = known.tags_of(args, kwargs) if origin.tags is None else origin.tags
    chosen = known.run_id_of(args, kwargs)
    if isinstance(service, Surrounding):
        service.surround(settings.middleware)
    return ServiceRun(service.start(frozen, args, kwargs, run=chosen, tags=tags), service)


def attach(run: str, *, drive: bool = True) -> ServiceRun[Any] | None:
    """Give the handle of a run on a service; None if none of those that are known here has it.

    Args:
        run: Its id, or the beginning of the id of one that was started from here.
        drive: See `nbflow.services.base.Service.attach`.

    Raises:
        RunNotFound: Several have one whose id begins so, or the service has none of that id.
        NbflowError: The service cannot be had.
    """
    found = {whole: service for service in _services() if run for whole in service.matching(run)}
    found = {w: s for w, s in found.items() if run in _names(w)} or found
    if len(found) > 1 and run not in found:
        raise RunNotFound(f"{run!r} begins {len(found)} run ids: {', '.join(list(found)[:5])}")
    if found:
        whole = run if run in found else next(iter(found))
        return ServiceRun(found[whole].attach(whole, drive=drive), found[whole])
    parts = run.split("/", _PARTS - 1)
    if len(parts) < _PARTS or not all(parts):
        return None
    service = _configured() or settings.service(_place_of(parts))
    return None if service is None else ServiceRun(service.attach(run, drive=drive), service)


def _place_of(parts: list[str]) -> Place:
    """Give the service that the parts of a run's id speak of."""
    if parts[0] == "cloudflow":
        return Place("cloudflow", {"namespace": parts[1], "processes": 0})
    return Place("swf", {"domain": parts[0], "processes": 0})


def _names(whole: str) -> tuple[str, str, str]:
    """Give the names that a run has beside the beginnings of its id: the last one is its own."""
    latest = whole.rpartition("/")[0]
    return whole, latest, latest.partition("/")[2]


def _configured() -> Service | None:
    """Give the service that runs go to unless told otherwise, if it is one."""
    return settings.service(Place())


def _services() -> Iterator[Service]:
    """Give the services that runs were started on from here."""
    for name in services.TABLE:
        for options in services.reached(name, settings.home()):
            found = settings.service(Place(name, options))
            if found is not None:
                yield found


def rows(limit: int | None) -> list[RunRow]:
    """List the runs on services that were started from here, the latest first."""
    found: list[RunRow] = []
    for service in _services():
        found += service.runs(limit)
    return sorted(found, key=lambda row: row.created, reverse=True)[:limit]


def _finish() -> None:
    """Let a script's runs end before it does. A notebook that is closed means it."""
    watched = "ipykernel" in sys.modules or hasattr(sys, "ps1")
    for service in settings.services():
        try:
            if not watched:
                service.finish()
        except NbflowError as error:
            sys.stderr.write(f"runs on {service.name} are left to themselves: {error}\n")
        finally:
            service.close()


atexit.register(_finish)
