"""One drive of one run in this process: the thread of its workflow's code, and its engine."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import contextvars
import sys
import threading
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nbflow.core.capture import Captured, capture
from nbflow.core.child import CHILD
from nbflow.core.ending import Ending, perform
from nbflow.core.errors import (
    Continued,
    DefinitionError,
    NondeterminismError,
    RunError,
    StoreConflict,
    StoreError,
)
from nbflow.core.events import RunResumed, RunStarted
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.payload import Stored, pack, spill
from nbflow.core.payload import check as check_pickle
from nbflow.core.recorded import WhichCode, python, record
from nbflow.core.redact import redact
from nbflow.core.workflow import Place, Target, Workflow, WorkflowFunction
from nbflow.engine import streams
from nbflow.engine.around import Middlewares
from nbflow.engine.clock import clock
from nbflow.engine.live import Live
from nbflow.running.children import Children
from nbflow.running.config import MEMORY, settings
from nbflow.running.leases import Held
from nbflow.running.nesting import depth_here
from nbflow.running.onward import continued, take_over
from nbflow.running.origin import BY_HAND, Origin, changed_options, create_as
from nbflow.running.post import Mailbox, deliver
from nbflow.store.base import Store
from nbflow.store.ids import new_id
from nbflow.store.unbroken import Unbroken

MOST_RESUMES = 100
"""A run that was resumed so often is not resumed again unasked."""
sessions: weakref.WeakValueDictionary[str, Session] = weakref.WeakValueDictionary()
"""The runs that this process drives or has driven and still has a handle of, by id."""


def _finish() -> None:
    """Let a script's runs end before its process does; say so if one failed unseen.

    A notebook or an interactive interpreter that is closed means it: its runs can be resumed.
    """
    if "ipykernel" in sys.modules or hasattr(sys, "ps1"):
        return
    for session in list(sessions.values()):
        if session.done.done():
            continue
        try:
            session.done.result()
        except KeyboardInterrupt:
            session.live.cancel_run("interrupted")
            continue
        closed = session.history.closed
        if closed is not None and closed.error is not None:
            error = closed.error
            sys.stderr.write(f"run {session.run} failed: {error.kind}: {error.message}\n")


atexit.register(_finish)


def known(run: str, store: Store) -> Session | None:
    """Give the session of a run of that store, if this process has one."""
    found = sessions.get(run)
    if found is None or found.store is store:
        return found
    same = found.store.path == store.path and store.path != MEMORY
    return found if same else None


class Session:
    """Drives a run from its log's present end to its close.

    Attributes:
        run: The run's id.
        target: The workflow as the user defined it.
        done: Done when the run is closed, or no longer driven here.
        error: Why it is no longer driven here though it is not closed, or None.
    """

    def __init__(
        self,
        run: str,
        target: Target,
        frozen: Captured,
        store: Store,
        place: Place,
        history: History | None = None,
    ) -> None:
        self.run = run
        self.target = target
        self.place = place
        self.store = store
        self.frozen = frozen
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.error: BaseException | None = None
        self.successor: Session | None = None
        """The run that it goes on in, for whoever drives it on."""
        self.chained = True
        """Whether it begins that run itself."""
        self.depth = 0
        """How many runs it is within, by way of activities that have started them."""
        self._held: Held | None = None
        self.history = history or History()
        for event in store.events(run, self.history.last):
            self.history.apply(event)
        own = settings.executor(place)

        children = Children(self)

        def resolve(wanted: Any) -> Any:
            if wanted is None:
                return own
            return children if wanted == CHILD else settings.executor(Place(wanted))

        self.live = Live(store, run, self.history, resolve)
        if settings.middleware != Middlewares():
            self.live.surround(settings.middleware.around)
        self.live.on_over.append(self._settle)
        self.interpreter = Interpreter(self.history, self.live, store.get, run)
        recall = self.interpreter.recall
        recall.code, recall.captured = frozen.code, frozen.names
        self.mailbox = Mailbox(self)
        self.live.fetch_mail = self.mailbox.listen
        self.live.deliver = partial(deliver, store)
        self.live.largest = settings.largest_result
        self.live.bind(frozen.definition.settings)
        self.inline = own.name == "inline"
        sessions[run] = self

    def claim(self, *, force: bool = False) -> None:
        """Become the one process that drives the run.

        Raises:
            RunError: Another one does.
            StoreError: It could not be written.
        """
        self._held = Held(self.store, self.run, self._halt, force=force)

    @property
    def tags(self) -> tuple[str, ...]:
        """Words that the run is found by."""
        return self.history.started.tags if self.history.started is not None else ()

    def begin(self) -> None:
        """Run the workflow's code: in a thread of its own, or here if its calls are inline."""
        if self.inline:
            session: Session | None = self
            while session is not None:  # one after the other, not one within the other
                session.chained = False
                session.drive_here()
                session = session.successor
            return
        self._listen()
        run = contextvars.copy_context().run
        name = f"nbflow {self.run}"
        threading.Thread(target=run, args=(self._drive,), name=name, daemon=True).start()

    def drive_here(self) -> bool:
        """Run the workflow's code in this thread; tell whether the run was left before its end."""
        self._listen()
        self._drive()
        return self.history.closed is None

    def leave(self) -> None:
        """Drive the run no longer, so that it can be resumed."""
        self._halt(RunError(f"run {self.run} is left: the run that called it is driven no more"))

    def _listen(self) -> None:
        streams.use(settings.output_rules())
        streams.listen(self.run, self.live)
        self.live.on_over.insert(0, partial(streams.unlisten, self.run))

    def _drive(self) -> None:
        started = self.history.started
        assert started is not None  # noqa: S101 - every log begins with it
        live, unpack = self.live, self.interpreter.unpack
        definition = self.frozen.definition
        try:
            args = [unpack(a) for a in started.args]
            kwargs = {k: unpack(v) for k, v in started.kwargs.items()}
            rules = definition.settings
            self._end(perform(self.interpreter, definition.fn, rules, args, kwargs))
        except (NondeterminismError, StoreError) as error:
            self._halt(error)
        except BaseException as error:  # noqa: BLE001 - arguments that cannot be had again
            live.close("failed", error=Failure.of(error))
        self._settle()

    def _end(self, ending: Ending) -> None:
        """Write how the code has ended, and tell its hook."""
        live, error = self.live, ending.error
        failure = Failure.of(error) if error is not None else None
        if ending.new is not None:
            self._continue(ending.new)
        elif error is not None:
            live.close(ending.status, error=failure, call=self._origin(error))
        else:
            live.close(ending.status, ending.result)
        closed = self.history.closed
        if closed is not None and live.visible() == len(self.history.settled) and not live.left:
            ending.closed(closed.status)

    def _continue(self, new: Continued) -> None:
        """End the run and go on in a new one, which is there before this one says so."""
        try:
            event = continued(self, new)
            successor = take_over(self, event)
            self.live.go_on(event)
        except Exception as error:  # noqa: BLE001 - arguments that cannot be stored, or the store
            self.live.close("failed", error=Failure.of(error))
            return
        closed = self.history.closed
        if closed is None or closed.status != "continued":  # it was cancelled meanwhile
            successor.live.close("cancelled")
            successor.abandon()
            return
        if self.chained:
            successor.begin()
        else:
            self.successor = successor

    def abandon(self) -> None:
        """Let go of a run that was not begun."""
        sessions.pop(self.run, None)
        if self._held is not None:
            self._held.release()
        if not self.done.done():  # it is, where the log has refused that the run goes on
            self.done.set_result(None)

    def _origin(self, error: BaseException) -> str:
        """Give the call whose error reached the end of the code, or ""."""
        call = str(getattr(error, "nbflow_call", ""))
        return call if call in self.history.calls else ""

    def _halt(self, error: BaseException) -> None:
        self.error = error
        self.live.halt(error)

    def _settle(self) -> None:
        if self.error is None and self.history.closed is None:
            self.error = self.live.stopped
        if self._held is not None:
            self._held.release()
        self.mailbox.clear()
        if not self.done.done():
            # A cancel may have closed it at the same moment.
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                self.done.set_result(None)


