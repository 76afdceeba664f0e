"""What people tell runs on SWF: to cancel, to end, to go on; a signal; what became of a call."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nbflow.core.errors import RunError
from nbflow.core.events import SignalReceived
from nbflow.core.payload import pack
from nbflow.services.notes import Notes, RunNote
from nbflow.services.swf import outside
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.crew import Crew
from nbflow.services.swf.errors import AlreadyExists, DoesNotExist, Unreachable
from nbflow.services.swf.logs import Logs, id_of
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import name_of
from nbflow.store.ids import new_id

if TYPE_CHECKING:
    from nbflow.core.capture import Captured
    from nbflow.services.base import Revival
    from nbflow.services.swf.blobs import Blobs
    from nbflow.services.swf.executions import WorkflowExecution
    from nbflow.services.swf.following import ExecutionLog
    from nbflow.services.swf.settings import Options

_LOOKS: Final = 100
_PAUSE: Final = 0.1
_NAME: Final = 200
"""How many characters of a workflow id the name of a task list has."""


class Telling:
    """The part of the service that tells runs things. See `nbflow.services.base.Service`."""

    if TYPE_CHECKING:
        notes: Notes
        logs: Logs
        options: Options

        def store(self) -> Blobs | None: ...  # noqa: D102 - the service has it
        def _reconnect(self) -> None: ...
        def _attend(self, note: RunNote) -> None: ...
        def _crew(self, frozen: Captured | None, workflow_id: str) -> Crew | None: ...

    def cancel(self, run: str, reason: str = "") -> None:
        """See `Service.cancel`."""
        self._tell(run, lambda execution: outside.cancel(execution, reason, blobs=self.store()))

    def terminate(self, run: str, reason: str = "") -> None:
        """See `Service.terminate`."""
        self._tell(run, lambda execution: execution.terminate(reason[:256] or None))

    def signal(self, run: str, name: str, value: object = None, *, id: str = "") -> None:  # noqa: A002
        """See `Service.signal`."""
        stored = pack(value, f"the value of signal {name}")
        told = SignalReceived(0, time.time(), name, 0, stored, id or os.urandom(8).hex())
        log = self.logs.of(run)
        texts = Texts(log.execution.workflow_id, self.store(), KeySeal())
        text = texts.write(f"signal {told.id}", told)
        if not self._tell(run, lambda execution: execution.signal(name, text)):
            raise RunError(f"signal {name} cannot be sent: run {run} is over, and hears no more")

    def cancel_call(self, run: str, call: str, reason: str = "") -> None:
        """See `nbflow.services.base.Reviving.cancel_call`."""
        self._tell(run, lambda e: outside.cancel_call(e, call, reason, blobs=self.store()))

    def settle(self, run: str, call: str, value: object) -> None:
        """See `nbflow.services.base.Reviving.settle`."""
        if not self._tell(run, lambda e: outside.settle(e, call, value, blobs=self.store())):
            raise RunError(f"the result of {call} cannot be given any more: run {run} is over")

    def revive(self, run: str, how: Revival) -> str:
        """See `nbflow.services.base.Reviving.revive`. The new execution is driven as the old was.

        Raises:
            RunError: Another execution of that workflow id is open.
        """
        log = self.logs.of(run)
        list(log.events())
        if not log.closed and not how.run:
            outside.check(log.workflow, how)
            self._ended(run, log)
        note = self.notes.get(run)
        crew = self._successors(note, how, log.execution.workflow_id)
        task_list = crew.task_list if crew is not None else ""
        try:
            made = outside.revive(log.execution, how, blobs=self.store(), task_list=task_list)
        except AlreadyExists:
            name = how.run or log.execution.workflow_id
            raise RunError(
                f"run {run} cannot go on: another execution of {name} is open, and SWF has one at "
                f"a time. Nothing was started"
            ) from None
        whole = id_of(made)
        workflow = note.workflow if note is not None else log.workflow
        own = note is None or self._anew(how)
        options = self.options.noted() if note is None or own else note.options
        fresh = RunNote(
            run=whole,
            workflow=workflow,
            created=time.time(),
            options=options,
            crew=crew.write() if crew is not None else "",
        )
        self.notes.put(fresh)
        self._attend(fresh)
        return whole

    def _successors(self, note: RunNote | None, how: Revival, workflow_id: str) -> Crew | None:
        """Give the crew of a run that goes on, with task lists that nobody else looks at."""
        if note is None or self._anew(how):
            return self._crew(how.frozen, how.run or workflow_id)
        if not note.crew:
            return None
        crew = Crew.read(note.crew)
        if how.frozen is not None:
            name = name_of(how.frozen.target)
            crew = replace(crew, names=tuple(dict.fromkeys([*crew.names, *([name] * bool(name))])))
        if not crew.private:
            return crew
        # What drove the old execution may still be about to end, and shall take nothing of this.
        own = own_list(how.run or workflow_id)
        return replace(crew, task_list=own, activity_task_list=own)

    def _anew(self, how: Revival) -> bool:
        """Whether a run of its own is driven as the present options say."""
        return bool(how.run) and self.options.processes > 0

    def _ended(self, run: str, log: ExecutionLog) -> None:
        """Have an execution be over."""
        self.terminate(run, "it goes on in a new execution")
        for _ in range(_LOOKS):
            log.soon()
            list(log.events())
            if log.closed:
                return
            threading.Event().wait(_PAUSE)
        raise RunError(f"run {run} was terminated, and its history does not say so: try it again")

    def _tell(self, run: str, tell: Callable[[WorkflowExecution], None]) -> bool:
        """Tell an execution something; give whether it was open."""
        log = self.logs.of(run)
        try:
            tell(log.execution)
        except DoesNotExist:
            log.soon()
            list(log.events())
            if not log.closed:
                raise
            return False
        except Unreachable:
            self._reconnect()
            raise
        log.soon()
        return True


def own_list(workflow_id: str) -> str:
    """Give a task list that nobody has: what is of one run alone can be ended with it."""
    return f"{workflow_id[:_NAME]}-{new_id('crew')[-8:]}"
