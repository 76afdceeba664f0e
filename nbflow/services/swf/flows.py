"""Workflows and activities of nbflow on SWF: how they are started, decided, run and read.

::

    execution = start_workflow(domain, revenue, (["eu", "us"],))
    WorkflowDecider(domain, "default", [revenue]).run()
    WorkflowWorker(domain, "default", [fetch, convert]).run()
    run_events(execution)                   # the events of the run: for Graph.of, Profile.of
"""

from __future__ import annotations

import itertools
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from nbflow.core.activity import Activity
from nbflow.core.decide import decide
from nbflow.core.definition import Definition, definition
from nbflow.core.errors import NbflowError
from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallSucceeded,
    Event,
    Report,
    RunClosed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.payload import pack
from nbflow.core.seals import Seal
from nbflow.engine.job import Answer, Code, Job, no_blobs, run_job
from nbflow.services.swf.actors import ActivityWorker, Decider
from nbflow.services.swf.batches import batch
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.codec.writing import FIRST, Writer
from nbflow.services.swf.decisions import Decision, FailWorkflowExecution, ScheduleActivityTask
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import AlreadyExists, Invalid
from nbflow.services.swf.events import HistoryEvent
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.tasks import REASON, ActivityTask, DecisionTask, shortened
from nbflow.services.swf.wire import TypeName
from nbflow.store.ids import new_id

_log = logging.getLogger(__name__)
_LONGEST: Final = 200
KEPT: Final = 1_000
"""How many histories a decider keeps."""
STICKY_SECONDS: Final = 10.0
"""Seconds after which another decider is asked, if the one that knows an execution is gone."""
EXECUTION_SECONDS: Final = 86_400.0
DECISION_SECONDS: Final = 60.0
"""Seconds that a decision may take: if a decider is lost, another one is asked after that."""


def start_workflow(  # noqa: PLR0913 - one a setting of SWF
    domain: Domain,
    workflow: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    workflow_id: str | None = None,
    task_list: str | None = None,
    tags: tuple[str, ...] = (),
    execution_timeout: float = EXECUTION_SECONDS,
    decision_timeout: float = DECISION_SECONDS,
    blobs: Blobs | None = None,
) -> WorkflowExecution:
    """Start a workflow on SWF. Its type is registered if that was not done yet.

    Args:
        domain: Where.
        workflow: What `nbflow.workflow` made, or a `nbflow.Workflow` class.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        workflow_id: By default a new one with the workflow's name in it.
        task_list: Where deciders look for it; by default the workflow's own.
        tags: Up to five words that it is found by.
        execution_timeout: Seconds that it may take.
        decision_timeout: Seconds that a decision may take.
        blobs: Where texts go that are too long for SWF.

    Raises:
        TypeError: The workflow does not take these arguments.
        Unserialisable: An argument cannot be stored.
        Refused: SWF says no; `AlreadyExists` if that workflow id is open.

    Example:
        ``start_workflow(domain, revenue, (["eu"],), {"rate": 1.1})``
    """
    known, named = definition(workflow), dict(kwargs or {})
    known.signature.bind(*args, **named)
    run = workflow_id or new_id(known.name)
    event = RunStarted(
        seq=1,
        at=0.0,
        workflow=known.name,
        args=tuple(pack(a, f"argument {n} of {known.name}") for n, a in enumerate(args)),
        kwargs={k: pack(v, f"argument {k} of {known.name}") for k, v in named.items()},
        on="swf",
        seed=run,
        tags=tags,
    )
    kind = WorkflowType(api=domain.api, domain=domain, name=known.name, version=known.version)
    if not kind.exists:
        kind.save()
    return kind.start(
        run,
        tags=tags,
        input=Texts(run, blobs, KeySeal()).write("run", event),
        task_list=task_list or known.task_list,
        execution_timeout=execution_timeout,
        decision_timeout=decision_timeout,
        child_policy="TERMINATE",
    )


def run_events(execution: WorkflowExecution, *, blobs: Blobs | None = None) -> list[Event]:
    """Give the events of a run so far, as a log of nbflow has them.

    Args:
        execution: Open or closed.
        blobs: Where texts are that were too long for SWF.

    Raises:
        HistoryBroken: It was not started by `start_workflow`.

    Example:
        ``Graph.of(run_events(execution))``
    """
    reader = Reader(Texts(execution.workflow_id, blobs, KeySeal()))
    reader.feed(execution.events())
    return reader.all()


