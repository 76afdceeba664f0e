"""The logs of runs on SWF by their ids, those of child runs and of what runs go on in included."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nbflow.core.errors import RunNotFound
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.texts import Texts, execution_id
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.following import ExecutionLog
from nbflow.services.swf.meanwhile import Heard
from nbflow.services.swf.sealing import KeySeal

_PARTS: Final = 3


def id_of(execution: WorkflowExecution) -> str:
    """Give the id of the run that an execution is: ``domain/workflow id/run id``."""
    return f"{execution.domain.name}/{execution.workflow_id}/{execution.run_id}"


class Logs:
    """The logs that this process reads.

    Args:
        domain: Gives a domain, by which the service is reached.
        blobs: Gives the store of what is too long for SWF.
        pace: See `ExecutionLog`.
        aloud: The directory of what activities say while they run; None: there is none.
    """

    def __init__(
        self,
        domain: Callable[[], Domain],
        blobs: Callable[[], Blobs | None],
        pace: tuple[float, float],
        aloud: Path | None = None,
    ) -> None:
        self._aloud = aloud
        self._domain, self._blobs, self._pace = domain, blobs, pace
        self._logs: dict[str, ExecutionLog] = {}
        self._lock = threading.Lock()

    def of(self, run: str) -> ExecutionLog:
        """Give the log of a run.

        Raises:
            RunNotFound: That can be no run on SWF.
        """
        with self._lock:
            if run not in self._logs:
                self._logs[run] = self._made(run)
            return self._logs[run]

    def _made(self, run: str) -> ExecutionLog:
        parts = run.split("/", _PARTS - 1)
        if len(parts) != _PARTS or not all(parts):
            raise RunNotFound(
                f"no run {run!r:.200} on SWF is known here: its id is domain/workflow id/run id, "
                "and nbflow.runs() lists those that were started from here"
            )
        domain = Domain(api=self._domain().api, name=parts[0])
        execution = WorkflowExecution(
            api=domain.api, domain=domain, workflow_id=parts[1], run_id=parts[2]
        )
        texts = Texts(parts[1], self._blobs(), KeySeal())
        heard = None if self._aloud is None else Heard(self._aloud, parts[2])
        return ExecutionLog(execution, texts, pace=self._pace, heard=heard)

    def forget(self, run: str) -> None:
        """Remove what the activities of a run said while they ran: it is over."""
        if self._aloud is not None:
            Heard(self._aloud, run.split("/", _PARTS - 1)[-1]).forget()

    def all(self) -> list[ExecutionLog]:
        """Give those that were asked for so far."""
        with self._lock:
            return list(self._logs.values())

    def onward(self, run: str) -> str:
        """Give the id of the run that one goes on in, as far as was read; "" if in none."""
        log = self.of(run)
        domain, workflow_id, _ = run.split("/", _PARTS - 1)
        return f"{domain}/{workflow_id}/{log.onward}" if log.onward else ""

    def child(self, parent: str, name: str) -> str:
        """Give the id of a child run.

        Args:
            parent: The id of the run that called it, or of one above that.
            name: The name that the log has for it: ``flow-1f/part-2``.

        Raises:
            RunNotFound: It has not begun, as far as was read.
        """
        wanted, domain = execution_id(name), parent.split("/", 1)[0]
        for log in [self.of(parent), *self.all()]:
            if wanted in log.children:
                return f"{domain}/{wanted}/{log.children[wanted]}"
        raise RunNotFound(f"child run {name} of {parent} has not begun on SWF, as far as is known")
