"""Histories written by hand, and what a workflow makes of them: no store, no executor, no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

from nbflow.core.activity import Activity
from nbflow.core.child import CHILD
from nbflow.core.decide import (
    Cancel,
    Close,
    Command,
    Continue,
    Note,
    Record,
    RefuseCancel,
    Schedule,
    SendSignal,
    StartTimer,
    decide,
)
from nbflow.core.errors import NbflowError, RunCancelled
from nbflow.core.events import (
    CallCancelled,
    CallScheduled,
    CancelRefused,
    CancelRequested,
    ChildStarted,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
    SignalReceived,
    TimerCancelled,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.payload import Stored, pack, unpack
from nbflow.core.workflow import Target, definition
from nbflow.testing.lines import CallLine, MarkerLine, TimerLine

RUN: Final = "by-hand"
"""The id of the run, which its random numbers follow from."""


class HistoryGap(NbflowError):
    """A history was to be told something that does not fit in where it has come to."""


class HistoryBuilder:
    """Writes the history of a run, and says what the workflow would have done next.

    Nothing is executed but the workflow's own code. A call, a timer or a marker that is named is
    asked for by the workflow first, as far as it has come with the history so far; so a history
    cannot be told what could not have happened.

    Args:
        workflow: The workflow.
        args: What the run is given.
        at: When it was created (seconds since the epoch).
        tags: Words that the run is found by.
        kwargs: What the run is given by name.

    Attributes:
        events: What was written so far.
        now: The time of what is written next; `later` moves it.

    Raises:
        TypeError: The arguments do not fit the workflow.

    Example:
        >>> history = HistoryBuilder(nightly, ["eu", "us"])
        >>> history.commands()
        ['call fetch-1', 'call fetch-2']
        >>> history.call("fetch-1").succeeded(3).call("fetch-2").failed(OSError("away"))
        >>> history.commands()
        ["fail OSError: away"]
    """

    def __init__(
        self,
        workflow: Target,
        *args: Any,
        at: float = 1_750_000_000.0,
        tags: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        found = definition(workflow)
        found.check(args, kwargs)
        self.workflow = workflow
        self.events: list[Event] = []
        self.now = at
        self._history = History()
        self._blobs: dict[str, bytes] = {}
        stored = tuple(self._stored(value, f"argument {n}") for n, value in enumerate(args))
        named = {name: self._stored(value, f"argument {name}") for name, value in kwargs.items()}
        tags = tags or found.settings.tags
        self._add(RunStarted, found.name, stored, named, seed=RUN, tags=tags)

    # ------------------------------------------------------------------ asking the workflow

    def decide(self, workflow: Target | None = None) -> list[Command]:
        """Give what follows from the history, as `nbflow.core.decide` has it.

        Args:
            workflow: Another one than that of the history: what new code makes of an old run.

        Raises:
            NondeterminismError: The code does not agree with the history.
        """
        found = definition(self.workflow if workflow is None else workflow)
        events = self.events if workflow is None else [*self.events]
        while True:
            commands = decide(found.fn, events, self.now, self._blobs.__getitem__, found.settings)
            notes = [command.call for command in commands if isinstance(command, Note)]
            if not notes:
                return commands
            for state in notes:  # whoever decides for a run writes them down at once
                if workflow is None:
                    self._add(state.event)
                else:
                    events.append(state.event(len(events) + 1, self.now))

    def commands(self, workflow: Target | None = None) -> list[str]:
        """Give what follows from the history as text, a line a command, to be compared.

        Raises:
            NondeterminismError: As of `decide`.
        """
        return [self._line(command) for command in self.decide(workflow)]

    def result(self, workflow: Target | None = None) -> Any:
        """Give what the workflow returns now.

        Raises:
            HistoryGap: It is not over: the message says what it does instead.
            RunCancelled: It is cancelled.
            Exception: What it fails with.
        """
        commands = self.decide(workflow)
        match commands:
            case [Close(status="completed", result=result)]:
                return unpack(result, self._value, self._blobs.__getitem__)
            case [Close(error=Failure() as error)]:
                raise error.rebuild()
            case [Close()]:
                message = "the run is cancelled"
                raise RunCancelled(message)
        message = f"the workflow is not over: {self._where(commands)}"
        raise HistoryGap(message)

    # ------------------------------------------------------------------ writing

    def call(self, call: str, activity: Activity[..., Any] | None = None, *args: Any) -> CallLine:
        """Go on with a call.

        Args:
            call: Its id, as in ``fetch-1``.
            activity: What it calls, where the workflow is not to be asked: for histories of runs
                of other code.
            args: What that is given.

        Raises:
            HistoryGap: The workflow does not ask for it with the history so far.
        """
        if activity is not None:
            stored = tuple(self._stored(value, f"argument of {call}") for value in args)
            self._add(CallScheduled, call, activity.name, stored, code=activity.digest)
        else:
            self._reach(call)
        return CallLine(self, call)

    def timer(self, timer: str) -> TimerLine:
        """Go on with a timer: ``timer-1`` and so on, in the order of starting them.

        Raises:
            HistoryGap: The workflow does not start it with the history so far.
        """
        self._reach(timer)
        return TimerLine(self, timer)

    def marker(self, name: str) -> MarkerLine:
        """Go on with a side effect, ``side_effect-1`` and so on, or ``patched:ID``.

        Raises:
            HistoryGap: The workflow does not ask for it with the history so far.
        """
        return MarkerLine(self, self._marker(name))

    def signal(self, name: str, value: Any = None, *, sender: str = "", id: str = "") -> Self:  # noqa: A002
        """Have the run be told something."""
        number = self._history.signals.get(name, 0) + 1
        stored = self._stored(value, f"signal {name}")
        return self._add(SignalReceived, name, number, stored, id, sender)

    def later(self, seconds: float) -> Self:
        """Let time pass.

        Raises:
            ValueError: It does not go back.
        """
        if not seconds >= 0:
            message = f"time does not go back: later({seconds:g})"
            raise ValueError(message)
        self.now += seconds
        return self

    def cancel_requested(self, reason: str = "by hand") -> Self:
        """Have somebody ask that the run be cancelled."""
        return self._add(CancelRequested, reason)

    def closed(self) -> Self:
        """Have the run end as the workflow ends it.

        Raises:
            HistoryGap: It is not over.
        """
        commands = self.decide()
        match commands:
            case [Close(status=status, result=result, error=error)]:
                return self._add(RunClosed, status, result, error)
        message = f"the workflow is not over: {self._where(commands)}"
        raise HistoryGap(message)

    def resumed(self, reason: str = "by hand") -> Self:
        """Have the run be driven again: what failed runs anew."""
        return self._add(RunResumed, reason)

    # ------------------------------------------------------------------ inside

    def _add(self, kind: Callable[..., Event], *fields: Any, **named: Any) -> Self:
        event = kind(len(self.events) + 1, self.now, *fields, **named)
        self.events.append(event)
        self._history.apply(event)
        return self

    def _stored(self, value: object, what: str) -> Stored:
        return pack(value, what)

    def _value(self, call: str) -> object:
        outcome = self._history.calls[call].outcome
        return unpack(getattr(outcome, "result", None), self._value, self._blobs.__getitem__)

    def _reach(self, wanted: str) -> None:
        """Write down what the workflow asks for, if that is needed to have a call or a timer."""
        if wanted in self._history.calls:
            return
        commands = self.decide()
        known = {name for c in commands if (name := _asked(c))}
        if wanted not in known:
            message = f"the workflow does not ask for {wanted} here: {self._where(commands)}"
            raise HistoryGap(message)
        for command in commands:
            self._write(command)

    def _write(self, command: Command) -> None:
        match command:
            case Schedule(call=state):
                self._add(state.event)
                if state.activity is not None and state.activity.settings.executor == CHILD:
                    self._add(ChildStarted, state.id, f"{RUN}/{state.id}")
            case Note(call=state):
                self._add(state.event)
            case StartTimer(timer=timer, due=due):
                self._add(TimerStarted, timer, due)
            case Cancel(call=call, reason=reason):
                self._cancel(call, reason)
            case RefuseCancel(reason=reason):
                self._add(CancelRefused, reason)
            case SendSignal(event=event):
                self._add(lambda seq, at: event._replace(seq=seq, at=at))

    def _cancel(self, call: str, reason: str) -> None:
        state = self._history.calls.get(call)
        if state is not None and state.outcome is None:
            self._add(CallCancelled if state.name else TimerCancelled, call, reason)

    def _marker(self, name: str) -> Record:
        commands = self.decide()
        for command in commands:
            if isinstance(command, Record) and command.marker.name == name:
                for other in commands:
                    self._write(other)
                return command
        message = f"the workflow does not ask for {name} here: {self._where(commands)}"
        raise HistoryGap(message)

    def _open(self, name: str) -> None:
        """Refuse to end again what has ended."""
        state = self._history.calls[name]
        if state.outcome is not None:
            message = f"{name} is {state.status} already, by event {state.outcome.seq}"
            raise HistoryGap(message)

    def _where(self, commands: list[Command]) -> str:
        """Say how far the workflow has come, and what the history lacks for it to go on."""
        many = "1 event" if len(self.events) == 1 else f"{len(self.events)} events"
        does = ", ".join(self._line(c) for c in commands) or "nothing new"
        states = self._history.calls.values()
        ended = [s.id for s in states if s.outcome is None]
        asked = [name for c in commands if (name := _asked(c)) and name not in ended]
        lacks = ", ".join([*ended, *asked])
        text = f"with {many} it would do: {does}."
        return f"{text} The history lacks how these end: {lacks}" if lacks else text

    def _line(self, command: Command) -> str:
        match command:
            case StartTimer(timer=timer, due=due):
                return f"start {timer} for {due - self.now:g} s"
            case Close():
                return _end(command)
        return _said(command)


def _asked(command: Command) -> str:
    """Give the id of what a command begins, "" if it begins nothing."""
    match command:
        case Schedule(call=state):
            return state.id
        case StartTimer(timer=timer):
            return timer
        case Record(marker=marker):
            return marker.name
    return ""


def _said(command: Command) -> str:
    match command:
        case Schedule(call=state):
            return f"call {state.id}"
        case Note(call=state):
            return f"note that {state.id} cannot run"
        case Cancel(call=call):
            return f"cancel {call}"
        case Record(marker=marker):
            return f"record {marker.name}"
        case SendSignal(event=event):
            return f"signal {event.signal} to {event.to}"
        case Continue():
            return "continue as new"
        case RefuseCancel():
            return "refuse to be cancelled"
    return type(command).__name__.lower()


def _end(command: Close) -> str:
    if command.error is None:
        return "complete" if command.status == "completed" else f"end {command.status}"
    return f"fail {command.error.kind}: {command.error.message}"