class WorkflowDecider(Decider):
    """Decides runs of workflows, by their names.

    Each decision runs the workflow's code from its start. What the code asks for is compared with
    the history; where the two differ nothing is answered, so that the run goes on once the code is
    mended.

    What was read of a history is kept, and the next decisions of the execution are asked of this
    decider, at a task list of its own, so every event is read once. If nobody takes such a task
    for some seconds, any decider of the common list gets it, and reads the whole history.

    Args:
        domain: Where.
        task_list: Name of the task list.
        workflows: What `nbflow.workflow` made, or `nbflow.Workflow` classes.
        activity_task_list: Where activities go whose task list is ``default``; by default a
            list of that name.
        blobs: Where texts go that are too long for SWF.
        identity: What histories say of it.
        keep: How many histories are kept.
    """

    def __init__(
        self,
        domain: Domain,
        task_list: str,
        workflows: Iterable[Any],
        *,
        activity_task_list: str = "default",
        blobs: Blobs | None = None,
        identity: str | None = None,
        keep: int = KEPT,
    ) -> None:
        super().__init__(domain, task_list, identity=identity)
        self.own_list = f"{task_list[:_LONGEST]}-{uuid.uuid4().hex}"
        self.keep = keep
        self._kept: OrderedDict[str, Reader] = OrderedDict()
        self._lock = threading.Lock()
        known = [definition(workflow) for workflow in workflows]
        self._known = {TypeName(d.name, d.version): d for d in known}
        self._activity_task_list, self._blobs = activity_task_list, blobs
        self._seal: Seal = KeySeal()
        self._registered: set[TypeName] = set()

    def decide(self, task: DecisionTask) -> list[Decision]:
        """Give the decisions for a task.

        Raises:
            NbflowError: There is no such workflow here, or its code disagrees with the history.
        """
        found = self._known.get(task.type)
        if found is None:
            names = ", ".join(f"{name} {version}" for name, version in sorted(self._known))
            raise NbflowError(f"there is no workflow {' '.join(task.type)} here, only {names}")
        reader = self._reader(task)
        writer = Writer(reader, self._activity_task_list)
        try:
            now = batch(_decided(found, reader, writer)).now
        except Invalid as error:
            return [_failing(reader.texts, error)]
        self._register(now)
        # Kept by `handle`, once the answer was taken.
        self._kept[task.token] = reader
        return now

    def _reader(self, task: DecisionTask) -> Reader:
        """Give what is known of an execution, its latest events included."""
        reader = self._kept.pop(task.execution.run_id, None)
        events = task.events
        if reader is None or not task.previous or reader.started != task.previous:
            reader = Reader(Texts(task.execution.workflow_id, self._blobs, self._seal))
            if events[0].id != 1:
                events = self._whole(task)
        reader.feed(event for event in events if event.id > reader.last)
        return reader

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
        taken = super().handle(task)
        with self._lock:
            reader = self._kept.pop(task.token, None)
            if taken and reader is not None:
                self._kept[task.execution.run_id] = reader
                while len(self._kept) > self.keep:
                    self._kept.popitem(last=False)
        return taken

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
        """Take tasks of both lists until `stop`."""
        own = threading.Thread(target=self.repeat, args=(self.step_own,), daemon=True)
        own.start()
        super().run()
        own.join()

    def _register(self, decisions: Iterable[Decision]) -> None:
        """Register the types of activities before they are scheduled for the first time."""
        for decision in decisions:
            if isinstance(decision, ScheduleActivityTask):
                kind = decision.activity_type
                if kind not in self._registered:
                    self._registered.add(kind)
                    self._register_type(kind)

    def _register_type(self, kind: TypeName) -> None:
        try:
            self.api.call("RegisterActivityType", domain=self.domain.name, **kind._asdict())
        except AlreadyExists:
            _log.debug("%s is registered already", kind)


def _decided(found: Definition, reader: Reader, writer: Writer) -> list[Decision]:
    """Decide until nothing is to be written first; give all decisions.

    What is written into the history by the decider itself (values from outside, what is given up)
    may be what the code waits for: so it is in the log before the code runs once more.
    """
    log = [*reader.see()]
    written: list[Decision] = []
    while True:
        commands = decide(found.fn, log, reader.now, options=found.settings)
        first = [command for command in commands if isinstance(command, FIRST)]
        if not first:
            return [*written, *writer.write(commands)]
        for command in first:
            event, decisions = writer.note(command, len(log) + 1)
            log.append(event)
            written += decisions


