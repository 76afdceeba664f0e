"""The part of a reader that is about others: children, signals to them, functions; and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import ActivityTimeout, RunCancelled, RunError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallSucceeded,
    ChildStarted,
    Event,
    MarkerFailed,
    Report,
    RunClosed,
    RunContinued,
    SignalReceived,
    SignalSent,
    TimerCancelled,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.services.swf.codec.records import Attempt
from nbflow.services.swf.codec.texts import Note, Texts
from nbflow.services.swf.codec.told import HEARD, Told
from nbflow.services.swf.codec.values import plain_value

if TYPE_CHECKING:
    from nbflow.services.swf.codec.reading import Reader
    from nbflow.services.swf.events import HistoryEvent

CLOSINGS: Final = {
    "WorkflowExecutionCompleted": "completed",
    "WorkflowExecutionFailed": "failed",
    "WorkflowExecutionTimedOut": "failed",
    "WorkflowExecutionCanceled": "cancelled",
    "WorkflowExecutionTerminated": "cancelled",
    "WorkflowExecutionContinuedAsNew": "continued",
}
_SAID: Final = {"WorkflowExecutionTimedOut": "the execution took longer than it may"}


class Others(Told):
    """What a reader knows of other executions and of functions.

    Attributes:
        children: The child runs that are under way, by call.
        runs: The run that each child call is.
        functions: The Lambda functions that are under way, by call.
        sending: The signals of the code that are on their way, by the names of their sendings.
        passing: The signals that are to be passed on to children and parent.
        passed: Which of them went to whom: signal and workflow id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.children: dict[str, Attempt] = {}
        self.runs: dict[str, str] = {}
        self.functions: dict[str, Attempt] = {}
        self.sending: dict[str, SignalSent] = {}
        self.passing: list[SignalReceived] = []
        self.passed: set[tuple[str, str]] = set()
        self._sent: dict[int, SignalSent] = {}

    if TYPE_CHECKING:
        texts: Texts
        _attempts: dict[int, Attempt]

        def _begin(self, event: HistoryEvent, note: Note, task: str) -> Attempt: ...
        def _fail(self, event: HistoryEvent, attempt: Attempt, failed: CallFailed) -> None: ...
        def _refused(self, event: HistoryEvent, task: str) -> None: ...
        def _tell(self, event: HistoryEvent, told: Event) -> None: ...

    # Children

    def _child_scheduled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is None:
            return
        attempt = self._begin(event, note, event.workflow_id)
        for made in note.events:
            if isinstance(made, ChildStarted):
                self.runs[attempt.call] = made.run
        self._attempts[event.id] = self.children[attempt.call] = attempt

    def _child_born(self, event: HistoryEvent) -> None:
        attempt = self._attempts.get(event.initiated_event_id)
        if attempt is not None and attempt.call in self.children:
            self.children[attempt.call] = attempt._replace(begun=True)

    def _child_unborn(self, event: HistoryEvent) -> None:
        if not event.initiated_event_id:
            self._refused(event, event.workflow_id)
            return
        attempt = self._attempts.pop(event.initiated_event_id, None)
        if attempt is not None:
            self.children.pop(attempt.call, None)
            said = f"child run {event.workflow_id} could not be started: {event.cause}"
            error = Failure.of(RunError(said))
            self._fail(event, attempt, CallFailed(0, 0.0, attempt.call, attempt.number, error))

    def _child_ended(self, event: HistoryEvent) -> None:
        attempt = self._attempts.pop(event.initiated_event_id, None)
        if attempt is None:
            return
        self.children.pop(attempt.call, None)
        self.dropping.pop(attempt.task, None)
        call, number, run = attempt.call, attempt.number, self.runs.get(attempt.call, "")
        closed = self._closed(event)
        if event.kind == "ChildWorkflowExecutionCompleted":
            result = event.result if closed is None else closed.result
            self._tell(event, CallSucceeded(0, 0.0, call, number, result, run, event.at))
            return
        error = closed.error if closed is not None else None
        if error is None:
            error = Failure.of(_how_ended(event, run))
        report = Report.between(run, event.at, event.at)
        self._fail(event, attempt, CallFailed(0, 0.0, call, number, error, report=report))

    def _closed(self, event: HistoryEvent) -> RunClosed | None:
        """Give how a child says that it has ended."""
        texts = Texts(event.workflow_execution.workflow_id, self.texts.blobs, self.texts.seal)
        note = texts.read(event.attributes.get("result") or event.attributes.get("details"))
        found = note.events[0] if note is not None and note.events else None
        return found if isinstance(found, RunClosed) else None

    # Signals

    def _signal_initiated(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is None:
            return
        if note.words[0] == "pass":
            self.passed.add((" ".join(note.words[1:]), event.workflow_id))
        for made in note.events:
            if isinstance(made, SignalSent):
                self._sent[event.id] = self.sending[made.name] = made

    def _signal_arrived(self, event: HistoryEvent) -> None:
        sent = self._sent.pop(event.initiated_event_id, None)
        if sent is not None:
            del self.sending[sent.name]
            self._tell(event, sent)

    def _signal_lost(self, event: HistoryEvent) -> None:
        sent = self._sent.pop(event.initiated_event_id, None)
        if sent is None:
            return
        del self.sending[sent.name]
        said = f"signal {sent.signal} cannot be sent to {sent.to}: it is not open ({event.cause})"
        error = Failure.of(RunError(said))
        failed = MarkerFailed(0, 0.0, sent.name, error, "", sent.turn, sent.after)
        self._tell(event, failed)

    # Lambda functions

    def _function_scheduled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is not None:
            attempt = self._begin(event, note, event.attributes["id"])
            self._attempts[event.id] = self.functions[attempt.call] = attempt

    def _function_refused(self, event: HistoryEvent) -> None:
        self._refused(event, event.attributes["id"])

    def _function_ended(self, event: HistoryEvent) -> None:
        attempt = self._attempts.pop(event.scheduled_event_id, None)
        if attempt is None:
            return
        self.functions.pop(attempt.call, None)
        call, number = attempt.call, attempt.number
        if event.kind == "LambdaFunctionCompleted":
            value = plain_value(event.result)
            self._tell(event, CallSucceeded(0, 0.0, call, number, value, "lambda", event.at))
            return
        failed = CallFailed(0, 0.0, call, number, _how_failed(event, call))
        timeout = "START_TO_CLOSE" if event.kind == "LambdaFunctionTimedOut" else ""
        self._fail(event, attempt, failed._replace(timeout=timeout))


def _how_ended(event: HistoryEvent, run: str) -> Exception:
    """Say how a child has ended that says nothing itself."""
    if event.kind == "ChildWorkflowExecutionFailed":
        return RunError(event.reason or f"child run {run} failed")
    if event.kind == "ChildWorkflowExecutionTimedOut":
        return RunError(f"child run {run} took longer than it may")
    return RunCancelled(f"child run {run} was cancelled")


def _how_failed(event: HistoryEvent, call: str) -> Failure:
    if event.kind == "LambdaFunctionTimedOut":
        return Failure.of(ActivityTimeout(f"{call} took longer than it may", "START_TO_CLOSE"))
    given = event.attributes
    said = given.get("reason") or given.get("cause") or "the function failed"
    more = given.get("details") or given.get("message")
    message = f"{said}: {more}" if more else said
    return Failure(kind="LambdaFailed", bases=("Exception", "BaseException"), message=message)


def closing(reader: Reader, event: HistoryEvent) -> Iterator[Event]:
    """Give the events that end a run: what was under way is over, and then the run itself."""
    status = CLOSINGS[event.kind]
    anew = [] if status != "continued" else _going_on(reader, event)
    why = "the run goes on as new" if anew else "the run failed"
    if status != "continued" or anew:
        yield from _cut_short(reader, why)
    yield from anew
    yield _closed_by(reader, event, status)


def _cut_short(reader: Reader, why: str) -> Iterator[Event]:
    history = History.of(reader.log)
    for state in list(history.calls.values()):
        if state.outcome is not None or state.id.startswith("signal"):
            continue
        gone: Any = CallCancelled if state.name else TimerCancelled
        made = gone(history.last + 1, event_time(reader), state.id, why)
        history.apply(made)
        yield made


def event_time(reader: Reader) -> float:
    """Give the time of the latest event that was read, in seconds since the epoch."""
    return reader.now


def _going_on(reader: Reader, event: HistoryEvent) -> list[Event]:
    note = reader.texts.read(event.attributes.get("input"))
    return [made for made in note.events if isinstance(made, RunContinued)] if note else []


def _closed_by(reader: Reader, event: HistoryEvent, status: str) -> Event:
    text = event.attributes.get("result" if status == "completed" else "details")
    note = reader.texts.read(text) if status != "continued" else None
    if note is not None and note.events and isinstance(note.events[0], RunClosed):
        return note.events[0]
    if status == "completed":
        return RunClosed(0, 0.0, status, text)
    said = event.attributes.get("reason") or _SAID.get(event.kind, "")
    error = Failure.of(RunError(said)) if said and status == "failed" else None
    return RunClosed(0, 0.0, status, None, error)


_ENDED: Final = ("Completed", "Failed", "TimedOut", "Canceled", "Terminated")
OTHERS: Final[dict[str, Callable[[Any, HistoryEvent], None]]] = {
    "StartChildWorkflowExecutionInitiated": Others._child_scheduled,  # noqa: SLF001 - of this module, as all of these
    "StartChildWorkflowExecutionFailed": Others._child_unborn,  # noqa: SLF001
    "ChildWorkflowExecutionStarted": Others._child_born,  # noqa: SLF001
    **{f"ChildWorkflowExecution{end}": Others._child_ended for end in _ENDED},  # noqa: SLF001
    "SignalExternalWorkflowExecutionInitiated": Others._signal_initiated,  # noqa: SLF001
    "SignalExternalWorkflowExecutionFailed": Others._signal_lost,  # noqa: SLF001
    "ExternalWorkflowExecutionSignaled": Others._signal_arrived,  # noqa: SLF001
    "LambdaFunctionScheduled": Others._function_scheduled,  # noqa: SLF001
    "LambdaFunctionCompleted": Others._function_ended,  # noqa: SLF001
    "LambdaFunctionFailed": Others._function_ended,  # noqa: SLF001
    "LambdaFunctionTimedOut": Others._function_ended,  # noqa: SLF001
    "StartLambdaFunctionFailed": Others._function_ended,  # noqa: SLF001
    "ScheduleLambdaFunctionFailed": Others._function_refused,  # noqa: SLF001
    **HEARD,
}
"""What is done with each kind of event."""
