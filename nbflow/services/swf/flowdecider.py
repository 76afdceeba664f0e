"""Decides runs of nbflow's workflows on SWF."""

from __future__ import annotations

import itertools
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from nbflow.core.decide import decide
from nbflow.core.definition import Definition
from nbflow.core.errors import NbflowError
from nbflow.core.events import (
    RunClosed,
)
from nbflow.core.failure import Failure
from nbflow.core.seals import Seal
from nbflow.services.swf.actors import Decider
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
from nbflow.services.swf.flows import defined
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.tasks import REASON, DecisionTask, shortened
from nbflow.services.swf.wire import TypeName

_log = logging.getLogger(__name__)
_LONGEST: Final = 200
KEPT: Final = 1_000
"""How many histories a decider keeps."""
STICKY_SECONDS: Final = 10.0
"""Seconds after which another decider is asked, if the one that knows an execution is gone."""


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
        known = [defined(workflow) for workflow in workflows]
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
        with self._lock:
            self._kept[task.token] = reader  # for `handle`, once the answer was taken
        return now

    def _reader(self, task: DecisionTask) -> Reader:
        """Give what is known of an execution, its latest events included."""
        with self._lock:
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
        taken = False
        try:
            taken = super().handle(task)
        finally:
            self._keep(task, taken=taken)
        return taken

    def _keep(self, task: DecisionTask, *, taken: bool) -> None:
        """Keep what is known of an execution if, and only if, the service took the answer."""
        with self._lock:
            reader = self._kept.pop(task.token, None)
            if taken and reader is not None:
                self._kept[task.execution.run_id] = reader
                while len(self._kept) > self.keep:
                    self._kept.popitem(last=False)

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
