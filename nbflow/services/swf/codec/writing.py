"""From what nbflow decides to SWF's decisions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbflow.core import decide as core
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.child import CHILD
from nbflow.core.errors import InternalError
from nbflow.core.events import (
    CallCancelled,
    CallSucceeded,
    CancelRefused,
    Event,
    RunClosed,
    TimerCancelled,
    TimerStarted,
)
from nbflow.core.history import History
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.rules import Rule
from nbflow.services.swf.codec.texts import task_id
from nbflow.services.swf.decisions import (
    CancelTimer,
    CancelWorkflowExecution,
    CompleteWorkflowExecution,
    Decision,
    FailWorkflowExecution,
    RecordMarker,
    RequestCancelActivityTask,
    ScheduleActivityTask,
    Seconds,
    StartTimer,
)
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.tasks import REASON, shortened
from nbflow.services.swf.wire import TypeName, read

OPEN: Final = 1_000
"""How many activities of an execution SWF lets be open."""
REFUSALS: Final = 8
"""How often an activity is tried to be scheduled before the run fails."""
HELD: Final = "nbflow-held"
"""The timer after which activities are tried to be scheduled that SWF refused."""
_MARKER: Final = "nbflow"
FIRST: Final = (core.Record, core.Note, core.Cancel, core.RefuseCancel)
"""Commands whose events the code may wait for: they are written, and it is decided again."""


class Writer:
    """Makes SWF's decisions of commands, for one decision task.

    Args:
        reader: The execution as far as it was read.
        task_list: Where activities go whose task list is ``default``.
    """

    def __init__(self, reader: Reader, task_list: str) -> None:
        self.reader, self.texts, self.task_list = reader, reader.texts, task_list
        self._room = OPEN - len(reader.open)
        self._held: float | None = None

    def write(self, commands: Iterable[core.Command]) -> list[Decision]:
        """Give the decisions for commands, and for attempts that are due.

        Raises:
            Invalid: A command, or an option of an activity, is one that SWF is not made for here.
        """
        given = list(commands)
        history = History.of(self.reader.log)
        made = [*self._retries(), *(d for c in given for d in self._command(c, history))]
        if any(decision.closing for decision in made):
            # What is due is of no use to a run that ends now.
            return [d for d in made if d.closing or isinstance(d, RecordMarker)]
        if self._held is not None:
            made.append(_timer(HELD, self._held, None))
        return made

    def note(self, command: core.Command, seq: int) -> tuple[Event, list[Decision]]:
        """Give the event that a command of `FIRST` is, and the decisions that record it.

        Args:
            command: The command. The function of a side effect is called for it.
            seq: The number of the event.
        """
        now = self.reader.now
        match command:
            case core.Record(marker=marker):
                event: Event = marker.event(seq, now)
                return event, [self._recorded(marker.name, event)]
            case core.Note(call=state):
                event = state.event(seq, now)
                return event, [self._recorded(state.id, event)]
            case core.Cancel(call=call, reason=reason):
                return self._cancelled(call, reason, seq)
            case core.RefuseCancel(reason=reason):
                event = CancelRefused(seq, now, reason)
                return event, [self._recorded("cancel", event)]
        raise InternalError(f"{type(command).__name__} is not written first")

    def _recorded(self, name: str, event: Event) -> Decision:
        """Give the decision that writes an event of the run into the history."""
        # The name is part of what a signature in it is good for.
        text = self.texts.write(f"event {task_id(name, 1)}", event)
        return RecordMarker(marker_name=_MARKER, details=text)

    def _command(self, command: core.Command, history: History) -> Iterator[Decision]:
        match command:
            case core.Schedule(call=state):
                yield from self._scheduled(state, history)
            case core.StartTimer(timer=timer, due=due):
                text = self.texts.write("timer", TimerStarted(0, 0.0, timer, due))
                yield _timer(timer, due - self.reader.now, text)
            case core.Close():
                yield self._closed(command)
            case _:
                raise Invalid(f"{type(command).__name__} is nothing that can be decided on SWF yet")

    # Activities

    def _scheduled(self, state: CallState, history: History) -> Iterator[Decision]:
        activity = state.activity
        assert activity is not None  # noqa: S101 - the code has just asked for it
        if activity.settings.executor == CHILD:
            raise Invalid(f"{state.id} is a workflow: child runs cannot be decided on SWF yet")
        task = task_id(state.id, 1)
        if not self._may(task):
            return
        asked = state.event(0, 0.0)
        inputs = [_given(history.giving[dep]) for dep in dict.fromkeys(state.deps)]
        yield ScheduleActivityTask(
            activity_type=type_of(activity),
            activity_id=task,
            control=self.texts.write(f"call {Rule.of(activity).write()}", asked),
            input=self.texts.write(f"work 1 {task}", asked, *inputs),
            **self._options(activity),
        )

    def _may(self, task: str) -> bool:
        """Whether an activity may be scheduled now: there is room, and SWF did not just refuse."""
        times, at = self.reader.refused.get(task, (0, 0.0))
        if times >= REFUSALS:
            raise Invalid(f"SWF refused to schedule {task} {times} times: see the history for why")
        wait = at + 2.0 ** (times - 1) - self.reader.now if times else 0.0
        if wait > 0:
            self._held = min(wait, self._held or wait)
            return False
        self._room -= 1
        return self._room >= 0

    def _options(self, activity: Activity[..., Any]) -> dict[str, Any]:
        options = activity.settings
        limits: dict[str, Seconds] = {
            "start_to_close_timeout": options.timeout,
            "schedule_to_start_timeout": options.schedule_to_start_timeout,
            "schedule_to_close_timeout": options.schedule_to_close_timeout,
            "heartbeat_timeout": options.heartbeat_timeout,
        }
        found: dict[str, Any] = {n: "NONE" if v is None else v for n, v in limits.items()}
        own = options.task_list
        found["task_list"] = self.task_list if own == "default" else own
        if options.rank:
            found["task_priority"] = options.rank
        return found

    def _retries(self) -> Iterator[Decision]:
        """Give the decisions for attempts after the first."""
        reader = self.reader
        due = dict(reader.due)
        for call, (number, at) in reader.wanted.items():
            if at <= reader.now:
                due[call] = number
            else:
                text = self.texts.write(f"retry {number} {call}")
                yield _timer(f"retry~{task_id(call, number)}", at - reader.now, text)
        for call, number in due.items():
            yield from self._again(call, number)

    def _again(self, call: str, number: int) -> Iterator[Decision]:
        task = task_id(call, number)
        if not self._may(task):
            return
        first = self.reader.first[call].attributes
        note = self.texts.read(first["input"])
        assert note is not None  # noqa: S101 - of ours, as the first attempt was
        again: dict[str, Any] = {
            "activity_id": task,
            "control": self.texts.write(f"again {number} {call}"),
            "input": self.texts.write(f"work {number} {task}", *note.events),
        }
        kept = {name: read(first[member]) for name, member in _KEPT.items() if member in first}
        yield ScheduleActivityTask(**kept, **again)

    def _cancelled(self, call: str, reason: str, seq: int) -> tuple[Event, list[Decision]]:
        """Give a call or a timer up at once, whatever its worker says later."""
        reader = self.reader
        if call in reader.timers:
            gone: Event = TimerCancelled(seq, reader.now, call, reason)
            return gone, [CancelTimer(timer_id=call), self._recorded(call, gone)]
        attempt = reader.open.get(call)
        made: list[Decision] = []
        if attempt is not None:
            made.append(RequestCancelActivityTask(activity_id=attempt.task))
        made += [CancelTimer(timer_id=t) for t, other in reader.waiting.items() if other == call]
        abandoned = attempt is not None and attempt.begun
        gone = CallCancelled(seq, reader.now, call, reason, abandoned)
        reader.wanted.pop(call, None)
        reader.due.pop(call, None)
        return gone, [*made, self._recorded(call, gone)]

    def _closed(self, command: core.Close) -> Decision:
        event = RunClosed(0, 0.0, command.status, command.result, command.error)
        text = self.texts.write("closed", event)
        if command.status == "completed":
            return CompleteWorkflowExecution(result=text)
        if command.status == "cancelled":
            return CancelWorkflowExecution(details=text)
        error = command.error
        reason = f"{error.kind}: {error.message}" if error is not None else "failed"
        return FailWorkflowExecution(reason=shortened(reason, REASON), details=text)


def type_of(activity: Activity[..., Any]) -> TypeName:
    """Give the activity type that the calls of an activity have."""
    return TypeName(activity.name, activity.settings.version)


def _given(state: CallState) -> CallSucceeded:
    """Give the result of a call as those get it that take it."""
    outcome: Any = state.outcome
    return CallSucceeded(0, 0.0, state.id, state.attempt, outcome.result, "", 0.0)


def _timer(name: str, wait: float, control: str | None) -> StartTimer:
    return StartTimer(timer_id=name, start_to_fire_timeout=max(0, math.ceil(wait)), control=control)


_KEPT: Final = {
    "activity_type": "activityType",
    "task_list": "taskList",
    "task_priority": "taskPriority",
    "schedule_to_start_timeout": "scheduleToStartTimeout",
    "schedule_to_close_timeout": "scheduleToCloseTimeout",
    "start_to_close_timeout": "startToCloseTimeout",
    "heartbeat_timeout": "heartbeatTimeout",
}
