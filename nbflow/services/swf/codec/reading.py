"""From an SWF history to the events of an nbflow run.

A decision is made of what its task has; what happens during it is seen by the next one. So the
order of the events here is: what a decision saw, what it decided, what came since. It does not
matter where the service puts ``DecisionTaskScheduled``.

Whether a failed attempt is tried again follows from the history alone: the first attempt's control
has the activity's policy, and what is random in a wait is derived from the run and the attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeGuard

from nbflow.core.errors import ActivityTimeout, RunError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CancelRequested,
    Event,
    RunClosed,
    SignalReceived,
    TimerFired,
)
from nbflow.core.failure import Failure
from nbflow.services.swf.codec.rules import Rule
from nbflow.services.swf.codec.texts import Note, Texts
from nbflow.services.swf.errors import HistoryBroken
from nbflow.services.swf.events import HistoryEvent


class Attempt(NamedTuple):
    """An attempt of a call.

    Attributes:
        call: The call's id.
        number: Which attempt, from 1.
        task: The activity id that it has.
        begun: Whether a worker took it.
    """

    call: str
    number: int
    task: str
    begun: bool = False


class Next(NamedTuple):
    """The next attempt of a call: which one, and when it is due (seconds, epoch)."""

    number: int
    at: float


class _News(NamedTuple):
    """Something that happened outside, not seen by a decision yet."""

    id: int
    event: Event


class Reader:
    """Reads the history of an execution, event by event.

    Attributes:
        log: The events of the run that decisions have seen or made.
        open: The attempts that are scheduled and have not ended, by call.
        first: The event that scheduled the first attempt of each call: the later ones are like it.
        wanted: The next attempts that nothing was done for yet, by call.
        waiting: The calls that wait for their next attempt, by the timer.
        due: Which attempt of a call is to be scheduled now.
        timers: The timers of the code that are open.
        refused: How often SWF could not schedule an activity id, and when it last said so.
        closed: Whether the execution is over.
        now: When the latest decision task was handed out (seconds, epoch).
        last: The number of the latest event.
        started: The number of the event that handed the latest decision task out.
    """

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.log: list[Event] = []
        self.open: dict[str, Attempt] = {}
        self.first: dict[str, HistoryEvent] = {}
        self.wanted: dict[str, Next] = {}
        self.waiting: dict[str, str] = {}
        self.due: dict[str, int] = {}
        self.timers: set[str] = set()
        self.refused: dict[str, tuple[int, float]] = {}
        self.closed = False
        self.now = 0.0
        self.last = 0
        self.started = 0
        self._through = 0
        self._attempts: dict[int, Attempt] = {}
        self._next: dict[str, int] = {}
        self._rules: dict[str, Rule] = {}
        self._given_up: set[str] = set()
        self._news: deque[_News] = deque()
        self._made: list[tuple[float, Event]] = []
        self._signals: dict[str, int] = {}
        self._told: set[str] = set()

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Take in the next events of the history.

        Raises:
            HistoryBroken: One of them is not the next.
        """
        for event in events:
            if event.id != self.last + 1:
                raise HistoryBroken(f"event {event.id} follows event {self.last}")
            self.last = event.id
            self._take(event)

    def _take(self, event: HistoryEvent) -> None:
        if event.kind == "DecisionTaskStarted":
            self._decided()
            self.now, self.started = event.at, event.id
        elif event.kind == "DecisionTaskCompleted":
            self._through = event.attributes["startedEventId"]
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event)
        if event.kind in _CLOSINGS:
            self._over(event)

    # What a decision saw and made

    def see(self) -> list[Event]:
        """Let the decision task at hand see what happened before it; give the log."""
        self._see(self.started)
        return self.log

    def all(self) -> list[Event]:
        """Give the events with what no decision has seen yet, for whoever only looks.

        What was read before a turn of the code stands with the first call of that turn, as in any
        log. Here that call may come late, since it is heard of when it can run: so it is moved.
        """
        self._take_all()
        asked = [e for e in self.log if isinstance(e, CallScheduled)]
        read = {e.turn: e.after for e in asked if e.after}
        return [
            e._replace(after=read.pop(e.turn, ())) if isinstance(e, CallScheduled) else e
            for e in self.log
        ]

    def _take_all(self) -> None:
        self._decided()
        self._see(self.last)

    def _see(self, through: int) -> None:
        while self._news and self._news[0].id <= through:
            event = self._news.popleft().event
            call = getattr(event, "call", "")
            if call in self._given_up and not isinstance(event, CallStarted):
                continue
            if isinstance(event, CallFailed) and event.retry_at is not None:
                number = event.attempt + 1
                if self._next.get(call, 0) < number:
                    self.wanted[call] = Next(number, event.retry_at)
            self._add(event.at, event)

    def _decided(self) -> None:
        """Take what the latest answered decision saw and made into the log."""
        if self._through:
            self._see(self._through)
            for at, made in self._made:
                self._add(at, made)
            self._made.clear()
            self._through = 0

    def _add(self, at: float, event: Event) -> None:
        self.log.append(event._replace(seq=len(self.log) + 1, at=at))

    def _over(self, event: HistoryEvent) -> None:
        self._take_all()
        self._add(event.at, _closing(self, event))
        self.closed = True

    def _make(self, event: HistoryEvent, made: Event) -> None:
        self._made.append((event.at, made))

    def _tell(self, event: HistoryEvent, told: Event) -> None:
        self._news.append(_News(event.id, told._replace(at=event.at)))

    # Activities

    def _scheduled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is None:
            return
        if note.words[0] == "again":
            call, number = note.words[2], int(note.words[1])
        else:
            asked: Any = note.events[0]
            call, number = asked.call, 1
            self.first[call] = event
            self._rules[call] = Rule.read(note.words[1])
            self._make(event, asked)
        self._attempts[event.id] = self.open[call] = Attempt(call, number, event.activity_id)
        self._step(call, number)
        self.refused.pop(event.activity_id, None)

    def _step(self, call: str, number: int) -> None:
        """Take note that an attempt was seen to."""
        self._next[call] = number
        self.wanted.pop(call, None)
        self.due.pop(call, None)

    def _begun(self, event: HistoryEvent) -> None:
        attempt = self._attempts.get(event.scheduled_event_id)
        if attempt is not None:
            self.open[attempt.call] = attempt._replace(begun=True)
            worker = event.identity or "worker"
            self._tell(event, CallStarted(0, 0.0, attempt.call, attempt.number, worker))

    def _ended(self, event: HistoryEvent) -> None:
        attempt = self._attempts.pop(event.scheduled_event_id, None)
        if attempt is None:
            return
        self.open.pop(attempt.call, None)
        if event.kind == "ActivityTaskCompleted":
            self._tell(event, self._success(event, attempt))
        elif event.kind == "ActivityTaskCanceled":
            self._tell(event, CallCancelled(0, 0.0, attempt.call, event.details or ""))
        else:
            failed = self._failure(event, attempt)
            rule = self._rules[attempt.call]
            delay = rule.delay(failed.error, attempt.number, f"{self.texts.run} {attempt.call}")
            retry_at = None if delay is None else event.at + delay
            ignored = rule.ignored and retry_at is None
            self._tell(event, failed._replace(retry_at=retry_at, ignored=ignored))

    def _success(self, event: HistoryEvent, attempt: Attempt) -> CallSucceeded:
        note = self.texts.read(event.result)
        if _of(note, attempt) and isinstance(note.events[0], CallSucceeded):
            # Whose result it is, the history says: not who sent it.
            return note.events[0]._replace(call=attempt.call, attempt=attempt.number)
        return CallSucceeded(0, 0.0, attempt.call, attempt.number, event.result, "worker", event.at)

    def _failure(self, event: HistoryEvent, attempt: Attempt) -> CallFailed:
        call, number = attempt.call, attempt.number
        if event.kind == "ActivityTaskTimedOut":
            kind = event.timeout_type
            error = Failure.of(ActivityTimeout(f"{call} timed out: {kind}", kind))
            return CallFailed(0, 0.0, call, number, error, timeout=kind)
        note = self.texts.read(event.details)
        if _of(note, attempt) and isinstance(note.events[0], CallFailed):
            return note.events[0]._replace(call=call, attempt=number)
        said = f"{event.reason or 'it failed'}: {event.details}" if event.details else event.reason
        error = Failure(kind="ActivityTaskFailed", bases=_FOREIGN, message=said or "it failed")
        return CallFailed(0, 0.0, call, number, error)

    # Timers, markers and what is told

    def _timer_started(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is None:
            return
        if note.words[0] == "retry":
            call = note.words[2]
            self.waiting[event.timer_id] = call
            self._step(call, int(note.words[1]))
        else:
            self.timers.add(event.timer_id)
            self._make(event, note.events[0])

    def _timer_fired(self, event: HistoryEvent) -> None:
        call = self.waiting.pop(event.timer_id, None)
        if call is not None:
            self.due[call] = self._next[call]
        elif event.timer_id in self.timers:
            self.timers.discard(event.timer_id)
            self._tell(event, TimerFired(0, 0.0, event.timer_id))

    def _timer_cancelled(self, event: HistoryEvent) -> None:
        # What came of it for the run stands in a marker of the same decision.
        self.waiting.pop(event.timer_id, None)
        self.timers.discard(event.timer_id)

    def _marked(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.details)
        for made in note.events if note is not None else ():
            if isinstance(made, CallCancelled):
                self._given_up.add(made.call)
                self.open.pop(made.call, None)
                self._step(made.call, self._next.get(made.call, 0) + 1)
            self._make(event, made)

    def _signalled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.input)
        told: Any = note.events[0] if note is not None and note.events else None
        if not isinstance(told, SignalReceived):
            told = SignalReceived(0, 0.0, event.signal_name, 0, event.input)
        if told.id and told.id in self._told:
            return
        self._told.add(told.id)
        number = self._signals[told.name] = self._signals.get(told.name, 0) + 1
        self._tell(event, told._replace(number=number))

    def _asked_to_cancel(self, event: HistoryEvent) -> None:
        who = event.external_workflow_execution
        self._tell(event, CancelRequested(0, 0.0, f"asked by {who.workflow_id}" if who else ""))

    def _began(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.input)
        if note is None or not note.events:
            raise HistoryBroken(
                "the execution was not started by nbflow: its input is none of ours"
            )
        self._add(event.at, note.events[0])

    def _not_scheduled(self, event: HistoryEvent) -> None:
        times, _ = self.refused.get(event.activity_id, (0, 0.0))
        self.refused[event.activity_id] = (times + 1, event.at)


