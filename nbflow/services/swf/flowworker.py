"""Runs nbflow's activities for SWF."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.activity import Activity
from nbflow.core.errors import ActivityCancelled, NbflowError
from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallSucceeded,
    CallWrote,
    Event,
    Report,
)
from nbflow.core.failure import Failure
from nbflow.core.seals import Seal
from nbflow.engine import streams
from nbflow.engine.job import Answer, Code, Job, no_blobs, run_job
from nbflow.services.swf.actors import ActivityWorker, persisting
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.records import LIVELY, flag
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import Invalid, SwfError
from nbflow.services.swf.meanwhile import Speaker, place_of
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.tasks import ActivityTask, shortened
from nbflow.services.swf.wire import TypeName

if TYPE_CHECKING:
    from nbflow.engine.output import Piece

_log = logging.getLogger(__name__)
_BEATS: Final = 3
_PACE: Final = 10.0
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
        heartbeat: Seconds between two signs of life that the worker gives by itself; None: there
            are those alone that the code of the activity gives.
        aloud: The directory where those who look on find what activities write and how far they
            say they are, while they run; "" for nowhere.
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
        aloud: str = "",
    ) -> None:
        super().__init__(domain, task_list, identity=identity, heartbeat=heartbeat)
        self._known = {activity.name: activity for activity in activities}
        self._blobs, self._around = blobs, around
        self._seal: Seal = KeySeal()
        self._aloud = aloud
        self._running: Job | None = None
        self._speaker: Speaker | None = None

    def step(self) -> bool:
        """See `ActivityWorker.step`."""
        try:
            return super().step()
        finally:
            speaker, self._speaker, self._running = self._speaker, None, None
            if speaker is not None:
                speaker.drop()

    def beat(self, task: ActivityTask, details: str | None = None) -> bool:
        """See `ActivityWorker.beat`; the code of the activity can tell that it is to give up."""
        asked = super().beat(task, details)
        if (asked or task.gone.is_set()) and self._running is not None:
            self._running.dropped = True
        return asked

    def perform(self, task: ActivityTask) -> str | None:
        """Run an activity that is not of a workflow of nbflow: with its input as it is."""
        given = () if task.input is None else (task.input,)
        result: Any = self._activity(task.type).fn(*given)
        return None if result is None else str(result)

    def outcome(self, task: ActivityTask) -> Callable[[], None]:
        """Run an attempt; give what says to the service how it ended."""
        texts = Texts(task.execution.workflow_id, self._blobs, self._seal)
        try:
            note = persisting(lambda: texts.read(task.input))
            if note is None:
                return super().outcome(task)
            if note.words[-1] != task.id:
                raise Invalid(f"the input of {task.id} is that of {note.words[-1]}: it was not run")
            asked, *inputs = note.events
            assert isinstance(asked, CallScheduled)  # noqa: S101 - that is what we write
            job = self._job(task, asked, int(note.words[1]), inputs)
        except NbflowError as error:
            return self._failing(task, texts, CallFailed(0, 0.0, task.id, 1, Failure.of(error)))
        limit = float(flag(frozenset(note.words), LIVELY) or 0)
        with self._lively(task, limit), streams.recording(job, streams.rules()) as recorder:
            self._running, speaker = job, self._speaking(task, recorder, limit)
            answer = run_job(job, self.identity, shared=False)
        wrote = _written(job, speaker.end())
        if task.cancel_requested.is_set() and _gave_up(answer):
            return lambda: self.cancel(task, "it gave up")
        return self._said(task, texts, job, answer, wrote)

    @contextmanager
    def _lively(self, task: ActivityTask, limit: float) -> Iterator[None]:
        """Give signs of life more often, where the activity's own limit asks for that."""
        every, over = limit / _BEATS, threading.Event()
        wanted = limit and self.heartbeat is not None and every < self.heartbeat
        thread = self._beating(task, over, every) if wanted else None
        try:
            yield
        finally:
            over.set()
            if thread is not None:
                thread.join()

    def _speaking(self, task: ActivityTask, recorder: streams.Recorder, limit: float) -> Speaker:
        """Have what an attempt says heard while it runs."""

        def sign(details: str) -> None:
            try:
                self.beat(task, details)
            except SwfError as error:
                _log.warning("no sign of life for %s: %s", task.id, error)

        path = place_of(self._aloud, task.execution.run_id, task.id) if self._aloud else None
        pace = limit / _BEATS if limit else self.heartbeat or _PACE
        speaker = self._speaker = Speaker(recorder, path, sign, pace)
        vars(recorder)["beat"] = speaker.beat  # where an attempt's signs of life go
        return speaker

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
        self, task: ActivityTask, texts: Texts, job: Job, answer: Answer, wrote: list[CallWrote]
    ) -> Callable[[], None]:
        if answer.error is not None:
            failed = CallFailed(0, 0.0, job.call, job.attempt, answer.error, None, answer.report)
            return self._failing(task, texts, failed, wrote)
        report: Report = answer.report
        done = CallSucceeded(0, 0.0, job.call, job.attempt, answer.result, *report)
        try:
            text = fitting(texts, f"result {job.attempt} {task.id}", done, wrote)
        except NbflowError as error:
            error.add_note("The activity ran to its end, so its side effects have happened.")
            lost = Failure.of(error)
            failed = CallFailed(0, 0.0, job.call, job.attempt, lost, None, report)
            return self._failing(task, texts, failed, wrote)
        return lambda: self.complete(task, text)

    def _failing(
        self,
        task: ActivityTask,
        texts: Texts,
        failed: CallFailed,
        wrote: Sequence[CallWrote] = (),
    ) -> Callable[[], None]:
        error = failed.error
        words = f"error {failed.attempt} {task.id}"
        try:
            text = fitting(texts, words, failed, wrote)
        except NbflowError:
            # Nowhere to keep all of it: what it was, and what it said as far as there is room.
            short = replace(error, pickled=None, frames=(), message=shortened(error.message, 4000))
            text = fitting(texts, words, failed._replace(error=short), wrote)
        return lambda: self.fail(task, f"{error.kind}: {error.message}", text)


