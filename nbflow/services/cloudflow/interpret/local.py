"""Flows that run in this process: no service, no thread, and waits that take no time."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from nbflow.services.cloudflow.emulator.actions import function_name, is_function, queue_name
from nbflow.services.cloudflow.errors import ActionError, CloudFlowError
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.interpret.api import (
    CUSTOM,
    SYSTEM,
    Cancel,
    Close,
    Command,
    Event,
    ExecutionInfo,
    Record,
    RunTask,
    StartFlow,
    StartTimer,
)
from nbflow.services.cloudflow.interpret.machine import Machine

Action = Callable[[Any], Any]

_CLOSING: Final = 2
"""Events that are kept free below the limit, for the failure that says so."""


@dataclass(slots=True, eq=False)
class LocalExecution:
    """An execution of a flow in this process.

    Attributes:
        info: Its flow, its name and its input.
        status: ``Running``, ``Succeeded``, ``Failed`` or ``Stopped``.
        output: What it gave.
        error: What it failed with, by name.
        cause: What happened.
        events: Its log.
    """

    info: ExecutionInfo
    machine: Machine = field(repr=False)
    status: str = "Running"
    output: Any = None
    error: str = ""
    cause: str = ""
    events: list[Event] = field(default_factory=list, repr=False)
    parent: tuple[LocalExecution, int] | None = field(default=None, repr=False)
    timers: dict[str, int] = field(default_factory=dict, repr=False)

    def result(self) -> Any:
        """Give what it gave.

        Raises:
            CloudFlowError: It did not succeed, or still waits for somebody's report.
        """
        if self.status == "Succeeded":
            return self.output
        about = f"execution {self.info.name} of flow {self.info.flow}"
        if self.status == "Running":
            waits = ", ".join(sorted({e.step for e in self.waiting})) or "nothing"
            raise CloudFlowError(f"{about} is not over; it waits at: {waits}")
        raise CloudFlowError(f"{about}: {self.status}: {self.error}: {self.cause}")

    @property
    def waiting(self) -> list[Event]:
        """The calls that have no outcome yet."""
        numbers = {number for number, _ in self.machine.open}
        return [event for event in self.events if event.id in numbers]


class LocalFlows:
    """Runs flows in this process, in the order of their log, in a time of its own.

    Args:
        flows: Definitions by the flow's name, objects or texts; flows may start each other.
        actions: What calls do, by the last part of a function's name (``charge`` for
            ``acs:fc:...:functions/charge/LATEST``), by the name of a queue, or by an action as a
            whole (``HTTP:Request``): called with the body, the message or the parameters. What it
            raises is the error's name; `ActionError` has any name. A queue without an action keeps
            its messages in `messages`.
        start: The time at first, in seconds since the epoch.
        max_events: How many events an execution may have.

    Raises:
        FdlError: A text is no flow.

    Example:
        >>> flows = LocalFlows({"order": text}, {"charge": lambda body: {"paid": body["n"]}})
        >>> flows.start("order", {"n": 3}).result()
    """

    def __init__(
        self,
        flows: Mapping[str, FlowDefinition | str],
        actions: Mapping[str, Action] | None = None,
        *,
        start: float = 0.0,
        max_events: int = 5000,
    ) -> None:
        self.now = start
        self.executions: dict[tuple[str, str], LocalExecution] = {}
        self.messages: dict[str, list[Any]] = {}
        self._flows = {
            name: FlowDefinition.parse(flow) if isinstance(flow, str) else flow
            for name, flow in flows.items()
        }
        self._actions, self._most = dict(actions or {}), max_events
        self._tokens: dict[str, tuple[LocalExecution, int]] = {}
        self._work: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, LocalExecution, Record]] = []
        self._numbers = itertools.count(1)
        self._busy = False

    # What users do

    def start(self, flow: str, input: Any = None, name: str = "") -> LocalExecution:  # noqa: A002
        """Start an execution, or give the one of that name that runs; do all that is due now.

        Args:
            flow: The flow's name.
            input: Plain data.
            name: The execution's name; by default a new one.

        Raises:
            CloudFlowError: There is no such flow, or one of that name is over.
        """
        found = self._start(flow, input, name)
        self._go_on()
        return found

    def report(self, token: str, output: Any = None) -> None:
        """Say what a call gave that waits for its token to be reported.

        Raises:
            CloudFlowError: There is no such token, or it was reported before.
        """
        self._report(token, "TaskSucceeded", {"output": _plain(output)})

    def report_failed(self, token: str, error: str, cause: str = "") -> None:
        """Say that a call failed that waits for its token to be reported.

        Raises:
            CloudFlowError: There is no such token, or it was reported before.
        """
        self._report(token, "TaskFailed", {"error": error, "cause": cause})

    def advance(self, seconds: float) -> None:
        """Let time pass, and do what is due at its very time."""
        until = self.now + seconds
        self._pass(until)
        self.now = until

    def run(self) -> None:
        """Let time pass until nothing is left but calls that wait for a report."""
        self._pass(float("inf"))

    def stop(self, execution: LocalExecution, error: str = "", cause: str = "") -> None:
        """End an execution that runs; one that is over stays as it is."""
        if execution.status == "Running":
            self._close(execution, Close(status="Stopped", error=error, cause=cause))
            self._go_on()

    # Time

    def _pass(self, until: float) -> None:
        self._go_on()
        while self._timers and self._timers[0][0] <= until:
            due, number, execution, record = heapq.heappop(self._timers)
            key = _key(record)
            if execution.status == "Running" and execution.timers.get(key) == number:
                del execution.timers[key]
                self.now = max(self.now, due)
                self._append(execution, record)
                self._work.append(lambda e=execution: self._next(e))  # type: ignore[misc]
                self._go_on()

    def _go_on(self) -> None:
        """Do all that is due; an action that starts or reports adds to it, and does not nest."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._work:
                self._work.popleft()()
        finally:
            self._busy = False

    # Log

    def _start(self, flow: str, given: Any, name: str, inline: str = "") -> LocalExecution:
        definition = FlowDefinition.parse(inline) if inline else self._flows.get(flow)
        if definition is None:
            known = ", ".join(sorted(self._flows)) or "none"
            raise ActionError("FlowNotExists", f"there is no flow {flow!r:.80}; known: {known}")
        name = name or f"execution-{next(self._numbers)}"
        found = self.executions.get((flow, name))
        if found is not None:
            if found.status != "Running":
                raise ActionError("ExecutionAlreadyExists", f"{name} of flow {flow} is over")
            return found
        data = {} if given is None else _plain(given)
        info = ExecutionInfo(flow=flow, name=name, input=data, started=self.now)
        made = self.executions[flow, name] = LocalExecution(info, Machine(definition, info))
        self._append(made, Record(type="ExecutionStarted", detail={"input": data}))
        self._work.append(lambda: self._next(made))
        return made

    def _append(self, execution: LocalExecution, record: Record) -> int:
        event = Event(
            id=len(execution.events) + 1,
            type=record.type,
            time=self.now,
            step=record.step,
            schedule=record.schedule,
            detail=_plain(dict(record.detail)),
        )
        execution.events.append(event)
        execution.machine.apply(event)
        return event.id

    def _next(self, execution: LocalExecution) -> None:
        while execution.status == "Running" and (commands := execution.machine.next()):
            for command in commands:
                if execution.status == "Running":
                    self._carry_out(execution, command)

    def _carry_out(self, execution: LocalExecution, command: Command) -> None:
        if isinstance(command, Close):
            self._close(execution, command)
        elif len(execution.events) + _CLOSING > self._most:
            cause = f"the execution has {self._most} events"
            self._close(
                execution, Close(status="Failed", error="FnF.EventLimitExceeded", cause=cause)
            )
        elif isinstance(command, Record):
            self._append(execution, command)
        elif isinstance(command, StartTimer):
            number = execution.timers[_key(command.then)] = next(self._numbers)
            heapq.heappush(self._timers, (command.due, number, execution, command.then))
        elif isinstance(command, Cancel):
            self._cancel(execution, command)
        else:
            self._call(execution, command)

    def _cancel(self, execution: LocalExecution, command: Cancel) -> None:
        if command.timer is not None:
            execution.timers.pop(_key(command.timer), None)

    def _become(self, execution: LocalExecution, task: int, kind: str, detail: Any) -> None:
        """Note what became of a call; of an execution that is over, nothing."""
        if execution.status == "Running":
            step = execution.events[task - 1].step
            self._append(execution, Record(type=kind, step=step, schedule=task, detail=detail))
            self._work.append(lambda: self._next(execution))

    def _close(self, execution: LocalExecution, close: Close) -> None:
        failed = {"error": close.error, "cause": close.cause}
        succeeded = close.status == "Succeeded"
        detail = {"output": close.output} if succeeded else failed
        self._append(execution, Record(type=f"Execution{close.status}", detail=detail))
        execution.status, execution.output = close.status, close.output
        execution.error, execution.cause = close.error, close.cause
        if execution.parent is not None:
            error = close.error or f"FnF.Execution{close.status}"
            said = {"output": close.output} if succeeded else {**failed, "error": error}
            self._become(*execution.parent, "TaskSucceeded" if succeeded else "TaskFailed", said)

    # Calls

    def _call(self, execution: LocalExecution, command: RunTask | StartFlow) -> None:
        step, schedule, detail = command.step, command.schedule, command.detail
        record = Record(type="TaskScheduled", step=step, schedule=schedule, detail=detail)
        task = self._append(execution, record)
        made = self._filled(execution, task, command)
        # Later, so that what the machine says in one go is all noted before anything comes of it.
        self._work.append(lambda: self._begin(execution, task, made))

    def _filled(
        self, execution: LocalExecution, task: int, command: RunTask | StartFlow
    ) -> RunTask | StartFlow:
        """Put a token where the command has what stands for one."""
        if not command.token:
            return command
        token = f"local#{execution.info.flow}#{execution.info.name}#{task}"
        self._tokens[token] = (execution, task)

        def filled(value: Any) -> Any:
            return json.loads(json.dumps(value).replace(command.token, token))

        if isinstance(command, RunTask):
            return replace(command, payload=filled(command.payload), token=token)
        return replace(command, input=filled(command.input), token=token)

    def _begin(self, execution: LocalExecution, task: int, command: RunTask | StartFlow) -> None:
        if execution.status != "Running" or not any(n == task for n, _ in execution.machine.open):
            return  # it was given up meanwhile
        try:
            if isinstance(command, StartFlow):
                output = self._flow(execution, task, command)
            else:
                output = _plain(self._acted(command))
        except ActionError as error:
            known = "." in error.code or isinstance(command, RunTask)
            code = error.code if known else f"fnf.{error.code}"
            self._become(execution, task, "TaskFailed", {"error": code, "cause": error.cause})
        except Exception as error:  # noqa: BLE001 - an action may raise anything
            failed = {"error": type(error).__name__, "cause": str(error)}
            self._become(execution, task, "TaskFailed", failed)
        else:
            waits = command.mode == CUSTOM or (
                isinstance(command, StartFlow) and command.mode == SYSTEM
            )
            kind = "TaskSubmitted" if waits else "TaskSucceeded"
            self._become(execution, task, kind, {"output": output})

    def _flow(self, execution: LocalExecution, task: int, command: StartFlow) -> Any:
        child = self._start(command.flow, command.input, command.execution, command.inline)
        if command.mode == SYSTEM:
            child.parent = (execution, task)
        return {"FlowName": command.flow, "ExecutionName": child.info.name}

    def _acted(self, command: RunTask) -> Any:
        given = command.payload if isinstance(command.payload, dict) else {}
        resource = command.resource or str(given.get("resourceArn") or "")
        queue = queue_name(resource)
        if queue is not None:
            return self._sent(queue, given)
        if is_function(resource):
            name, new = function_name(resource), "resourceArn" in given
            body = given.get("body") if new else command.payload
            result = self._action(name, f"function {name}")(body)
            return {"Body": result, "StatusCode": 200} if new else result
        name = command.action or resource
        return self._action(name, f"action {name}")(command.payload)

    def _sent(self, queue: str, given: dict[str, Any]) -> Any:
        message = given.get("message", given.get("MessageBody", ""))
        if queue in self._actions:
            return self._actions[queue](message)
        self.messages.setdefault(queue, []).append(message)
        return {"MessageId": f"message-{len(self.messages[queue])}"}

    def _action(self, name: str, words: str) -> Action:
        if name not in self._actions:
            known = ", ".join(sorted(self._actions)) or "none"
            raise ActionError("FC.FunctionNotFound", f"there is no {words:.80}; known: {known}")
        return self._actions[name]

    def _report(self, token: str, kind: str, detail: dict[str, Any]) -> None:
        if token not in self._tokens:
            raise ActionError("TaskNotExists", f"there is no token {token!r:.80}")
        execution, task = self._tokens[token]
        if not any(number == task for number, _ in execution.machine.open):
            raise ActionError("TaskAlreadyCompleted", f"{token} has its report, or was given up")
        self._become(execution, task, kind, detail)
        self._go_on()


def run_flow(
    definition: FlowDefinition,
    given: Any,
    actions: Mapping[str, Action] | None,
    flows: Mapping[str, FlowDefinition | str] | None,
) -> LocalExecution:
    """Run a flow until it is over, or waits for a report; see `FlowDefinition.run`."""
    name = definition.name or "flow"
    local = LocalFlows({**(flows or {}), name: definition}, actions)
    execution = local.start(name, given)
    local.run()
    return execution


def _plain(value: Any) -> Any:
    """Copy plain data as JSON would.

    Raises:
        ActionError: It is none.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ActionError("FC.Unknown", f"no plain data that JSON has: {error}") from error


def _key(record: Record) -> str:
    return f"{record.type} {record.step} {record.schedule} {json.dumps(dict(record.detail))}"
