"""One drive of one run in this process: the thread of its workflow's code, and its engine."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import contextvars
import sys
import threading
import weakref
from dataclasses import replace
from functools import partial
from typing import Any

from nbflow.core.capture import Captured
from nbflow.core.child import CHILD
from nbflow.core.chosen import with_options
from nbflow.core.ending import Ending, perform
from nbflow.core.errors import (
    Continued,
    NondeterminismError,
    RunError,
    StoreError,
)
from nbflow.core.failure import Failure
from nbflow.core.history import History
from nbflow.core.interpreter import Interpreter
from nbflow.core.workflow import Place, Target
from nbflow.engine import streams
from nbflow.engine.around import Middlewares
from nbflow.engine.live import Live
from nbflow.running import logs
from nbflow.running.bell import Bell
from nbflow.running.children import Children
from nbflow.running.config import MEMORY, settings
from nbflow.running.leases import Held
from nbflow.running.onward import continued, take_over
from nbflow.running.post import Mailbox, deliver
from nbflow.store.base import Store
from nbflow.store.reading import BlobReader

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
        bell: Rings then, for whoever waits in a thread that interrupts come to.
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
        self.bell = Bell()
        self.done.add_done_callback(self.bell.ring)
        self.error: BaseException | None = None
        self.successor: Session | None = None
        """The run that it goes on in, for whoever drives it on."""
        self.chained = True
        """Whether it begins that run itself."""
        self.depth = 0
        """How many runs it is within, by way of activities that have started them."""
        self.carried: Middlewares | None = None
        """The middlewares that came with its code, in the place of this process's own."""
        self._held: Held | None = None
        self._told: logs.Told | None = None
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
        # Where the power fails, the code gives what it hands on once more.
        put = partial(store.put, sync=False)
        self.interpreter = Interpreter(self.history, self.live, BlobReader(store), run, put=put)
        recall = self.interpreter.recall
        recall.code, recall.captured = frozen.code, frozen.names
        self.mailbox = Mailbox(self)
        self.live.fetch_mail = self.mailbox.listen
        self.live.deliver = partial(deliver, store)
        self.live.largest = settings.largest_result
        self.live.bind(frozen.definition.settings)
        self.inline = own.name == "inline"
        sessions[run] = self

    def surround(self, carried: Middlewares | None) -> None:
        """Have these called around each attempt; to be called before the run begins.

        Args:
            carried: Those that came with the run's code; None: this process's own stay.
        """
        if carried is not None:
            self.carried = carried
            self.live.surround(carried.around)

    def claim(self, *, force: bool = False) -> None:
        """Become the one process that drives the run.

        Raises:
            RunError: Another one does.
            StoreError: It could not be written.
        """
        self._held = Held(self.store, self.run, self._halt, force=force)
        self.mailbox.forget_cancels()

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

    def as_started(self) -> None:
        """Obey the options that the run was started with in the place of its workflow's own."""
        started, definition = self.history.started, self.frozen.definition
        assert started is not None  # noqa: S101 - every log begins with it
        rules = with_options(definition.settings, started, self.store.get)
        if rules is not definition.settings:
            self.frozen = replace(self.frozen, definition=replace(definition, settings=rules))
            self.live.bind(rules)

    def leave(self) -> None:
        """Drive the run no longer, so that it can be resumed."""
        self._halt(RunError(f"run {self.run} is left: the run that called it is driven no more"))

    def _listen(self) -> None:
        streams.use(settings.output_rules())
        streams.listen(self.run, self.live)
        self.live.on_over.insert(0, partial(streams.unlisten, self.run))
        if logs.wanted():
            self._told = logs.Told(self.run)
            if self.history.last == 1 and self.history.started is not None:
                self._told.take([self.history.started])  # written before anybody could follow
            self.live.watch(self._told)

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
