"""What a service is: somebody else's system that owns the log of a run, and drives it.

An executor runs attempts, and our engine writes the log. A service has the log, decides by code
that it is given, and hands attempts to workers; what is here starts runs there, reads their logs
as events of nbflow, and tells them things. `nbflow.running` makes the same handle of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from nbflow.core.capture import Captured
from nbflow.core.errors import RunError
from nbflow.core.events import Event
from nbflow.engine.around import Middlewares
from nbflow.store.base import RunRow


@runtime_checkable
class Service(Protocol):
    """A service. Every method may be called from any thread.

    Attributes:
        OPTIONS: The names of what its class takes.
        name: Its name, as in ``revenue.on("swf")``.
    """

    OPTIONS: ClassVar[Sequence[str]]
    name: str

    def start(
        self,
        frozen: Captured,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        run: str = "",
        tags: tuple[str, ...] = (),
    ) -> str:
        """Start a run, with what drives it as far as this machine is to do that.

        Args:
            frozen: The workflow, by whose code the run is decided from now on.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            run: What the run is to be called there; "" for any name.
            tags: Words that it is found by.

        Returns:
            The id of the run, which `attach` finds it by from anywhere.

        Raises:
            TypeError: The arguments do not fit the workflow.
            Unserialisable: An argument cannot be stored.
            NbflowError: The service cannot be had, or refuses. Nothing runs.
        """

    def attach(self, run: str, *, drive: bool = True) -> str:
        """Give the whole id of a run.

        Args:
            run: Its id, or the beginning of the id of one that was started from here.
            drive: If this machine drove it, and no process does so any longer, this one does.

        Raises:
            RunNotFound: There is no such run.
        """

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """Give the events of a run, those with a number above `after`, as the service has them.

        It may be called as often as anyone likes: the service is asked less and less often while
        nothing happens. What was given once keeps its number and its meaning.

        Raises:
            RunNotFound: There is no such run.
            NbflowError: The service cannot be had just now.
        """

    def child(self, run: str, name: str) -> str:
        """Give the id of a child run.

        Args:
            run: The id of the run that called it, or of one above that.
            name: What the log has as its name.

        Raises:
            RunNotFound: It has not begun.
        """

    def onward(self, run: str) -> str:
        """Give the id of the run that one goes on in as new; "" if in none so far."""

    def get(self, digest: str) -> bytes:
        """Give the bytes of a large value by its digest.

        Raises:
            NbflowError: They are not there.
        """

    def cancel(self, run: str, reason: str = "") -> None:
        """Ask a run to end; its code may clean up. Nothing happens to one that is over."""

    def signal(self, run: str, name: str, value: object = None, *, id: str = "") -> None:  # noqa: A002
        """Tell a run something.

        Args:
            run: Its id.
            name: Name of the signal.
            value: What to tell.
            id: Which signal it is: the run takes one of the same id once.

        Raises:
            RunError: It is over.
            Unserialisable: The value cannot be stored.
        """

    def terminate(self, run: str, reason: str = "") -> None:
        """End a run at once, without asking its code. Nothing happens to one that is over."""

    def trouble(self, run: str) -> str:
        """Say why a run does not go on though it is not over; "" if nothing is known against it."""

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """List the runs that were started from here, the latest first."""

    @classmethod
    def reached(cls, home: Path) -> list[dict[str, Any]]:
        """Give the options by which runs were started from here, each of them once.

        Args:
            home: The directory of this machine's own runs.
        """

    def matching(self, run: str) -> list[str]:
        """Give the ids of those runs started from here that a text is, or begins."""

    def driven(self) -> list[str]:
        """Give the ids of the runs that this process drives."""

    def finish(self) -> None:
        """Wait until the runs that this process drives are over."""

    def close(self) -> None:
        """End what this process started for it. Runs stay, to be attached to. May come twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revival:
    """How a run on a service goes on with the log that it has.

    Attributes:
        reason: Why, to be noted in the log.
        again: Calls that run anew though they may have succeeded.
        allowed: Those of them that were asked for by name, see `RunResumed.allowed`.
        given: Results that are known of calls that have none.
        frozen: The workflow that it goes on with; None: by the code that it has.
        run: What it is called from now on: the run that there is stays as it is then. "": what it
            was called, and it ends if it is not over.
    """

    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)
    frozen: Captured | None = None
    run: str = ""


@runtime_checkable
class Surrounding(Protocol):
    """A service that takes what `nbflow.configure(middleware=...)` was given to its processes."""

    def surround(self, middlewares: Middlewares) -> None:
        """Have these around each attempt of the runs that begin from now on.

        Raises:
            DefinitionError: They cannot be called where attempts run; the message says why.
        """


@runtime_checkable
class Reviving(Protocol):
    """A service whose runs can be gone on with, and whose calls can be settled one by one."""

    def revive(self, run: str, how: Revival) -> str:
        """Go on with a run where its log ends; give the id of the run that does.

        Raises:
            NbflowError: It cannot; the message says why. The run is as it was.
        """

    def settle(self, run: str, call: str, value: object) -> None:
        """Give the result of a call of a run that is under way: what it does is given up.

        Raises:
            RunError: The run is over.
            Unserialisable: The value cannot be stored.
        """

    def cancel_call(self, run: str, call: str, reason: str = "") -> None:
        """Give up one call of a run. Nothing happens where the run is over."""


class ServiceStore:
    """The part of a store that a service has, as far as one of its runs needs it.

    Args:
        service: The service.
        run: The run. Other names are those that its log has for child runs.
    """

    def __init__(self, service: Service, run: str) -> None:
        self.service = service
        self.run = run
        self.path = service.name

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `nbflow.store.base.Log`."""
        whole = run if run == self.run else self.service.child(self.run, run)
        return self.service.events(whole, after)

    def get(self, digest: str) -> bytes:
        """See `nbflow.store.base.Store`."""
        return self.service.get(digest)

    def open(self, digest: str) -> None:
        """See `nbflow.store.base.Store`: there is no file of it here."""

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """See `nbflow.store.base.Store`."""
        return self.service.runs(limit)

    def holder(self, run: str) -> None:
        """See `nbflow.store.base.Store`."""

    def close(self) -> None:
        """See `nbflow.store.base.Store`; the service stays as it is."""

    def _refuse(self, *_: object, **__: object) -> Any:
        message = f"the log of a run on {self.path} is written by {self.path} alone"
        raise RunError(message)

    create = append = hold = release = put = _refuse
