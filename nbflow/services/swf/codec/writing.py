"""From what nbflow decides to SWF's decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbflow.core import decide as core
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.child import CHILD, Child, WorkflowOptions
from nbflow.core.errors import InternalError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CancelRefused,
    Event,
    RunClosed,
    TimerCancelled,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.engine.attempts import verdict
from nbflow.services.swf.batches import DECISIONS
from nbflow.services.swf.codec.family import Family, Former
from nbflow.services.swf.codec.members import FUNCTION, KEPT, LIMITS, given_to, timer_of, type_of
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.records import AT, CLOSE, JUDGED, KNOWN, LIVELY, WATCHED, flag
from nbflow.services.swf.codec.rules import Rule
from nbflow.services.swf.codec.texts import execution_id, task_id
from nbflow.services.swf.codec.values import as_json
from nbflow.services.swf.decisions import (
    CancelTimer,
    CancelWorkflowExecution,
    CompleteWorkflowExecution,
    Decision,
    FailWorkflowExecution,
    RecordMarker,
    RequestCancelActivityTask,
    ScheduleActivityTask,
    ScheduleLambdaFunction,
    Seconds,
)
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.tasks import REASON, shortened
from nbflow.services.swf.wire import read

OPEN: Final = 1_000
"""How many activities of an execution SWF lets be open."""
REFUSALS: Final = 8
"""How often an activity is tried to be scheduled before the run fails."""
HELD: Final = "nbflow-held"
"""The timer after which activities are tried to be scheduled that SWF refused."""
_MARKER: Final = "nbflow"
EVENTS: Final = 8_000
"""Events of a history from which on a run goes on in a new execution, once nothing is under way."""
LAMBDA: Final = "lambda:"
"""What stands in front of a Lambda function's name in the task list of its activity."""


def _nothing(workflow_id: str) -> list[Event]:  # noqa: ARG001 - whoever it is
    return []


