"""What drives runs on CloudFlow: takes them from a queue, and executes their workflows' code.

It is the engine of every other run, with another store and another executor: the log is the
service's, and attempts are executions there. One that is gone has its message handed out again,
so the next one goes on where the log ends; one that is only thought to be gone cannot write any
more, since the log refuses it.

``python -m nbflow.running.conducting`` is one, told what it needs as JSON.
"""

from __future__ import annotations

import linecache
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.capture import Captured, capture
from nbflow.core.errors import NbflowError, RunError, RunNotFound, StoreError
from nbflow.core.events import RunClosed, RunStarted
from nbflow.core.history import History
from nbflow.core.payload import Blob, Packed
from nbflow.core.recorded import python
from nbflow.core.workflow import Place
from nbflow.engine.around import Middlewares
from nbflow.running.config import settings
from nbflow.running.opening import Anew, reopen
from nbflow.running.session import Session, known
from nbflow.services.cloudflow.client.errors import TaskOver
from nbflow.services.cloudflow.dynamic.adopting import going_on
from nbflow.services.cloudflow.dynamic.crew import Crew, end_with_parent
from nbflow.services.cloudflow.dynamic.executor import CloudFlowExecutor
from nbflow.services.cloudflow.dynamic.names import slug
from nbflow.services.cloudflow.dynamic.queues import LONGEST, Lease, Message
from nbflow.services.cloudflow.dynamic.store import ServiceSide
from nbflow.services.cloudflow.dynamic.worker import is_over, report
from nbflow.services.cloudflow.errors import CloudFlowError

_log = logging.getLogger(__name__)
_AGAIN: Final = (0.2, 1.0, 3.0)
_SOON: Final = 1.0
"""Seconds after which a run is tried again that the service could not be had for."""
_LATER: Final = 30.0
"""Seconds after which a run that cannot go on is tried again."""


class Conductor:
    """Drives the runs that its queue speaks of, each in a thread of its own.

    Args:
        crew: What it needs to know.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._client, self._queue = crew.client(), crew.runs()
        self.store = ServiceSide(self._client, crew.flows(), crew.store(), crew.pace)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Take runs until `stop`."""
        failures = 0
        while not self._over.is_set():
            try:
                self.step(LONGEST)
                failures = 0
            except CloudFlowError as error:
                if self._over.is_set():
                    return
                _log.warning("no run can be taken just now: %s", error)
                self._over.wait(_AGAIN[min(failures, len(_AGAIN) - 1)])
                failures += 1

    def step(self, wait: float = 0.0) -> bool:
        """Take a run, if there is one, and begin to drive it; give whether there was one."""
        message = self._queue.receive(wait)
        if message is None:
            return False
        name = f"nbflow conducts {message.body.get('execution')}"
        thread = threading.Thread(target=self._conduct, args=(message,), name=name, daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()]
        self._threads.append(thread)
        thread.start()
        return True

    def stop(self) -> None:
        """Take nothing new, and leave what is driven to others."""
        self._over.set()
        for thread in self._threads:
            thread.join(_LATER)

    # ------------------------------------------------------------ one run

    def _conduct(self, message: Message) -> None:
        work = message.body.get("work")
        run = work.get("run") if isinstance(work, dict) else None
        stopped = threading.Event()
        hidden = self._crew.lost_after
        lease = Lease(
            self._queue, message, hidden, lambda: is_over(self._client, message), stopped.set
        )
        with lease:
            if self._over.is_set():
                lease.leave(0.0)  # it came while this one was asked to end
                return
            if not isinstance(run, str) or not isinstance(work, dict):
                _log.warning("a message is of no run, and was removed: %.200r", message.body)
                lease.remove()
                return
            left = partial(_left, self._over, lease, stopped)
            try:
                over = self._driven(run, str(work["queue"]), left)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is why the run stands still
                self._trouble(run, error)
                lease.leave(_SOON if isinstance(error, StoreError | CloudFlowError) else _LATER)
                return
            if over is None:
                lease.leave(0.0)
                return
            self._trouble(run, None)
            self._report(str(message.body.get("token")), over)
            lease.remove()

    def _driven(self, run: str, queue: str, left: Callable[[], bool]) -> RunClosed | None:
        """Drive a run to its end, and what it goes on in; None if it is left before that.

        Raises:
            NbflowError: It cannot be driven here.
        """
        crew = self._crew
        executor = CloudFlowExecutor(
            self.store,
            run,
            queue,
            pace=crew.pace / 2,
            reports=crew.reports,
        )
        try:
            while True:
                session = self._session(run, executor)
                closed = session if isinstance(session, RunClosed) else self._end(session, left)
                if closed is None:
                    executor.leave()
                    return None
                if closed.status != "continued":
                    return closed
                run = self._onward(run)
        finally:
            executor.close()

    def _onward(self, run: str) -> str:
        continued = History.of(self.store.events(run)).continued
        if continued is None:
            raise RunError(f"run {run} goes on in another one, but its log does not say which")
        return continued.run

    def _session(self, run: str, executor: CloudFlowExecutor) -> Session | RunClosed:
        """Take a run to be driven; one that is over gives how it ended."""
        found = known(run, self.store)
        if found is not None and not found.done.done():
            return found  # it went on as new, in this process
        history = History.of(self.store.events(run))
        if history.closed is not None:
            return history.closed
        started = history.started
        if started is None:
            raise RunNotFound(f"the log of run {run} does not begin with RunStarted")
        frozen, around = code_of(run, started, self.store)
        place = Place(executor)
        if history.last == 1:
            session = Session(run, frozen.target, frozen, self.store, place, history)
            session.claim()
        else:
            calls = going_on(self.store, run, history)
            how = Anew("an orchestrator takes it up", force=True, code="recorded")
            session = reopen(run, frozen.target, self.store, place, how, frozen)
            _adopt(session.history, calls)
        session.surround(around)
        session.begin()
        return session

    def _end(self, session: Session, left: Callable[[], bool]) -> RunClosed | None:
        """Wait for the end of a run; None if it is left to others."""
        run, told = session.run, False
        orders: set[str] = set()
        while not session.done.done():
            session.live.over.wait(min(self._crew.pace, 0.5))
            if session.done.done():
                break
            if left() or self._ended_elsewhere(session):
                session.leave()
                continue
            reason = None if told else self.store.mail.cancelled(run)
            if reason is not None:
                told = True
                session.live.cancel_run(reason)
            for call, why in self.store.mail.given_up(run).items():
                if call not in orders and call in session.history.calls:
                    orders.add(call)
                    session.live.cancel_call(call, why)
        if session.history.closed is None and session.error is not None:
            if left():
                return None
            last = [*self.store.events(run)][-1]
            if isinstance(last, RunClosed):
                return last  # somebody has ended it from outside
            raise session.error
        return session.history.closed

    def _ended_elsewhere(self, session: Session) -> bool:
        try:
            last = [*self.store.logs.events(session.run)][-1]
        except NbflowError:
            return False
        return isinstance(last, RunClosed) and session.history.closed is None

    # ------------------------------------------------------------ what is said of it

    def _report(self, token: str, closed: RunClosed) -> None:
        if closed.status == "completed":
            report(self._client, token, {"status": closed.status}, self._over)
            return
        said = closed.error
        cause = f"{said.kind}: {said.message}"[:1_000] if said is not None else closed.status
        try:
            self._client.report_task_failed(token, f"nbflow.{closed.status}", cause)
        except TaskOver:
            _log.debug("the run was stopped, or its end was told before")

    def _trouble(self, run: str, error: BaseException | None) -> None:
        """Note why a run stands still, for whoever looks at it."""
        if error is not None:
            _log.warning("run %s stands still", run, exc_info=error)
        said = "" if error is None else f"{type(error).__name__}: {error}"
        try:
            self.store.values.note(f"t-{slug(run)}", said.encode())
        except NbflowError:
            _log.warning("why run %s stands still could not be noted", run, exc_info=True)