def start(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    origin: Origin = BY_HAND,
) -> Session:
    """Create a run and begin it; see `create`. In an activity, see `depth_here`."""
    depth = depth_here(sessions, str(getattr(target, "name", "a workflow")))
    with Unbroken():  # else there might be a run that nobody drives, and nobody else may
        session = create(target, place, args, kwargs, origin, settings.open_store())
        session.depth = depth
        if not session.inline:
            session.begin()
    if session.inline:
        session.begin()
    return session


def create(
    target: Target,
    place: Place,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    origin: Origin,
    store: Store,
    frozen: Captured | None = None,
) -> Session:
    """Create a run, to be driven by this process.

    Raises:
        DefinitionError: `target` is no workflow, or the place makes no sense.
        TypeError: The arguments do not fit its signature.
        Unserialisable: An argument cannot be stored.
        StoreConflict: There is a run of that id.
        StoreError: The run cannot be written. Nothing has run.
    """
    frozen = changed_options(frozen or capture(target), origin.changes)
    frozen.definition.check(args, kwargs)
    executor = settings.executor(place)
    name = frozen.definition.name
    tags = frozen.definition.tags_of(args, kwargs) if origin.tags is None else origin.tags
    chosen = origin.run or frozen.definition.run_id_of(args, kwargs)
    event = RunStarted(
        seq=1,
        at=clock.time(),
        workflow=name,
        args=tuple(_stored(store, a, f"argument {n} of {name}") for n, a in enumerate(args)),
        kwargs={k: _stored(store, v, f"argument {k} of {name}") for k, v in kwargs.items()},
        on=executor.name,
        code=frozen.code,
        source=redact(frozen.source),
        captured=frozen.names,
        seed=chosen,
        parent=origin.parent,
        call=origin.call,
        tags=tags,
        continues=origin.continues,
        program=spill(record(frozen), store.put),
        python=python(),
    )
    if chosen:
        create_as(store, chosen, event, by_hand=not origin.run)
    run = chosen or _create(store, name, event)
    session = Session(run, target, frozen, store, place)
    session.claim()
    return session


