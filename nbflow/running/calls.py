"""The calls of a run, as people look at them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.describe import describe, error_of
from nbflow.core.errors import RunError
from nbflow.core.events import CallFailed, CallReused, CallSucceeded
from nbflow.core.failure import Failure
from nbflow.core.held import GONE, Held
from nbflow.core.history import History
from nbflow.core.payload import unpack
from nbflow.running.output import written
from nbflow.store.base import Store
from nbflow.store.reading import BlobReader
from nbflow.viz.wording import clean

Cancel = Callable[[str, str], None]
"""Gives up a call, by its id, and says why."""


@dataclass(frozen=True, slots=True)
class CallView:
    """One call of a run."""

    _state: CallState
    _history: History
    _store: Store
    _activity: Activity[..., Any] | None
    _run: str
    _cancel: Cancel | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self._state.id

    @property
    def activity(self) -> str:
        """Name of its activity."""
        return self._state.name

    @property
    def definition(self) -> Activity[..., Any] | None:
        """The activity as the run has it, or None where its code is not known here."""
        return self._activity

    @property
    def status(self) -> str:
        """One of ``waiting queued running retrying done failed skipped cancelled``."""
        return self._state.status

    @property
    def cached(self) -> bool:
        """Whether an earlier run's result answered it, so that it did not run."""
        return self._state.cached

    @property
    def attempt(self) -> int:
        """The latest attempt, 0 before the first."""
        return self._state.attempt

    @property
    def args(self) -> tuple[Any, ...]:
        """Its positional arguments; those that come from other calls as values."""
        return tuple(self._value(a) for a in self._state.args)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Its keyword arguments, likewise."""
        return {k: self._value(a) for k, a in (self._state.kwargs or {}).items()}

    @property
    def result(self) -> Any:
        """What it gave.

        Raises:
            RunError: It has no result (yet), or had one in the memory of another process only.
        """
        outcome = self._state.outcome
        if not isinstance(outcome, CallSucceeded | CallReused):
            message = f"{self.id} has no result: it is {self.status}"
            raise RunError(message)
        if type(outcome.result) is Held and not outcome.result.there:
            repeat = self._history.again.get(self.id)
            if repeat is None or repeat.outcome is None:
                message = f"{self.id} has no result any more: {GONE}"
                raise RunError(message)
            return replace(self, _state=repeat).result
        return unpack(outcome.result, self._result_of, BlobReader(self._store))

    @property
    def repeats(self) -> str:
        """The call whose result it computes again, since that was in memory only; else ""."""
        return self._history.repeats.get(self.id, "")

    @property
    def output(self) -> str:
        """What its attempts have printed and logged so far; the log is read for it."""
        return written(self._store.events(self._run), self.id)

    @property
    def error(self) -> BaseException | None:
        """What it failed with, or None."""
        return error_of(self._state) if self._state.failed else None

    @property
    def failure(self) -> Failure | None:
        """What is kept of its error, frames included, or None."""
        outcome = (self._state.because or self._state).outcome
        return outcome.error if isinstance(outcome, CallFailed) else None

    def reproduce(self) -> Any:
        """Call the activity's function here and now with the same arguments, outside any run.

        So a debugger, or a ``print`` in the mended cell, sees what the call saw: it is the
        activity that the notebook has under that name now, else the one of the run.

        Raises:
            RunError: The activity's code is not known in this process.
        """
        here = vars(sys.modules["__main__"]).get(self.activity)
        activity = here if isinstance(here, Activity) else self._activity
        if activity is None:
            message = f"the code of {self.activity} is not known here: run the cell that defines it"
            raise RunError(message)
        __tracebackhide__ = True  # IPython leaves this frame out of tracebacks
        return activity.fn(*self.args, **self.kwargs)

    def cancel(self, reason: str = "") -> None:
        """Give this call up; what needs its result is skipped, and everything else goes on.

        Where it runs in a process it is killed. In a thread it cannot be stopped: it is abandoned,
        and what it gives back is dropped. A call that is settled stays as it is. In a run that
        another process drives, it is that one that gives the call up, within about a second.

        Args:
            reason: To be noted in the log.

        Raises:
            RunError: No process drives the run, or its service gives up no single calls.
            StoreError: The process that drives it could not be told.
        """
        if self._state.outcome is not None:
            return
        if self._cancel is None:
            message = (
                f"{self.id} cannot be cancelled: the service of run {self._run} gives up no "
                "single calls. run.cancel() cancels the run"
            )
            raise RunError(message)
        self._cancel(self.id, reason)

    def _value(self, stored: Any) -> Any:
        return unpack(stored, self._result_of, BlobReader(self._store))

    def _result_of(self, call: str) -> Any:
        state = self._history.calls[call]
        return CallView(state, self._history, self._store, None, self._run).result

    def __repr__(self) -> str:
        """Give the call as written, and its status."""
        how = f"{self.status}, from the cache" if self.cached else self.status
        return clean(f"<{self.id} {describe(self._state)} {how}>")


class Calls(Mapping[str, CallView]):
    """The calls of a run by id, in the order in which they were asked for."""

    def __init__(
        self,
        history: History,
        store: Store,
        activities: dict[str, Any],
        run: str,
        cancel: Cancel | None = None,
    ) -> None:
        self._run = run
        self._cancel = cancel
        self._history = history
        self._store = store
        self._activities = activities

    def __getitem__(self, call: str) -> CallView:
        """Give one call.

        Raises:
            KeyError: There is none of that id.
        """
        state = self._history.calls[call]
        activity = self._activities.get(call)
        return CallView(state, self._history, self._store, activity, self._run, self._cancel)

    def __iter__(self) -> Iterator[str]:
        """Go through the ids."""
        return (s.id for s in list(self._history.calls.values()) if s.name)

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        """Give a line a call, the first 20."""
        lines = [repr(self[call]) for call in self]
        more = f"\n(+{len(lines) - 20} more)" if len(lines) > 20 else ""  # noqa: PLR2004
        return "\n".join(lines[:20]) + more