def _adopt(history: History, calls: list[str]) -> None:
    """Have calls go on with the executions that they have: nobody has died who ran them."""
    for call in calls:
        history.cut_off.pop(call, None)
        history.tried.discard(call)
        history.suspects.discard(call)


def _left(over: threading.Event, lease: Lease, stopped: threading.Event) -> bool:
    return over.is_set() or lease.lost.is_set() or stopped.is_set()


def code_of(
    run: str, started: RunStarted, store: ServiceSide
) -> tuple[Captured, Middlewares | None]:
    """Give the code that a run was started with, and what is called around its attempts.

    Raises:
        RunError: It was compiled by another version of Python.
        PickleRefused: Nothing shows that it is this user's own.
    """
    program = started.program
    if not isinstance(program, Packed | Blob):
        raise RunError(f"run {run} has no code that could be executed here: {program}")
    if started.python != python():
        raise RunError(
            f"the code of run {run} was compiled by {started.python}, and this is {python()}. The "
            "run is as it was, and goes on where that is"
        )
    target, cells, changes, *around = payload.unpack(program, _no_call, store.get)
    for name, text in cells.items():
        linecache.cache.setdefault(name, (len(text), None, text.splitlines(keepends=True), name))
    frozen = capture(target)
    rules = replace(frozen.definition.settings, **changes)
    frozen = replace(frozen, definition=replace(frozen.definition, settings=rules))
    carried = Middlewares(*(around[0] if around else ()))
    return frozen, carried if any(carried) else None


def _no_call(call: str) -> Any:
    raise RunError(f"the code of a run refers to {call}")


def main(argv: list[str]) -> None:
    """Run the command."""
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    conduct(Crew.read(argv[1]))


def conduct(crew: Crew) -> None:
    """Be an orchestrator until asked to end (SIGTERM): runs are left to the next one."""
    conductor = Conductor(crew)
    settings.store = conductor.store

    def leave(*_: object) -> None:
        threading.Thread(target=_end, args=(conductor,), daemon=True).start()

    signal.signal(signal.SIGTERM, leave)
    conductor.run()


def _end(conductor: Conductor) -> None:
    conductor.stop()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv)