def _gave_up(answer: Answer) -> bool:
    return answer.error is not None and answer.error.matches(ActivityCancelled)


def _written(job: Job, pieces: Iterable[Piece]) -> list[CallWrote]:
    """Give what an attempt has printed and logged, as events."""
    return [CallWrote(0, 0.0, job.call, job.attempt, *piece) for piece in pieces]


def fitting(texts: Texts, words: str, end: Event, wrote: Sequence[CallWrote]) -> str:
    """Write how an attempt ended, with as much of what it wrote as there is room for.

    Raises:
        NbflowError: Even the end alone is too long, and there is nowhere to keep it.
    """
    whole = sum(len(each.text) for each in wrote)
    most = whole
    while most:
        try:
            return _kept(texts, words, end, *_cut(wrote, most, whole))
        except Invalid:
            most //= 2
    return _kept(texts, words, end)


def _kept(texts: Texts, words: str, *events: Event) -> str:
    """Write a text; a store that cannot be had for a moment costs none."""
    return persisting(lambda: texts.write(words, *events))


def _cut(wrote: Sequence[CallWrote], most: int, whole: int) -> Iterator[CallWrote]:
    """Give what was written up to so many characters, and say what is not kept."""
    left = most
    for each in wrote:
        if len(each.text) >= left and most < whole:
            kept = each.text[:left]
            text = f"{kept}\n" if kept and not kept.endswith("\n") else kept
            note = (
                f"… the rest is not kept: SWF has no room ({whole - most:,} characters dropped)\n"
            )
            yield each._replace(text=text + note)
            return
        left -= len(each.text)
        yield each
