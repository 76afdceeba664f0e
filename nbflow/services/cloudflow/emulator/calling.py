"""Calls of what is outside a flow, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from nbflow.services.cloudflow.emulator import actions
from nbflow.services.cloudflow.emulator.actions import Actions, Failed
from nbflow.services.cloudflow.emulator.faults import Fault
from nbflow.services.cloudflow.emulator.queues import Queues
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.interpret import api

Key = tuple[int, int]

_QUIET: Final = {"MNS:SendMessage", "MNS:PublishMessage"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: the type of the event, and what it says."""

    type: str
    detail: Data


class Caller:
    """Calls functions, queues and addresses.

    Args:
        known: The functions.
        queues: The queues.
        pool: Where functions run.
        post: Has something done by the emulator's thread.
    """

    def __init__(
        self,
        known: Actions,
        queues: Queues,
        pool: Executor,
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._known, self._queues, self._pool, self._post = known, queues, pool, post
        self._running: dict[Key, object] = {}
        self.heard: Callable[[int, int, Outcome], None] = lambda *_: None

    @property
    def busy(self) -> int:
        """How many functions and requests run now."""
        return len(self._running)

    def call(self, execution: int, task: int, command: api.RunTask) -> None:
        """Call something; what becomes of it is told to `heard`."""
        self._tell(execution, task, "TaskStarted", {})
        self._begin(execution, task, command)

    def again(self, execution: int, task: int, command: api.RunTask) -> None:
        """Call something whose outcome was lost with the process: at least once, as the service."""
        sends = actions.queue_name(_resource(command)) is not None
        if not sends:
            self._begin(execution, task, command)

    def _begin(self, execution: int, task: int, command: api.RunTask) -> None:
        queue = actions.queue_name(_resource(command))
        try:
            if queue is not None:
                self._send(execution, task, command, queue)
            else:
                self._run(execution, task, command)
        except (Failed, Fault) as error:
            self._tell(execution, task, "TaskSubmitFailed", _failure(error))

    def give_up(self, execution: int, task: int | None = None) -> None:
        """Hear no more of a call, or of all of an execution."""
        for key in list(self._running):
            if key[0] == execution and task in {None, key[1]}:
                del self._running[key]

    def _tell(self, execution: int, task: int, kind: str, detail: Data) -> None:
        self.heard(execution, task, Outcome(kind, detail))

    def _send(self, execution: int, task: int, command: api.RunTask, queue: str) -> None:
        given = command.payload if isinstance(command.payload, dict) else {}
        body = given.get("message", given.get("MessageBody", ""))
        text = body if isinstance(body, str) else json.dumps(body)
        delay = float(given.get("delaySeconds", given.get("DelaySeconds", 0)) or 0)
        output = {"MessageId": self._queues.send(queue, text, delay)}
        waits = command.mode != api.REQUEST
        self._tell(
            execution, task, "TaskSubmitted" if waits else "TaskSucceeded", {"output": output}
        )

    def _run(self, execution: int, task: int, command: api.RunTask) -> None:
        work = self._work(command)
        if command.mode != api.REQUEST:
            self._tell(execution, task, "TaskSubmitted", {})
        key, mark = (execution, task), object()
        self._running[key] = mark

        def done(outcome: Outcome) -> None:
            if self._running.get(key) is mark:
                del self._running[key]
                # A call that waits for a report has its outcome from there, unless it failed.
                if command.mode != api.CUSTOM or outcome.type == "TaskFailed":
                    self._tell(execution, task, outcome.type, outcome.detail)

        def run() -> None:
            try:
                outcome = Outcome("TaskSucceeded", {"output": work()})
            except Failed as error:
                outcome = Outcome("TaskFailed", _failure(error))
            except Exception as error:  # noqa: BLE001 - a fault of ours must not hang the flow
                outcome = Outcome("TaskFailed", {"error": "FnF.RuntimeError", "cause": repr(error)})
            self._post(lambda: done(outcome))

        self._pool.submit(run)

    def _work(self, command: api.RunTask) -> Callable[[], Any]:
        """Give what is to be done in a thread.

        Raises:
            Failed: Nothing is known by that name.
        """
        given = command.payload if isinstance(command.payload, dict) else {}
        resource = _resource(command)
        if command.action.lower() == "http:request":
            headers = given.get("headers") or {}
            where = (str(given.get("url", "")), str(given.get("method", "GET")))
            return lambda: actions.http(*where, headers, given.get("body"))
        if actions.is_function(resource):
            new = "resourceArn" in given
            body = given.get("body") if new else command.payload
            self._known.function(resource)
            if new:
                return lambda: {"Body": self._known.call(resource, body), "StatusCode": 200}
            return lambda: self._known.call(resource, body)
        self._known.function(command.action)
        return lambda: self._known.call(command.action, command.payload)


def _resource(command: api.RunTask) -> str:
    given = command.payload if isinstance(command.payload, dict) else {}
    return command.resource or str(given.get("resourceArn") or "")


def _failure(error: Failed | Fault) -> Data:
    if isinstance(error, Fault):
        return {"error": f"MNS.{error.code}", "cause": error.message}
    return {"error": error.error, "cause": error.cause}
