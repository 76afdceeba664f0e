"""Decides runs of nbflow's workflows on SWF."""

from __future__ import annotations

import itertools
import logging
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from nbflow.core.definition import Definition
from nbflow.core.errors import NbflowError
from nbflow.core.events import Event, RunClosed
from nbflow.core.failure import Failure
from nbflow.core.seals import Seal
from nbflow.services.swf.actors import Decider
from nbflow.services.swf.batches import batch
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.codec.writing import EVENTS, Writer
from nbflow.services.swf.deciding import decided
from nbflow.services.swf.decisions import (
    Decision,
    FailWorkflowExecution,
    RecordMarker,
    ScheduleActivityTask,
    StartChildWorkflowExecution,
)
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import AlreadyExists, DoesNotExist, Invalid
from nbflow.services.swf.events import HistoryEvent
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.flows import defined
from nbflow.services.swf.kept import KeptCode
from nbflow.services.swf.querysets import WorkflowExecutionQuerySet
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import Code
from nbflow.services.swf.tasks import REASON, DecisionTask, shortened
from nbflow.services.swf.wire import TypeName

_log = logging.getLogger(__name__)
_LONGEST: Final = 200
KEPT: Final = 1_000
"""How many histories a decider keeps."""
LIVE: Final = 250
"""Of how many executions it keeps the code, each in a thread that waits."""
STICKY_SECONDS: Final = 10.0
"""Seconds after which another decider is asked, if the one that knows an execution is gone."""


@dataclass(slots=True)
class _State:
    """What is known of an execution: its history, and its code, which waits."""

    reader: Reader
    code: KeptCode | None = None
    ended: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """Have the code end; the next decision runs it from its start."""
        for code in self.give_up():
            code.stop()

    def give_up(self) -> list[KeptCode]:
        """Give the code, if there is some, to be ended."""
        code, self.code = self.code, None
        return [] if code is None else [code]


