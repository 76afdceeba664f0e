"""What people do to a run: stop it, go on with it, have parts of it run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from nbflow.core.call import SUCCESSES
from nbflow.core.downstream import downstream
from nbflow.core.errors import RunError
from nbflow.core.events import RunStarted
from nbflow.core.recorded import WhichCode, checked, recorded
from nbflow.core.workflow import Place, Target
from nbflow.executors import TABLE
from nbflow.running import session as _session
from nbflow.running.acting import wake_panels
from nbflow.running.calls import CallView
from nbflow.running.leases import holder_of
from nbflow.running.opening import Anew, find_target, resume
from nbflow.running.post import OURS, ask_to_cancel, ask_to_cancel_call, deliver, letter
from nbflow.running.session import Session
from nbflow.running.watching import watchers

if TYPE_CHECKING:
    from nbflow.core.history import History
    from nbflow.store.base import Store

T = TypeVar("T")


class Resumable(Generic[T]):
    """The part of a run's handle that acts on it.

    Attributes:
        id: The run's id.
    """

    id: str
    _store: Store
    _session: Session | None
    _viewed: History | None

    if TYPE_CHECKING:

        @property
        def workflow(self) -> str: ...  # noqa: D102 - the handle has it
        def done(self) -> bool: ...  # noqa: D102
        def _history(self) -> History: ...

    def cancel(self, reason: str = "") -> None:
        """Stop it: open calls are given up, and its code is stopped where it next waits.

        Processes are ended. A thread cannot be stopped: it is abandoned, and what it gives back
        is dropped. A run that another process drives is cancelled by that one, within about a
        second. Cancelling a run that is over does nothing.

        Raises:
            RunError: No process drives it.
            StoreError: The process that does could not be told.
        """
        onward = self._history().continued
        if onward is not None:
            type(self)(onward.run, self._store).cancel(reason)  # type: ignore[call-arg]
            return
        driver = self._session or _session.known(self.id, self._store)
        if driver is not None:
            driver.live.cancel_run(reason)
            return
        if self.done():
            return
        self._driven("run {} cannot be cancelled")
        ask_to_cancel(self._store, self.id, reason)

    def _cancel_call(self, call: str, reason: str) -> None:
        """Have one call given up, by whichever process of this machine drives the run."""
        driver = self._session or _session.known(self.id, self._store)
        if driver is not None:
            driver.live.cancel_call(call, reason)
            return
        self._driven(f"{call} of run {{}} cannot be cancelled")
        ask_to_cancel_call(self._store, self.id, call, reason)

    def _driven(self, what: str) -> None:
        if holder_of(self._store, self.id) is None:
            message = f"{what.format(self.id)}: no process drives it, so nothing runs"
            raise RunError(message)

    def signal(
        self,
        name: str,
        value: object = None,
        *,
        id: str = "",  # noqa: A002 - the field's natural name
        propagate: bool = False,
    ) -> None:
        """Tell the run something, whichever process drives it, and also if none does just now.

        Its code gets it by `nbflow.wait_signal` or `nbflow.signals`. Once this returns the signal
        is on the disk, and it will arrive once.

        Args:
            name: Name of the signal.
            value: What to tell.
            id: Which signal it is: the run takes one of the same id once, so that whoever is not
                sure can send it again.
            propagate: Have it passed on to the child runs that are under way.

        Raises:
            RunError: The run is over.
            Unserialisable: The value cannot be stored.
            StoreError: It could not be written.

        Example:
            >>> run.signal("approved", True)
        """
        given: Any = name
        if not isinstance(given, str) or not given.strip():
            message = f"a signal has a name, as in run.signal('approved'), not {name!r:.60}"
            raise RunError(message)
        if given in OURS:
            message = f"{given} is no signal of yours: run.cancel() cancels the run"
            raise RunError(message)
        told = letter(self._store, name, value, id, propagate=propagate)
        deliver(self._store, self.id, told)

    def resume(
        self,
        workflow: Target | None = None,
        reason: str = "",
        on: Any = None,
        *,
        force: bool = False,
        code: WhichCode = "new",
    ) -> Self:
        """Go on with a run that failed, was cancelled, or lost its process.

        What succeeded is kept; everything else runs anew. Calls of ``once=True`` activities that
        had begun are not run again: see `rerun` and `settle`.

        Args:
            workflow: The workflow, if it is not defined in this notebook or script.
            reason: To be noted in the log.
            on: Where its calls run from now on; by default where they did, if that has a name.
            force: Take it over from another process that drives it, or go on though it was
                resumed a hundred times. Whatever that other process still does, it cannot write
                to the run any more.
            code: ``"new"``: with the workflow as it is defined now, which has to agree with what
                the log says of calls that succeeded. ``"recorded"``: with the code of the
                notebook that the run was started with, whatever became of its cells since; what
                that imports is taken as it is now.

        Returns:
            This same handle.

        Raises:
            RunError: It is under way, here or in another process, or has completed; or its code
                was not recorded.
            PickleRefused: Nothing shows that the recorded code is this user's own.

        Example:
            >>> nbflow.attach("nightly-1f2e").resume(code="recorded")
        """
        closed = self._history().closed
        if closed is not None and closed.status == "completed":
            message = (
                f"run {self.id} has completed: start a new run, or have calls of it run again "
                "with run.rerun(call)"
            )
            raise RunError(message)
        return self._go_on(workflow, on, Anew(reason, force=force, code=checked(code)))

    def rerun(
        self,
        *calls: str | CallView,
        workflow: Target | None = None,
        reason: str = "",
        on: Any = None,
        force: bool = False,
        code: WhichCode = "new",
    ) -> Self:
        """Have calls run again, and with them everything that may depend on their results.

        That is what takes their results, and, from where the workflow's code itself read such a
        result, all that it asked for afterwards. All other results are kept. It works on a run
        that has completed, too; its result is then computed anew.

        Args:
            calls: Ids of the calls, as in ``run.rerun("fetch-2")``; or calls: ``run.failed[0]``.
            workflow: As in `resume`.
            reason: As in `resume`.
            on: As in `resume`.
            force: As in `resume`.
            code: As in `resume`.

        Returns:
            This same handle.

        Raises:
            RunError: It is under way, or has no such call.
        """
        names = [self._call(call) for call in calls]
        if not names:
            message = "name the calls that are to run again, as in run.rerun('fetch-2')"
            raise RunError(message)
        again = tuple(downstream(self._history(), names))
        why = reason or f"rerun of {', '.join(names)}"
        how = Anew(why, again, tuple(names), force=force, code=checked(code))
        return self._go_on(workflow, on, how)

    def settle(self, call: str | CallView, value: object, workflow: Target | None = None) -> Self:
        """Give the result of a call that came to none, and go on with the run.

        For a ``once=True`` call that was under way when its process was lost, and of which you
        found out that it did its work.

        Args:
            call: Its id.
            value: Its result.
            workflow: As in `resume`.

        Returns:
            This same handle.

        Raises:
            RunError: The run is under way, has no such call, or the call has a result.
            Unserialisable: The value cannot be stored.
        """
        name = self._call(call)
        if type(self._history().calls[name].outcome) in SUCCESSES:
            message = f"{name} of run {self.id} has a result already: run.rerun({name!r}) drops it"
            raise RunError(message)
        how = Anew(f"the result of {name} was given by hand", given={name: value})
        return self._go_on(workflow, None, how)

    def _call(self, call: str | CallView) -> str:
        name = call if isinstance(call, str) else call.id
        state = self._history().calls.get(name)
        if state is None or not state.name:
            message = f"run {self.id} has no call {name!r}: run.calls lists them"
            raise RunError(message)
        whole = self._history().repeats.get(name)
        if whole is not None:
            message = f"{name} of run {self.id} only computes {whole} again: name that one"
            raise RunError(message)
        return name

    def _go_on(self, workflow: Target | None, on: Any, how: Anew) -> Self:
        onward = self._history().continued
        if onward is not None:
            message = (
                f"run {self.id} is over and goes on in {onward.run}, so only that one can be "
                f"driven: nbflow.attach({onward.run!r})"
            )
            raise RunError(message)
        old, started = self._session, self._history().started
        target = self._target(workflow, how.code)
        place = old.place if old is not None else _named_place(started)
        if on is not None:
            place = Place(on)
        viewed, self._viewed = self._viewed, None
        self._session = resume(self.id, target, self._store, place, how, viewed)
        wake_panels(self.id)
        for watcher in watchers:
            watcher.started(self)  # type: ignore[arg-type]
        return self

    def _target(self, workflow: Target | None, code: WhichCode) -> Target:
        """Give the workflow that the run goes on with."""
        if code == "new":
            return workflow or self._latest_target()
        if workflow is not None:
            message = (
                f"run {self.id}: give a workflow or code='recorded', not both: the recorded code "
                "is another one"
            )
            raise RunError(message)
        started = self._history().started
        assert started is not None  # noqa: S101 - every log begins with it
        return recorded(self.id, started, self._store.get)

    def _latest_target(self) -> Target:
        """Prefer the notebook's present definition: it may have been mended since."""
        try:
            return find_target(self.workflow)
        except Exception:
            if self._session is not None:
                return self._session.target
            raise


def _named_place(started: RunStarted | None) -> Place:
    """Give the place of a run by its name; an executor object of another process has none."""
    return Place(started.on if started is not None and started.on in TABLE else None)
