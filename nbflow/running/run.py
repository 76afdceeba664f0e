"""The handle of a run: what people hold in a notebook."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbflow.core.errors import (
    RunError,
)
from nbflow.core.events import CallFailed, Event
from nbflow.core.history import History
from nbflow.core.payload import unpack
from nbflow.core.stepnotes import StepRow, steps_of
from nbflow.running import session as _session
from nbflow.running.acting import RunActions
from nbflow.running.awaiting import Waitable
from nbflow.running.calls import Calls, CallView
from nbflow.running.erring import error_of
from nbflow.running.histories import RunHistory, export
from nbflow.running.output import written
from nbflow.running.resuming import Resumable
from nbflow.running.tail import Tail
from nbflow.running.watching import watchers
from nbflow.running.why import Why, of_call, why
from nbflow.store.base import Log, Store
from nbflow.store.reading import BlobReader

if TYPE_CHECKING:
    import pandas as pd

    from nbflow.viz.views import GraphView, ProfileView

T = TypeVar("T")


class Run(Waitable[T], Resumable[T]):
    """One execution of a workflow, under way or over, of this process or of another one.

    Attributes:
        id: The run's id.
    """

    def __init__(self, id: str, store: Store) -> None:  # noqa: A002 - the field's natural name
        self.id = id
        self._store = store
        self._session = _session.known(id, store)
        self._viewed: History | None = None

    # ------------------------------------------------------------ how it stands

    @property
    def status(self) -> str:
        """``running``, ``completed``, ``failed``, ``cancelled`` or ``continued``, see `onward`.

        It is ``stopped`` if it is not over, and the process that drove it is gone: `resume` goes
        on with it.
        """
        status = self._history().status
        return "stopped" if status == "running" and self._forsaken() else status

    @property
    def workflow(self) -> str:
        """Name of the workflow."""
        started = self._history().started
        return started.workflow if started else ""

    @property
    def onward(self) -> Run[T] | None:
        """The run that this one goes on in, if its workflow continued as new; else None."""
        event = self._history().continued
        return None if event is None else self._other(event.run)

    def done(self) -> bool:
        """Whether it is over, or at least no longer driven in this process."""
        if self._session is not None:
            return self._session.bell.rung
        return self._history().closed is not None

    def counts(self) -> dict[str, int]:
        """Count its calls by status."""
        found: dict[str, int] = {}
        for state in list(self._history().calls.values()):
            if state.name:
                found[state.status] = found.get(state.status, 0) + 1
        return found

    def events(self, after: int = 0) -> Iterator[Event]:
        """Give its log, from the event after that number."""
        return self._store.events(self.id, after)

    @property
    def graph(self) -> GraphView:
        """The dependency graph, as it stands now."""
        from nbflow.viz.views import GraphView  # noqa: PLC0415 - pictures only when asked for

        halted = self._let_go()  # asked before the log is read: who ends a run lets go of it then
        found = GraphView.of(self.events())
        found.halted = halted
        return found

    @property
    def profile(self) -> ProfileView:
        """Where its time went, so far."""
        from nbflow.viz.views import ProfileView  # noqa: PLC0415 - pictures only when asked for

        return ProfileView.of(self.events())

    @property
    def calls(self) -> Calls:
        """Its calls by id: ``run.calls["fetch-2"].result``."""
        history = self._history()
        return Calls(history, self._store, self._activities(), self.id, self._cancel_call)

    @property
    def failed(self) -> list[CallView]:
        """The calls that failed themselves, in the order in which they did."""
        history = self._history()
        calls = self.calls
        return [
            calls[state.id]
            for state in history.settled
            if isinstance(state.outcome, CallFailed) and state.because is None
        ]

    def output(self, call: str | None = None) -> str:
        """Give what its activities have printed and logged so far.

        Args:
            call: Of which call, as it was written; None for all of them, each line after the id
                of its call, in the order in which they came.

        Raises:
            RunError: It has no such call.

        Example:
            >>> print(run.output("fetch-2"))
        """
        if call is not None:
            self._check_call(call)
        return written(self.events(), call)

    def _check_call(self, call: str) -> None:
        if call not in self.calls:
            near = difflib.get_close_matches(call, self.calls, 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            message = f"run {self.id} has no call {call!r:.60} (so far).{hint}"
            raise RunError(message)

    def why(self, call: str | None = None) -> Why:
        """Say of every call why it ran, or which earlier result answered it.

        Args:
            call: Say it of this call alone, with all reasons.

        Raises:
            RunError: It has no such call.

        Example:
            >>> run.why()
            run revenue-1f0c5a77: 1 of 2 calls from the cache, 1.20 s of work saved
            from the cache (1)
              fetch-1    from revenue-9b2e0d14/fetch-1, 5m 12s old, took 1.20 s
            ran: code changed (1)
              convert-1  RATE: 1.08 -> 1.1
        """
        if call is not None:
            self._check_call(call)
        found = why(self.id, self.events())
        return found if call is None else of_call(found, call)

    @property
    def captured(self) -> tuple[str, ...]:
        """What the run took from the notebook when it was started, as ``name: what it is``."""
        started = self._history().started
        return started.captured if started else ()

    @property
    def steps(self) -> list[StepRow]:
        """What became of the run's steps so far, in the order in which they were begun."""
        return steps_of(self.events(), self._store.get)

    @property
    def source(self) -> str:
        """The workflow's source text when the run was started; "" where it was not to be had."""
        started = self._history().started
        return started.source if started else ""

    def history(self) -> RunHistory:
        """Give its log so far as a history, as `nbflow.load_history` does of a file."""
        return RunHistory(self.id, tuple(self.events()), self._store.get)

    def export_history(self, path: str | os.PathLike[str]) -> Path:
        """Write its log into a file that `nbflow.load_history` reads, with the values in it.

        Args:
            path: The file, ``.jsonl`` or ``.jsonl.gz``. One that exists is replaced.

        Raises:
            ValueError: It has another extension.
            OSError: The file cannot be written; one that was there is as it was.

        Example:
            >>> run.export_history("tests/histories/nightly.jsonl")
        """
        return export(path, self.id, self.events, self._store.get)

    def to_pandas(self) -> pd.DataFrame:
        """Give a DataFrame with a row an attempt. Needs pandas."""
        return self.profile.to_pandas()

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write all of it into one page that needs neither network nor kernel, and give the file.

        Args:
            path: The file, ``.html`` or ``.htm``. One that exists is replaced.

        Raises:
            ValueError: It has another extension.
            OSError: The file cannot be written; one that was there is as it was.

        Example:
            >>> run.report("run.html")
        """
        from nbflow.viz.report import report_html  # noqa: PLC0415 - pictures only when asked for
        from nbflow.viz.saving import save  # noqa: PLC0415

        def page() -> str:
            return report_html(self.id, self.events(), self._actions().about)

        return save(path, {".html": page, ".htm": page}, f"the report of run {self.id}")

    # ------------------------------------------------------------ its value

    def result(self, timeout: float | None = None) -> T:
        """Wait for the run and give the workflow's result.

        Args:
            timeout: Wait no longer than so many seconds.

        Raises:
            TimeoutError: It is not over by then. It goes on.
            RunError: It is not over, and no process drives it, so it never will be.
            RunCancelled: It was cancelled.
            Exception: What the workflow failed with, as itself.
        """
        end = None if timeout is None else time.monotonic() + timeout
        self.wait(timeout)
        onward = self._history().continued
        if onward is not None:
            left = None if end is None else max(0.0, end - time.monotonic())
            return self._other(onward.run).result(left)
        error = self.exception()
        if error is not None:
            raise error
        return self._value()

    def exception(self) -> BaseException | None:
        """Give what the run failed with, or None if it did not. Does not wait.

        Raises:
            RunError: It is not over.
        """
        error = self._error()
        if error is not None:
            for watcher in watchers:
                watcher.failed(self, error)
        return error

    def _error(self) -> BaseException | None:
        history = self._history()
        closed = history.closed
        if closed is None:
            if self._session is not None and self._session.error is not None:
                return self._session.error
            message = f"run {self.id} is not over"
            raise RunError(message)
        return error_of(self.id, history, closed)

    def _value(self) -> T:
        closed = self._history().closed
        assert closed is not None  # noqa: S101 - `result` waited
        return unpack(closed.result, _no_ref, BlobReader(self._store))  # type: ignore[no-any-return]

    # ------------------------------------------------------------ inside

    def _other(self, run: str) -> Run[T]:
        """Give the handle of another run of the same place."""
        return Run(run, self._store)

    def _actions(self) -> RunActions:
        """Give what a panel can do to it."""
        return RunActions(self, self._store)

    def _history(self) -> History:
        """Give the fold: the engine's own where it is driven here, else one read from the log."""
        if self._session is not None:
            return self._session.history
        if self._viewed is None:
            self._viewed = History()
        for event in self._store.events(self.id, self._viewed.last):
            self._viewed.apply(event)
        return self._viewed

    def _activities(self) -> dict[str, Any]:
        history = self._history()
        return {s.id: s.activity for s in history.calls.values() if s.activity is not None}

    def _ipython_display_(self) -> None:
        """Show the live panel under the cell, or a picture where nobody is looking."""
        from nbflow.viz.show import show  # noqa: PLC0415 - pictures only when asked for

        for watcher in watchers:
            watcher.shown(self)
        actions = self._actions()
        show(self._log(), self.id, actions=actions, halted=actions.halted, about=actions.about)

    def _log(self) -> Log:
        """Give the log to follow it by."""
        if self._session is None or self.done():
            return self._store
        tail = Tail(self._store, self.id)
        self._session.live.watch(tail)
        return tail

    def __repr__(self) -> str:
        """Give id, status and how many calls are done."""
        counts = self.counts()
        done = counts.get("done", 0)
        return f"<Run {self.id} {self.status} {done}/{sum(counts.values())}>"


def _no_ref(call: str) -> object:
    message = f"the result refers to {call}"
    raise RunError(message)