@dataclass(frozen=True, slots=True)
class Anew:
    """How a run goes on.

    Attributes:
        reason: Why, to be noted in the log.
        again: Calls that run anew though they may have succeeded.
        allowed: Those of them that were asked for by name, see `RunResumed.allowed`.
        given: Results that are known of calls that have none.
        force: Take it from a process that drives it, or go on in spite of many crashes.
        code: With which code, to be noted in the log.
    """

    reason: str = ""
    again: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    given: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    code: WhichCode = "new"


def resume(
    run: str,
    target: Target,
    store: Store,
    place: Place,
    how: Anew,
    history: History | None = None,
) -> Session:
    """Go on with a run where its log ends, with what `target` is now; see `reopen`."""
    with Unbroken():
        session = reopen(run, target, store, place, how, history=history)
        if not session.inline:
            session.begin()
    if session.inline:
        session.begin()
    return session


def reopen(
    run: str,
    target: Target,
    store: Store,
    place: Place,
    how: Anew,
    frozen: Captured | None = None,
    history: History | None = None,
) -> Session:
    """Take a run to be driven by this process from where its log ends.

    Args:
        run: Its id.
        target: The workflow.
        store: Where its log is.
        place: Where its calls run.
        how: How it goes on.
        frozen: The workflow, if it was frozen before.
        history: As much of the log as was read before, which is not read again. It is the
            session's from now on.

    Raises:
        RunError: It is being driven, by this process or another, or was resumed too often.
        DefinitionError: `target` is another workflow.
        PickleRefused: It has pickled values that nothing shows to be this user's own.
        Unserialisable: A given result cannot be stored.
    """
    old = known(run, store)
    if old is not None and not old.done.done():
        message = f"run {run} is under way: wait for it, or cancel it first"
        raise RunError(message)
    frozen = frozen or capture(target)
    given = {c: _stored(store, value, f"the result of {c}") for c, value in how.given.items()}
    session = Session(run, target, frozen, store, place, history)
    try:
        session.claim(force=how.force)
        _check(session, frozen.definition.name, how)
        session.live.resumed(
            RunResumed(0, 0.0, how.reason, how.again, how.allowed, how.code), given
        )
    except BaseException:
        session.abandon()
        raise
    return session


def _check(session: Session, name: str, how: Anew) -> None:
    """Refuse what cannot be resumed so."""
    started = session.history.started
    if started is None or started.workflow != name:
        found = started.workflow if started else "?"
        message = f"run {session.run} is one of workflow {found}, not of {name}"
        raise DefinitionError(message)
    for call in session.history.calls.values():
        for stored in (*call.args, *(call.kwargs or {}).values(), _result(call.outcome)):
            check_pickle(getattr(stored, "refused", ""))
    for stored in (*started.args, *started.kwargs.values()):
        check_pickle(getattr(stored, "refused", ""))
    if session.history.resumed >= MOST_RESUMES and not how.force:
        message = (
            f"run {session.run} was resumed {session.history.resumed} times and is still not "
            "over: look for what stops it, then run.resume(force=True)"
        )
        raise RunError(message)


def _result(outcome: object) -> object:
    return getattr(outcome, "result", None)


def _stored(store: Store, value: object, what: str) -> Stored:
    return spill(pack(value, what), store.put)


def _create(store: Store, workflow: str, event: RunStarted) -> str:
    while True:
        run = new_id(workflow)
        try:
            store.create(run, event._replace(seed=run))
        except StoreConflict:
            continue
        return run


def find_target(workflow: str) -> Target:
    """Find a workflow of that name among those defined in the notebook or script.

    Raises:
        DefinitionError: There is none.
    """
    for found in vars(sys.modules["__main__"]).values():
        if isinstance(found, WorkflowFunction) and found.name == workflow:
            return found
        if (
            isinstance(found, type)
            and issubclass(found, Workflow)
            and found is not Workflow
            and (found.name or found.__name__) == workflow
        ):
            return found
    message = (
        f"workflow {workflow} is not defined here: run the cell that defines it, pass it, as in "
        f"run.resume(workflow={workflow}), or go on with the code that the run was started with: "
        "run.resume(code='recorded')"
    )
    raise DefinitionError(message)