class Writer(Family):
    """Makes SWF's decisions of commands, for one decision task.

    Args:
        reader: The execution as far as it was read.
        task_list: Where activities go whose task list is ``default``.
        heartbeat: Seconds without a sign of life after which the worker of an activity that sets
            no such limit is taken for lost; None: never.
    """

    def __init__(
        self,
        reader: Reader,
        history: History,
        rules: WorkflowOptions,
        task_list: str,
        heartbeat: float | None = None,
        events: int = EVENTS,
        former: Former = _nothing,
    ) -> None:
        super().__init__()
        self.heartbeat, self.events, self.former = heartbeat, events, former
        self.reader, self.texts, self.task_list = reader, reader.texts, task_list
        self.history, self.rules = history, rules
        self._room, self._births = OPEN - len(reader.open), OPEN - len(reader.children)
        self._held: float | None = None

    def write(self, commands: Iterable[core.Command]) -> list[Decision]:
        """Give the decisions for commands, and for attempts that are due.

        Of a great many only as many as are more than a response may have: the others come with
        the next decision.

        Raises:
            Invalid: A command, or an option of an activity, is one that SWF is not made for here.
        """
        given = list(commands)
        closes = [c for c in given if isinstance(c, core.Close | core.Continue)]
        if closes:
            # What is due is of no use to a run that ends now; what it has said is.
            sent = [d for c in given if isinstance(c, core.SendSignal) for d in self._signal(c)]
            return [*sent, *self._passed_on(), *self._dropped(), *self._ending(closes[0])]
        made: list[Decision] = []
        for decision in self._all(given):
            made.append(decision)
            if len(made) > DECISIONS:
                return made
        if self._held is not None:
            made.append(timer_of(HELD, self._held, None))
        return made

    def _all(self, given: list[core.Command]) -> Iterator[Decision]:
        yield from self._dropped()
        yield from self._retries()
        yield from self._passed_on()
        yield from self._adopted()
        full = self.full and not self.reader.children
        for command in given:
            if not (full and isinstance(command, core.Schedule)):
                yield from self._command(command)

    def _ending(self, command: core.Close | core.Continue) -> Iterator[Decision]:
        for call in list(self.reader.children):
            yield from self._let_go(call, ending=True)
        yield self._closed(command) if isinstance(command, core.Close) else self._onward(command)

    @property
    def full(self) -> bool:
        """Whether the history has so many events that the run is to go on in a new one."""
        return self.reader.last >= self.events and not self.reader.stays

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way that a new execution would not have."""
        r = self.reader
        return not (
            r.open
            or r.functions
            or r.children
            or r.wanted
            or r.waiting
            or r.due
            or r.failing
            or r.sending
            or r.passing
            or r.carried.calls
        )

    def _adopted(self) -> Iterator[Decision]:
        """Begin here what a log that was carried over has, and nobody has under way."""
        carried, reader = self.reader.carried, self.reader
        for timer, due in list(carried.timers.items()):
            state = self.history.calls.get(timer)
            if timer in reader.timers or state is None or state.outcome is not None:
                del carried.timers[timer]
            else:
                yield timer_of(timer, due - reader.now, self.texts.write("timer"))
        for call in list(carried.calls):
            state = self.history.calls.get(call)
            if state is None or state.outcome is not None or call in reader.first:
                carried.calls.discard(call)
            elif not state.missing and state.activity is not None:
                yield from self._scheduled(state)

    def note(self, command: core.Command, seq: int) -> tuple[list[Event], list[Decision]]:
        """Give the events that a command to write first is, and the decisions that record them.

        Args:
            command: The command. The function of a side effect is called for it.
            seq: The number of the event.
        """
        now = self.reader.now
        match command:
            case core.Record(marker=marker):
                event: Event = marker.event(seq, now)
                return [event], [self._recorded(marker.name, event)]
            case core.Note(call=state):
                event = state.event(seq, now)
                return [event], [self._recorded(state.id, event)]
            case core.Cancel(call=call, reason=reason):
                return self._cancelled(call, reason, seq)
            case core.RefuseCancel(reason=reason):
                event = CancelRefused(seq, now, reason)
                return [event], [self._recorded("cancel", event)]
        raise InternalError(f"{type(command).__name__} is not written first")

    def _recorded(self, name: str, *events: Event) -> Decision:
        """Give the decision that writes an event of the run into the history."""
        # The name is part of what a signature in it is good for.
        text = self.texts.write(f"event {task_id(name, 1)}", *events)
        return RecordMarker(marker_name=_MARKER, details=text)

    def failure(self, event: Event) -> Decision:
        """Give the decision that records what was decided of a failure."""
        return self._recorded("failure", event)

    def aborted(self, error: Failure) -> list[Decision]:
        """Give the decisions that end the run by a failure, whatever its code makes of it."""
        return [*self._ending(core.Close(status="failed", error=error))]

    def _command(self, command: core.Command) -> Iterator[Decision]:
        match command:
            case core.Schedule(call=state):
                yield from self._scheduled(state)
            case core.StartTimer(timer=timer, due=due):
                text = self.texts.write("timer", TimerStarted(0, 0.0, timer, due))
                yield timer_of(timer, due - self.reader.now, text)
            case core.SendSignal():
                yield from self._signal(command)
            case _:
                raise InternalError(f"{type(command).__name__} is nothing that can be decided")

    # Activities

    def _scheduled(self, state: CallState) -> Iterator[Decision]:
        activity = state.activity
        assert activity is not None  # noqa: S101 - the code has just asked for it
        error = verdict(state.id, self.history, once=activity.settings.once)
        if error is not None:
            failed = CallFailed(0, 0.0, state.id, state.attempt + 1, Failure.of(error))
            self._held = 0.0  # a marker alone is nothing that a decision is asked for
            yield self._recorded(state.id, failed)
            return
        child = activity.settings.executor == CHILD
        number = state.attempt + 1
        task = execution_id(self._run_of(state)) if child else task_id(state.id, number)
        if not self._may(task, child=child):
            return
        asked = state.event(0, 0.0)
        more = self._child_events(state) if child else ()
        control = self.texts.write(f"call {self._rule(state, number)}", asked, *more)
        if child:
            yield self._child(state, number, control)
            return
        function = flag(frozenset({activity.settings.task_list}), LAMBDA)
        if function:
            yield self._function(state, function, task, control)
            return
        inputs = [given_to(self.history.giving[dep]) for dep in dict.fromkeys(state.deps)]
        yield ScheduleActivityTask(
            activity_type=type_of(activity),
            activity_id=task,
            control=control,
            input=self.texts.write(_work(number, task, activity), asked, *inputs),
            **self._options(activity),
        )

    def _function(self, state: CallState, name: str, task: str, control: str) -> Decision:
        """Have a Lambda function called."""
        args, kwargs = self._values(state)
        activity = state.activity
        limit = activity.settings.timeout if activity is not None else None
        return ScheduleLambdaFunction(
            id=task,
            name=name,
            control=control,
            input=as_json(state.id, args, kwargs),
            start_to_close_timeout=limit,
        )

    def _may(self, task: str, *, child: bool = False) -> bool:
        """Whether an activity may be scheduled now: there is room, and SWF did not just refuse."""
        times, at = self.reader.refused.get(task, (0, 0.0))
        if times >= REFUSALS:
            raise Invalid(f"SWF refused to schedule {task} {times} times: see the history for why")
        wait = at + 2.0 ** (times - 1) - self.reader.now if times else 0.0
        if wait > 0:
            self._held = min(wait, self._held or wait)
            return False
        if child:
            self._births -= 1
            return self._births >= 0
        self._room -= 1
        return self._room >= 0

    def _rule(self, state: CallState, number: int) -> str:
        """Give the words about a call: its policy, and what else a reader has to know of it."""
        activity = state.activity
        assert activity is not None  # noqa: S101 - the code has just asked for it
        options = activity.settings
        words = [Rule.of(activity).write()]
        if self.heartbeat is not None and options.heartbeat_timeout is None:
            words.append(WATCHED)
        if self.rules.on_task_failure is not None or options.retry.when is not None:
            words.append(JUDGED)
        if state.recorded:
            words.append(KNOWN)
        if number > 1:
            words.append(f"{AT}{number}")
        if isinstance(activity.fn, Child):
            words.append(f"{CLOSE}{activity.fn.settings.parent_close}")
        limits = {k: getattr(options, name) for k, name in LIMITS.items()}
        return " ".join([*words, *(f"{k}={v:g}" for k, v in limits.items() if v is not None)])

    def _options(self, activity: Activity[..., Any]) -> dict[str, Any]:
        options = activity.settings
        limits: dict[str, Seconds] = {
            "start_to_close_timeout": options.timeout,
            "schedule_to_start_timeout": options.schedule_to_start_timeout,
            "schedule_to_close_timeout": options.schedule_to_close_timeout,
            "heartbeat_timeout": options.heartbeat_timeout or self.heartbeat,
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
                yield timer_of(f"retry~{task_id(call, number)}", at - reader.now, text)
        for call, number in due.items():
            yield from self._again(call, number)

    def _again(self, call: str, number: int) -> Iterator[Decision]:
        control = self.texts.write(f"again {number} {call}")
        state, first = self.history.calls[call], self.reader.first[call]
        if first.kind == "StartChildWorkflowExecutionInitiated":
            if state.activity is not None and self._may(first.workflow_id, child=True):
                yield self._child(state, number, control)
            return
        task = task_id(call, number)
        if not self._may(task):
            return
        attributes = first.attributes
        if first.kind == "LambdaFunctionScheduled":
            kept = {k: attributes[m] for k, m in FUNCTION.items() if m in attributes}
            yield ScheduleLambdaFunction(id=task, control=control, **kept)
            return
        note = self.texts.read(attributes["input"])
        assert note is not None  # noqa: S101 - of ours, as the first attempt was
        again: dict[str, Any] = {
            "activity_id": task,
            "control": control,
            "input": self.texts.write(
                " ".join(("work", str(number), *note.words[2:-1], task)), *note.events
            ),
        }
        same = {name: read(attributes[m]) for name, m in KEPT.items() if m in attributes}
        yield ScheduleActivityTask(**same, **again)

    def _cancelled(self, call: str, reason: str, seq: int) -> tuple[list[Event], list[Decision]]:
        """Give a call or a timer up at once, whatever its worker says later."""
        reader, now = self.reader, self.reader.now
        state = self.history.calls.get(call)
        if state is None or not state.name:
            ended = TimerCancelled(seq, now, call, reason)
            if call in reader.timers:
                return [ended], [CancelTimer(timer_id=call), self._recorded(call, ended)]
            # Nobody was told of it: it is started and cancelled in the log alone.
            begun = TimerStarted(seq, now, call, now)
            both: list[Event] = [begun, ended._replace(seq=seq + 1)]
            return both, [self._recorded(call, *both)]
        attempt = reader.open.get(call)
        made: list[Decision] = list(self._let_go(call, ending=False))
        if attempt is not None:
            made.append(RequestCancelActivityTask(activity_id=attempt.task))
        made += [CancelTimer(timer_id=t) for t, other in reader.waiting.items() if other == call]
        abandoned = attempt is not None and attempt.begun
        gone: Event = CallCancelled(seq, now, call, reason, abandoned)
        for place in (reader.wanted, reader.due, reader.failing):
            place.pop(call, None)
        return [gone], [*made, self._recorded(call, gone)]

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


def _work(number: int, task: str, activity: Activity[..., Any]) -> str:
    """Give the words of an attempt's input."""
    limit = activity.settings.heartbeat_timeout
    return f"work {number} {task}" if limit is None else f"work {number} {LIVELY}{limit:g} {task}"