def _failing(texts: Texts, error: Invalid) -> Decision:
    """Fail a run that wants what cannot be had: another decision would want the same."""
    failure = replace(Failure.of(error), pickled=None)
    text = texts.write("closed", RunClosed(0, 0.0, "failed", None, failure))
    return FailWorkflowExecution(reason=shortened(f"Invalid: {error}", REASON), details=text)


class WorkflowWorker(ActivityWorker):
    """Runs activities of nbflow, by their names, one at a time.

    Args:
        domain: Where.
        task_list: Name of the task list.
        activities: What `nbflow.activity` made. One of another version than is asked for is
            not run: the attempt fails and says so.
        blobs: Where texts go that are too long for SWF.
        identity: What histories say of it.
        heartbeat: Seconds between two signs of life.
    """

    def __init__(
        self,
        domain: Domain,
        task_list: str,
        activities: Iterable[Activity[..., Any]],
        *,
        blobs: Blobs | None = None,
        identity: str | None = None,
        heartbeat: float | None = None,
    ) -> None:
        super().__init__(domain, task_list, identity=identity, heartbeat=heartbeat)
        self._known = {activity.name: activity for activity in activities}
        self._blobs = blobs
        self._seal: Seal = KeySeal()

    def perform(self, task: ActivityTask) -> str | None:
        """Run an activity that is not of a workflow of nbflow: with its input as it is."""
        given = () if task.input is None else (task.input,)
        result: Any = self._activity(task.type).fn(*given)
        return None if result is None else str(result)

    def outcome(self, task: ActivityTask) -> Callable[[], None]:
        """Run an attempt; give what says to the service how it ended."""
        texts = Texts(task.execution.workflow_id, self._blobs, self._seal)
        try:
            note = texts.read(task.input)
            if note is None:
                return super().outcome(task)
            asked, *inputs = note.events
            assert isinstance(asked, CallScheduled)  # noqa: S101 - that is what we write
            job = self._job(task, asked, int(note.words[1]), inputs)
        except NbflowError as error:
            return self._failing(task, texts, CallFailed(0, 0.0, task.id, 1, Failure.of(error)))
        return self._said(task, texts, job, run_job(job, self.identity, shared=False))

    def _activity(self, kind: TypeName) -> Activity[..., Any]:
        found = self._known.get(kind.name)
        if found is None:
            names = ", ".join(sorted(self._known))
            raise Invalid(f"there is no activity {kind.name} at this worker, only {names}")
        if found.settings.version != kind.version:
            raise Invalid(
                f"version {kind.version} of {kind.name} was asked for, and this worker has version "
                f"{found.settings.version}: it was not run"
            )
        return found

    def _job(
        self, task: ActivityTask, asked: CallScheduled, attempt: int, inputs: Iterable[Event]
    ) -> Job:
        activity = self._activity(task.type)
        return Job(
            run=task.execution.workflow_id,
            call=asked.call,
            attempt=attempt,
            code=Code(activity.name, activity.fn),
            args=asked.args,
            kwargs=asked.kwargs,
            inputs={e.call: e.result for e in inputs if isinstance(e, CallSucceeded)},
            live=None,
            timeout=None,
            fetch=no_blobs,
        )

    def _said(
        self, task: ActivityTask, texts: Texts, job: Job, answer: Answer
    ) -> Callable[[], None]:
        if answer.error is not None:
            failed = CallFailed(0, 0.0, job.call, job.attempt, answer.error, None, answer.report)
            return self._failing(task, texts, failed)
        report: Report = answer.report
        done = CallSucceeded(0, 0.0, job.call, job.attempt, answer.result, *report)
        try:
            text = texts.write(f"result {job.attempt} {task.id}", done)
        except NbflowError as error:
            error.add_note("The activity ran to its end, so its side effects have happened.")
            lost = Failure.of(error)
            failed = CallFailed(0, 0.0, job.call, job.attempt, lost, None, report)
            return self._failing(task, texts, failed)
        return lambda: self.complete(task, text)

    def _failing(self, task: ActivityTask, texts: Texts, failed: CallFailed) -> Callable[[], None]:
        error = failed.error
        words = f"error {failed.attempt} {task.id}"
        try:
            text = texts.write(words, failed)
        except NbflowError:
            # Nowhere to keep all of it: what it was, and what it said as far as there is room.
            short = replace(error, pickled=None, frames=(), message=shortened(error.message, 4000))
            text = texts.write(words, failed._replace(error=short))
        return lambda: self.fail(task, f"{error.kind}: {error.message}", text)
