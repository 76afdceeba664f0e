"""What people do to a run on a service: go on with it, have calls run again, settle one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self, TypeVar

from nbflow.core.call import SUCCESSES
from nbflow.core.capture import capture
from nbflow.core.downstream import downstream
from nbflow.core.errors import DefinitionError, RunError
from nbflow.core.recorded import checked
from nbflow.running.calls import Calls, CallView
from nbflow.running.opening import find_target
from nbflow.running.run import Run
from nbflow.services.base import Revival, Reviving, Service, ServiceStore
from nbflow.store.ids import new_id

if TYPE_CHECKING:
    from nbflow.core.capture import Captured
    from nbflow.core.events import RunClosed
    from nbflow.core.recorded import WhichCode
    from nbflow.core.workflow import Target

T = TypeVar("T")


class Revivable(Run[T]):
    """The part of the handle of a run on a service that goes on with it.

    Attributes:
        service: Where it is.
    """

    service: Service

    @property
    def calls(self) -> Calls:
        """Its calls by id: ``run.calls["fetch-2"].result``."""
        service = self.service
        cancel = self._cancel_call if isinstance(service, Reviving) else None
        return Calls(self._history(), self._store, self._activities(), self.id, cancel)

    def _cancel_call(self, call: str, reason: str) -> None:
        self._reviving("cancelled call by call").cancel_call(self.id, call, reason)

    def resume(
        self,
        workflow: Target | None = None,
        reason: str = "",
        on: Any = None,
        *,
        force: bool = False,
        code: WhichCode = "new",
    ) -> Self:
        """Go on with a run that failed, was cancelled, ran out of time or was terminated.

        It goes on in a new execution of the same workflow id, whose log begins with that of this
        one: what has succeeded is kept. One that is not over goes on by itself; if nobody drives
        it, this process does from now on.

        Args:
            workflow: The workflow to go on with. With one that is given, an execution that is not
                over is terminated and goes on with it.
            reason: To be noted in the log.
            on: Cannot be given: the run stays where it is.
            force: Terminate an execution that is not over.
            code: ``"new"``: as it is defined in this notebook or script now; where it is not, as
                the run was started. ``"recorded"``: as it was started.

        Returns:
            This same handle, which is that of the new execution: its `id` has changed.

        Raises:
            RunError: It has completed, or goes on in another run, or cannot be gone on with.
            DefinitionError: `workflow` is another one.

        Example:
            >>> nbflow.attach("nightly-1f2e").resume().result()
        """
        service, closed = self._reviving("resumed"), self._ended(on)
        if closed is not None and closed.status == "completed":
            raise RunError(
                f"run {self.id} has completed: start a new run, or have calls of it run again with "
                "run.rerun(call)"
            )
        if closed is None and not (force or workflow):
            self.service.attach(self.id)
            return self
        return self._on(service, Revival(reason=reason, frozen=self._code(workflow, code)))

    def rerun(
        self,
        *calls: str | CallView,
        workflow: Target | None = None,
        reason: str = "",
        on: Any = None,
        force: bool = False,  # noqa: ARG002 - of the base: an open execution is always terminated
        code: WhichCode = "new",
    ) -> Self:
        """Have calls run again, and with them everything that may depend on their results.

        It goes on in a new execution, as by `resume`; one that is not over is terminated.

        Args:
            calls: Ids of the calls, as in ``run.rerun("fetch-2")``; or calls: ``run.failed[0]``.
            workflow: As in `resume`.
            reason: As in `resume`.
            on: As in `resume`.
            force: Makes no difference.
            code: As in `resume`.

        Returns:
            This same handle, which is that of the new execution: its `id` has changed.

        Raises:
            RunError: It has no such call, or goes on in another run.
        """
        service, _ = self._reviving("rerun"), self._ended(on)
        names = tuple(self._call(call) for call in calls)
        if not names:
            raise RunError("name the calls that are to run again, as in run.rerun('fetch-2')")
        again = tuple(downstream(self._history(), names))
        why = reason or f"rerun of {', '.join(names)}"
        frozen = self._code(workflow, code)
        return self._on(service, Revival(reason=why, again=again, allowed=names, frozen=frozen))

    def settle(self, call: str | CallView, value: object, workflow: Target | None = None) -> Self:
        """Give the result of a call that has none, and go on with the run.

        A run that is over goes on in a new execution, as by `resume`. In one that is not, what
        the call is doing is given up.

        Args:
            call: Its id.
            value: Its result.
            workflow: As in `resume`.

        Returns:
            This same handle; where the run was over, that of the new execution.

        Raises:
            RunError: The run has no such call, or the call has a result.
            Unserialisable: The value cannot be stored.
        """
        service, name = self._reviving("told results of calls"), self._call(call)
        if type(self._history().calls[name].outcome) in SUCCESSES:
            raise RunError(
                f"{name} of run {self.id} has a result already: run.rerun({name!r}) drops it"
            )
        if self._ended(None) is None and workflow is None:
            service.settle(self.id, name, value)
            return self
        why = f"the result of {name} was given by hand"
        how = Revival(reason=why, given={name: value}, frozen=self._code(workflow, "new"))
        return self._on(service, how)

    def repair(
        self,
        workflow: Target | None = None,
        force: str = "",
        *,
        run: str = "",
        reason: str = "",
        code: WhichCode = "new",
    ) -> Self:
        """Start a new run that takes over what has succeeded in this one, which stays as it is.

        Args:
            workflow: As in `resume`.
            force: A regular expression: calls of activities whose names, or whose ids, it matches
                from their beginning run again, and with them everything that may depend on them.
            run: What the new run is called; by default a new name.
            reason: As in `resume`.
            code: As in `resume`.

        Returns:
            The handle of the new run.

        Raises:
            RunError: `force` is no regular expression, or the run goes on in another one.

        Example:
            >>> nbflow.attach("nightly-1f2e").repair(force="fetch")
        """
        service, _ = self._reviving("repaired from"), self._ended(None)
        names = self._matching(force)
        how = Revival(
            reason=reason or f"repair of {self.id}",
            again=tuple(downstream(self._history(), names)) if names else (),
            allowed=names,
            frozen=self._code(workflow, code),
            run=run or new_id(self.workflow),
        )
        return type(self)(service.revive(self.id, how), self.service)  # type: ignore[arg-type]

    def _matching(self, force: str) -> tuple[str, ...]:
        """Name the calls that an expression means."""
        if not force:
            return ()
        try:
            wanted = re.compile(force)
        except re.error as error:
            raise RunError(f"{force!r:.80} is no regular expression: {error}") from None
        calls = self._history().calls.values()
        return tuple(s.id for s in calls if s.name and (wanted.match(s.name) or wanted.match(s.id)))

    def _reviving(self, what: str) -> Reviving:
        if isinstance(self.service, Reviving):
            return self.service
        raise RunError(f"run {self.id} is on {self.service.name}, where runs cannot be {what}")

    def _ended(self, on: Any) -> RunClosed | None:
        """Give how the run has ended, if it is the one that can be told something."""
        if on is not None:
            raise RunError(f"run {self.id} stays on {self.service.name}: leave on= out")
        onward = self._history().continued
        if onward is not None or self._history().status == "continued":
            raise RunError(
                f"run {self.id} is over and goes on in another one, so only that can be told "
                f"something: nbflow.attach({self.service.onward(self.id)!r})"
            )
        return self._history().closed

    def _code(self, workflow: Target | None, code: WhichCode) -> Captured | None:
        """Give the code to go on with; None: that with which the run was started."""
        if checked(code) == "recorded":
            if workflow is not None:
                raise RunError(
                    f"run {self.id}: give a workflow or code='recorded', not both: the recorded "
                    "code is another one"
                )
            return None
        if workflow is None:
            try:
                workflow = find_target(self.workflow)
            except DefinitionError:
                return None
        return capture(workflow)

    def _on(self, service: Reviving, how: Revival) -> Self:
        """Go on, and be the handle of what goes on."""
        new = service.revive(self.id, how)
        store: Any = ServiceStore(self.service, new)
        self.id, self._store, self._viewed = new, store, None
        return self

    def _let_go(self) -> bool:
        """Never: who decides and works there is not known here."""
        return False
