"""Runs nbflow's activities for SWF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from nbflow.core.activity import Activity
from nbflow.core.errors import NbflowError
from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallSucceeded,
    Event,
    Report,
)
from nbflow.core.failure import Failure
from nbflow.core.seals import Seal
from nbflow.engine.job import Answer, Code, Job, no_blobs, run_job
from nbflow.services.swf.actors import ActivityWorker
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import Invalid
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.tasks import ActivityTask, shortened
from nbflow.services.swf.wire import TypeName

Around = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Puts something around a function."""


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
        around: Puts functions around each attempt, see `nbflow.engine.around`.
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
        around: Around | None = None,
    ) -> None:
        super().__init__(domain, task_list, identity=identity, heartbeat=heartbeat)
        self._known = {activity.name: activity for activity in activities}
        self._blobs, self._around = blobs, around
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
            if note.words[-1] != task.id:
                raise Invalid(f"the input of {task.id} is that of {note.words[-1]}: it was not run")
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
        fn = activity.fn if self._around is None else self._around(activity.fn)
        return Job(
            run=task.execution.workflow_id,
            call=asked.call,
            attempt=attempt,
            code=Code(activity.name, fn),
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
