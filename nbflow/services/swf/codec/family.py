"""Decisions about other executions: children, signals, and the one that a run goes on in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from nbflow.core import decide as core
from nbflow.core.call import CallState
from nbflow.core.child import Child, WorkflowOptions
from nbflow.core.chosen import stored_options
from nbflow.core.definition import definition
from nbflow.core.errors import InternalError
from nbflow.core.events import (
    CallStarted,
    CallWrote,
    ChildStarted,
    Event,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
)
from nbflow.core.payload import pack
from nbflow.engine.family import child_id, onward_id
from nbflow.engine.job import Code, Job, arguments, keywords, no_blobs
from nbflow.services.swf.codec.records import CLOSE, flag
from nbflow.services.swf.codec.texts import Texts, execution_id
from nbflow.services.swf.codec.told import ACTIVITY, TIMER
from nbflow.services.swf.decisions import (
    CancelTimer,
    ContinueAsNewWorkflowExecution,
    Decision,
    RequestCancelActivityTask,
    RequestCancelExternalWorkflowExecution,
    SignalExternalWorkflowExecution,
    StartChildWorkflowExecution,
)
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.wire import TypeName

if TYPE_CHECKING:
    from nbflow.core.history import History
    from nbflow.services.swf.codec.reading import Reader

TAGS: Final = 5
"""How many tags an execution may have."""
_POLICIES: Final = {"terminate": "TERMINATE", "cancel": "REQUEST_CANCEL", "abandon": "ABANDON"}
Former = Callable[[str], list[Event]]
"""Gives the log of the latest execution of a workflow id; none if there is none."""


class Family:
    """The part of a writer that is about other executions.

    Attributes:
        ended: Workflow ids of the children that are to be terminated once the decision is taken.
    """

    def __init__(self) -> None:
        self.ended: list[str] = []

    if TYPE_CHECKING:
        reader: Reader
        texts: Texts
        history: History
        rules: WorkflowOptions
        former: Former

    # Children

    def _child(self, state: CallState, number: int, control: str) -> Decision:
        """Start a child, or go on with one that has failed."""
        activity = state.activity
        if activity is None or not isinstance(activity.fn, Child):
            raise InternalError(f"{state.id} is no workflow")
        child, given = activity.fn, self.reader.given
        found, run = definition(child.target), self._run_of(state)
        workflow_id = execution_id(run)
        texts = Texts(workflow_id, self.texts.blobs, self.texts.seal)
        known = state.id in self.history.children and state.id not in self.history.renewed
        log = self.former(workflow_id) if number > 1 or known else []
        if log:
            log = [e for e in log if not isinstance(e, CallStarted)]
            log.append(RunResumed(0, self.reader.now, "its parent tries again"))
        else:
            log = [self._started(state, child, run)]
        first: Any = log[0]
        own = activity.settings.task_list
        return StartChildWorkflowExecution(
            workflow_type=TypeName(found.name, found.version),
            workflow_id=workflow_id,
            control=control,
            input=texts.write("run", *log, timed=True),
            task_list=given["taskList"]["name"] if own == "default" else own,
            execution_start_to_close_timeout=given["executionStartToCloseTimeout"],
            task_start_to_close_timeout=given["taskStartToCloseTimeout"],
            child_policy=_POLICIES[child.settings.parent_close],
            task_priority=activity.settings.rank or None,
            tag_list=first.tags[:TAGS] or None,
            lambda_role=given.get("lambdaRole"),
        )

    def _run_of(self, state: CallState) -> str:
        known = self.history.children.get(state.id) or self.reader.runs.get(state.id)
        return known or child_id(self._own().seed, state.id, "")

    def _own(self) -> RunStarted:
        started = self.history.started
        if started is None:
            raise InternalError("the log does not begin with RunStarted")
        return started

    def _started(self, state: CallState, child: Child, run: str) -> RunStarted:
        """Give the first event of a child."""
        own = self._own()
        args, kwargs = self._values(state)
        options, unkept = stored_options(child.changes, _no_store)
        return RunStarted(
            0,
            self.reader.now,
            state.name,
            tuple(pack(value, f"an argument of {state.id}") for value in args),
            {k: pack(value, f"argument {k} of {state.id}") for k, value in kwargs.items()},
            on="swf",
            seed=run,
            parent=own.seed,
            call=state.id,
            tags=child.settings.tags or own.tags,
            options=options or None,
            unkept=unkept,
        )

    def _values(self, state: CallState) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments of a call."""
        giving = self.history.giving
        inputs: dict[str, Any] = {dep: _result(giving[dep]) for dep in state.deps}
        code = Code(state.name, _nobody)
        job = Job("", state.id, 1, code, state.args, state.kwargs, inputs, None, None, no_blobs)
        return arguments(job), keywords(job)

    def _child_events(self, state: CallState) -> tuple[Event, ...]:
        if state.id in self.history.children:
            return ()
        return (ChildStarted(0, 0.0, state.id, self._run_of(state)),)

    def _let_go(self, call: str, *, ending: bool) -> Iterator[Decision]:
        """Do with a child that is given up as its parent_close says."""
        attempt = self.reader.children.get(call)
        if attempt is None:
            return
        policy = flag(self.reader.flags[call], CLOSE)
        if policy == "abandon" and (ending or self.history.cancelling):
            return
        yield RequestCancelExternalWorkflowExecution(workflow_id=attempt.task)
        if policy == "terminate":
            self.ended.append(attempt.task)

    def _dropped(self) -> Iterator[Decision]:
        """Tell what is under way for calls that somebody settled by hand that nobody waits."""
        for name, kind in list(self.reader.dropping.items()):
            if kind == ACTIVITY:
                yield RequestCancelActivityTask(activity_id=name)
            elif kind == TIMER:
                yield CancelTimer(timer_id=name)
            else:
                yield RequestCancelExternalWorkflowExecution(workflow_id=name)
                if kind.endswith("terminate"):
                    self.ended.append(name)

    # Signals

    def _signal(self, command: core.SendSignal) -> Iterator[Decision]:
        """Send a signal of the code, unless it is on its way or its child is not born yet."""
        event, told = command.event, command.told
        if event.name in self.reader.sending or self._unborn(event.to):
            return
        workflow_id = execution_id(event.to)
        texts = Texts(workflow_id, self.texts.blobs, self.texts.seal)
        yield SignalExternalWorkflowExecution(
            workflow_id=workflow_id,
            signal_name=event.signal,
            control=self.texts.write(f"sent {event.name}", event),
            input=texts.write("signal", told),
        )

    def _unborn(self, run: str) -> bool:
        """Whether a run is a child that is still to be started."""
        own = self._own().seed
        if run == own or not run.startswith(f"{own}/"):
            return False
        call = run.removeprefix(f"{own}/")
        state, attempt = self.history.calls.get(call), self.reader.children.get(call)
        if state is None or state.outcome is not None:
            return False
        return attempt is None or not attempt.begun

    def _passed_on(self) -> Iterator[Decision]:
        """Pass signals on to the children, and to the parent, that have not had them."""
        reader, own = self.reader, self._own()
        to = [a.task for a in reader.children.values() if a.begun]
        if own.parent and self.rules.propagate_signals_to_parent:
            to.append(execution_id(own.parent))
        for told in reader.passing:
            for workflow_id in to:
                mark = told.id or f"{self.texts.run}/{told.name}-{told.number}"
                sender = execution_id(told.sender) if told.sender else ""
                if (mark, workflow_id) not in reader.passed and workflow_id != sender:
                    yield self._pass(told._replace(id=mark), mark, workflow_id)

    def _pass(self, told: SignalReceived, mark: str, workflow_id: str) -> Decision:
        texts = Texts(workflow_id, self.texts.blobs, self.texts.seal)
        return SignalExternalWorkflowExecution(
            workflow_id=workflow_id,
            signal_name=told.name,
            control=self.texts.write(f"pass {mark}"),
            input=texts.write("signal", told._replace(number=0)),
        )

    # Going on as new

    def _onward(self, command: core.Continue) -> Decision:
        """Go on as new, with an empty log and the signals that nobody has read."""
        own = self._own()
        run = onward_id(own.seed)
        new = own._replace(
            seq=0,
            at=self.reader.now,
            args=command.args,
            kwargs=command.kwargs,
            seed=run,
            continues=own.seed,
        )
        unread = []
        for name in command.unread:
            told: Any = self.history.calls[name].outcome
            unread.append(told._replace(id=told.id or name))
        event = RunContinued(0, 0.0, run, command.args, command.kwargs, command.unread)
        return self._anew(new, event, *unread)

    def carried_on(self, log: list[Event]) -> Decision:
        """Go on with the same log in a new execution, whose history is empty.

        Raises:
            Invalid: The log is too long, and there is nowhere to keep it.
        """
        kept = [e for e in log if not isinstance(e, CallStarted)]
        try:
            return self._anew(*kept)
        except Invalid:  # what was printed is in this history, and can be read there
            return self._anew(*(e for e in kept if not isinstance(e, CallWrote)))

    def _anew(self, *events: Event) -> Decision:
        given = self.reader.given
        return ContinueAsNewWorkflowExecution(
            input=self.texts.write(self.reader.words, *events, timed=True),
            execution_start_to_close_timeout=given["executionStartToCloseTimeout"],
            task_start_to_close_timeout=given["taskStartToCloseTimeout"],
            task_list=given["taskList"]["name"],
            task_priority=given.get("taskPriority"),
            child_policy=given["childPolicy"],
            tag_list=tuple(given.get("tagList") or ()) or None,
            workflow_type_version=given["workflowType"]["version"],
            lambda_role=given.get("lambdaRole"),
        )


def _result(state: CallState) -> Any:
    outcome: Any = state.outcome
    return outcome.result


def _nobody() -> None:
    """Stand for code that is not run."""


def _no_store(data: bytes) -> str:
    raise InternalError(f"an option of {len(data)} bytes is too long for a history")
