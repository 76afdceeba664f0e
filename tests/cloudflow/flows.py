"""Runs flows of tests, and sees that their logs lead to the same end wherever a crash comes."""

from __future__ import annotations

from typing import Any

from nbflow.services.cloudflow import FlowDefinition
from nbflow.services.cloudflow.interpret.api import Close
from nbflow.services.cloudflow.interpret.local import LocalExecution, LocalFlows
from nbflow.services.cloudflow.interpret.machine import Machine

CLOSING = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped"}
SERVICE = [
    *("FC.ResourceThrottled", "FC.ResourceExhausted", "FC.InternalServerError", "FC.ServerError"),
    *("FC.Unknown", "BookFlightError", "ocr.Timeout"),
]
"""Names of errors that come from outside: of functions, their exceptions and other services."""


def ran(text: str, given: Any = None, flows: dict[str, str] | None = None, **actions: Any):
    """Run a flow to its end, see that its log is whole, and give the execution."""
    definition = FlowDefinition.parse(text)
    execution = definition.run(given, actions=actions, flows=flows)
    survives(execution, definition)
    return execution


def survives(execution: LocalExecution, definition: FlowDefinition) -> None:
    """See that the machine says the same at the end after a crash at each event."""
    log = [event for event in execution.events if event.type not in CLOSING]
    places = range(0, len(log) + 1, max(1, len(log) // 25))
    for lost in places:
        machine = Machine(definition, execution.info)
        for event in log[:lost]:
            machine.apply(event)
        said = list(machine.next())
        for event in log[lost:]:
            machine.apply(event)
            said += machine.next()
        close = next((c for c in said if isinstance(c, Close)), None)
        assert close is not None, f"no end after a crash at event {lost}"
        assert (close.status, close.output) == (execution.status, execution.output)
        assert (close.error, close.cause) == (execution.error, execution.cause)


def local(flows: dict[str, str], **more: Any) -> LocalFlows:
    """Give flows that are in the middle of something."""
    return LocalFlows(flows, **more)


def machine(states: str, start: str) -> str:
    """Write a flow of the new language around its states."""
    return f"Type: StateMachine\nSpecVersion: v1\nName: flow\nStartAt: {start}\nStates:\n{states}"


def steps(text: str, more: str = "") -> str:
    """Write a flow of the old language around its steps."""
    return f"version: v1\ntype: flow\n{more}steps:\n{text}"


def fc(name: str) -> str:
    """Write the name of a function as the new language has it."""
    return f"acs:fc:cn-hangzhou:1:functions/{name}/LATEST"


class Fails:
    """An action that fails with some errors, one after the other, then gives a value."""

    def __init__(self, *errors: Exception, then: Any = None) -> None:
        self.left, self.then, self.calls = list(errors), then, 0

    def __call__(self, body: Any) -> Any:
        """Fail or give the value."""
        self.calls += 1
        if self.left:
            raise self.left.pop(0)
        return body if self.then is None else self.then