def _of(note: Note | None, attempt: Attempt) -> TypeGuard[Note]:
    """Whether a text is ours, and was written for that very attempt."""
    return note is not None and bool(note.events) and note.words[-1] == attempt.task


def _closing(reader: Reader, event: HistoryEvent) -> Event:
    """Give the event that ends the run."""
    status = _CLOSINGS[event.kind]
    text = event.attributes.get("result" if status == "completed" else "details")
    note = reader.texts.read(text) if status != "continued" else None
    if note is not None and note.events and isinstance(note.events[0], RunClosed):
        return note.events[0]
    if status == "completed":
        return RunClosed(0, 0.0, status, text)
    said = event.attributes.get("reason") or _SAID.get(event.kind, "")
    error = Failure.of(RunError(said)) if said and status == "failed" else None
    return RunClosed(0, 0.0, status, None, error)


_FOREIGN: Final = ("ActivityTaskFailed", "Exception", "BaseException")
_CLOSINGS: Final = {
    "WorkflowExecutionCompleted": "completed",
    "WorkflowExecutionFailed": "failed",
    "WorkflowExecutionTimedOut": "failed",
    "WorkflowExecutionCanceled": "cancelled",
    "WorkflowExecutionTerminated": "cancelled",
    "WorkflowExecutionContinuedAsNew": "continued",
}
_SAID: Final = {"WorkflowExecutionTimedOut": "the execution took longer than it may"}
_HANDLERS: Final[dict[str, Callable[[Reader, HistoryEvent], None]]] = {
    "WorkflowExecutionStarted": Reader._began,  # noqa: SLF001 - of this module, as all of these
    "WorkflowExecutionSignaled": Reader._signalled,  # noqa: SLF001
    "WorkflowExecutionCancelRequested": Reader._asked_to_cancel,  # noqa: SLF001
    "ActivityTaskScheduled": Reader._scheduled,  # noqa: SLF001
    "ActivityTaskStarted": Reader._begun,  # noqa: SLF001
    "ActivityTaskCompleted": Reader._ended,  # noqa: SLF001
    "ActivityTaskFailed": Reader._ended,  # noqa: SLF001
    "ActivityTaskTimedOut": Reader._ended,  # noqa: SLF001
    "ActivityTaskCanceled": Reader._ended,  # noqa: SLF001
    "TimerStarted": Reader._timer_started,  # noqa: SLF001
    "TimerFired": Reader._timer_fired,  # noqa: SLF001
    "TimerCanceled": Reader._timer_cancelled,  # noqa: SLF001
    "MarkerRecorded": Reader._marked,  # noqa: SLF001
    "ScheduleActivityTaskFailed": Reader._not_scheduled,  # noqa: SLF001
}