class WorkflowDecider(Decider):
    """Decides runs of workflows, by their names.

    The workflow's code is run from its start at the first decision, and waits where it needs what
    is not there yet; from then on it is told what is new, and goes on. So what a decision takes
    does not grow with the run. The next decisions of the execution are asked of this decider, at
    a task list of its own, so every event is read once.

    If nobody takes such a task for some seconds, any decider of the common list gets it, reads the
    whole history, and runs the code from its start. What it asks for then is compared with the
    history; where the two differ nothing is answered, so that the run goes on once the code is
    mended.

    Args:
        domain: Where.
        task_list: Name of the task list.
        workflows: What `nbflow.workflow` made, or `nbflow.Workflow` classes.
        activity_task_list: Where activities go whose task list is ``default``; by default a
            list of that name.
        blobs: Where texts go that are too long for SWF.
        identity: What histories say of it.
        keep: How many histories are kept.
        lost_after: Seconds without a sign of life after which the worker of an activity that has
            no ``heartbeat_timeout`` is taken for lost, and the activity is run again.
        live: Of how many of them the code is kept as well, waiting in a thread of its own.
        events: Events of a history from which on a run goes on in a new execution, as soon as
            nothing is under way; SWF ends one that has 25,000.

    Attributes:
        begun: How often it has run the code of a workflow from its start.
        applied: How many events of logs it has told to code.
    """

    def __init__(  # noqa: PLR0913 - one a setting
        self,
        domain: Domain,
        task_list: str,
        workflows: Iterable[Any],
        *,
        activity_task_list: str = "default",
        blobs: Blobs | None = None,
        identity: str | None = None,
        keep: int = KEPT,
        lost_after: float | None = None,
        live: int = LIVE,
        events: int = EVENTS,
    ) -> None:
        super().__init__(domain, task_list, identity=identity)
        self.own_list = f"{task_list[:_LONGEST]}-{uuid.uuid4().hex}"
        self.keep, self.lost_after = keep, lost_after
        self.live, self.events = live, events
        self.begun = self.applied = 0
        self._kept: OrderedDict[str, _State] = OrderedDict()
        self._lock = threading.Lock()
        # One that nobody has any more leaves no threads; at the end of the process they end anyway.
        weakref.finalize(self, _let_go, self._kept).atexit = False
        given = list(workflows)
        known = [defined(workflow) for workflow in given]
        self._known = {TypeName(d.name, d.version): d for d in known}
        for workflow in given:  # and the children that their code names
            self._known = {**Code.of(workflow).workflows, **self._known}
        self._activity_task_list, self._blobs = activity_task_list, blobs
        self._seal: Seal = KeySeal()
        self._registered: set[tuple[str, TypeName]] = set()

    def decide(self, task: DecisionTask) -> list[Decision]:
        """Give the decisions for a task.

        Raises:
            NbflowError: There is no such workflow here, or its code disagrees with the history.
        """
        found = self.definition(task)
        state = self._state(task)
        reader = state.reader
        try:
            code = state.code = self._code(found, state)
            writer = Writer(
                reader,
                code.history,
                code.rules,
                self._activity_task_list,
                self.lost_after,
                self.events,
                self._former,
            )
            made = batch(decided(code, writer))
            self._register(made.now)
        except Invalid as error:
            state.forget()
            return [_failing(reader.texts, error)]
        except BaseException:
            state.forget()
            raise
        state.ended = writer.ended
        if code.over or any(decision.closing for decision in made.now):
            state.forget()
        if any(isinstance(decision, RecordMarker) for decision in made.later):
            state.forget()  # it has gone on from what will not be in the history as it was told
            state.reader = Reader(reader.texts)
        with self._lock:
            self._kept[task.token] = state  # for `handle`, once the answer was taken
        return made.now

    def _code(self, found: Definition, state: _State) -> KeptCode:
        """Give the code of an execution, told all that is in its log."""
        log = state.reader.see()
        if state.code is not None:
            known = state.code.length - len(state.code.noted)
            if state.code.tell(log):
                self.applied += len(log) - known
                return state.code
            state.forget()
        self.begun += 1
        self.applied += len(log)
        return KeptCode(found, log)

    def definition(self, task: DecisionTask) -> Definition:
        """Give the workflow that a task is about.

        Raises:
            NbflowError: There is none here.
        """
        found = self._known.get(task.type)
        if found is None:
            names = ", ".join(f"{name} {version}" for name, version in sorted(self._known))
            raise NbflowError(f"there is no workflow {' '.join(task.type)} here, only {names}")
        return found

    def _state(self, task: DecisionTask) -> _State:
        """Give what is known of an execution, its latest events included."""
        with self._lock:
            state = self._kept.pop(task.execution.run_id, None)
        events = task.events
        if state is None or not task.previous or state.reader.started != task.previous:
            if state is not None:
                state.forget()
            state = _State(Reader(Texts(task.execution.workflow_id, self._blobs, self._seal)))
            if events[0].id != 1:
                events = self._whole(task)
        try:
            state.reader.feed(event for event in events if event.id > state.reader.last)
        except BaseException:
            state.forget()
            raise
        return state

    def _whole(self, task: DecisionTask) -> list[HistoryEvent]:
        """Read the history up to a task, which has only the latest part."""
        whole = WorkflowExecution(
            api=self.api,
            domain=self.domain,
            workflow_id=task.execution.workflow_id,
            run_id=task.execution.run_id,
        )
        return list(itertools.takewhile(lambda e: e.id <= task.started, whole.events()))

    def handle(self, task: DecisionTask) -> bool:
        """Decide and answer; give whether the answer was taken."""
        taken = False
        try:
            taken = super().handle(task)
        finally:
            self._keep(task, taken=taken)
        return taken

    def _keep(self, task: DecisionTask, *, taken: bool) -> None:
        """Keep what is known of an execution if, and only if, the service took the answer."""
        gone: list[KeptCode] = []
        with self._lock:
            state = self._kept.pop(task.token, None)
            if state is not None and not taken:
                gone += state.give_up()
            elif state is not None:
                self._kept[task.execution.run_id] = state
                while len(self._kept) > self.keep:
                    gone += self._kept.popitem(last=False)[1].give_up()
                waiting = [s for s in self._kept.values() if s.code is not None]
                for other in waiting[: max(0, len(waiting) - self.live)]:
                    gone += other.give_up()  # here, lest the other thread goes on with it
        for code in gone:
            code.stop()
        if taken and state is not None:
            self._end(state.ended)

    def _end(self, children: Iterable[str]) -> None:
        """Terminate children that are not to outlive their call; one that is over is no matter."""
        for workflow_id in children:
            try:
                self.api.call(
                    "TerminateWorkflowExecution",
                    domain=self.domain.name,
                    workflowId=workflow_id,
                    reason="its parent gave it up",
                )
            except DoesNotExist:
                _log.debug("%s is over already", workflow_id)

    def _former(self, workflow_id: str) -> list[Event]:
        """Give the log of the latest execution of a workflow id."""
        try:
            found = WorkflowExecutionQuerySet(self.domain).get(workflow_id)
        except DoesNotExist:
            return []
        reader = Reader(Texts(workflow_id, self._blobs, self._seal))
        reader.feed(found.events())
        return reader.all()

    def next_list(self) -> dict[str, Any]:
        """Ask for the next tasks at the own list; when this decider ends, at the common one."""
        if self._over.is_set() or not self.keep:
            return {"next_list": self.task_list}
        return {"next_list": self.own_list, "next_seconds": STICKY_SECONDS}

    def step(self) -> bool:
        """Poll the common list once; give whether there was a task."""
        return self._step("")

    def step_own(self) -> bool:
        """Poll the list of this decider once; give whether there was a task."""
        return self._step(self.own_list)

    def _step(self, task_list: str) -> bool:
        task = self.poll(task_list, news_only=bool(task_list))
        if task is not None:
            self.handle(task)
        return task is not None

    def run(self) -> None:
        """Take tasks of both lists until `stop`.

        Raises:
            SwfError: The service refuses to hand out tasks.
        """
        errors: list[BaseException] = []

        def own() -> None:
            try:
                self.repeat(self.step_own)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits for it
                errors.append(error)
                self.stop()

        thread = threading.Thread(target=own, name=f"decider of {self.own_list}", daemon=True)
        thread.start()
        try:
            super().run()
        except BaseException:
            self.stop()  # its poll may take a minute, which nobody waits for now
            raise
        thread.join()
        self.close()
        if errors:
            raise errors[0]

    def close(self) -> None:
        """End the code that waits, and its threads; what comes later begins from its history."""
        with self._lock:
            gone = [code for state in self._kept.values() for code in state.give_up()]
        for code in gone:
            code.stop()

    def _register(self, decisions: Iterable[Decision]) -> None:
        """Register types before something of them is scheduled for the first time."""
        for decision in decisions:
            if isinstance(decision, ScheduleActivityTask):
                self._register_type("RegisterActivityType", decision.activity_type)
            elif isinstance(decision, StartChildWorkflowExecution):
                self._register_type("RegisterWorkflowType", decision.workflow_type)

    def _register_type(self, operation: str, kind: TypeName) -> None:
        if (operation, kind) in self._registered:
            return
        try:
            self.api.call(operation, domain=self.domain.name, **kind._asdict())
        except AlreadyExists:
            _log.debug("%s is registered already", kind)
        self._registered.add((operation, kind))


def _let_go(kept: dict[str, _State]) -> None:
    """End the code of a decider that is gone. Nothing is waited for: anybody's thread does this."""
    for state in kept.values():
        for code in state.give_up():
            code.let_go()


def _failing(texts: Texts, error: Invalid) -> Decision:
    """Fail a run that wants what cannot be had: another decision would want the same."""
    failure = replace(Failure.of(error), pickled=None)
    text = texts.write("closed", RunClosed(0, 0.0, "failed", None, failure))
    return FailWorkflowExecution(reason=shortened(f"Invalid: {error}", REASON), details=text)
