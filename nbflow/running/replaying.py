"""Holds today's code of a workflow against the history of a run, and executes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from nbflow.core import difference
from nbflow.core.call import CallState
from nbflow.core.capture import Captured, capture
from nbflow.core.chosen import with_options
from nbflow.core.difference import Difference
from nbflow.core.ending import opened
from nbflow.core.errors import (
    Cancelled,
    Continued,
    DefinitionError,
    NbflowError,
    NondeterminismError,
    PickleRefused,
    RunError,
    Suspended,
    ValueGone,
)
from nbflow.core.events import (
    Event,
    RunClosed,
    SignalReceived,
    SignalSent,
)
from nbflow.core.history import History
from nbflow.core.hooks import Hooks
from nbflow.core.interpreter import Interpreter
from nbflow.core.markers import Marker
from nbflow.core.payload import Packed, Stored, spill
from nbflow.core.seals import pickles_in
from nbflow.core.workflow import Target, definition
from nbflow.running.config import settings
from nbflow.running.histories import RunHistory, load_history
from nbflow.running.opening import find_target
from nbflow.running.run import Run
from nbflow.running.starting import attach

Replayed = Run[Any] | RunHistory | str | os.PathLike[str]
"""What can be replayed: a run, its id, a history, or the file of one."""
_WHOLE: Final = frozenset({"completed", "continued"})
"""How a run has ended that asked for all that it was to ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of holding a workflow's code against a history.

    Attributes:
        run: Id of the run.
        workflow: Name of the workflow.
        error: Where the code differs first, or why it could not be replayed; None if it takes
            the recorded way.
        calls: How many calls the history has.
        complete: Whether the history is that of a completed run. Of any other the code may ask for
            more at its end.
        same_result: Whether the code gives the recorded result; None where that cannot be told.
    """

    run: str
    workflow: str
    error: NbflowError | None
    calls: int = 0
    complete: bool = False
    same_result: bool | None = None

    @property
    def ok(self) -> bool:
        """Whether the code takes the recorded way."""
        return self.error is None

    @property
    def difference(self) -> Difference | None:
        """Where it differs first, in parts; None if it does not."""
        error = self.error
        return error.difference if isinstance(error, NondeterminismError) else None

    def __bool__(self) -> bool:
        """Whether the code takes the recorded way."""
        return self.ok

    def check(self) -> Self:
        """Raise what was found, for tests.

        Raises:
            NondeterminismError: The code differs.
        """
        if self.error is not None:
            raise self.error
        return self

    @classmethod
    def all(cls, runs: Iterable[Replayed] | None = None, workflow: Target | None = None) -> Replays:
        """Replay many.

        Args:
            runs: Runs, ids, histories or files; by default all runs of the configured store, of
                the workflow if one is given.
            workflow: The workflow; by default the one of its name in this notebook or script.

        Example:
            >>> nbflow.Replay.all(Path("histories").glob("*.jsonl"), nightly)
        """
        if runs is None:
            name = definition(workflow).name if workflow is not None else None
            store = settings.open_store()
            runs = [Run(r.run, store) for r in store.runs(None) if name in {None, r.workflow}]
        return Replays(_replayed(one, workflow) for one in runs)

    def __repr__(self) -> str:
        """Say what came of it."""
        if self.error is not None:
            text = str(self.error)
            return text if self.run in text else f"replay of run {self.run}: {text}"
        end = "to its end" if self.complete else "as far as it goes"
        result = ". Its result would be another one now" if self.same_result is False else ""
        many = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        return (
            f"replay of run {self.run}: the code takes the recorded way {end} ({many}){result}. "
            "Nothing was executed"
        )


class Replays(list[Replay]):
    """The results of several replays. It is shown as a line each, and the differences in full."""

    @property
    def ok(self) -> bool:
        """Whether the code takes the recorded way in all of them."""
        return all(self)

    @property
    def failed(self) -> list[Replay]:
        """Those in which it does not."""
        return [one for one in self if not one.ok]

    def check(self) -> Self:
        """Raise the first difference that was found, for tests.

        Raises:
            NondeterminismError: The code differs.
        """
        for one in self:
            one.check()
        return self

    def __repr__(self) -> str:
        """Say what came of it."""
        failed = self.failed
        lines = [f"{len(self) - len(failed)} of {len(self)} replays take the recorded way"]
        return "\n".join([*lines, *(repr(one) for one in failed)])


def replay(run: Replayed, workflow: Target | None = None) -> Replay:
    """Hold today's code of a workflow against the history of a run.

    The workflow's own code is run, and gets what the history has. No activity runs, and nothing is
    written. So a change can be tried on the histories of runs that are under way, or that tests
    keep, before it is used.

    Args:
        run: A run of any kind and age, its id, a history, or the file of one.
        workflow: The workflow; by default the one of its name in this notebook or script.

    Raises:
        RunNotFound: There is no such run.
        StoreError: The history cannot be read.
        DefinitionError: The workflow is another one, or is not defined here.
        PickleRefused: The code needs a value that may not be loaded.

    Example:
        >>> nbflow.replay("nightly-1f2e3d4c", nightly).check()
    """
    history = _history(run)
    name = history.workflow
    target = workflow if workflow is not None else find_target(name)
    frozen = capture(target)
    if frozen.definition.name != name:
        message = f"run {history.run} is one of workflow {name}, not of {frozen.definition.name}"
        raise DefinitionError(message)
    return _Replayer(history).run(frozen)


def _replayed(run: Replayed, workflow: Target | None) -> Replay:
    """Replay one of many: what stands in its way is its result."""
    try:
        return replay(run, workflow)
    except NbflowError as error:
        name = run.id if isinstance(run, Run) else run.run if isinstance(run, RunHistory) else run
        return Replay(run=os.fspath(name), workflow="", error=error)


def _history(run: Replayed) -> RunHistory:
    if isinstance(run, RunHistory):
        return run
    if isinstance(run, os.PathLike) or (
        isinstance(run, str) and run.endswith((".jsonl", ".jsonl.gz"))
    ):
        return load_history(Path(run))
    if isinstance(run, str):
        run = attach(run)
    given: object = run
    if not isinstance(given, Run):
        message = f"replay takes a run, its id, or a history, not {type(given).__name__}"
        raise TypeError(message)
    return run.history()


def _before_its_end(events: tuple[Event, ...]) -> tuple[tuple[Event, ...], RunClosed | None]:
    """Give a log, without its end if the run could go on from there, and that end."""
    closed = events[-1]
    if not isinstance(closed, RunClosed):
        return events, None
    return (events if closed.status in _WHOLE else events[:-1]), closed


class _Replayer:
    """A driver that does nothing, and stops the code where the history ends."""

    def __init__(self, stored: RunHistory) -> None:
        events, self.closed = _before_its_end(stored.events)
        self.stopped: Suspended | None = None
        self.stored = stored
        self.history = History.of(events)
        self.interpreter = Interpreter(self.history, self, stored.fetch, stored.run, strict=True)
        self.recall = self.interpreter.recall
        self.recall.head = f"replay of run {stored.run}"

    def run(self, frozen: Captured) -> Replay:
        """Run the code."""
        self.recall.code, self.recall.captured = frozen.code, frozen.names
        started = self.history.started
        assert started is not None  # noqa: S101 - `RunHistory.workflow` has seen it
        unpack = self.interpreter.unpack
        args = [unpack(a) for a in started.args]
        kwargs = {k: unpack(v) for k, v in started.kwargs.items()}
        rules = with_options(frozen.definition.settings, started, self.stored.fetch)
        body, hooks = opened(frozen.definition.fn, rules.hooks)
        self.interpreter.limit = rules.max_events
        self.interpreter.hooks = Hooks(on_canceled=hooks.on_canceled)  # the others are only told
        try:
            result = self.interpreter.execute(body, args, kwargs)
        except NondeterminismError as error:
            return self._outcome(error)
        except PickleRefused:
            raise
        except ValueGone as stop:
            message = (
                f"replay of run {self.stored.run} ends at {stop.call}: its result was in memory "
                "only (persist=False), and the code reads it. Up to there it takes the recorded way"
            )
            return self._outcome(RunError(message))
        except Cancelled:
            return self._ended("the code is cancelled")
        except Suspended:
            return self._ended("the code waits for something that the history does not have")
        except Continued:
            return self._ended("the code continues in a new run", continues=True)
        except Exception as error:  # noqa: BLE001 - workflow code may raise anything
            return self._ended(f"the code raises {type(error).__name__}: {error}")
        return self._ended("the code ends", result=result, returned=True)

    def _ended(
        self, how: str, *, result: Stored = None, returned: bool = False, continues: bool = False
    ) -> Replay:
        """Compare the ends."""
        try:
            self.recall.end(how)
        except NondeterminismError as error:
            return self._outcome(error)
        closed = self.closed
        went_on = self.history.continued is not None
        as_it_was = continues if went_on else returned
        if closed is None or closed.status not in _WHOLE or as_it_was:
            return self._outcome(None, _same(closed, result) if returned else None)
        found = Difference(
            call="the end",
            recorded="the run went on in a new one" if went_on else "the run has completed",
            now=how,
            event=closed.seq,
            likely=self.recall.causes("the end"),
        )
        return self._outcome(difference.error(self.stored.run, found, self.recall.head))

    def _outcome(self, error: NbflowError | None, same: bool | None = None) -> Replay:  # noqa: FBT001
        if error is not None and any(
            value.refused for event in self.stored.events for value in pickles_in(event)
        ):
            error.add_note(
                "The history has pickled values or errors that were not loaded, which may be why. "
                "If you trust it: nbflow.load_history(path, trust=True)"
            )
        return Replay(
            run=self.stored.run,
            workflow=self.stored.workflow,
            error=error,
            calls=sum(1 for state in self.history.calls.values() if state.name and state.recorded),
            complete=self.closed is not None and self.closed.status in _WHOLE,
            same_result=same,
        )

    # ------------------------------------------------------------ Driver

    def ask(self, state: CallState) -> None:
        """Take a call, which does not run."""
        self.history.admit(state)

    def timer(self, state: CallState, seconds: float) -> None:  # noqa: ARG002 - no time passes
        """Take a timer, which does not go off."""
        self.history.calls.setdefault(state.id, state)

    def mark(self, state: CallState, marker: Marker) -> None:  # noqa: ARG002 - nothing is made
        """Stop the code: the value would have to be made."""
        self._stop()

    def expect(self, state: CallState) -> None:
        """Hear of no signals but those that the history has."""

    def send(self, state: CallState, event: SignalSent, told: SignalReceived) -> None:  # noqa: ARG002
        """Take a signal, which is not sent."""
        self.history.calls.setdefault(state.id, state)

    def cancel(self, state: CallState, reason: str) -> None:
        """Give up nothing: nothing was begun."""

    def block(self, state: CallState | None, position: int) -> None:  # noqa: ARG002 - never waits
        """Stop the code: the history ends here."""
        self._stop()

    def _stop(self) -> NoReturn:
        self.stopped = Suspended()
        raise self.stopped

    def answer(self, *, refused: bool) -> None:
        """Take it as it was: the history has what came of the cancel."""

    def restore(self, state: CallState) -> CallState:
        """Stop the code: the history does not have the value."""
        raise ValueGone(state.id)

    def take_in(self) -> None:
        """Have nothing to wait for: what is asked for is known at once."""

    def visible(self) -> int:
        """How many settled calls the history has."""
        return len(self.history.settled)


def _same(closed: RunClosed | None, result: Stored) -> bool | None:
    """Compare results, where that can be told: equal values may have unequal pickles."""
    if closed is None or closed.status != "completed":
        return None
    mine = spill(result)
    if getattr(mine, "codec", "") == "pickle" and mine != closed.result:
        return None
    return (type(mine), repr(mine)) == (type(closed.result), repr(closed.result)) or (
        isinstance(mine, Packed) and mine == closed.result
    )
