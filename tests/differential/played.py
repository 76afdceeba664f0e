"""One run as a service in miniature has it: its log, and what is done with what is decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.child import CHILD, Child
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
from nbflow.core.errors import ActivityTimeout, RunCancelled
from nbflow.core.events import (
    CallCancelled,
    CallStarted,
    CallSucceeded,
    CancelRefused,
    CancelRequested,
    ChildStarted,
    Event,
    Report,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.payload import spill
from nbflow.core.sequel import Failed, sequel
from nbflow.core.workflow import definition
from nbflow.engine.family import child_id
from nbflow.engine.job import Code, Job, arguments, keywords, run_job
from nbflow.engine.limits import WORDS
from nbflow.running.onward import onward_id

if TYPE_CHECKING:
    from tests.differential.service import Service

WORKER = "service"


class _Limit(NamedTuple):
    """When which limit of which attempt is passed."""

    due: float
    number: int
    kind: str
    seconds: float


_LIMITS = {
    "START_TO_CLOSE": "timeout",
    "SCHEDULE_TO_CLOSE": "schedule_to_close_timeout",
    "HEARTBEAT": "heartbeat_timeout",
}


class Played:
    """One run.

    Attributes:
        log: Its events.
        history: The fold of them.
        parent: The run that called it, and the call.
    """

    def __init__(self, service: Service, run: str, target: Any) -> None:
        self.service, self.run, self.target = service, run, target
        self.definition = definition(target)
        self.log: list[Event] = []
        self.history = History()
        self.parent: tuple[Played, str] | None = None
        self._activities: dict[str, Activity[..., Any]] = {}
        self._seen = 0
        self._limits: dict[str, _Limit] = {}

    def add(self, event: Event) -> None:
        """Append an event."""
        self.service.now += 0.001
        whole = event._replace(seq=len(self.log) + 1, at=self.service.now)
        self.log.append(whole)
        self.history.apply(whole)

    @property
    def over(self) -> bool:
        """Whether it is closed."""
        return self.history.closed is not None

    def reached(self, what: str) -> bool:
        """Whether something has happened that somebody outside waits for."""
        asked, _, call = what.rpartition(" ")
        state = self.history.calls.get(call)
        return not what or (state is not None and (bool(asked) or state.outcome is not None))

    # ------------------------------------------------------------ deciding

    def decided(self) -> bool:
        """Ask what is to be done, if anything has happened since; do the first of it."""
        if self.over or self._seen == len(self.log):
            return False
        now, fetch = self.service.now, self.service.store.get
        commands = decide(self.definition.fn, self.log, now, fetch, self.definition.settings)
        self._seen = len(self.log)
        return any(self._obeyed(command) for command in commands)

    def _obeyed(self, command: Command) -> bool:
        """Do what was decided; False if there is nothing to do."""
        match command:
            case Schedule(call=state):
                assert state.activity is not None
                assert state.id not in self.history.recorded or self.history.resumed
                self._activities[state.id] = state.activity
                self.add(self._spilled(state))
                self._check_limit(state.activity)
            case Note(call=state):
                assert state.activity is not None
                self._activities[state.id] = state.activity  # a resumption may have it run yet
                self.add(self._spilled(state))
            case StartTimer():
                self.add(TimerStarted(0, 0.0, command.timer, command.due))
            case Record(marker=marker):
                self.add(marker.event(put=self.service.store.put))
            case SendSignal(event=event, told=told):
                assert self.service.reach(event.to) or event.to.startswith(f"{self.run}/")
                self.service.mail.append((event.to, told))
                self.add(event)
            case RefuseCancel():
                self.add(CancelRefused(0, 0.0, command.reason))
            case Cancel():
                return self._given_up(command.call, command.reason)
            case Continue():
                self._go_on(command)
            case Close():
                result = spill(command.result, self.service.store.put)
                self.close(command.status, result, command.error)
            case _:
                raise AssertionError(f"nobody knows what to do with {command}")
        return True

    def _check_limit(self, activity: Activity[..., Any]) -> None:
        """See that no more calls are asked for at once than the activity says."""
        calls = self.history.calls.values()
        open_now = sum(s.name == activity.name and s.outcome is None for s in calls)
        assert open_now <= (activity.settings.max_running or open_now), activity.name

    def _spilled(self, state: CallState) -> Event:
        event, put = state.event(0, 0.0), self.service.store.put
        kwargs = {k: spill(v, put) for k, v in event.kwargs.items()} if event.kwargs else None
        return event._replace(args=tuple(spill(v, put) for v in event.args), kwargs=kwargs)

    # ------------------------------------------------------------ attempts

    def ready(self, now: float) -> Iterator[CallState]:
        """Give the calls of which an attempt can begin."""
        if self.over or self._seen != len(self.log):
            return
        for state in self.history.calls.values():
            if not state.name or state.outcome is not None or state.missing:
                continue
            due = state.retry_at is None or state.retry_at <= now
            child = self.service.reach(self.history.children.get(state.id, ""))
            busy = child is not None and not child.over
            if due and not busy and state.started is None:
                yield state

    def due(self) -> Iterator[float]:
        """Give the times at which something happens by itself."""
        if not self.over:
            yield from (limit.due for limit in self._limits.values())
            for state in self.history.calls.values():
                if state.outcome is None and state.retry_at is not None:
                    yield state.retry_at

    def fired(self, now: float) -> bool:
        """Fire a timer that is due, or end an attempt that took too long."""
        if self.over:
            return False
        for call, limit in self._limits.items():
            if limit.due <= now:
                self._passed(call, limit)
                return True
        for state in self.history.calls.values():
            due = state.outcome is None and state.retry_at is not None and state.retry_at <= now
            if due and not state.name:
                self.add(TimerFired(0, 0.0, state.id))
                return True
        return False

    def attempt(self, state: CallState) -> None:
        """Run the next attempt of a call."""
        activity = self._activities[state.id]
        if activity.settings.executor == CHILD:
            self._bear(state, activity.fn)
            return
        late = self.service.program.late.get(activity.name)
        if late is not None:
            self._late(state, activity, late)
            return
        job = self._job(state, activity)
        answer = run_job(job, WORKER, shared=False)
        now, measured = self.service.now, answer.report.measured
        report = Report.between(WORKER, now, now + 0.001)._replace(measured=measured)
        if answer.error is not None:
            self.failed(state, job.attempt, answer.error, report)
            return
        result = spill(answer.result, self.service.store.put)
        self.add(CallSucceeded(0, 0.0, state.id, job.attempt, result, *report))

    def _job(self, state: CallState, activity: Activity[..., Any]) -> Job:
        calls = self.history.calls
        inputs = {dep: calls[dep].outcome.result for dep in state.deps}  # type: ignore[union-attr]
        code = Code(activity.name, self.service.around(activity.fn))
        given, fetch = (state.args, state.kwargs, inputs), self.service.store.get
        return Job(self.run, state.id, state.attempt + 1, code, *given, None, None, fetch)

    def _late(self, state: CallState, activity: Activity[..., Any], kind: str) -> None:
        """Begin an attempt that never answers."""
        number = state.attempt + 1
        self.add(CallStarted(0, 0.0, state.id, number, WORKER))
        if kind:
            seconds = getattr(activity.settings, _LIMITS[kind])
            self._limits[state.id] = _Limit(self.service.now + seconds, number, kind, seconds)

    def _passed(self, call: str, limit: _Limit) -> None:
        """Fail an attempt that took too long."""
        del self._limits[call]
        text = WORDS[limit.kind].format(call=call, seconds=limit.seconds)
        error = Failure.of(ActivityTimeout(text, limit.kind))
        self.failed(self.history.calls[call], limit.number, error, None, timeout=limit.kind)

    def failed(
        self,
        state: CallState,
        number: int,
        error: Failure,
        report: Report | None,
        timeout: str = "",
    ) -> None:
        """Do what follows from a failed attempt."""
        attempt = Failed(state, number, error, report, timeout=timeout)
        handler, activity = self.definition.settings.on_task_failure, self._activities[state.id]
        service = self.service
        found = sequel(attempt, activity, handler, lambda: service.now, service.store.put)
        self.add(found.event)
        if found.abort:
            self.close("failed", None, error, state.id)

    # ------------------------------------------------------------ other runs

    def _bear(self, state: CallState, child: Any) -> None:
        """Begin a child run, or go on with one that failed."""
        assert isinstance(child, Child)
        known = self.service.reach(self.history.children.get(state.id, ""))
        if known is not None:
            known.add(RunResumed(0, 0.0, "its parent tries again"))
            return
        run = child_id(self.run, state.id, "")
        self.add(ChildStarted(0, 0.0, state.id, run))
        job = self._job(state, self._activities[state.id])
        started = self.history.started
        assert started is not None
        event = RunStarted(
            0,
            0.0,
            state.name,
            tuple(self.service.kept(value) for value in arguments(job)),
            {name: self.service.kept(value) for name, value in keywords(job).items()},
            seed=run,
            parent=self.run,
            call=state.id,
            tags=child.settings.tags or started.tags,
        )
        found = self.service.begin(run, child.target, event)
        found.parent = (self, state.id)

    def child_ended(self, call: str, child: Played) -> None:
        """Hear how a child has ended."""
        state, closed = self.history.calls[call], child.history.closed
        if self.over or state.outcome is not None or closed is None:
            return
        now = self.service.now
        if closed.status == "completed":
            number = state.attempt + 1
            self.add(CallSucceeded(0, 0.0, call, number, closed.result, child.run, now))
            return
        error = closed.error
        if error is None:
            error = Failure.of(RunCancelled(f"child run {child.run} was cancelled"))
        self.failed(state, state.attempt + 1, error, Report.between(child.run, now, now))

    def hear(self, told: SignalReceived) -> None:
        """Take a signal."""
        if told.id in self.history.told:
            return
        self.add(told._replace(number=self.history.signals.get(told.name, 0) + 1))
        for call, run in self.history.children.items():
            if told.propagate and self.history.calls[call].outcome is None:
                self.service.mail.append((run, told))

    # ------------------------------------------------------------ ending

    def _given_up(self, call: str, reason: str, *, ending: bool = False) -> bool:
        state = self.history.calls.get(call)
        if state is None or state.outcome is not None:
            return False
        if not state.name:
            if not call.startswith("signal"):
                self.add(TimerCancelled(0, 0.0, call, reason))
            return True
        child = self.service.reach(self.history.children.get(call, ""))
        self.add(CallCancelled(0, 0.0, call, reason))
        if child is not None and not child.over:
            policy = self._activities[call].fn.settings.parent_close  # type: ignore[attr-defined]
            if policy != "abandon" or not (ending or self.history.cancelling):
                child.cancel(f"its parent {self.run} gave it up")
            if policy == "terminate":
                child.close("cancelled")
        return True

    def cancel(self, reason: str) -> None:
        """Have it in the log that somebody wants the run to end; its code says what follows."""
        if not self.over:
            self.add(CancelRequested(0, 0.0, reason))

    def close(
        self,
        status: str,
        result: Any = None,
        error: Failure | None = None,
        call: str = "",
    ) -> None:
        """End the run, and all that it has under way."""
        for open_call in list(self.history.calls):
            self._given_up(open_call, "the run failed", ending=True)
        if error is not None and not call:
            call = str(getattr(error.rebuild(), "nbflow_call", ""))
        self.add(RunClosed(0, 0.0, status, result, error, call))
        if self.parent is not None:
            self.parent[0].child_ended(self.parent[1], self)

    def _go_on(self, command: Continue) -> None:
        """End the run and begin the one that it goes on in."""
        for open_call in list(self.history.calls):
            self._given_up(open_call, "the run goes on as new", ending=True)
        started, run, put = self.history.started, onward_id(self.run), self.service.store.put
        assert started is not None
        args = tuple(spill(stored, put) for stored in command.args)
        kwargs = {name: spill(stored, put) for name, stored in command.kwargs.items()}
        self.add(RunContinued(0, 0.0, run, args, kwargs, command.unread))
        self.add(RunClosed(0, 0.0, "continued"))
        anew = started._replace(args=args, kwargs=kwargs, seed=run, continues=self.run)
        found = self.service.begin(run, self.target, anew)
        found.parent = self.parent
        for name in command.unread:
            told = self.history.calls[name].outcome
            assert isinstance(told, SignalReceived)
            found.hear(told._replace(id=told.id or name))
