"""Runs that are calls of other runs: the executor that starts, follows and stops them."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING

from nbflow.core.capture import capture
from nbflow.core.child import CHILD, Child
from nbflow.core.errors import RunCancelled, RunNotFound, StoreConflict
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Answer, Job, arguments, keywords
from nbflow.running.origin import Origin, changed_options

if TYPE_CHECKING:
    from nbflow.running.session import Session


class Children:
    """The child runs of one run, as an executor: one thread a child, which executes its code.

    Args:
        parent: The session of the run that calls them.
    """

    name = CHILD
    slots = 1_000_000
    in_process = True

    def __init__(self, parent: Session) -> None:
        self._parent = parent
        self._open: dict[Job, Session | None] = {}
        self._lock = threading.Lock()

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Begin a child run, or go on with it if it has begun before."""
        self._open[job] = None
        run = contextvars.copy_context().run
        name = f"nbflow {self._id(job)}"
        threading.Thread(target=run, args=(self._run, job, inbox), name=name, daemon=True).start()

    def give_up(self, job: Job, /) -> bool:
        """Stop a child run as it says that it is to be stopped when its parent ends.

        Where the parent is only left, to be resumed, so is the child.
        """
        with self._lock:
            session = self._open.pop(job, None)
        live, child = self._parent.live, _child(job)
        if live.left:
            if session is not None:
                session.leave()
            return True
        policy = child.settings.parent_close
        if policy == "abandon" and live.ending:
            return False
        if session is not None:
            session.live.cancel_run(f"its parent {self._parent.run} gave it up")
            if policy == "terminate":
                session.live.terminate()
        return True

    def close(self) -> None:
        """Nothing to let go of: each child ends with its thread."""

    def _id(self, job: Job) -> str:
        return self._parent.history.children[job.call]

    def _run(self, job: Job, inbox: Inbox) -> None:
        began = time.time()
        run = self._id(job)
        try:
            history = self._driven(job, inbox, run)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why there is no result
            answer = Answer(_report(run, began), error=Failure.of(error))
        else:
            if history is None:
                return  # left to be resumed
            answer = _answer(run, began, history)
        self._open.pop(job, None)
        if not job.dropped:
            inbox.ended(job, answer)

    def _driven(self, job: Job, inbox: Inbox, run: str) -> History | None:
        """Drive a child to its end, and give its history; None if it is not over."""
        from nbflow.running.session import known  # noqa: PLC0415 - sessions have children

        while True:
            driven = known(run, self._parent.store)
            if driven is not None:  # an abandoned one, or one that is still being stopped
                self._open[job] = driven
                driven.done.result()
            history = self._known(run)
            if history is None or not _answers(history):
                session = self._session(job, run, history)
                session.surround(self._parent.carried)
                inbox.began(job, run, time.time())
                if not self._driven_here(job, session):
                    return None
                while session.successor is not None:
                    session = session.successor
                    if not self._driven_here(job, session):
                        return None
                history = session.history
            if history.continued is None:
                return history
            run = history.continued.run

    def _driven_here(self, job: Job, session: Session) -> bool:
        """Drive a run of a child; tell whether it was brought to its end.

        One whose call was given up meanwhile does not begin, and is not left open either, unless
        its parent is only left, to be resumed.
        """
        with self._lock:  # whoever gives up a call finds its run here, or it sees that here
            if not job.dropped:
                self._open[job] = session
        session.chained = False
        if not job.dropped:
            return not session.drive_here()
        if not self._parent.live.left:
            session.live.cancel_run(f"its parent {self._parent.run} gave it up")
            session.live.terminate()
        session.abandon()
        return False

    def _known(self, run: str) -> History | None:
        try:
            return History.of(self._parent.store.events(run))
        except RunNotFound:
            return None

    def _session(self, job: Job, run: str, history: History | None) -> Session:
        """Open the child: anew, or where its log ends."""
        from nbflow.running import opening  # noqa: PLC0415 - sessions have children

        parent, child = self._parent, _child(job)
        place = parent.place if child.place is None else child.place
        frozen = changed_options(capture(child.target), child.changes)
        if history is not None:
            how = opening.Anew(f"attempt {job.attempt} of its parent's call")
            return opening.reopen(run, child.target, parent.store, place, how, frozen)
        given = (arguments(job), keywords(job))
        own = frozen.definition.tags_of(*given)
        origin = Origin(
            run=run,
            parent=parent.run,
            call=job.call,
            tags=child.settings.tags or own or parent.tags,
            changes=child.changes,
        )
        try:
            return opening.create(child.target, place, *given, origin, parent.store, frozen)
        except StoreConflict:  # somebody else was quicker: the log tells how far it is
            how = opening.Anew("its parent was resumed")
            return opening.reopen(run, child.target, parent.store, place, how, frozen)


def _child(job: Job) -> Child:
    child = job.code.fn
    assert isinstance(child, Child)  # noqa: S101 - nothing else has this executor
    return child


def _answers(history: History) -> bool:
    """Whether how a child ended is how its call ends, rather than to be tried again."""
    closed = history.closed
    if closed is None:
        return False
    return closed.status in {"completed", "continued"}


def _answer(run: str, began: float, history: History) -> Answer:
    closed = history.closed
    report = _report(run, began)
    if closed is None or closed.status == "cancelled":
        return Answer(report, error=Failure.of(RunCancelled(f"child run {run} was cancelled")))
    return Answer(report, closed.result, closed.error)


def _report(run: str, began: float) -> Report:
    return Report.between(run, began, time.time())
